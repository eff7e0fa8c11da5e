//! `weighhouse validator`: validates, or says whether it could or does.

mod check;
mod console;
mod moving;
mod references;
mod start;
mod status;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Subcommand};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use weighhouse_chain::SharedChain;
use weighhouse_journal::JournalError;
use weighhouse_seams::{
    ClockExt as _, CpuPool, Dialer, Entropy, Listener as _, PublicDialer, SystemClock, TcpDialer,
};
use weighhouse_tasks::registry::{builtin, builtin_names};
use weighhouse_tasks::witness::WitnessError;
use weighhouse_tasks::{Task, TaskError};
use weighhouse_types::Hotkey;
use weighhouse_validator::config::{self, Config};
use weighhouse_validator::{
    Canary, CanaryServer, Parts, Progress, Validator as Role, ValidatorError, bundles, metrics, verdicts,
};

use super::admin::Told;
use super::keys::daemon_hotkey;
use super::standing::Place;
use super::{admin, bind, chain_failure, connect, dialer, expand, open_dir, read_text, warn_of};
use crate::failure::{Context, Exit, Failure};
use crate::notices;
use crate::supervisor::Followed;
use references::ConfiguredReferences;

/// Far above the longest block's work: rounds, with a reference that is slow.
const STEP_MAX: Duration = Duration::from_secs(30 * 60);
/// For the step that is under way to end.
const STOP_TIME: Duration = Duration::from_secs(120);
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// Ask miners, judge their answers, publish weights and confirm them.
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct ValidatorArgs {
    #[command(subcommand)]
    command: Option<ValidatorCommand>,
    #[command(flatten)]
    file: ConfigFile,
    /// Only check the configuration, the task and the policy
    #[arg(long, hide = true)]
    check: bool,
}

#[derive(Subcommand, Debug)]
enum ValidatorCommand {
    /// Validate (as `weighhouse validator` alone does)
    Run(ConfigFile),
    /// Try everything that validating needs, and say what is wrong
    Check(ConfigFile),
    /// Say whether the running validator makes progress and publishes
    Status(status::Status),
    /// Show the journal as a page in a browser: miners, marks, answers, weights
    Console(console::Console),
    /// Judge another validator's epochs again, and let a new validator here begin with the averages that they leave
    StartFrom(start::StartFrom),
    /// Write the one file with which the validator goes on on another machine, and close this one's journal
    Export(moving::Export),
    /// Take up such a file here
    Import(moving::Import),
}

#[derive(Args, Debug)]
struct ConfigFile {
    /// Configuration file; `weighhouse init validator` writes one with every key
    #[arg(long, value_name = "FILE", default_value = "validator.toml")]
    config: PathBuf,
    /// Answer in JSON, where there is an answer
    #[arg(long)]
    json: bool,
}

impl ValidatorArgs {
    /// True where it runs until it is stopped.
    pub(crate) fn is_daemon(&self) -> bool {
        matches!(self.command, None | Some(ValidatorCommand::Run(_))) && !self.check
    }
}

pub(crate) async fn run(args: ValidatorArgs, shutdown: CancellationToken) -> Result<(), Failure> {
    match args.command {
        Some(ValidatorCommand::Run(file)) => validate(&file, shutdown).await,
        Some(ValidatorCommand::Check(file)) => check::run(&file).await,
        Some(ValidatorCommand::Status(args)) => status::run(&args, shutdown).await,
        Some(ValidatorCommand::Console(args)) => console::run(&args, shutdown).await,
        Some(ValidatorCommand::StartFrom(args)) => start::run(&args).await,
        Some(ValidatorCommand::Export(args)) => moving::export(&args),
        Some(ValidatorCommand::Import(args)) => moving::import(&args),
        None if args.check => {
            let config = read_config(&args.file.config)?;
            load_task(&config.task)?;
            read_policy(&config)?;
            Ok(crate::output::line(format!("{}: valid", args.file.config.display()))?)
        }
        None => validate(&args.file, shutdown).await,
    }
}

/// As `weighhouse validator check` does.
pub(crate) async fn check(config: &Path, json: bool) -> Result<(), Failure> {
    check::run(&ConfigFile { config: config.to_owned(), json }).await
}

pub(crate) fn read_config(path: &Path) -> Result<Config, Failure> {
    Config::parse(&read_text(path)?).exit(Exit::Config, path.display())
}

/// The text of the policy, which parses.
fn read_policy(config: &Config) -> Result<String, Failure> {
    let policy = match &config.policy.file {
        Some(path) => read_text(path)?,
        None => weighhouse_scoring::policy::DEFAULT_POLICY.to_owned(),
    };
    weighhouse_scoring::Policy::parse(policy.as_bytes()).exit(Exit::Config, "policy")?;
    Ok(policy)
}

