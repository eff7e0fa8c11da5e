//! `weighhouse task`.

pub(crate) mod calibrate;
mod digest;
mod server;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use rustix::time::{ClockId, clock_gettime};
use weighhouse_seams::{Clock, SystemClock};
use weighhouse_tasks::measure::{CHALLENGES, Measurement, Progress};
use weighhouse_tasks::registry::builtin;
use weighhouse_tasks::{Scope, Task, with_reference_at_hand};
use weighhouse_types::profile::Profile;

use super::validator::task_text;
use super::write_file;
use crate::failure::{Context, Exit, Failure};
use crate::models::NamedModels;
use crate::output;

/// A measurement that takes longer says how far it is.
const QUIET: Duration = Duration::from_secs(2);

/// Look at what a task pays, and to whom.
#[derive(Subcommand, Debug)]
pub(crate) enum TaskCommand {
    Measure(Measure),
    Calibrate(calibrate::Calibrate),
    Digest(digest::DigestArgs),
}

/// Measure what honest, lazy and cheating miners earn on a task and what answering costs them.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  weighhouse task measure digits-quality
  weighhouse task measure generate --challenges 40
  weighhouse task measure embed --reference ./encoder --challenges 100
  weighhouse task measure digits-quality --scope private --challenges 200 --json
  weighhouse task measure my-task.toml --reference my.safetensors --out my-profile.toml

Every persona of the task's kind answers the same seeded challenges and is judged as a validator judges. The result is a profile
(TOML) that the simulator of policies reads. Marks depend on the task, --challenges and --seed alone; costs are
CPU-seconds of one core of this machine, the median over blocks of challenges.")]
pub(crate) struct Measure {
    /// A task file, or the name of a built-in one: digits-conformance, digits-quality, generate, generate-greedy, embed, ..
    task: String,
    /// The reference, where it isn't the built-in one: a file of weights (safetensors), a folder, or OWNER/NAME of the
    /// Hugging Face hub
    #[arg(long, value_name = "MODEL")]
    reference: Option<String>,
    /// A weaker model for the persona that serves one; else it serves the --reference rounded
    #[arg(long, value_name = "MODEL", requires = "reference")]
    weak: Option<String>,
    /// Two weight files that two honest miners serve instead of the reference: models of their own, such as
    /// `weighhouse-trainer` makes; where a task pays for more than the reference
    #[arg(long, value_name = "FILE", num_args = 2)]
    own: Vec<PathBuf>,
    /// Measure as if the task file had this scope
    #[arg(long, value_enum)]
    scope: Option<AsScope>,
    /// Challenges to pose, 20 to 100000
    #[arg(long, value_name = "N", default_value_t = 1_000,
        value_parser = clap::value_parser!(u32).range(i64::from(*CHALLENGES.start())..=i64::from(*CHALLENGES.end())))]
    challenges: u32,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Write the profile here instead of to standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// One JSON object instead of TOML; leaves --out as it is
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum AsScope {
    Private,
    Shared,
}

pub(crate) fn run(command: TaskCommand) -> Result<(), Failure> {
    match command {
        TaskCommand::Measure(args) => measure(&args),
        TaskCommand::Calibrate(args) => calibrate::run(&args),
        TaskCommand::Digest(args) => digest::run(&args),
    }
}

fn measure(args: &Measure) -> Result<(), Failure> {
    let text = task_text(&args.task)?;
    let text = match args.scope {
        Some(scope) => scoped(&text, scope).exit(Exit::Config, &args.task)?,
        None => text,
    };
    let models = NamedModels::new(args.reference.clone(), args.weak.clone());
    let text = match builtin(&args.task) {
        Some(_) => with_reference_at_hand(&text, &models).exit(Exit::Config, &args.task)?,
        None => text,
    };
    let task = Task::load(text.as_bytes(), &models).exit(Exit::Config, &args.task)?;
    let name =
        Path::new(&args.task).file_stem().map_or(args.task.clone().into(), |stem| stem.to_string_lossy());
    let own = args
        .own
        .iter()
        .map(|path| std::fs::read(path).exit(Exit::Missing, path.display()))
        .collect::<Result<Vec<_>, _>>()?;
    let measurement = Measurement {
        name: &name,
        task: &task,
        references: &models,
        own: own.first().zip(own.get(1)).map(|(one, other)| [one.as_slice(), other.as_slice()]),
        challenges: args.challenges,
        seed: args.seed,
    };
    // One thread, so that its clock sees all of the work.
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().exit(Exit::Internal, "a thread")?;
    let clock = SystemClock::new();
    let mut live = |progress: Progress| {
        if clock.monotonic() > QUIET {
            output::live(format!("{} of {} challenges", progress.done, progress.challenges));
        }
    };
    let profile = pool.install(|| measurement.run(&cpu_time, &mut live)).exit(Exit::Internal, "measuring")?;
    output::live("");
    let written = toml(args, task.file().scope, &profile)?;
    if let Some(out) = &args.out {
        write_file(out, written.as_bytes())?;
    }
    match (args.json, &args.out) {
        (true, _) => Ok(output::json(&profile)?),
        (false, Some(out)) => {
            Ok(output::line(format!("{}: {} personas", out.display(), profile.personas.len()))?)
        }
        (false, None) => Ok(output::line(written.trim_end())?),
    }
}

/// The task file with its scope replaced.
fn scoped(text: &str, scope: AsScope) -> Result<String, toml::de::Error> {
    let mut table: toml::Table = text.parse()?;
    let scope = match scope {
        AsScope::Private => Scope::Private,
        AsScope::Shared => Scope::Shared,
    };
    table.insert("scope".to_owned(), scope.name().into());
    Ok(table.to_string())
}

fn toml(args: &Measure, scope: Scope, profile: &Profile) -> Result<String, Failure> {
    let processor =
        processor().map_or_else(String::new, |name| format!("\n# CPU-seconds are of one core of: {name}."));
    let body = toml::to_string(profile).exit(Exit::Internal, "writing the profile")?;
    let own = match args.own.as_slice() {
        [] => String::new(),
        own => {
            // Names without folders: the profile is handed on, and paths tell of this machine.
            let name = |path: &PathBuf| path.file_name().map(|name| name.to_string_lossy().into_owned());
            let names: Vec<_> = own.iter().filter_map(name).collect();
            format!(" --own {}", names.join(" "))
        }
    };
    let reference = args.reference.as_deref().map(|name| name.rsplit('/').next().unwrap_or(name));
    let reference = reference.map_or_else(String::new, |name| format!(" --reference {name}"));
    Ok(format!(
        "# What kinds of miners earn on this task and what answering costs them, measured by\n\
         #   weighhouse task measure {} --scope {} --challenges {} --seed {}{reference}{own}\n\
         # Marks are the validator's judge's, in [-1, 1]. `cost` is over the honest answer's, `rejected` the share of\n\
         # marks that are 0 or less, `correlation` that of two such miners' marks, `detections` the challenges after\n\
         # which the mean mark is told from an honest one's (1 in 10,000 false alarms, 1 in 100 missed; absent: never).\n\
         # Signatures and transport are no part of the costs.{processor}\n\n{body}",
        args.task,
        scope.name(),
        args.challenges,
        args.seed,
    ))
}

/// The kernel's name for the processor, where it has one.
fn processor() -> Option<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// CPU time of this thread.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let nanoseconds = u32::try_from(time.tv_nsec).unwrap_or(0);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), nanoseconds)
}
