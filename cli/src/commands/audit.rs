//! `weighhouse audit`.

use std::path::PathBuf;

use clap::Args;
use weighhouse_ask::judges::JudgeAddress;
use weighhouse_types::LaterAnswers;
use weighhouse_validator::audit::{AuditReport, audit_taken_over, audit_with};

use super::judges::AuditReferences;
use crate::failure::{Context, Exit, Failure};
use crate::output;

/// Check an epoch's journal without trusting who wrote it, and weigh it again.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  weighhouse audit journal/epoch-00000000000000000007.wj
  weighhouse audit --json journal/*.wj    an object per file
  weighhouse audit journal/epoch-00000000000000000007.wj --judge 127.0.0.1:7711

Checks the file's chain of checksums, every challenge's VRF proof, every answer's signature and every verdict, and
computes the weight vector from the records alone. Of files of one epoch after the other it also checks that nothing which
awaits its truth was left out in between. A task of kind judge is judged again where --judge says who runs the
files that the task pins. Exit code 65 when anything differs, 69 when nothing does but verdicts were not re-derived.")]
pub(crate) struct Audit {
    /// Epochs' files from a validator's journal
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Address of a judge of the pinned files: 127.0.0.1:PORT, unix:/PATH or https://HOST:PORT; repeat it for several
    #[arg(long, value_name = "ADDRESS")]
    judge: Vec<JudgeAddress>,
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Audit) -> Result<(), Failure> {
    let (mut first, mut missing, mut before) = (None, None, None);
    for file in &args.files {
        let shown = file.display();
        let bytes = std::fs::read(file).exit(Exit::Missing, &shown)?;
        let references = AuditReferences(&args.judge);
        // A judge is waited for on this thread.
        let audited = tokio::task::block_in_place(|| audit_with(&bytes, &references));
        let mut audited = audited.exit(Exit::Data, &shown)?;
        if let Some(before) = before.replace(bytes.clone()) {
            audited.problems.extend(audit_taken_over(&before, &bytes).exit(Exit::Data, &shown)?);
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
    }
    match (first, missing) {
        // What differs outranks what wasn't re-derived: a run with a judge mends only the latter.
        (Some(problem), _) => Err(Failure::new(Exit::Data, problem)),
        (None, Some(missing)) => Err(Failure::new(Exit::Unavailable, missing)),
        (None, None) => Ok(()),
    }
}

fn print(audited: &AuditReport) -> Result<(), Failure> {
    output::line(format!("epoch {} of validator {}", audited.epoch, audited.validator))?;
    output::line(format!("{} records, Merkle root {}", audited.records, audited.root))?;
    output::line(format!(
        "{} challenges, {} answers and {} verdicts checked",
        audited.challenges, audited.answers, audited.verdicts
    ))?;
    if let Some(later) = later(audited) {
        output::line(later)?;
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
    for what in &audited.not_rederived {
        output::line(format!("not re-derived: {what}"))?;
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
