//! `weighhouse task calibrate`.

use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use serde::Serialize;
use weighhouse_models::precision::Precision;
use weighhouse_tasks::calibrate::{
    By, Calibration, CalibrationModel, CalibrationResult, Progress, RowsCalibration, RowsOf, rewrite,
    rewrite_embed,
};
use weighhouse_tasks::registry::builtin;
use weighhouse_tasks::witness::{Encoder, TeacherForced, Witness};
use weighhouse_tasks::{Task as Loaded, TaskFile, with_reference};
use weighhouse_types::Digest;

use super::cpu_time;
use super::server::NamedServer;
use crate::commands::validator::task_text;
use crate::commands::write_file;
use crate::failure::{Context, Exit, Failure};
use crate::models;
use crate::output::{self, Table};

/// Measure how far honest completions or embeddings are from the reference, set a task's limits beyond them, and tell
/// what they catch.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  weighhouse task calibrate generate --reference ./model --out my-task.toml
  weighhouse task calibrate my-task.toml --reference ./model --weak ./small --challenges 1000 --out my-task.toml
  weighhouse task calibrate my-task.toml --reference ./model --honest f32 --against int8 --json
  weighhouse task calibrate my-task.toml --reference ./model --server openai:http://127.0.0.1:8000#my-model

Honest miners decode with a cache of keys and values, one or many sequences at a time, in any precision down to --honest;
cheats serve weaker weights, other settings or other answers. Every answer goes before the judge that a validator uses.
Without --out, the task file with its limits goes to standard output and the table to standard error. Figures depend on
the task, the models, --challenges and --seed, and in their last digits on the processor.")]
pub(crate) struct Calibrate {
    /// A task file of kind generate or embed, or one of these names for the built-in ones
    task: String,
    /// The agreed model: language-reference, a folder, or OWNER/NAME of the Hugging Face hub
    #[arg(long, value_name = "MODEL")]
    reference: String,
    /// A weaker model, as a cheat to be told
    #[arg(long, value_name = "MODEL")]
    weak: Option<String>,
    /// An honest server of the agreed model that is not ours, openai:http://HOST:PORT#MODEL or oip:http://HOST:PORT#MODEL;
    /// for tasks with sampler = "greedy"
    #[arg(long, value_name = "SERVER")]
    server: Vec<NamedServer>,
    /// The coarsest precision that an honest miner may serve the model in
    #[arg(long, value_enum, default_value_t = Honest::Bf16)]
    honest: Honest,
    /// The cheat that the sequential test has to tell: int8, int4 or weak
    #[arg(long, default_value = "int4")]
    against: String,
    /// Completions of each honest kind; of cheats 500 at most
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(2..=1_000_000))]
    challenges: u32,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Write the task file with its limits here
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// One JSON object with limits and table
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
enum Honest {
    F32,
    F16,
    Bf16,
}

pub(super) fn run(args: &Calibrate) -> Result<(), Failure> {
    let text = task_text(&args.task)?;
    match TaskFile::parse(text.as_bytes()).exit(Exit::Config, &args.task)?.kind {
        "embed" => embed(args, text),
        _ => generate(args, text),
    }
}

/// A built-in task is for any reference; a file of the operator's names its own.
fn agreed(args: &Calibrate, text: String, digest: Digest) -> String {
    if builtin(&args.task).is_some() { with_reference(&text, digest) } else { text }
}

fn embed(args: &Calibrate, text: String) -> Result<(), Failure> {
    let reference = models::encoder(&args.reference)?;
    let text = agreed(args, text, reference.digest());
    let encoder: Arc<dyn Encoder> = Arc::new(reference.clone());
    let task = Loaded::load(text.as_bytes(), &encoder);
    let task = task.exit(Exit::Config, &args.task)?;
    let precisions = precisions(args);
    let encoders =
        precisions.iter().map(|(_, precision, _)| models::encoder_rounded(&args.reference, *precision));
    let encoders = encoders.collect::<Result<Vec<_>, _>>()?;
    let served: Vec<RowsOf<'_>> = precisions
        .iter()
        .zip(&encoders)
        .map(|((name, _, is_honest), encoder)| RowsOf {
            name: (*name).to_owned(),
            encoder,
            is_honest: *is_honest,
        })
        .collect();
    let (challenges, seed) = (args.challenges, args.seed);
    let calibration =
        RowsCalibration { task: &task, reference: &reference, served: &served, challenges, seed };
    let calibrated = calibration.run(&mut live).exit(Exit::Config, "calibrating")?;
    output::live("");
    let written = rewrite_embed(&text, &calibrated, &command(args)).exit(Exit::Config, &args.task)?;
    let mut table = Table::new(&["<rows", "mean", "largest", "rejected"]);
    for row in &calibrated.rows {
        let name = format!("{}{}", row.persona, if row.honest { " (honest)" } else { "" });
        table.row(vec![name, row.mean.to_string(), row.largest.to_string(), row.rejected.to_string()]);
    }
    finish(args, &written, &calibrated, table)
}

