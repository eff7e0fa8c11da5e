//! The labelled data set, and its verification.

use std::path::PathBuf;

use clap::Args;
use weighhouse_label::{Job, build as built, verify as verified};
use weighhouse_types::Digest;

use super::failed;
use crate::commands::expand;
use crate::failure::{Exit, Failure};
use crate::output;

/// Differences that are listed.
const LISTED: usize = 40;

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  weighhouse label build reviews --out reviews-labelled
  weighhouse label build reviews --out reviews-labelled --json

Writes items.parquet (a label and a column of the posterior for each class), manifest.json, datasheet.md, and all that
they follow from: items, guidelines, gold and every label with its receipt. The same labels give the same bytes.")]
pub(crate) struct Build {
    /// The job's folder
    job: PathBuf,
    /// Folder for the data set; made, or empty
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    #[arg(long)]
    json: bool,
}

pub(crate) fn build(args: &Build) -> Result<(), Failure> {
    let job = Job::open(&expand(&args.job)).map_err(failed)?;
    let out = expand(&args.out);
    let made = built(&job, &out).map_err(failed)?;
    if args.json {
        return Ok(output::json(&made)?);
    }
    output::line(format!(
        "{}: {} items, {} with a label (mean posterior {:.4}), {} labels of {} workers, {} bytes",
        out.display(),
        made.items,
        made.labelled,
        made.certainty,
        made.labels,
        made.workers,
        made.bytes
    ))?;
    output::line(format!("data set {}", made.digest))?;
    Ok(())
}

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  weighhouse label verify reviews-labelled
  weighhouse label verify reviews-labelled --digest 5f0c...e1 --json

Works out from the items and labels what the table, the datasheet and the manifest must be, and checks every digest and
receipt. Whoever made all files anew made another data set: compare the digest with the one you were told, by --digest.")]
pub(crate) struct Verify {
    /// The data set's folder
    dir: PathBuf,
    /// The data set's digest as you were told it
    #[arg(long, value_name = "SHA256")]
    digest: Option<Digest>,
    #[arg(long)]
    json: bool,
}

pub(crate) fn verify(args: &Verify) -> Result<(), Failure> {
    let found = verified(&expand(&args.dir)).map_err(failed)?;
    let is_other = args.digest.is_some_and(|digest| digest != found.digest);
    if args.json {
        output::json(&found)?;
    } else {
        for difference in found.differences.iter().take(LISTED) {
            let item = difference.item.map(|item| format!(" item {item}:")).unwrap_or_default();
            output::line(format!("{}:{item} {}", difference.file, difference.what))?;
        }
        if found.differences.len() > LISTED {
            output::line(format!("and {} more", found.differences.len() - LISTED))?;
        }
    }
    if is_other {
        return Err(Failure::new(
            Exit::Above,
            format!("this is another data set: its digest is {}", found.digest),
        ));
    }
    if !found.differences.is_empty() {
        let count = found.differences.len();
        return Err(Failure::new(
            Exit::Above,
            format!("{count} differences: the data set isn't what it says"),
        ));
    }
    if !args.json {
        output::line(format!(
            "whole: {} items, {} labels of {} workers worked out again; data set {}",
            found.items, found.labels, found.workers, found.digest
        ))?;
    }
    Ok(())
}
