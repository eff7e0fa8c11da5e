//! `weighhouse miner`: serves as every hotkey of its configuration, and reads it again when told.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use weighhouse_miner::config::Config;
use weighhouse_miner::server::{self, KeysError, MinerError, Parts};
use weighhouse_miner::{Live, metrics};
use weighhouse_seams::{Clock, CpuPool, DirStorage, Entropy, SystemClock, TcpBound};
use weighhouse_wallet::replay::ReplayOpenError;

use super::reload::{self, Reload};
use super::{ConfigFile, descriptors, load_models, read_config};
use crate::commands::admin::{self, Told};
use crate::commands::keys::daemon_hotkey;
use crate::commands::{bind, chain_failure, connect, expand, open_dir, warn_of};
use crate::failure::{Context as _, Exit, Failure};
use crate::notices;
use crate::signals::Signals;
use crate::supervisor::Followed;

/// The miner looks at its own health every second.
const PATIENCE: Duration = Duration::from_secs(30);
/// From the end of a drain to the process's.
const STOP_GRACE: Duration = Duration::from_secs(10);

pub(super) async fn run(file: &ConfigFile, signals: Signals) -> Result<(), Failure> {
    let Signals { shutdown, reload } = signals;
    let config = read_config(&file.config)?;
    warn_of(&config.chain.outdated);
    let identities = config.identities();
    let descriptors = descriptors::raise(&config.limits, identities.len())?;
    let keypairs = identities.iter().map(|one| daemon_hotkey(&one.wallet)).collect::<Result<Vec<_>, _>>()?;
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let pool = |places: usize| CpuPool::new(threads, places.saturating_mul(identities.len()));
    let (cpu, clock) = (pool(config.limits.in_flight_max), Arc::new(SystemClock::new()) as Arc<dyn Clock>);
    let models = load_models(&config, &cpu, &clock)?;
    // Signatures never wait behind a model.
    let signatures = pool(config.limits.unproven_max + config.limits.in_flight_max);
    models.prepare().await.exit(Exit::Config, "model")?;
    let listed = reload::listed(&models);
    let live = Live::new(models, &config, &clock);
    let places = places(&identities).await?;
    let chain = connect(&config.chain.address, None).await?;
    let ready = watch::Sender::new(false);
    admin::serve(Told {
        listen: (config.metrics.listen, "metrics.listen"),
        ready: ready.subscribe(),
        state: Some(expand(&config.state.dir)),
    })
    .await?;
    metrics::describe();
    notices::describe();
    let who = format!("miner {}/{}", config.wallet.name, config.wallet.hotkey);
    notices::follow(&config.notify, &who, shutdown.clone())?;
    let hotkeys: Vec<String> = keypairs.iter().map(|pair| pair.hotkey().to_string()).collect();
    tracing::info!(listen = %config.serve.listen, hotkeys = hotkeys.join(" "), descriptors, "miner starting");
    tokio::spawn(tell(ready.subscribe(), &config, shutdown.clone()));
    let parts = identities.into_iter().zip(keypairs).zip(places);
    let parts = parts.map(|((config, keypair), (listener, storage))| Parts {
        config,
        keypair: Arc::new(keypair),
        chain: chain.clone(),
        live: live.clone(),
        listener: Box::new(listener),
        clock: clock.clone(),
        storage: Arc::new(storage),
        entropy: Entropy::system(),
        cpu: signatures.clone(),
        ready: watch::Sender::new(false),
        shutdown: shutdown.clone(),
    });
    let parts: Vec<_> = parts.collect();
    let serving = async {
        server::run_all(parts, ready, &shutdown).await.map_err(role_failure)?;
        tracing::info!("miner stopped");
        Ok(())
    };
    let following =
        Reload { path: file.config.clone(), running: config, live, cpu, clock: clock.clone(), listed };
    tokio::select! {
        ended = serving => ended,
        never = following.follow(&reload) => match never {},
    }
}

/// The ports and the folders of state.
async fn places(identities: &[Config]) -> Result<Vec<(TcpBound, DirStorage)>, Failure> {
    let mut places = Vec::new();
    for (nth, one) in identities.iter().enumerate() {
        let key = if nth == 0 { "serve.listen" } else { "identity.listen" };
        places.push((bind(one.serve.listen, key).await?, open_dir(&expand(&one.state.dir), "state.dir")?));
    }
    Ok(places)
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

pub(super) fn role_failure(error: MinerError) -> Failure {
    let exit = match error {
        MinerError::Chain(error) => return chain_failure(error),
        MinerError::NotRegistered { .. } => Exit::Denied,
        MinerError::NoExternalAddress { .. } => Exit::Config,
        // Room on a disk comes back, and a supervisor may try again.
        MinerError::Keys(KeysError::Storage { .. })
        | MinerError::Replay(ReplayOpenError::Io { .. })
        | MinerError::Sealed(_) => Exit::Unavailable,
        MinerError::Replay(_) | MinerError::Keys(_) => Exit::Data,
        MinerError::ChainTimeout { .. } => Exit::Unavailable,
        MinerError::Serve(_) | MinerError::Release(_) | MinerError::Panicked => Exit::Internal,
    };
    Failure::new(exit, error)
}
