//! `weighhouse audit`.

mod answer;
mod fetch;
mod fork;
mod listed;
mod sources;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Deserialize;
use weighhouse_ask::judges::JudgeAddress;
use weighhouse_chain::address::ChainAddress;
use weighhouse_miner::receipts::{FILE_PREFIX, read};
use weighhouse_models::Builtin;
use weighhouse_tasks::TaskError;
use weighhouse_types::{Acknowledgement, Digest, Epoch, Hotkey, LaterAnswers, MechId, Netuid, WeightVector};
use weighhouse_validator::audit::{
    AnswerProof, AuditError, AuditReport, CheckpointReport, LogReport, STARTED, audit_chain, audit_receipts,
    audit_taken_over, audit_with,
};
use weighhouse_validator::log::Fork;

use super::judges::AuditReferences;
use super::{connect, read_text};
use crate::failure::{Context, Exit, Failure};
use crate::{models, output};
use answer::Answered;
use sources::{Chosen, EpochRange, Source, sources};

/// Check an epoch's evidence without trusting who wrote it, and weigh it again.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  weighhouse audit journal/epoch-00000000000000000007.wj
  weighhouse audit journal                          every epoch in the folder, in order
  weighhouse audit http://203.0.113.8:8093/         a validator's newest two epochs
  weighhouse audit http://203.0.113.8:8093/ --epochs 3..7 --save evidence
  weighhouse audit --json journal/*.wj              an object per file
  weighhouse audit --receipts miner-state journal/epoch-00000000000000000007.wj
  weighhouse audit --model ./reference.safetensors journal/epoch-00000000000000000007.wj
  weighhouse audit --chain finney --newest 5 journal
                                                    what the chain says of blocks and publications, too
  weighhouse audit --witnesses 3 journal            3 other validators have to have witnessed each epoch
  weighhouse audit --prove 0:5 journal/epoch-00000000000000000007.wj --save proofs
  weighhouse audit proofs/answer-7-0-5.json         one answer and its verdict, without the epoch
  weighhouse audit fork-1c9e6a01b2d3f405.json       the proof that a validator signed two records
  weighhouse audit journal/epoch-00000000000000000007.wj --judge 127.0.0.1:7711

Checks the file's chain of checksums, every challenge's VRF proof, every answer's signature and every verdict, works
out the references of a model that is at hand, finds who was left out of a round, and computes the weight vector from
the records alone. Of files of one epoch after the other it also checks what each took over from the one before. A task
of kind judge is judged again where --judge says who runs the files that the task pins. --receipts has a miner's
receipts say whether an answer that the validator has signed for was left out. --chain asks a node what became of the
signed calls. More than half of the subnet's other validators have to have witnessed an epoch's checkpoint, or as many
as --witnesses says. What nothing but the validator's word stands for is listed; docs/audit.md says what that may be.
Exit code 65 when anything differs, 69 when nothing does but verdicts were not re-derived, witnesses are missing,
records are of version 1, or a server is away.")]
pub(crate) struct Audit {
    /// Epochs' files, folders of them, or addresses: of a bundle, or of a validator that offers bundles; or a proof
    #[arg(required = true, value_name = "FILE|FOLDER|URL")]
    named: Vec<PathBuf>,
    /// Epochs to check of a folder or an address, both ends included
    #[arg(long, value_name = "FIRST..LAST", conflicts_with = "newest")]
    epochs: Option<EpochRange>,
    /// Check the newest so many; of an address 2 where nothing is said
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    newest: Option<u64>,
    /// Of one epoch's file, write the proof that this answer and its verdict are in the validator's log, into --save
    #[arg(long, value_name = "ROUND:UID")]
    prove: Option<Answered>,
    /// Folder to keep downloads and proofs in; what is there already isn't downloaded again
    #[arg(long, value_name = "DIR")]
    save: Option<PathBuf>,
    /// Address of a judge of the pinned files: 127.0.0.1:PORT, unix:/PATH or https://HOST:PORT; repeat it for several
    #[arg(long, value_name = "ADDRESS")]
    judge: Vec<JudgeAddress>,
    /// The task's reference, where it is a file of weights and not the built-in one: its words are worked out again
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
    /// Receipts that a miner holds: its state folder, or a file of it; repeat it for several
    #[arg(long, value_name = "PATH")]
    receipts: Vec<PathBuf>,
    /// Validators that have to have witnessed each epoch's checkpoint; more than half of the subnet's others where nothing is said
    #[arg(long, value_name = "COUNT")]
    witnesses: Option<usize>,
    /// A node of the chain: the beacons, and what became of the signed calls, are compared with it
    #[arg(long, value_name = "NAME|URL")]
    chain: Option<ChainAddress>,
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(args: &Audit) -> Result<(), Failure> {
    if let [path] = &args.named[..]
        && is_proof(path)
    {
        let shown = path.display();
        let proof: Proof =
            serde_json::from_str(&read_text(path)?).exit(Exit::Data, format!("{shown}: no proof"))?;
        return match proof {
            Proof::Answer(proof) => answer::check(path, &proof, args.witnesses.unwrap_or(0), args.json),
            Proof::Fork(fork) => fork::check(path, &fork, args.json),
        };
    }
    if let Some(asked) = args.prove {
        let [file] = &args.named[..] else {
            return Err(Failure::config("--prove is of one epoch: name its file alone"));
        };
        return answer::write(file, asked, args.save.as_deref());
    }
    let weights = match &args.model {
        Some(model) => models::weights(model)?,
        None => Builtin::Reference.bytes().to_vec(),
    };
    let held = receipts(&args.receipts)?;
    let newest = args.newest.map(|newest| usize::try_from(newest).unwrap_or(usize::MAX));
    let sources = sources(&args.named, Chosen { epochs: args.epochs, newest }).await?;
    if let Some(folder) = &args.save {
        std::fs::create_dir_all(folder).exit(Exit::Unavailable, format!("{} (--save)", folder.display()))?;
    }
    let chain = match &args.chain {
        Some(address) => Some(connect(address, None).await?),
        None => None,
    };
    let mut before = Before::new();
    let mut faults = Faults::default();
    for source in &sources {
        let bytes = source.bytes(args.save.as_deref()).await?;
        // A judge is waited for on this thread.
        let audited =
            tokio::task::block_in_place(|| audit_by(&bytes, (&args.judge, args.model.as_deref()), &weights));
        if matches!(audited, Err(AuditError::NothingOpened)) && sources.len() > 1 {
            output::note(format!(
                "{source}: passed over, no epoch was opened in it: its validator was stopped just then"
            ));
            continue;
        }
        let mut audited = audited.exit(Exit::Data, source)?;
        let (compared, proven) = audit_receipts(&bytes, &held).exit(Exit::Data, source)?;
        audited.receipts = compared;
        audited.problems.extend(proven);
        if let Some(chain) = &chain {
            let found = audit_chain(&bytes, &**chain).await.exit(Exit::Data, source)?;
            audited.problems.extend(found.problems.clone());
            audited.on_chain = Some(found);
        }
        let fork = compare_with_before(&mut before, &mut audited, bytes).exit(Exit::Data, source)?;
        if let Some(fork) = fork {
            audited.problems.push(fork::found(&fork, args.save.as_deref())?);
        }
        if let Source::Remote { listed: Some(listed), .. } = source {
            listed.compare(&mut audited);
        }
        if args.json {
            output::json(&audited)?;
        } else {
            print(&audited)?;
        }
        faults.note(source, &audited, args.witnesses);
    }
    faults.outcome()
}

/// Another validator's newest epoch, after it and those before were judged again without any fault.
pub(super) async fn judged_again(
    named: &[PathBuf],
    (newest, model): (usize, Option<&str>),
    judges: &[JudgeAddress],
    witnesses: Option<usize>,
) -> Result<Vec<u8>, Failure> {
    let weights = match model {
        Some(model) => models::weights(model)?,
        None => Builtin::Reference.bytes().to_vec(),
    };
    let sources = sources(named, Chosen { epochs: None, newest: Some(newest) }).await?;
    let mut before = Before::new();
    let mut faults = Faults::default();
    let mut last = None;
    for source in &sources {
        let bytes = source.bytes(None).await?;
        let audited = tokio::task::block_in_place(|| audit_by(&bytes, (judges, model), &weights));
        let mut audited = audited.exit(Exit::Data, source)?;
        compare_with_before(&mut before, &mut audited, bytes.clone()).exit(Exit::Data, source)?;
        let AuditReport { epoch, verdicts, references, .. } = audited;
        output::note(format!(
            "epoch {epoch}: {verdicts} verdicts judged again, {references} references worked out again"
        ));
        faults.note(source, &audited, witnesses);
        last = Some(bytes);
    }
    faults.outcome()?;
    last.ok_or_else(|| Failure::new(Exit::Missing, "there is no epoch to start from"))
}

/// What a file of JSON proves.
#[derive(Deserialize)]
#[serde(untagged)]
enum Proof {
    Answer(Box<AnswerProof>),
    Fork(Box<Fork>),
}

/// Whether a path names a proof and not an epoch.
fn is_proof(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "json") && path.is_file()
}

/// The newest file of each validator so far.
type Before = BTreeMap<(Hotkey, Digest, Netuid, MechId), (Epoch, Vec<u8>)>;

/// What a file took over from the one before it, where there is one.
fn compare_with_before(
    before: &mut Before,
    audited: &mut AuditReport,
    bytes: Vec<u8>,
) -> Result<Option<Fork>, AuditError> {
    let mut fork = None;
    let whose = (audited.validator, audited.genesis, audited.netuid, audited.mechanism);
    if let Some((epoch, earlier)) = before.get(&whose) {
        let found = audit_taken_over(earlier, &bytes)?;
        fork = found.fork;
        // In another order nothing would be compared.
        if *epoch >= audited.epoch && fork.is_none() {
            audited.problems.push(format!(
                "it comes after epoch {epoch}'s file: give a validator's files in the order of their epochs, each once"
            ));
        }
        audited.problems.extend(found.problems);
        audited.changed.extend(found.changed);
        audited.missing.extend(found.missing);
    } else if from_another(before, audited, &bytes)? {
        audited.on_trust.retain(|what| !what.starts_with(STARTED));
    } else if audited.epoch > Epoch(0) {
        let what = "what it took over from earlier epochs: give the file before as well";
        audited.on_trust.push(what.to_owned());
    }
    before.insert(whose, (audited.epoch, bytes));
    Ok(fork)
}

/// Whether one of the files before is the other validator's epoch that this one began with; what is wrong with that is a problem.
fn from_another(before: &Before, audited: &mut AuditReport, bytes: &[u8]) -> Result<bool, AuditError> {
    for (_, earlier) in before.values() {
        let found = audit_taken_over(earlier, bytes)?;
        if found.is_start {
            audited.problems.extend(found.problems);
            return Ok(true);
        }
    }
    Ok(false)
}

/// The first problem, and the first thing that was not re-derived, of all files.
#[derive(Default)]
struct Faults {
    first: Option<String>,
    missing: Option<String>,
}

impl Faults {
    fn note(&mut self, source: &Source, audited: &AuditReport, witnesses: Option<usize>) {
        if let (None, Some(problem)) = (&self.first, audited.problems.first()) {
            let count = audited.problems.len();
            self.first = Some(format!("{source}: {count} problems, the first: {problem}"));
        }
        if let (None, Some(what)) = (&self.missing, audited.not_rederived.first()) {
            let way_out = match audited.removed {
                0 => "see --judge",
                _ => {
                    "its validator removed them to save room (journal.keep_answers_epochs): a bundle that was taken before has them"
                }
            };
            self.missing = Some(format!("{source}: not re-derived: {what}; {way_out}"));
        }
        if let (None, Some(what)) = (&self.missing, audited.missing.first()) {
            self.missing = Some(format!("{source}: {what}; give the files of the epochs between as well"));
        }
        if let (None, Some(what)) = (&self.missing, unwitnessed(audited, witnesses)) {
            self.missing = Some(format!("{source}: {what}; see --witnesses"));
        }
        if let (None, Some(what)) = (&self.missing, audited.not_shown.first()) {
            self.missing = Some(format!("{source}: records of version 1 don't show {what}"));
        }
    }

    fn outcome(self) -> Result<(), Failure> {
        match (self.first, self.missing) {
            // What differs outranks what wasn't re-derived: a run with a judge mends only the latter.
            (Some(problem), _) => Err(Failure::new(Exit::Data, problem)),
            (None, Some(missing)) => Err(Failure::new(Exit::Unavailable, missing)),
            (None, None) => Ok(()),
        }
    }
}

/// Why an epoch that is over isn't witnessed as it should be: by as many as are asked for, or by more than half of the others.
fn unwitnessed(audited: &AuditReport, asked: Option<usize>) -> Option<String> {
    if let Some(log) = &audited.log {
        return log.unwitnessed(asked.unwrap_or(log.wanted));
    }
    // Scores that other software made are in no log, and version 1 had none.
    let had_none = audited.scored_elsewhere || !audited.not_shown.is_empty();
    let wanted = asked.map_or(!had_none && !audited.is_open, |asked| asked > 0);
    wanted.then(|| "its records are in no log that others could have witnessed".to_owned())
}

/// The receipts in files of miners' state folders.
fn receipts(paths: &[PathBuf]) -> Result<Vec<Acknowledgement>, Failure> {
    let mut held = Vec::new();
    for path in paths {
        let shown = path.display();
        let mut files = vec![path.clone()];
        if path.is_dir() {
            let entries = std::fs::read_dir(path).exit(Exit::Missing, &shown)?;
            let named = |path: &PathBuf| {
                path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(FILE_PREFIX))
            };
            files = entries.filter_map(|entry| Some(entry.ok()?.path())).filter(named).collect();
            files.sort();
        }
        let before = held.len();
        for file in files {
            held.extend(read(&std::fs::read(&file).exit(Exit::Missing, file.display())?));
        }
        if held.len() == before {
            return Err(Failure::new(
                Exit::Missing,
                format!("{shown}: no receipts; a miner keeps them in its state.dir, in files {FILE_PREFIX}*"),
            ));
        }
    }
    Ok(held)
}

/// By the weights at hand, and where the task names others and nobody asked for these, by the recorded words alone.
fn audit_by(
    bytes: &[u8],
    (judges, model): (&[JudgeAddress], Option<&str>),
    weights: &[u8],
) -> Result<AuditReport, AuditError> {
    let references = AuditReferences { weights: Some(weights), judges };
    match audit_with(bytes, &references) {
        Err(AuditError::Task(TaskError::WrongReference { .. })) if model.is_none() => {
            audit_with(bytes, &AuditReferences { weights: None, ..references })
        }
        audited => audited,
    }
}

fn print(audited: &AuditReport) -> Result<(), Failure> {
    output::line(format!("epoch {} of validator {}", audited.epoch, audited.validator))?;
    output::line(format!(
        "subnet {}, mechanism {}, of the chain with genesis {}",
        audited.netuid, audited.mechanism, audited.genesis
    ))?;
    let removed = match audited.removed {
        0 => String::new(),
        removed => format!(" and the hashes of {removed} that were removed"),
    };
    output::line(format!("{} records{removed}, Merkle root {}", audited.records, audited.root))?;
    if let Some(LogReport { checkpoint: Some(checkpoint), validators, .. }) = &audited.log {
        let CheckpointReport { size, root, witnesses } = checkpoint;
        let count = witnesses.len();
        output::line(format!(
            "the log up to its end: {size} records, root {root}, witnessed by {count} of {validators} other validators"
        ))?;
    }
    output::line(format!(
        "{} challenges, {} answers and {} verdicts checked, {} references worked out again",
        audited.challenges, audited.answers, audited.verdicts, audited.references
    ))?;
    if audited.scored_elsewhere {
        return print_elsewhere(audited);
    }
    if audited.receipts > 0 {
        output::line(format!("{} receipts of miners are held against it", audited.receipts))?;
    }
    if let Some(later) = later(audited) {
        output::line(later)?;
    }
    if audited.is_open {
        output::line("the epoch is still open, or its end was cut off: nothing is decided by these records")?;
        return told(audited);
    }
    match (&audited.vector, &audited.abstains) {
        (Some(vector), _) => output::line(format!("the records give  {}", entries(vector)))?,
        (None, Some(why)) => output::line(format!("the records give no vector: {why}"))?,
        (None, None) => {}
    }
    let published = match (audited.matches, audited.published_at) {
        (Some(true), Some(block)) => {
            let late = audited.late_after.map_or(String::new(), |end| {
                format!(", after the epoch had ended at block {end}: it counts from the next one on")
            });
            format!("equal to the vector published at block {block}{late}")
        }
        (Some(true), None) => "equal to the vector intended, which is not published yet".to_owned(),
        (Some(false), _) => "NOT the vector that was intended".to_owned(),
        (None, _) => "no vector was intended yet".to_owned(),
    };
    output::line(published)?;
    told(audited)
}

/// Of an epoch whose vector other software made.
fn print_elsewhere(audited: &AuditReport) -> Result<(), Failure> {
    output::line("scores not re-derived: other software made them, and the records hold no judgements")?;
    if let Some(vector) = &audited.intended {
        output::line(format!("the intent gives  {}", entries(vector)))?;
    }
    match (audited.published_at, &audited.intended) {
        (Some(block), _) => output::line(format!("published at block {block}"))?,
        (None, Some(_)) => output::line("this file doesn't show that it was published")?,
        (None, None) => output::line("no vector was intended yet")?,
    }
    told(audited)
}

/// What was not re-derived, is on trust, or wrong.
fn told(audited: &AuditReport) -> Result<(), Failure> {
    for what in &audited.not_rederived {
        output::line(format!("not re-derived: {what}"))?;
    }
    if let Some(found) = &audited.on_chain {
        for what in &found.confirmed {
            output::line(format!("on the chain: {what}"))?;
        }
        for what in &found.unknown {
            output::line(format!("not shown by this node: {what}"))?;
        }
    }
    for what in &audited.missing {
        output::line(format!("missing: {what}"))?;
    }
    for what in &audited.changed {
        output::line(format!("changed: {what}"))?;
    }
    for what in &audited.on_trust {
        output::line(format!("on trust: {what}"))?;
    }
    for fact in &audited.not_shown {
        output::line(format!("not shown by records of version 1: {fact}"))?;
    }
    for problem in &audited.problems {
        output::line(format!("problem: {problem}"))?;
    }
    Ok(())
}

fn entries(vector: &WeightVector) -> String {
    let entries = vector.entries().iter().map(|(uid, weight)| format!("{uid}:{weight}"));
    entries.collect::<Vec<_>>().join(" ")
}

/// Answers whose truth comes in another epoch than the one that asked, where there are any.
fn later(audited: &AuditReport) -> Option<String> {
    let AuditReport { awaiting, resolved, lapsed, .. } = *audited;
    let mut parts = Vec::new();
    if resolved > 0 {
        parts.push(format!("the truth came for {resolved} answers of earlier epochs"));
    }
    if awaiting > 0 {
        parts.push(LaterAnswers::in_words(awaiting));
    }
    if lapsed > 0 {
        parts.push(format!("{lapsed} challenges lapsed without a truth"));
    }
    (!parts.is_empty()).then(|| parts.join("; "))
}

#[cfg(test)]
mod tests;