async fn validate(file: &ConfigFile, shutdown: CancellationToken) -> Result<(), Failure> {
    let config = read_config(&file.config)?;
    warn_of(&config.chain.outdated);
    let (task_file, task) = load_task(&config.task)?;
    let policy = read_policy(&config)?;
    let keypair = daemon_hotkey(&config.wallet)?;
    let storage = open_dir(&expand(&config.journal.dir), "journal.dir")?;
    let (task_file, task) = (task_file.into_bytes(), Arc::new(task));
    let (task_file, task, next_task) = match task_of_open_epoch(&storage, &config.task, &task_file) {
        Some((open_file, open)) => (open_file, open, Some((task_file, task))),
        None => (task_file, task, None),
    };
    let staged =
        config.policy.staged.as_deref().map(|dir| open_dir(&expand(dir), "policy.staged")).transpose()?;
    let chain = connect(&config.chain.address, config.chain.genesis).await?;
    let ready = watch::Sender::new(false);
    admin::serve(Told {
        listen: (config.metrics.listen, "metrics.listen"),
        ready: ready.subscribe(),
        state: Some(expand(&config.journal.dir)),
    })
    .await?;
    metrics::describe();
    notices::describe();
    let who = format!("validator {}/{}", config.wallet.name, config.wallet.hotkey);
    notices::follow(&config.notify, &who, shutdown.clone())?;
    tracing::info!(hotkey = %keypair.hotkey(), chain = %config.chain.address, "validator starting");
    let (canary, canary_server) = canary(&config.rounds).await.unzip();
    let dialer = axon_dialer(&config.chain, canary.as_ref().map(Canary::address));
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let parts = Parts {
        netuid: config.chain.netuid,
        mechanism: config.chain.mechanism,
        rounds: config.rounds,
        publish: config.publish,
        retention: config.journal.retention(),
        policy: policy.into_bytes(),
        staged: staged.map(|folder| Arc::new(folder) as Arc<dyn weighhouse_seams::Storage>),
        task_file,
        task,
        next_task,
        keypair: Arc::new(keypair),
        chain: chain.clone(),
        dialer,
        canary,
        clock: Arc::new(SystemClock::new()),
        entropy: Entropy::system(),
        storage: Arc::new(storage),
        cpu: CpuPool::new(threads, 256),
    };
    let mut validator = Role::open(parts).await.map_err(role_failure)?;
    let stop = shutdown.child_token();
    let mut serving = serve_verdicts(&config.verdicts, &mut validator, &stop).await?;
    serve_bundles(config.bundles, &validator, &stop, &mut serving).await?;
    if let Some(server) = canary_server {
        serving.spawn(server.run(Arc::new(SystemClock::new()), stop.clone()));
    }
    ready.send_replace(true);
    tokio::spawn(tell(validator.progress(), chain, shutdown.clone()));
    let validated = validator.run(shutdown).await.map_err(role_failure);
    stop.cancel();
    serving.join_all().await;
    validated
}

/// Serves miners their verdicts beside the role, where the file says so. Whatever befalls it, weights go out all the same.
async fn serve_verdicts(
    section: &config::VerdictsSection,
    validator: &mut Role,
    shutdown: &CancellationToken,
) -> Result<JoinSet<()>, Failure> {
    let mut serving = JoinSet::new();
    let Some(listen) = section.listen else { return Ok(serving) };
    let listener = bind(listen, "verdicts.listen").await?;
    validator.publish_endpoint(section.external.unwrap_or(listener.local_addr()));
    let parts = validator.verdicts(Box::new(listener));
    let served = verdicts::serve(parts, shutdown.clone());
    serving.spawn(async move {
        if let Err(error) = served.await {
            tracing::error!(
                state = "verdicts",
                turned = "bad",
                %error,
                "miners aren't told of their verdicts any more, and no other validator's log is witnessed: mend this and start again"
            );
        }
    });
    Ok(serving)
}

/// Serves auditors the epochs that are public, where the file says so.
async fn serve_bundles(
    section: config::BundlesSection,
    validator: &Role,
    shutdown: &CancellationToken,
    serving: &mut JoinSet<()>,
) -> Result<(), Failure> {
    let Some(listen) = section.listen else { return Ok(()) };
    let listener = bind(listen, "bundles.listen").await?;
    let parts = validator.bundles(Box::new(listener), section);
    serving.spawn(bundles::serve(parts, shutdown.clone()));
    Ok(())
}

/// Our own miner, on a loopback port, where the file wants one. Rounds go on without it.
async fn canary(rounds: &config::Rounds) -> Option<(Canary, CanaryServer)> {
    if !rounds.canary {
        return None;
    }
    let bound =
        bind((Ipv4Addr::LOCALHOST, 0).into(), "rounds.canary").await.map_err(|error| error.to_string());
    let made = bound.and_then(|listener| {
        Canary::new(Box::new(listener), &mut Entropy::system()).map_err(|error| error.to_string())
    });
    if let Err(error) = &made {
        tracing::warn!(%error, "no canary is asked with the rounds: trouble of this machine may be charged to miners");
    }
    made.ok()
}

