//! `weighhouse task calibrate`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use weighhouse_models::precision::Precision;
use weighhouse_tasks::calibrate::{
    CalibrateError, CalibrationPlan, CalibrationProgress, CalibrationReport, CompletionSource,
};
use weighhouse_tasks::registry::builtin;
use weighhouse_tasks::{Task as Loaded, with_reference_at_hand};
use weighhouse_validator::config::Rounds;

use super::cpu_time;
use super::server::NamedServer;
use crate::commands::validator::task_text;
use crate::commands::write_file;
use crate::failure::{Context, Exit, Failure};
use crate::models::NamedModels;
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

Every persona of the kind answers: honest ones as asked, in any precision down to --honest, completions one or many
sequences at a time; cheats serve weaker weights, other settings or other answers. Every answer goes before the judge
that a validator uses.
Without --out, the task file with its limits goes to standard output and the table to standard error. Figures depend on
the task, the models, --challenges and --seed, and in their last digits on the processor.")]
pub(crate) struct Calibrate {
    /// A task file with limits to calibrate, or the name of a built-in one: generate, generate-greedy, embed
    task: String,
    /// The agreed model, where it isn't the built-in one: a folder, or OWNER/NAME of the Hugging Face hub
    #[arg(long, value_name = "MODEL")]
    reference: Option<String>,
    /// A weaker model, as a cheat to be told
    #[arg(long, value_name = "MODEL", requires = "reference")]
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
    /// Rounds of an epoch: the share of completions that are checked is set so that newcomers wait 10 epochs at most
    #[arg(long, value_name = "N", default_value_t = Rounds::PER_EPOCH, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    rounds: u32,
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

impl Honest {
    fn coarsest(self) -> Option<Precision> {
        match self {
            Self::F32 => None,
            Self::F16 => Some(Precision::Half),
            Self::Bf16 => Some(Precision::Bfloat16),
        }
    }
}

pub(super) fn run(args: &Calibrate) -> Result<(), Failure> {
    let models = NamedModels::new(args.reference.clone(), args.weak.clone());
    let text = task_text(&args.task)?;
    // A built-in task is for any reference; a file of the operator's names its own.
    let text = match builtin(&args.task) {
        Some(_) => with_reference_at_hand(&text, &models).exit(Exit::Config, &args.task)?,
        None => text,
    };
    let task = Loaded::load(text.as_bytes(), &models).exit(Exit::Config, &args.task)?;
    let servers: Vec<&dyn CompletionSource> =
        args.server.iter().map(|server| server as &dyn CompletionSource).collect();
    let plan = CalibrationPlan {
        file: &text,
        how: &command(args),
        references: &models,
        coarsest: args.honest.coarsest(),
        // The built-in model has a weaker one beside it.
        has_weak: args.weak.is_some() || args.reference.is_none(),
        servers: &servers,
        challenges: args.challenges,
        seed: args.seed,
        rounds: args.rounds,
        against: &args.against,
        cpu: &cpu_time,
    };
    // One thread, so that its clock sees all of the work.
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().exit(Exit::Internal, "a thread")?;
    let report = pool.install(|| task.calibrate(&plan, &mut live));
    output::live("");
    finish(args, &report.map_err(|error| failure(args, &error))?)
}

fn failure(args: &Calibrate, error: &CalibrateError) -> Failure {
    Failure::config(format!("{}: {error}", args.task))
}

fn live(progress: CalibrationProgress) {
    output::live(format!("{} of {}: {}", progress.done + 1, progress.personas, progress.persona));
}

fn finish(args: &Calibrate, report: &CalibrationReport) -> Result<(), Failure> {
    if let Some(out) = &args.out {
        write_file(out, report.file.as_bytes())?;
    }
    let mut table = Table::new(report.columns);
    report.rows.iter().for_each(|row| table.row(row.clone()));
    match (args.json, &args.out) {
        (true, _) => Ok(output::line(&report.json)?),
        (false, Some(_)) => Ok(table.print()?),
        (false, None) => {
            output::note(table.to_text());
            Ok(output::line(report.file.trim_end())?)
        }
    }
}

/// As it stands in the file: without the machine's folders.
fn command(args: &Calibrate) -> String {
    let honest =
        args.honest.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned());
    format!(
        "weighhouse task calibrate --honest {honest} --against {} --challenges {} --seed {}{}{}",
        args.against,
        args.challenges,
        args.seed,
        if args.rounds == Rounds::PER_EPOCH { String::new() } else { format!(" --rounds {}", args.rounds) },
        " --server ..".repeat(args.server.len())
    )
}
