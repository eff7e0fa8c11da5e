//! `weighhouse miner`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use tokio_util::sync::CancellationToken;
use weighhouse_miner::config::Config;
use weighhouse_miner::engine::{self, Surroundings};
use weighhouse_miner::metrics;
use weighhouse_miner::server::{self, MinerError, Parts};
use weighhouse_seams::{Clock, CpuPool, SystemClock};

use super::keys::daemon_hotkey;
use super::{bind, chain_failure, connect, expand, open_dir, read_text, serve_metrics};
use crate::failure::{Context, Exit, Failure};
use crate::models;

/// Serve models to validators: verify, answer, sign.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  weighhouse miner --config miner.toml
  weighhouse miner --config miner.toml --check    read the file, say what is wrong, and end")]
pub(crate) struct Miner {
    /// Configuration file; deploy/miner.toml shows every key
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Only check the configuration
    #[arg(long)]
    check: bool,
}

pub(crate) async fn run(args: Miner, shutdown: CancellationToken) -> Result<(), Failure> {
    let text = read_text(&args.config)?;
    let config = Config::parse(&text).exit(Exit::Config, args.config.display())?;
    if args.check {
        return Ok(crate::output::line(format!("{}: valid", args.config.display()))?);
    }
    let keypair = daemon_hotkey(&config.wallet.path, &config.wallet.name, &config.wallet.hotkey)?;
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let cpu = CpuPool::new(threads, config.limits.in_flight_max);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let read = |path: &Path| std::fs::read(path);
    let around =
        Surroundings { read: &read, expand: &expand, folder: &models::folder, cpu: &cpu, clock: &clock };
    let engine = engine::load(&config, &around).exit(Exit::Config, "model")?;
    engine.prepare().await.exit(Exit::Config, "model")?;
    let listener = bind(config.serve.listen, "serve.listen").await?;
    let storage = open_dir(&expand(&config.state.dir))?;
    let chain = connect(&config.chain.endpoint, None).await?;
    serve_metrics(config.metrics.listen)?;
    metrics::describe();
    tracing::info!(listen = %config.serve.listen, hotkey = %keypair.hotkey(), "miner starting");
    let parts = Parts {
        keypair: Arc::new(keypair),
        chain,
        engine,
        listener: Box::new(listener),
        clock,
        storage: Arc::new(storage),
        cpu,
        config,
        ready: tokio::sync::watch::Sender::new(false),
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