/// Tells the service manager. A validator hangs that gets through no block while the chain makes new ones.
async fn tell(mut turns: watch::Receiver<Progress>, chain: SharedChain, shutdown: CancellationToken) {
    let status = |progress: &Progress| {
        let published = progress.published.map_or("none".to_owned(), |epoch| epoch.to_string());
        format!("worked through block {}; newest epoch published: {published}", progress.block)
    };
    let clock = SystemClock::new();
    let hangs = async |progress: Progress| {
        let head = clock.timeout(HEAD_TIMEOUT, chain.head()).await;
        matches!(head, Ok(Ok(head)) if head.number > progress.block)
    };
    // Its journal is open, and rounds that are due may take their time.
    turns.mark_changed();
    Followed { turns, patience: STEP_MAX, stop_time: STOP_TIME }.tell(status, hangs, shutdown).await;
}

/// The task under which the journal's open epoch was opened, where it is another than the configured one and its reference is at
/// hand: the epoch goes on under it.
fn task_of_open_epoch(
    storage: &dyn weighhouse_seams::Storage,
    asked: &config::TaskSection,
    configured: &[u8],
) -> Option<(Vec<u8>, Arc<Task>)> {
    let file = weighhouse_validator::start::task_under_way(storage).filter(|file| file != configured)?;
    match Task::load(&file, &ConfiguredReferences::new(asked)) {
        Ok(task) => {
            tracing::info!(
                "the configured task is another than the open epoch's, which goes on as it began: the new one follows once a closing \
                 record has named it"
            );
            Some((file, Arc::new(task)))
        }
        Err(error) => {
            tracing::warn!(%error, "the open epoch's task can't be loaded any more: nothing more is asked in that epoch");
            None
        }
    }
}

/// A task file by path or built-in name, with the reference it names. Must be called within a runtime.
pub(crate) fn load_task(asked: &config::TaskSection) -> Result<(String, Task), Failure> {
    let file = asked.file.as_str();
    let text = task_text(file)?;
    let references = ConfiguredReferences::new(asked);
    let task = Task::load(text.as_bytes(), &references);
    let task = task.map_err(|error| {
        let exit = references.failed.get().copied().unwrap_or_else(|| task_exit(&error));
        Failure::new(exit, format!("{file}: {error}"))
    })?;
    if let (Some(newest), Some(pinned)) = (references.newest.get(), task.file().reference)
        && *newest != pinned
    {
        tracing::warn!(
            %pinned, %newest,
            "the task pins the reference without its generation_config.json, by which it ends a text: a validator whose \
             folder lacks that file judges otherwise; `weighhouse task digest FOLDER --pin FILE` pins it too"
        );
    }
    Ok((text, task))
}

/// A task file by path or built-in name.
pub(crate) fn task_text(file: &str) -> Result<String, Failure> {
    match builtin(file) {
        Some(text) => Ok(text.to_owned()),
        None if !Path::new(file).exists() => {
            let known = builtin_names().join(", ");
            Err(Failure::new(Exit::Missing, format!("{file}: no such task file, and none of {known}")))
        }
        None => read_text(Path::new(file)),
    }
}

/// Dials axons, which are foreign input, and our own canary.
fn axon_dialer(chain: &config::ChainSection, canary: Option<SocketAddr>) -> Arc<dyn Dialer> {
    if chain.dial_private {
        return dialer(&chain.dial);
    }
    Arc::new(PublicDialer::new(chain.dial.clone(), Arc::new(TcpDialer)).besides(canary))
}

/// The place in the subnet that a configuration names.
fn place(config: &Config, hotkey: Hotkey) -> Place<'_> {
    Place {
        address: &config.chain.address,
        netuid: config.chain.netuid,
        hotkey,
        wallet: (&config.wallet.name, &config.wallet.hotkey),
    }
}

/// Only what a person has to change keeps a supervisor from starting the role again.
fn task_exit(error: &TaskError) -> Exit {
    match error {
        TaskError::File(_)
        | TaskError::WrongReference { .. }
        | TaskError::WrongLanguage { .. }
        | TaskError::JudgeVersion { .. }
        | TaskError::Reference(_)
        | TaskError::NoReference
        | TaskError::NoJudge
        | TaskError::Witness(WitnessError::GreedyOnly | WitnessError::Context { .. }) => Exit::Config,
        TaskError::Judge(_) | TaskError::Witness(_) => Exit::Unavailable,
        _ => Exit::Internal,
    }
}

fn role_failure(error: ValidatorError) -> Failure {
    let exit = match error {
        ValidatorError::Chain(error) => return chain_failure(error),
        ValidatorError::NotRegistered { .. } => Exit::Denied,
        // Room on a disk comes back, and what a failed write left is found out by the next start.
        ValidatorError::Journal(
            JournalError::Io { .. } | JournalError::Poisoned { .. } | JournalError::Vanished { .. },
        ) => Exit::Unavailable,
        ValidatorError::Journal(_) | ValidatorError::Weigh(_) | ValidatorError::LogKey { .. } => Exit::Data,
        ValidatorError::Policy(_)
        | ValidatorError::Moved(_)
        | ValidatorError::Start(_)
        | ValidatorError::ScoredElsewhere { .. } => Exit::Config,
        ValidatorError::Task(ref error) => task_exit(error),
        ValidatorError::Pool(_)
        | ValidatorError::Unheard { .. }
        | ValidatorError::Canary { .. }
        | ValidatorError::CutOff { .. } => Exit::Internal,
    };
    Failure::new(exit, error)
}