fn live(progress: Progress) {
    output::live(format!("{} of {}: {}", progress.done + 1, progress.personas, progress.persona));
}

fn generate(args: &Calibrate, text: String) -> Result<(), Failure> {
    let reference = models::language(&args.reference)?;
    let text = agreed(args, text, reference.digest());
    let witness: Arc<dyn Witness> = Arc::new(TeacherForced(reference.clone()));
    let task = Loaded::load(text.as_bytes(), &witness).exit(Exit::Config, &args.task)?;
    let served = served(args)?;
    let calibration = Calibration {
        task: &task,
        reference: &reference,
        served: &served,
        challenges: args.challenges,
        seed: args.seed,
        against: &args.against,
    };
    // One thread, so that its clock sees all of the work.
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().exit(Exit::Internal, "a thread")?;
    let calibrated =
        pool.install(|| calibration.run(&cpu_time, &mut live)).exit(Exit::Config, "calibrating")?;
    output::live("");
    let written = rewrite(&text, &calibrated, &command(args)).exit(Exit::Config, &args.task)?;
    finish(args, &written, &calibrated, table(&calibrated))
}

fn finish(args: &Calibrate, written: &str, calibrated: &impl Serialize, table: Table) -> Result<(), Failure> {
    if let Some(out) = &args.out {
        write_file(out, written.as_bytes())?;
    }
    match (args.json, &args.out) {
        (true, _) => Ok(output::json(calibrated)?),
        (false, Some(_)) => Ok(table.print()?),
        (false, None) => {
            output::note(table.to_text());
            Ok(output::line(written.trim_end())?)
        }
    }
}

/// As it stands in the file: without the machine's folders.
fn command(args: &Calibrate) -> String {
    let honest =
        args.honest.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned());
    format!(
        "weighhouse task calibrate --honest {honest} --against {} --challenges {} --seed {}{}",
        args.against,
        args.challenges,
        args.seed,
        " --server ..".repeat(args.server.len())
    )
}

/// Under their names, and whether an honest miner may serve in them.
fn precisions(args: &Calibrate) -> [(&'static str, Precision, bool); 4] {
    [
        ("f16", Precision::Half, args.honest >= Honest::F16),
        ("bf16", Precision::Bfloat16, args.honest >= Honest::Bf16),
        ("int8", Precision::Int8, false),
        ("int4", Precision::Int4, false),
    ]
}

fn served(args: &Calibrate) -> Result<Vec<CalibrationModel>, Failure> {
    let mut served = Vec::new();
    for (name, precision, is_honest) in precisions(args) {
        let model = models::language_rounded(&args.reference, precision)?;
        served.push(CalibrationModel { name: name.to_owned(), by: By::Model(Box::new(model)), is_honest });
    }
    if let Some(weak) = &args.weak {
        let by = By::Model(Box::new(models::language(weak)?));
        served.push(CalibrationModel { name: "weak".to_owned(), by, is_honest: false });
    }
    for (server, at) in args.server.iter().zip(1..) {
        let name = if args.server.len() == 1 { "server".to_owned() } else { format!("server {at}") };
        served.push(CalibrationModel { name, by: By::Server(Arc::new(server.clone())), is_honest: true });
    }
    Ok(served)
}

fn table(calibrated: &CalibrationResult) -> Table {
    let mut table = Table::new(&[
        "<answers",
        "exact",
        "mean",
        "rejected",
        "AUC",
        "at 1 %",
        "at 0.1 %",
        "checks",
        "convicted",
        "per CPU-s",
    ]);
    for row in &calibrated.table.rows {
        let figures = [
            row.exact,
            row.mean,
            row.rejected,
            row.auc,
            row.detected[0],
            row.detected[1],
            row.checks,
            row.convicted,
            row.power,
        ];
        let name = format!("{}{}", row.persona, if row.honest { " (honest)" } else { "" });
        table.row([name].into_iter().chain(figures.map(|figure| figure.to_string())).collect());
    }
    table
}
