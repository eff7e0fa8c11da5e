//! `weighhouse localnet`: the arguments, the models by their names, and what is printed. The economy is the library's.

mod text;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use tokio_util::sync::CancellationToken;
use weighhouse_localnet::{
    DIGITS, EpochReport, GuestError, Guests, Localnet as Economy, LocalnetError, Observer, Options,
    builtin_task,
};
use weighhouse_tasks::TaskFile;
use weighhouse_types::profile::Paid;
use weighhouse_types::{Block, Epoch};

use crate::commands::chain_failure;
use crate::commands::validator::task_text;
use crate::failure::{Context, Exit, Failure};
use crate::models::NamedModels;
use crate::output;

/// Run ledger, validators and miners in one process and print each epoch's outcome.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  weighhouse localnet                                  until Ctrl-C
  weighhouse localnet --epochs 5 --mode quality        a better model earns most
  weighhouse localnet --epochs 3 --json | tail -n 1    who earned what, for machines
  weighhouse localnet --commit-reveal --epochs 5       as on Bittensor: weights stay hidden for an epoch
  weighhouse localnet --task generate                  completions by a language model, honest and faked
  weighhouse localnet --task generate --model ./model  by a model of yours
  weighhouse localnet --task embed --model ./encoder   embeddings
  weighhouse localnet --task my-task.toml              any task, by the personas of its kind
  weighhouse localnet --with examples/cheats/replay.py what a miner of yours would earn, and what gives it away
  weighhouse localnet --dir ./net                      keep the state; run again to resume")]
pub(crate) struct Localnet {
    /// Task of the miners: digits, generate, embed or another built-in task, or a task file
    #[arg(long, value_name = "TASK", default_value = DIGITS)]
    task: String,
    /// The task's model where it isn't the built-in one: a file of weights, a folder, or OWNER/NAME of the Hugging Face hub.
    /// --task embed needs one
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
    /// A weaker model for the weak miner of completions; else it serves the --model rounded to 8 bits
    #[arg(long, value_name = "MODEL", requires = "model")]
    weak: Option<String>,
    /// Merit that is paid: fidelity to the reference model, or quality against the truth. --task digits knows both, the first if
    /// nothing is said; a task file says it itself
    #[arg(long, value_enum)]
    mode: Option<ModeArg>,
    /// Weights are committed under a timelock, and the chain opens them in the epoch after: nobody copies them in time
    #[arg(long)]
    commit_reveal: bool,
    /// Number of epochs to run
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    epochs: Option<u64>,
    /// Keys, beacon and challenges follow from it; a kept state has its own
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    /// Keep the state here and resume from it; a temporary folder otherwise
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// A miner of yours, as persona `you`: a Python file with a weighhouse.serve.Model (may be repeated)
    #[arg(long, value_name = "FILE.py")]
    with: Vec<PathBuf>,
    /// The Python that serves it, with the package weighhouse[judge]
    #[arg(long, value_name = "PROGRAM", default_value = "python3", requires = "with")]
    python: PathBuf,
    /// One JSON object per epoch, and a last one with everybody's earnings
    #[arg(long)]
    json: bool,
}

/// The values of --mode.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum ModeArg {
    Conformance,
    Quality,
}

impl From<ModeArg> for Paid {
    fn from(mode: ModeArg) -> Self {
        match mode {
            ModeArg::Conformance => Self::Conformance,
            ModeArg::Quality => Self::Quality,
        }
    }
}

impl From<LocalnetError> for Failure {
    fn from(error: LocalnetError) -> Self {
        let error = match error {
            LocalnetError::OpenLedger(error) => return chain_failure(error),
            error => error,
        };
        let exit = match &error {
            LocalnetError::OtherState { .. } | LocalnetError::Task(_) => Exit::Config,
            LocalnetError::DamagedState { .. }
            | LocalnetError::OpenValidator { .. }
            | LocalnetError::Journal { .. } => Exit::Data,
            LocalnetError::Folder { .. } | LocalnetError::Port(_) | LocalnetError::Miner { .. } => {
                Exit::Unavailable
            }
            _ => Exit::Internal,
        };
        Self::new(exit, error)
    }
}

impl From<GuestError> for Failure {
    fn from(error: GuestError) -> Self {
        let exit = match &error {
            GuestError::Program(_) => Exit::Unavailable,
            GuestError::TooMany | GuestError::File { .. } | GuestError::Models { .. } => Exit::Config,
        };
        Self::new(exit, error)
    }
}

pub(crate) async fn run(args: Localnet, shutdown: CancellationToken) -> Result<(), Failure> {
    let temporary = match &args.dir {
        Some(_) => None,
        None => Some(tempfile::Builder::new().prefix("weighhouse-localnet-").tempdir()?),
    };
    let dir =
        args.dir.clone().or_else(|| temporary.as_ref().map(|dir| dir.path().to_owned())).unwrap_or_default();
    let options = Options {
        task_file: task_file(&args.task, args.mode.map(Paid::from))?,
        task: args.task,
        commit_reveal: args.commit_reveal,
        seed: args.seed,
        epochs: args.epochs,
    };
    let models = NamedModels::new(args.model, args.weak);
    let guests = Guests::start(&args.python, &args.with)?;
    let economy = Economy::open_with(&dir, &options, Arc::new(models), guests)?;
    if !args.json {
        output::line(text::greeting(&economy, economy.head().await?))?;
    }
    let closing = text::Closing::new(&economy, args.dir.as_deref());
    let ended = economy.run(&mut Printer { json: args.json }, shutdown).await;
    output::live("");
    match ended? {
        Some(account) if args.json => Ok(output::json(&account.totals())?),
        Some(account) => Ok(output::line(text::account(&account, &closing))?),
        None => Ok(()),
    }
}

/// The task's file, which has to pay for what is asked.
fn task_file(task: &str, mode: Option<Paid>) -> Result<String, Failure> {
    let text = match builtin_task(task, mode) {
        Some(text) => text.to_owned(),
        None => task_text(task)?,
    };
    let paid = TaskFile::parse(text.as_bytes()).exit(Exit::Config, task)?.mode.paid();
    match mode.filter(|mode| *mode != paid) {
        None => Ok(text),
        Some(mode) => Err(Failure::config(format!(
            "task {task} pays {}: leave out --mode {}, or name a task that pays it",
            paid.name(),
            mode.name()
        ))),
    }
}

/// Prints a run as it goes.
struct Printer {
    json: bool,
}

impl Observer for Printer {
    fn block(&mut self, epoch: Epoch, block: Block, next_epoch: Block) {
        output::live(format_args!("epoch {epoch}: block {block} of {next_epoch}"));
    }

    fn epoch_closed(&mut self, report: &EpochReport) -> io::Result<()> {
        output::live("");
        if self.json { output::json(report) } else { output::line(text::epoch(report)) }
    }
}

#[cfg(test)]
mod tests;
