//! `weighhouse task digest`.

use std::path::{Path, PathBuf};

use clap::Args;
use weighhouse_judge::judge_digest;
use weighhouse_types::Digest;

use crate::commands::{read_text, write_file};
use crate::failure::{Context, Exit, Failure};
use crate::{models, output};

/// Files by which a folder is told to be a model's and no judge's.
const OF_MODELS: [&str; 3] = ["config.json", "adapter_config.json", "model.safetensors.index.json"];

/// Work out the digest of a judge's files, or of a model's folder, which a task file pins.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  weighhouse task digest judge.py
  weighhouse task digest ./judge --pin task.toml    write it into [judge] digest
  weighhouse task digest ./model --pin task.toml    write it into reference

Of a judge, SHA-256 over one file, or over everything in a folder but hidden names and __pycache__: the same as
`python -m weighhouse.judge FILE --digest` gives. A folder with a config.json is a model. Where it has a
generation_config.json, the digest covers its end tokens, and the one without them is shown too.")]
pub(crate) struct DigestArgs {
    /// The judge: a file, or a folder; or a model's folder
    judge: PathBuf,
    /// Write the digest into this task file
    #[arg(long, value_name = "FILE")]
    pin: Option<PathBuf>,
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &DigestArgs) -> Result<(), Failure> {
    // A link to nothing counts too: what is missing of a model is told when it is read.
    if OF_MODELS.iter().any(|name| args.judge.join(name).symlink_metadata().is_ok()) {
        return of_model(args);
    }
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

fn of_model(args: &DigestArgs) -> Result<(), Failure> {
    let (digests, ends) = models::identity(&args.judge.display().to_string())?;
    let (digest, older) = (digests[0], digests.get(1));
    if let Some(file) = &args.pin {
        let text = read_text(file)?;
        if !text.lines().any(|line| line.split('=').next().is_some_and(|key| key.trim() == "reference")) {
            let what = "has no line `reference = ..`: add one above the first section";
            return Err(Failure::config(format!("{}: {what}", file.display())));
        }
        write_file(file, weighhouse_tasks::with_reference(&text, digest).as_bytes())?;
    }
    if args.json {
        let said = serde_json::json!({
            "digest": digest, "without_generation_config": older, "end_tokens": ends,
            "pinned": args.pin,
        });
        return Ok(output::json(&said)?);
    }
    output::line(format!("sha256:{digest}"))?;
    match older {
        Some(older) => Ok(output::line(format!("sha256:{older} without generation_config.json"))?),
        None => Ok(()),
    }
}

fn say(json: bool, digest: Digest, pinned: Option<&Path>) -> Result<(), Failure> {
    if json {
        return Ok(output::json(&serde_json::json!({ "digest": digest, "pinned": pinned }))?);
    }
    Ok(output::line(format!("sha256:{digest}"))?)
}
