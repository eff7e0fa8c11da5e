//! `weighhouse task calibrate`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, ValueEnum};
use weighhouse_models::LoadLimits;
use weighhouse_models::language::LanguageModel;
use weighhouse_models::precision::Precision;
use weighhouse_tasks::calibrate::{Calibrated, Calibration, Progress, Served, rewrite};
use weighhouse_tasks::witness::TeacherForced;
use weighhouse_tasks::{Task as Loaded, with_reference};

use super::{cpu_time, store};
use crate::commands::validator::{builtin_task, language_model, task_text};
use crate::failure::{Context, Exit, Failure};
use crate::output::{self, Table};

/// Measure how far honest completions are from the reference, set a task's limits beyond them, and tell what they catch.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  weighhouse task calibrate generate --reference ./model --out my-task.toml
  weighhouse task calibrate my-task.toml --reference ./model --weak ./small --challenges 1000 --out my-task.toml
  weighhouse task calibrate my-task.toml --reference ./model --honest f32 --against int8 --json

Honest miners decode with a cache of keys and values, one or many sequences at a time, in any precision down to --honest;
cheats serve weaker weights, other settings or other answers. Every answer goes before the judge that a validator uses.
Without --out, the task file with its limits goes to standard output and the table to standard error. Figures depend on
the task, the models, --challenges and --seed, and in their last digits on the processor.")]
pub(crate) struct Calibrate {
    /// A task file of kind generate, or the built-in name generate
    task: String,
    /// The agreed model's folder
    #[arg(long, value_name = "DIR")]
    reference: String,
    /// A weaker model's folder, as a cheat to be told
    #[arg(long, value_name = "DIR")]
    weak: Option<String>,
    /// The coarsest precision that an honest miner may serve the model in
    #[arg(long, value_enum, default_value_t = Honest::Bf16)]
    honest: Honest,
    /// The cheat that the sequential test has to tell: int8, int4 or weak
    #[arg(long, default_value = "int4")]
    against: String,
    /// Completions of each kind
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
    let reference = language_model(&args.reference)?;
    let mut text = task_text(&args.task)?;
    if builtin_task(&args.task).is_some() {
        text = with_reference(&text, reference.digest());
    }
    let witness = Arc::new(TeacherForced(reference.clone()));
    let task = Loaded::with_witness(text.as_bytes(), witness).exit(Exit::Config, &args.task)?;
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
    let mut live = |progress: Progress| {
        output::live(format!("{} of {}: {}", progress.done + 1, progress.personas, progress.persona));
    };
    let calibrated =
        pool.install(|| calibration.run(&cpu_time, &mut live)).exit(Exit::Config, "calibrating")?;
    output::live("");
    let written = rewrite(&text, &calibrated, &command(args)).exit(Exit::Config, &args.task)?;
    if let Some(out) = &args.out {
        store(out, written.as_bytes())?;
    }
    match (args.json, &args.out) {
        (true, _) => Ok(output::json(&calibrated)?),
        (false, Some(_)) => Ok(table(&calibrated).print()?),
        (false, None) => {
            output::note(table(&calibrated).to_text());
            Ok(output::line(written.trim_end())?)
        }
    }
}

/// As it stands in the file: without the machine's folders.
fn command(args: &Calibrate) -> String {
    let honest =
        args.honest.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned());
    format!(
        "weighhouse task calibrate --honest {honest} --against {} --challenges {} --seed {}",
        args.against, args.challenges, args.seed
    )
}

fn served(args: &Calibrate) -> Result<Vec<Served>, Failure> {
    let mut served = Vec::new();
    let precisions = [
        ("f16", Precision::Half, args.honest >= Honest::F16),
        ("bf16", Precision::Bfloat16, args.honest >= Honest::Bf16),
        ("int8", Precision::Int8, false),
        ("int4", Precision::Int4, false),
    ];
    for (name, precision, is_honest) in precisions {
        let model = LanguageModel::load_rounded(Path::new(&args.reference), &LoadLimits::STANDARD, precision);
        let model = model.exit(Exit::Missing, &args.reference)?;
        served.push(Served { name: name.to_owned(), model, is_honest });
    }
    if let Some(weak) = &args.weak {
        served.push(Served { name: "weak".to_owned(), model: language_model(weak)?, is_honest: false });
    }
    Ok(served)
}

fn table(calibrated: &Calibrated) -> Table {
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
