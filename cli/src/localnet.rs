//! `weighhouse localnet`: the arguments, the models by their names, and what is printed. The economy is the library's.

mod next;
mod text;
mod watched;

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, ValueEnum};
use tokio_util::sync::CancellationToken;
use weighhouse_localnet::{
    DIGITS, EpochReport, GuestError, Guests, JudgeFault, Localnet as Economy, LocalnetError, Observer,
    Options, PretendingMiner, SavedJudge, Subnet, SubnetError, SubnetFolder, builtin_task,
};
use weighhouse_tasks::TaskFile;
use weighhouse_types::profile::Paid;
use weighhouse_types::{Block, Epoch};

use crate::commands::chain_failure;
use crate::commands::validator::task_text;
use crate::console::{LISTEN, Page};
use crate::failure::{Context, Exit, Failure};
use crate::models::NamedModels;
use crate::output;
use watched::{REST, Watched};

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
  weighhouse localnet --task generate --rounds 12 --pretend garbage:10+2 --epochs 24   pretending before the real judge
  weighhouse localnet --task embed --model ./encoder   embeddings
  weighhouse localnet --task my-task.toml              any task, by the personas of its kind
  weighhouse localnet --subnet ./weather               a subnet of yours, from `weighhouse init subnet weather`
  weighhouse localnet --with examples/cheats/replay.py what a miner of yours would earn, and where it is first refused
  weighhouse localnet --dir ./net                      keep the state; run again to resume
  weighhouse localnet --console                        watch it in a browser: who earns, and who is caught by what")]
pub(crate) struct Localnet {
    /// Task of the miners: digits, generate, embed or another built-in task, or a task file
    #[arg(long, value_name = "TASK", default_value = DIGITS, conflicts_with = "subnet")]
    task: String,
    /// A subnet of yours: a folder with task.toml, policy.toml, miner.py, personas.py, and judge.py or a folder judge. Saved
    /// while this runs, task and judge are taken up by the next epoch
    #[arg(long, value_name = "DIR", conflicts_with_all = ["model", "mode"])]
    subnet: Option<PathBuf>,
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
    /// Rounds of an epoch, where the policy names none: 3 if nothing is said
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=12), conflicts_with = "dir")]
    rounds: Option<u32>,
    /// A miner that is honest for so many epochs and then pretends for so many, again and again: garbage:11+1 (may be repeated)
    #[arg(long, value_name = "STRATEGY", conflicts_with_all = ["dir", "subnet"])]
    pretend: Vec<PretendingMiner>,
    /// Keys, beacon and challenges follow from it; a kept state has its own
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    /// Keep the state here and resume from it; a temporary folder otherwise
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// A miner of yours, as persona `you`: a Python file with a weighhouse.serve.Model (may be repeated)
    #[arg(long, value_name = "FILE.py")]
    with: Vec<PathBuf>,
    // No doc comment: rustdoc takes the brackets for a link.
    #[arg(
        long,
        value_name = "PROGRAM",
        default_value = "python3",
        help = "The Python that runs files of yours, with the package weighhouse[judge]"
    )]
    python: PathBuf,
    /// Show the run as a page in a browser, at a pace that can be followed; it stays after the last epoch, until Ctrl-C
    #[arg(long)]
    console: bool,
    /// Address of the page: a free port of this machine if not given
    #[arg(long, value_name = "IP:PORT", requires = "console")]
    listen: Option<SocketAddr>,
    /// Open no browser
    #[arg(long, requires = "console")]
    no_open: bool,
    /// One JSON object per epoch, and a last one with everybody's earnings
    #[arg(long)]
    json: bool,
}

/// The values of --mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
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
            LocalnetError::OtherState { .. } | LocalnetError::Task(_) | LocalnetError::NoPretence { .. } => {
                Exit::Config
            }
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
            GuestError::TooMany
            | GuestError::File { .. }
            | GuestError::Models { .. }
            | GuestError::Name { .. } => Exit::Config,
        };
        Self::new(exit, error)
    }
}

