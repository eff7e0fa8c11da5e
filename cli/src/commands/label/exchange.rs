//! Labels from and for other tools.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use weighhouse_label::{Format, Job, Labels, aggregate, export as exported, import as imported};
use weighhouse_seams::Entropy;

use super::failed;
use crate::commands::{expand, write_file};
use crate::failure::Failure;
use crate::output;

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  weighhouse label import reviews crowd.csv
  weighhouse label import reviews label-studio-export.json --json

CSV and JSONL have item (or task), worker and label, and may have lead_time (seconds) and at (milliseconds since 1970).
In Label Studio's tasks a skipped annotation is `skip`, one without a choice `unsure`, ground truth is gold, and
predictions are passed over. Answers that the job has already aren't added again.")]
pub(crate) struct Import {
    /// The job's folder
    job: PathBuf,
    /// A .csv, .jsonl or .json file
    file: PathBuf,
    #[arg(long)]
    json: bool,
}

pub(crate) fn import(args: &Import) -> Result<(), Failure> {
    let mut job = Job::open(&expand(&args.job)).map_err(failed)?;
    let mut labels = Labels::open(&job).map_err(failed)?;
    let taken = imported(&mut job, &mut labels, &expand(&args.file), &Entropy::system()).map_err(failed)?;
    if args.json {
        return Ok(output::json(&taken)?);
    }
    output::line(format!(
        "{} labels of {} workers, {} gold items; {} answers were known, {} predictions passed over",
        taken.labels, taken.workers, taken.gold, taken.known, taken.predictions
    ))?;
    Ok(())
}

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  weighhouse label export reviews --format crowd-kit --out table.csv
  weighhouse label export reviews --format label-studio --out tasks.json
  weighhouse label export reviews --format label-studio-config")]
pub(crate) struct Export {
    /// The job's folder
    job: PathBuf,
    #[arg(long, value_enum)]
    format: FormatName,
    /// Where to write it; standard output if not given
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum FormatName {
    /// Every answer, with times
    Csv,
    /// The same as JSON objects
    Jsonl,
    /// task, worker, label: the votes alone
    CrowdKit,
    /// Tasks with annotations, and the posterior as predictions
    LabelStudio,
    /// The labelling config
    LabelStudioConfig,
}

pub(crate) fn export(args: &Export) -> Result<(), Failure> {
    let job = Job::open(&expand(&args.job)).map_err(failed)?;
    let labels = Labels::open(&job).map_err(failed)?;
    let format = match args.format {
        FormatName::Csv => Format::Csv,
        FormatName::Jsonl => Format::Jsonl,
        FormatName::CrowdKit => Format::CrowdKit,
        FormatName::LabelStudio => Format::LabelStudio,
        FormatName::LabelStudioConfig => Format::LabelStudioConfig,
    };
    let text = exported(&job, &labels, &aggregate(&job, &labels), format).map_err(failed)?;
    match &args.out {
        Some(path) => write_file(&expand(path), text.as_bytes()),
        None => Ok(output::line(text.trim_end())?),
    }
}
