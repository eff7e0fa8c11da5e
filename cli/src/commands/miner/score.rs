//! `weighhouse miner score`: the production judge on this miner, before it goes live.

mod shown;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use tokio_util::sync::CancellationToken;
use weighhouse_ask::judges::JudgeAddress;
use weighhouse_localnet::{Trial, TrialError};
use weighhouse_seams::{Clock, CpuPool, SystemClock};
use weighhouse_tasks::registry::builtin;
use weighhouse_tasks::{Task, with_reference_at_hand};
use weighhouse_validator::config::{Rounds, TaskSection};

use super::{load_models, read_config};
use crate::commands::validator::{load_task, task_text};
use crate::failure::{Context as _, Exit, Failure};
use crate::models::NamedModels;
use crate::output;

use shown::Scored;

/// Somebody who watches is told how far it is after this long.
const QUIET: Duration = Duration::from_secs(2);

#[derive(Args, Debug)]
pub(super) struct Score {
    /// Configuration file, whose models and limits are tried; its wallet and chain are not used
    #[arg(long, value_name = "FILE", default_value = "miner.toml")]
    config: PathBuf,
    /// The subnet's task: a file, or the name of a built-in one
    #[arg(long, value_name = "TASK")]
    task: String,
    /// The reference, where it isn't the built-in one: a file of weights (safetensors), a folder, or OWNER/NAME of the Hugging
    /// Face hub
    #[arg(long, value_name = "MODEL")]
    reference: Option<String>,
    /// Where a judge listens that runs the files which a `judge` task pins: 127.0.0.1:PORT or unix:/PATH
    #[arg(long, value_name = "ADDRESS", conflicts_with = "reference")]
    judge: Vec<JudgeAddress>,
    /// Challenges to answer
    #[arg(long, value_name = "N", default_value_t = 50,
        value_parser = clap::value_parser!(u16).range(1..=i64::from(Trial::ROUNDS_MAX)))]
    rounds: u16,
    /// Decides which challenges are drawn
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Seconds for an answer, as the validators' `rounds.deadline`
    #[arg(long, value_name = "SECONDS", default_value_t = Rounds::default().deadline.as_secs(),
        value_parser = clap::value_parser!(u64).range(1..=3_600))]
    deadline: u64,
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: &Score, shutdown: &CancellationToken) -> Result<(), Failure> {
    let config = read_config(&args.config)?;
    let (task_file, task) = task(args)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let models = load_models(&config, &CpuPool::new(threads, config.limits.in_flight_max), &clock)?;
    let asked = &task.file().model;
    if models.find(asked, "").is_err() {
        let served: Vec<_> = models.engines().iter().map(|engine| &engine.model().name.name).collect();
        return Err(Failure::config(format!(
            "the task asks for model {asked:?}, and {} serves {served:?}: set the `name` of the [[model]] to the task's `model`",
            args.config.display()
        )));
    }
    models.prepare().await.exit(Exit::Config, "model")?;
    let dir = tempfile::tempdir()?;
    let deadline = Duration::from_secs(args.deadline);
    let trial = Trial {
        config,
        models,
        task_file,
        task,
        rounds: args.rounds,
        deadline,
        seed: args.seed,
        dir: dir.path().to_owned(),
    };
    let began = clock.monotonic();
    let live = |done: u32, blocks: u32| {
        if clock.monotonic().saturating_sub(began) > QUIET {
            output::live(format!("{} % of the rounds", done * 100 / blocks));
        }
    };
    let statement = trial.run(shutdown, live).await;
    output::live("");
    let scored = Scored::new(statement.map_err(failure)?, deadline);
    if args.json { Ok(output::json(&scored)?) } else { scored.print() }
}

/// The task, by the references that the arguments name.
fn task(args: &Score) -> Result<(String, Task), Failure> {
    if !args.judge.is_empty() {
        let section =
            TaskSection { file: args.task.clone(), judges: args.judge.clone(), ..TaskSection::default() };
        return load_task(&section);
    }
    let text = task_text(&args.task)?;
    let models = NamedModels::new(args.reference.clone(), None);
    // A built-in task is for any reference; a file of the subnet's names its own.
    let text = match builtin(&args.task) {
        Some(_) => with_reference_at_hand(&text, &models).exit(Exit::Config, &args.task)?,
        None => text,
    };
    let task = Task::load(text.as_bytes(), &models).exit(Exit::Config, &args.task)?;
    Ok((text, task))
}

fn failure(error: TrialError) -> Failure {
    let instead = "run it among others (`weighhouse localnet --task FILE --with MINER.py`), or ask the validators after an \
                   epoch (`weighhouse miner why`)";
    match error {
        TrialError::Later | TrialError::Together => {
            Failure::config(format!("{error}, so it can't be scored alone: {instead}"))
        }
        TrialError::Void { .. } | TrialError::NotReady => Failure::new(Exit::Unavailable, error),
        TrialError::Miner(error) => super::serve::role_failure(error),
        error => Failure::internal(error),
    }
}
