//! `weighhouse localnet`: the arguments, the models by their names, and what is printed. The economy is the library's.

mod text;

use std::io;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use tokio_util::sync::CancellationToken;
use weighhouse_localnet::{
    EpochReport, GuestError, Guests, Localnet as Economy, LocalnetError, LocalnetModels, Mode, Observer,
    Options, Work,
};
use weighhouse_models::language::BuiltinLanguage;
use weighhouse_models::precision::Precision;
use weighhouse_types::{Block, Epoch};

use crate::commands::chain_failure;
use crate::failure::{Exit, Failure};
use crate::models;
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
  weighhouse localnet --with examples/cheats/replay.py what a miner of yours would earn, and what gives it away
  weighhouse localnet --dir ./net                      keep the state; run again to resume")]
pub(crate) struct Localnet {
    /// What miners do: read digits, complete texts, or embed them
    #[arg(long, value_enum, default_value_t = WorkArg::Digits)]
    task: WorkArg,
    /// The agreed model: a folder or OWNER/NAME of the Hugging Face hub. --task generate has one built in, --task embed
    /// needs one
    #[arg(long, value_name = "MODEL", required_if_eq("task", "embed"))]
    model: Option<String>,
    /// A weaker model for the weak miner of --task generate; else it serves the --model rounded to 8 bits
    #[arg(long, value_name = "MODEL", requires = "model")]
    weak: Option<String>,
    /// What is paid: fidelity to the reference model, or, of digits, quality against the truth
    #[arg(long, value_enum, default_value_t = ModeArg::Conformance)]
    mode: ModeArg,
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

/// The values of --task.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum WorkArg {
    Digits,
    Generate,
    Embed,
}

/// The values of --mode.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum ModeArg {
    Conformance,
    Quality,
}

impl From<WorkArg> for Work {
    fn from(work: WorkArg) -> Self {
        match work {
            WorkArg::Digits => Self::Digits,
            WorkArg::Generate => Self::Generate,
            WorkArg::Embed => Self::Embed,
        }
    }
}

impl From<ModeArg> for Mode {
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
            LocalnetError::OtherState { .. } | LocalnetError::NoQuality => Exit::Config,
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
        task: args.task.into(),
        mode: args.mode.into(),
        commit_reveal: args.commit_reveal,
        seed: args.seed,
        epochs: args.epochs,
    };
    let models = load_models(&args)?;
    let guests = Guests::start(&args.python, &args.with)?;
    let economy = Economy::open_with(&dir, &options, models, guests)?;
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

/// The models of the task: built in, or by the names of the arguments.
fn load_models(args: &Localnet) -> Result<LocalnetModels, Failure> {
    match args.task {
        WorkArg::Digits => Ok(LocalnetModels::Digits),
        WorkArg::Generate => {
            let name = args.model.as_deref().unwrap_or(BuiltinLanguage::Reference.name());
            let weak = match (&args.model, &args.weak) {
                (_, Some(weak)) => models::language(weak)?,
                (Some(model), None) => models::language_rounded(model, Precision::Int8)?,
                (None, None) => models::language(BuiltinLanguage::Weak.name())?,
            };
            let int4 = models::language_rounded(name, Precision::Int4)?;
            let reference = models::language(name)?;
            Ok(LocalnetModels::Language {
                reference: Box::new(reference),
                weak: Box::new(weak),
                int4: Box::new(int4),
            })
        }
        WorkArg::Embed => {
            let missing = || Failure::config("--task embed needs --model MODEL");
            let encoder = models::encoder(args.model.as_deref().ok_or_else(missing)?)?;
            Ok(LocalnetModels::Encoder(Box::new(encoder)))
        }
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
