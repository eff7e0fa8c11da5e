//! `weighhouse audit`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use weighhouse_ask::judges::JudgeAddress;
use weighhouse_models::Builtin;
use weighhouse_tasks::TaskError;
use weighhouse_types::{Epoch, Hotkey, LaterAnswers};
use weighhouse_validator::audit::{AuditError, AuditReport, audit_taken_over, audit_with};

use super::judges::AuditReferences;
use crate::failure::{Context, Exit, Failure};
use crate::{models, output};

/// Check an epoch's journal without trusting who wrote it, and weigh it again.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  weighhouse audit journal/epoch-00000000000000000007.wj
  weighhouse audit --json journal/*.wj    an object per file
  weighhouse audit --model ./reference.safetensors journal/epoch-00000000000000000007.wj
  weighhouse audit journal/epoch-00000000000000000007.wj --judge 127.0.0.1:7711

Checks the file's chain of checksums, every challenge's VRF proof, every answer's signature and every verdict, works out
the references of a model that is at hand, finds who was left out of a round, and computes the weight vector from the
records alone. Of files of one epoch after the other it also checks what each took over from the one before. A task of
kind judge is judged again where --judge says who runs the files that the task pins. What nothing but the validator's
word stands for is listed; docs/audit.md says what that may be. Exit code 65 when anything differs, 69 when nothing does but verdicts were not re-derived or records are of version 1.")]
pub(crate) struct Audit {
    /// Epochs' files from a validator's journal
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Address of a judge of the pinned files: 127.0.0.1:PORT, unix:/PATH or https://HOST:PORT; repeat it for several
    #[arg(long, value_name = "ADDRESS")]
    judge: Vec<JudgeAddress>,
    /// The task's reference, where it is a file of weights and not the built-in one: its words are worked out again
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Audit) -> Result<(), Failure> {
    let (mut first, mut missing) = (None, None);
    let mut before: BTreeMap<Hotkey, (Epoch, Vec<u8>)> = BTreeMap::new();
    let weights = match &args.model {
        Some(model) => models::weights(model)?,
        None => Builtin::Reference.bytes().to_vec(),
    };
    for file in &args.files {
        let shown = file.display();
        let bytes = std::fs::read(file).exit(Exit::Missing, &shown)?;
        // A judge is waited for on this thread.
        let audited = tokio::task::block_in_place(|| audit_by(&bytes, args, &weights));
        let mut audited = audited.exit(Exit::Data, &shown)?;
        if let Some((epoch, before)) = before.insert(audited.validator, (audited.epoch, bytes.clone())) {
            // In another order nothing would be compared.
            if epoch >= audited.epoch {
                audited.problems.push(format!(
                    "it comes after epoch {epoch}'s file: give a validator's files in the order of their epochs, each once"
                ));
            }
            let found = audit_taken_over(&before, &bytes).exit(Exit::Data, &shown)?;
            audited.problems.extend(found.problems);
            audited.changed.extend(found.changed);
        } else if audited.epoch > Epoch(0) {
            let what = "what it took over from earlier epochs: give the file before as well";
            audited.on_trust.push(what.to_owned());
        }
        if args.json {
            output::json(&audited)?;
        } else {
            print(&audited)?;
        }
        if let (None, Some(problem)) = (&first, audited.problems.first()) {
            first = Some(format!("{shown}: {} problems, the first: {problem}", audited.problems.len()));
        }
        if let (None, Some(what)) = (&missing, audited.not_rederived.first()) {
            missing = Some(format!("{shown}: not re-derived: {what}; see --judge"));
        }
        if let (None, Some(what)) = (&missing, audited.not_shown.first()) {
            missing = Some(format!("{shown}: records of version 1 don't show {what}"));
        }
    }
    match (first, missing) {
        // What differs outranks what wasn't re-derived: a run with a judge mends only the latter.
        (Some(problem), _) => Err(Failure::new(Exit::Data, problem)),
        (None, Some(missing)) => Err(Failure::new(Exit::Unavailable, missing)),
        (None, None) => Ok(()),
    }
}

/// By the weights at hand, and where the task names others and nobody asked for these, by the recorded words alone.
fn audit_by(bytes: &[u8], args: &Audit, weights: &[u8]) -> Result<AuditReport, AuditError> {
    let references = AuditReferences { weights: Some(weights), judges: &args.judge };
    match audit_with(bytes, &references) {
        Err(AuditError::Task(TaskError::WrongReference { .. })) if args.model.is_none() => {
            audit_with(bytes, &AuditReferences { weights: None, ..references })
        }
        audited => audited,
    }
}

fn print(audited: &AuditReport) -> Result<(), Failure> {
    output::line(format!("epoch {} of validator {}", audited.epoch, audited.validator))?;
    output::line(format!("{} records, Merkle root {}", audited.records, audited.root))?;
    output::line(format!(
        "{} challenges, {} answers and {} verdicts checked, {} references worked out again",
        audited.challenges, audited.answers, audited.verdicts, audited.references
    ))?;
    if let Some(later) = later(audited) {
        output::line(later)?;
    }
    if audited.is_open {
        output::line("the epoch is still open, or its end was cut off: nothing is decided by these records")?;
        return told(audited);
    }
    match (&audited.vector, &audited.abstains) {
        (Some(vector), _) => {
            let entries: Vec<_> =
                vector.entries().iter().map(|(uid, weight)| format!("{uid}:{weight}")).collect();
            output::line(format!("the records give  {}", entries.join(" ")))?;
        }
        (None, Some(why)) => output::line(format!("the records give no vector: {why}"))?,
        (None, None) => {}
    }
    let published = match (audited.matches, audited.published_at) {
        (Some(true), Some(block)) => format!("equal to the vector published at block {block}"),
        (Some(true), None) => "equal to the vector intended, which is not published yet".to_owned(),
        (Some(false), _) => "NOT the vector that was intended".to_owned(),
        (None, _) => "no vector was intended yet".to_owned(),
    };
    output::line(published)?;
    told(audited)
}

/// What was not re-derived, is on trust, or wrong.
fn told(audited: &AuditReport) -> Result<(), Failure> {
    for what in &audited.not_rederived {
        output::line(format!("not re-derived: {what}"))?;
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
