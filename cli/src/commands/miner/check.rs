//! `weighhouse miner check`: everything that starting needs, tried without serving.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use weighhouse_chain::Chain;
use weighhouse_miner::config::{Config, Tls};
use weighhouse_miner::engine::Catalogue;
use weighhouse_miner::server::Keys;
use weighhouse_seams::{Clock, ClockExt as _, CpuPool, Dialer as _, Listener as _, SystemClock, TcpDialer};
use weighhouse_tasks::{OnRecord, Task};
use weighhouse_types::Hotkey;

use super::{ConfigFile, descriptors, load_models, read_config};
use crate::commands::check::machine::clock;
use crate::commands::checks::Checks;
use crate::commands::keys::daemon_hotkey;
use crate::commands::samples::Samples;
use crate::commands::standing::Place;
use crate::commands::validator::task_text;
use crate::commands::{bind, connect, expand, open_dir};
use crate::failure::{Context as _, Exit, Failure};
use crate::notices;

/// Time that a connection to ourselves may take.
const DIAL_PATIENCE: Duration = Duration::from_secs(3);

#[derive(Args, Debug)]
pub(super) struct CheckArgs {
    #[command(flatten)]
    pub(super) file: ConfigFile,
    /// The subnet's task file, or a built-in task: whether a model of its name is served
    #[arg(long, value_name = "FILE")]
    pub(super) task: Option<String>,
}

pub(super) async fn run(args: &ConfigFile, task: Option<&str>) -> Result<(), Failure> {
    let mut checks = Checks::new(args.json);
    let config = read_config(&args.config).map(|config| {
        let old = config.chain.outdated.join("; ");
        let detail = format!("{} {old}", args.config.display());
        (config, detail.trim_end().to_owned())
    });
    let Some(config) = checks.note("config", config)? else { return checks.finish() };
    let identities = config.identities();
    let descriptors = descriptors::raise(&config.limits, identities.len());
    checks.note("files", descriptors.map(|held| ((), format!("{held} file descriptors"))))?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let cpu = CpuPool::new(1, config.limits.in_flight_max);
    let loaded = load_models(&config, &cpu, &clock).map(|models| {
        let names: Vec<_> = models.engines().iter().map(|engine| engine.model().name.name.clone()).collect();
        (models, names.join(", "))
    });
    if let Some(models) = checks.note("model", loaded)? {
        upstreams(&mut checks, &models).await?;
        if let Some(task) = task {
            checks.note("task", served(task, &models))?;
        }
    }
    clock::check(&mut checks).await?;
    if let Some(url) = &config.notify.url {
        // A webhook's path is its password.
        let host = url.split('/').nth(2).unwrap_or_default().to_owned();
        checks.note("notify", notices::hook(&config.notify, "miner").map(|_| ((), host)))?;
    }
    let running = Running::ask(config.metrics.listen).await;
    if let Some(listen) = config.metrics.listen
        && running.0.is_empty()
    {
        let bound = bind(listen, "metrics.listen").await;
        checks.note("metrics", bound.map(|_| ((), format!("{listen} is free"))))?;
    }
    let chain = connect(&config.chain.address, None).await;
    let chain = checks.note("chain", chain.map(|chain| (chain, config.chain.address.to_string())))?;
    for (nth, one) in identities.iter().enumerate() {
        let table = if nth == 0 { "serve" } else { "identity" };
        identity(&mut checks, (one, table), &running, chain.as_deref()).await?;
    }
    checks.finish()
}

/// Whether the model that a task asks for is served.
fn served(task: &str, models: &Catalogue) -> Result<((), String), Failure> {
    let text = task_text(task)?;
    let file = Task::load(text.as_bytes(), &OnRecord).exit(Exit::Config, task)?.file().clone();
    let found = models.find(&file.model, "");
    let names: Vec<_> = models.engines().iter().map(|engine| &engine.model().name.name).collect();
    let missing = || {
        let wanted = &file.model;
        let fix = format!(
            "{task} asks for {wanted:?}, and served are {names:?}: set `name = {wanted:?}` at the model"
        );
        Failure::new(Exit::Config, fix)
    };
    found.map(|_| ((), format!("{task} asks for {:?}, which is served", file.model))).map_err(|_| missing())
}

