//! `weighhouse task digest`.

use std::path::{Path, PathBuf};

use clap::Args;
use weighhouse_judge::judge_digest;
use weighhouse_types::Digest;

use crate::commands::{read_text, write_file};
use crate::failure::{Context, Exit, Failure};
use crate::output;

/// Work out the digest of a judge's files, which a task file of kind judge pins.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  weighhouse task digest judge.py
  weighhouse task digest ./judge --pin task.toml    write it into [judge] digest

SHA-256 over one file, or over everything in a folder but hidden names and __pycache__: the same as
`python -m weighhouse.judge FILE --digest` gives.")]
pub(crate) struct DigestArgs {
    /// The judge: a file, or a folder
    judge: PathBuf,
    /// Write the digest into this task file
    #[arg(long, value_name = "FILE")]
    pin: Option<PathBuf>,
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &DigestArgs) -> Result<(), Failure> {
    let digest = judge_digest(&args.judge).exit(Exit::Missing, "the judge's files")?;
    if let Some(file) = &args.pin {
        let pinned = weighhouse_tasks::with_judge(&read_text(file)?, digest);
        let pinned = pinned.ok_or_else(|| {
            let what = "has no line `digest = ..` in a section [judge]: add one";
            Failure::config(format!("{}: {what}", file.display()))
        })?;
        write_file(file, pinned.as_bytes())?;
    }
    say(args.json, digest, args.pin.as_deref())
}

fn say(json: bool, digest: Digest, pinned: Option<&Path>) -> Result<(), Failure> {
    if json {
        return Ok(output::json(&serde_json::json!({ "digest": digest, "pinned": pinned }))?);
    }
    Ok(output::line(format!("sha256:{digest}"))?)
}
