//! `weighhouse miner`: serves, or says whether it could or does.

mod check;
pub(crate) mod descriptors;
mod earnings;
mod status;

mod score;
mod why;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Subcommand};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use weighhouse_miner::config::Config;
use weighhouse_miner::engine::Catalogue;
use weighhouse_miner::load::{self, Surroundings};
use weighhouse_miner::metrics;
use weighhouse_miner::server::{self, Keys, MinerError, Parts};
use weighhouse_seams::{Clock, CpuPool, SystemClock};

use super::admin::Told;
use super::keys::daemon_hotkey;
use super::{admin, bind, chain_failure, connect, expand, open_dir, read_text, warn_of};
use crate::failure::{Context, Exit, Failure};
use crate::supervisor::Followed;
use crate::{models, output};

/// The miner looks at its own health every second.
const PATIENCE: Duration = Duration::from_secs(30);
/// From the end of a drain to the process's.
const STOP_GRACE: Duration = Duration::from_secs(10);

/// Serve models to validators: verify, answer, sign.
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct MinerArgs {
    #[command(subcommand)]
    command: Option<MinerCommand>,
    #[command(flatten)]
    file: ConfigFile,
    /// Only check the configuration
    #[arg(long, hide = true)]
    check: bool,
}

#[derive(Subcommand, Debug)]
enum MinerCommand {
    /// Serve (as `weighhouse miner` alone does)
    Run(ConfigFile),
    /// Try everything that serving needs, and say what is wrong
    Check(ConfigFile),
    /// Make a new key of TLS, which the next start publishes
    ///
    /// The key before it is served beside it until the chain has shown the new one for 100 blocks, and is removed then.
    RenewKey(ConfigFile),
    /// Say whether the running miner works, and what it earns
    Status(ConfigFile),
    /// Say what a miner would earn in the subnet as it is, and what that rests on
    Earnings(earnings::MinerEarnings),
    /// Say what an epoch's judgements cost this miner, and why, by each validator's own word
    Why(why::Why),
    /// Let the validators' judge mark this miner's answers before it goes live
    Score(score::Score),
}

#[derive(Args, Debug)]
struct ConfigFile {
    /// Configuration file; `weighhouse init miner` writes one with every key
    #[arg(long, value_name = "FILE", default_value = "miner.toml")]
    config: PathBuf,
    /// Answer in JSON, where there is an answer
    #[arg(long)]
    json: bool,
}

impl MinerArgs {
    /// True where it runs until it is stopped.
    pub(crate) fn is_daemon(&self) -> bool {
        matches!(self.command, None | Some(MinerCommand::Run(_))) && !self.check
    }
}

pub(crate) async fn run(args: MinerArgs, shutdown: CancellationToken) -> Result<(), Failure> {
    match args.command {
        Some(MinerCommand::Run(file)) => serve(&file, shutdown).await,
        Some(MinerCommand::Check(file)) => check::run(&file).await,
        Some(MinerCommand::RenewKey(file)) => renew_key(&file),
        Some(MinerCommand::Status(file)) => status::run(&file).await,
        Some(MinerCommand::Earnings(args)) => earnings::run(&args).await,
        Some(MinerCommand::Why(args)) => why::run(&args).await,
        Some(MinerCommand::Score(args)) => score::run(&args, &shutdown).await,
        None if args.check => {
            read_config(&args.file.config)?;
            Ok(crate::output::line(format!("{}: valid", args.file.config.display()))?)
        }
        None => serve(&args.file, shutdown).await,
    }
}

/// As `weighhouse miner check` does.
pub(crate) async fn check(config: &Path, json: bool) -> Result<(), Failure> {
    check::run(&ConfigFile { config: config.to_owned(), json }).await
}

fn read_config(path: &Path) -> Result<Config, Failure> {
    Config::parse(&read_text(path)?).exit(Exit::Config, path.display())
}

fn renew_key(file: &ConfigFile) -> Result<(), Failure> {
    let config = read_config(&file.config)?;
    // The folder is locked: a miner that runs has read its keys already.
    let storage = open_dir(&expand(&config.state.dir))?;
    let pin = Keys::renew(&storage).exit(Exit::Data, "TLS")?;
    let name = pin.server_name();
    if file.json {
        return Ok(output::json(&serde_json::json!({ "server_name": name }))?);
    }
    Ok(output::line(format!("new key, server name {name}: the next start of the miner publishes it"))?)
}

fn load_models(config: &Config, cpu: &CpuPool, clock: &Arc<dyn Clock>) -> Result<Catalogue, Failure> {
    let read = |path: &Path| std::fs::read(path);
    let around = Surroundings { read: &read, expand: &expand, folder: &models::folder, cpu, clock };
    load::engines(config, &around).exit(Exit::Config, "model")
}

async fn serve(file: &ConfigFile, shutdown: CancellationToken) -> Result<(), Failure> {
    let config = read_config(&file.config)?;
    warn_of(&config.chain.outdated);
    let descriptors = descriptors::raise(&config.limits)?;
    let keypair = daemon_hotkey(&config.wallet)?;
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let cpu = CpuPool::new(threads, config.limits.in_flight_max);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let models = load_models(&config, &cpu, &clock)?;
    // Signatures never wait behind a model.
    let signatures = CpuPool::new(threads, config.limits.unproven_max + config.limits.in_flight_max);
    models.prepare().await.exit(Exit::Config, "model")?;
    let listener = bind(config.serve.listen, "serve.listen").await?;
    let storage = open_dir(&expand(&config.state.dir))?;
    let chain = connect(&config.chain.address, None).await?;
    let ready = watch::Sender::new(false);
    admin::serve(Told {
        listen: (config.metrics.listen, "metrics.listen"),
        ready: ready.subscribe(),
        state: Some(expand(&config.state.dir)),
    })
    .await?;
    metrics::describe();
    tracing::info!(listen = %config.serve.listen, hotkey = %keypair.hotkey(), descriptors, "miner starting");
    tokio::spawn(tell(ready.subscribe(), &config, shutdown.clone()));
    let parts = Parts {
        keypair: Arc::new(keypair),
        chain,
        models,
        listener: Box::new(listener),
        clock,
        storage: Arc::new(storage),
        cpu: signatures,
        config,
        ready,
        shutdown,
    };
    server::run(parts).await.map_err(role_failure)
}

/// Tells the service manager. Ready is who serves: a server behind a model may come later, and a start that waited for it
/// would time out.
fn tell(
    turns: watch::Receiver<bool>,
    config: &Config,
    shutdown: CancellationToken,
) -> impl Future<Output = ()> + use<> {
    let listen = config.serve.listen;
    let status = move |is_ready: &bool| match is_ready {
        true => format!("serving at {listen}"),
        false => format!("listening at {listen}, but not ready: the log says why"),
    };
    let stop_time = config.limits.drain_timeout + STOP_GRACE;
    let followed = Followed { turns, patience: PATIENCE, stop_time };
    followed.tell(status, |_| std::future::ready(true), shutdown)
}

fn role_failure(error: MinerError) -> Failure {
    let exit = match error {
        MinerError::Chain(error) => return chain_failure(error),
        MinerError::NotRegistered { .. } => Exit::Denied,
        MinerError::NoExternalAddress { .. } => Exit::Config,
        MinerError::Replay(_) | MinerError::Keys(_) => Exit::Data,
        MinerError::ChainTimeout { .. } => Exit::Unavailable,
        MinerError::Serve(_) | MinerError::Release(_) | MinerError::Panicked => Exit::Internal,
    };
    Failure::new(exit, error)
}