/// Hotkeys of a miner that answers at this configuration's `metrics.listen`.
struct Running(Vec<String>);

impl Running {
    async fn ask(listen: Option<SocketAddr>) -> Self {
        let Ok(samples) = Samples::ask("miner", listen).await else { return Self(Vec::new()) };
        let hotkeys = samples.by_label("weighhouse_miner_incentive_ratio", "hotkey");
        Self(hotkeys.into_iter().map(|(hotkey, _)| hotkey.to_owned()).collect())
    }

    fn has(&self, hotkey: Option<Hotkey>) -> bool {
        hotkey.is_some_and(|hotkey| self.0.contains(&hotkey.to_string()))
    }
}

/// What a hotkey has of its own.
async fn identity(
    checks: &mut Checks,
    (config, table): (&Config, &str),
    running: &Running,
    chain: Option<&dyn Chain>,
) -> Result<(), Failure> {
    let hotkey = checks.wallet(daemon_hotkey(&config.wallet))?;
    if running.has(hotkey) {
        let listen = config.serve.listen;
        let detail =
            format!("a miner of this hotkey runs: its folder and {listen} are its own, and not tried");
        checks.warn("running", detail)?;
    } else {
        place(checks, config, table).await?;
    }
    if let (Some(chain), Some(hotkey)) = (chain, hotkey) {
        let place = Place {
            address: &config.chain.address,
            netuid: config.chain.netuid,
            hotkey,
            wallet: (&config.wallet.name, &config.wallet.hotkey),
        };
        let standing = place.ask(chain).await;
        checks.note("subnet", standing.map(|standing| ((), format!("uid {}", standing.uid))))?;
    }
    Ok(())
}

/// The folder and the port.
async fn place(checks: &mut Checks, config: &Config, table: &str) -> Result<(), Failure> {
    let dir = expand(&config.state.dir);
    let state = open_dir(&dir, "state.dir").map(|storage| (storage, dir.display().to_string()));
    if let Some(storage) = checks.note("state", state)?
        && config.serve.tls != Tls::Off
    {
        let keys = Keys::open(&storage).exit(Exit::Data, "TLS");
        checks.note("tls", keys.map(|keys| ((), format!("server name {}", keys.pin().server_name()))))?;
    }
    axon(checks, config, table).await
}

/// Asks the servers behind models whether they serve them now.
async fn upstreams(checks: &mut Checks, models: &Catalogue) -> Result<(), Failure> {
    for engine in models.engines() {
        if let Some(asked) = engine.upstream().await {
            let doing = format!("model {:?}", engine.model().name.name);
            checks.note("server", asked.map(|detail| ((), detail)).exit(Exit::Unavailable, doing))?;
        }
    }
    Ok(())
}

/// Binds the port and dials the address that would be published.
async fn axon(checks: &mut Checks, config: &Config, table: &str) -> Result<(), Failure> {
    let listen = config.serve.listen;
    let bound = bind(listen, &format!("{table}.listen")).await;
    let bound = bound.map(|bound| (bound, format!("{listen} is free")));
    let Some(listener) = checks.note("port", bound)? else { return Ok(()) };
    let published = match config.serve.external {
        Some(external) => external,
        None if listen.ip().is_unspecified() => {
            let why = format!("nobody can dial {listen}: set `{table}.external` to the address to publish");
            return checks.note::<()>("axon", Err(Failure::config(why))).map(drop);
        }
        None => SocketAddr::new(listen.ip(), listener.local_addr().port()),
    };
    let clock = SystemClock::new();
    let (dialled, accepted) = tokio::join!(
        clock.timeout(DIAL_PATIENCE, TcpDialer.dial(published)),
        // Accepted as well as dialled: another host may answer at that address.
        clock.timeout(DIAL_PATIENCE, listener.accept()),
    );
    if matches!((&dialled, &accepted), (Ok(Ok(_)), Ok(Ok(_)))) {
        return checks.note("axon", Ok(((), format!("{published} reaches this machine")))).map(drop);
    }
    // Many routers don't lead an inner host's call of the outer address back in, so no failure is proved.
    checks.unsure(
        "axon",
        format!("{published} doesn't lead here from this machine; try it from another, and open the port"),
    )
}
