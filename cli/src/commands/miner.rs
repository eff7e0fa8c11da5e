//! `weighhouse miner`: serves, or says whether it could or does.

mod check;
mod descriptors;
mod status;

mod score;
mod why;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Subcommand};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use weighhouse_miner::config::Config;
use weighhouse_miner::engine::Catalogue;
use weighhouse_miner::load::{self, Surroundings};
use weighhouse_miner::metrics;
use weighhouse_miner::server::{self, MinerError, Parts};
use weighhouse_seams::{Clock, CpuPool, SystemClock};

use super::keys::daemon_hotkey;
use super::{admin, bind, chain_failure, connect, expand, open_dir, read_text, warn_of};
use crate::failure::{Context, Exit, Failure};
use crate::models;

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
    /// Say whether the running miner works, and what it earns
    Status(ConfigFile),
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
        Some(MinerCommand::Status(file)) => status::run(&file).await,
        Some(MinerCommand::Why(args)) => why::run(&args).await,
        Some(MinerCommand::Score(args)) => score::run(&args, &shutdown).await,
        None if args.check => {
            read_config(&args.file.config)?;
            Ok(crate::output::line(format!("{}: valid", args.file.config.display()))?)
        }
        None => serve(&args.file, shutdown).await,
    }
}

fn read_config(path: &Path) -> Result<Config, Failure> {
    Config::parse(&read_text(path)?).exit(Exit::Config, path.display())
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
    admin::serve(config.metrics.listen, "metrics.listen", ready.subscribe()).await?;
    metrics::describe();
    tracing::info!(listen = %config.serve.listen, hotkey = %keypair.hotkey(), descriptors, "miner starting");
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

fn role_failure(error: MinerError) -> Failure {
    let exit = match error {
        MinerError::Chain(error) => return chain_failure(error),
        MinerError::NotRegistered { .. } => Exit::Denied,
        MinerError::NoExternalAddress { .. } => Exit::Config,
        MinerError::Replay(_) => Exit::Data,
        MinerError::ChainTimeout { .. } => Exit::Unavailable,
        MinerError::Serve(_) | MinerError::Release(_) | MinerError::Panicked => Exit::Internal,
    };
    Failure::new(exit, error)
}
