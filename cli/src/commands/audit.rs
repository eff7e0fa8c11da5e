//! `weighhouse audit`.

use std::path::PathBuf;

use clap::Args;
use weighhouse_models::Builtin;
use weighhouse_validator::audit::{Audited, audit};

use crate::failure::{Context, Exit, Failure};
use crate::output;

/// Check an epoch's journal without trusting who wrote it, and weigh it again.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  weighhouse audit journal/epoch-00000000000000000007.wj
  weighhouse audit --json journal/*.wj    an object per file

Checks the file's chain of checksums, every challenge's VRF proof, every answer's signature and every verdict, and
computes the weight vector from the records alone. Exit code 65 when anything differs.")]
pub(crate) struct Audit {
    /// Epochs' files from a validator's journal
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// The reference's weights (safetensors), where the epoch's task doesn't name a built-in model
    #[arg(long, value_name = "FILE")]
    reference: Option<PathBuf>,
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Audit) -> Result<(), Failure> {
    let mut references: Vec<Vec<u8>> = Builtin::ALL.iter().map(|builtin| builtin.bytes().to_vec()).collect();
    if let Some(path) = &args.reference {
        references.push(std::fs::read(path).exit(Exit::Missing, path.display())?);
    }
    let mut first = None;
    for file in &args.files {
        let shown = file.display();
        let bytes = std::fs::read(file).exit(Exit::Missing, &shown)?;
        let audited = audit(&bytes, &references).exit(Exit::Data, &shown)?;
        if args.json {
            output::json(&audited)?;
        } else {
            print(&audited)?;
        }
        if let (None, Some(problem)) = (&first, audited.problems.first()) {
            first = Some(format!("{shown}: {} problems, the first: {problem}", audited.problems.len()));
        }
    }
    first.map_or(Ok(()), |problem| Err(Failure::new(Exit::Data, problem)))
}

fn print(audited: &Audited) -> Result<(), Failure> {
    output::line(format!("epoch {} of validator {}", audited.epoch, audited.validator))?;
    output::line(format!("{} records, Merkle root {}", audited.records, audited.root))?;
    output::line(format!(
        "{} challenges, {} answers and {} verdicts checked",
        audited.challenges, audited.answers, audited.verdicts
    ))?;
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
    for fact in &audited.not_shown {
        output::line(format!("not shown by records of version 1: {fact}"))?;
    }
    for problem in &audited.problems {
        output::line(format!("problem: {problem}"))?;
    }
    Ok(())
}