impl From<SubnetError> for Failure {
    fn from(error: SubnetError) -> Self {
        let exit = match &error {
            SubnetError::Program(_) | SubnetError::Changed | SubnetError::Address(_) => Exit::Unavailable,
            SubnetError::NoFolder { .. }
            | SubnetError::File { .. }
            | SubnetError::NoJudge { .. }
            | SubnetError::NoPin { .. }
            | SubnetError::Task { .. }
            | SubnetError::Draw { .. }
            | SubnetError::Unsteady { .. } => Exit::Config,
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
    let mut economy = open(&args, &dir).await?;
    if !args.json {
        output::line(text::greeting(&economy, economy.head().await?))?;
    }
    let mut watched = None;
    if args.console {
        economy = economy.with_rest(REST);
        let page =
            Page { listen: args.listen.unwrap_or(LISTEN), host: None, opens: args.no_open.then_some(false) };
        watched = Some(Watched::start(&economy, &page, args.json, shutdown.clone()).await?);
    }
    let closing = text::Closing::new(&economy, &args);
    let told = watched.as_ref().map(|watched| watched.economy.clone());
    let ended = economy.run(&mut Printer { json: args.json, told }, shutdown.clone()).await;
    output::live("");
    let account = ended?;
    if let Some(account) = &account {
        match args.json {
            true => output::json(&account.totals())?,
            false => output::line(text::account(account, &closing))?,
        }
    }
    if let Some(watched) = watched.filter(|_| !shutdown.is_cancelled()) {
        watched.stay().await?;
    }
    match account.and_then(|account| account.facts.fault()) {
        None => Ok(()),
        Some(fault) => Err(Failure::new(Exit::Unavailable, format!("no answer was judged: {fault}"))),
    }
}

/// The economy of a subnet's folder, or of a task.
async fn open(args: &Localnet, dir: &Path) -> Result<Economy, Failure> {
    let mut guests = Guests::start(&args.python, &args.with)?;
    let options = |task: String, task_file: String| Options {
        task,
        task_file,
        commit_reveal: args.commit_reveal,
        seed: args.seed,
        epochs: args.epochs,
        rounds: args.rounds,
        pretending: args.pretend.clone(),
    };
    if let Some(folder) = &args.subnet {
        let (path, python) = (folder.clone(), args.python.clone());
        let subnet = Subnet::start(SubnetFolder { path, python }).await?;
        subnet.cast(&mut guests)?;
        let options = options(folder.display().to_string(), subnet.task_file().to_owned());
        return Ok(Economy::open_subnet(dir, &options, subnet, guests)?);
    }
    let task_file = task_file(&args.task, args.mode.map(Paid::from))?;
    let models = NamedModels::new(args.model.clone(), args.weak.clone());
    Ok(Economy::open_with(dir, &options(args.task.clone(), task_file), Arc::new(models), guests)?)
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
    /// A page beside it.
    told: Option<weighhouse_console::Economy>,
}

impl Observer for Printer {
    fn block(&mut self, epoch: Epoch, block: Block, next_epoch: Block) {
        output::live(format_args!("epoch {epoch}: block {block} of {next_epoch}"));
    }

    fn epoch_closed(&mut self, report: &EpochReport) -> io::Result<()> {
        output::live("");
        if let Some(told) = &self.told {
            told.epoch_closed(watched::closed(report));
        }
        if self.json { output::json(report) } else { output::line(text::epoch(report)) }
    }

    fn judge_saved(&mut self, coming: Epoch, taken: Result<SavedJudge, &SubnetError>) {
        output::live("");
        output::note(match taken {
            Ok(SavedJudge { judge, task }) => format!(
                "epoch {coming} is drawn and judged by the saved judge, sha256:{judge}, under the task sha256:{task}\n"
            ),
            Err(error) => format!("epoch {coming} stays with the judge from before: {error}\n"),
        });
    }

    fn judge_failed(&mut self, epoch: Epoch, fault: &JudgeFault) {
        output::live("");
        output::note(match fault.is_void {
            false => format!("epoch {epoch} waits for the judge: {}\n", fault.why),
            true => {
                format!("a round of epoch {epoch} is void, which is no miner's fault: {}\n", fault.why)
            }
        });
    }
}

#[cfg(test)]
mod tests;
