//! What a hotkey has of its own: wallet, folder, port, axon and place in the subnet.

use std::net::SocketAddr;
use std::time::Duration;

use weighhouse_chain::Chain;
use weighhouse_miner::config::{Config, Tls};
use weighhouse_miner::server::Keys;
use weighhouse_seams::{ClockExt as _, Dialer as _, Listener as _, Storage as _, SystemClock, TcpDialer};
use weighhouse_types::Hotkey;

use crate::commands::checks::Checks;
use crate::commands::keys::daemon_hotkey;
use crate::commands::miner::{self, status::hotkeys_of};
use crate::commands::samples::Samples;
use crate::commands::{bind, expand, open_dir};
use crate::failure::{Context as _, Exit, Failure};

/// Time that a connection to ourselves may take.
const DIAL_PATIENCE: Duration = Duration::from_secs(3);
/// A file that is written into the state folder, and removed.
const TRIED: &str = "check";

/// Hotkeys of a miner that answers at this configuration's `metrics.listen`.
pub(super) struct Running {
    hotkeys: Vec<String>,
    /// One of them is this configuration's.
    pub(super) is_ours: bool,
}

impl Running {
    pub(super) async fn ask(config: &Config) -> Self {
        let asked = Samples::ask("miner", config.metrics.listen).await;
        let hotkeys = asked.as_ref().map(hotkeys_of).unwrap_or_default();
        let own = config.identities().into_iter().filter_map(|one| daemon_hotkey(&one.wallet).ok());
        let is_ours = own.into_iter().any(|keypair| hotkeys.contains(&keypair.hotkey().to_string()));
        Self { hotkeys, is_ours }
    }

    fn has(&self, hotkey: Option<Hotkey>) -> bool {
        hotkey.is_some_and(|hotkey| self.hotkeys.contains(&hotkey.to_string()))
    }
}

/// What a hotkey has of its own; gives its place in the subnet, where that could be asked.
pub(super) async fn identity(
    checks: &mut Checks,
    (config, table): (&Config, &str),
    running: &Running,
    chain: Option<&dyn Chain>,
) -> Result<Option<Result<String, Failure>>, Failure> {
    let hotkey = checks.wallet(daemon_hotkey(&config.wallet))?;
    if running.has(hotkey) {
        let listen = config.serve.listen;
        let detail =
            format!("a miner of this hotkey runs: its folder and {listen} are its own, and not tried");
        checks.warn("running", detail)?;
    } else {
        folder_and_port(checks, config, table).await?;
    }
    if let (Some(chain), Some(hotkey)) = (chain, hotkey) {
        let standing = miner::place(config, hotkey).ask(chain).await;
        if let (Ok(standing), Some(ours)) = (&standing, published(config))
            && let Some(shown) = standing.axon.as_ref().filter(|shown| **shown != ours.to_string())
        {
            let detail = format!(
                "the chain shows {shown} for this hotkey, and a start publishes {ours}: does another process serve with it?"
            );
            checks.warn("shown", detail)?;
        }
        return Ok(Some(standing.map(|standing| format!("uid {}", standing.uid))));
    }
    Ok(None)
}

/// The address that would be published, where the configuration alone says it.
pub(in crate::commands::miner) fn published(config: &Config) -> Option<SocketAddr> {
    let listen = config.serve.listen;
    let is_plain = !listen.ip().is_unspecified() && listen.port() != 0;
    config.serve.external.or_else(|| is_plain.then_some(listen))
}

/// The folder and the port.
async fn folder_and_port(checks: &mut Checks, config: &Config, table: &str) -> Result<(), Failure> {
    let dir = expand(&config.state.dir);
    let state = open_dir(&dir, "state.dir").and_then(|storage| {
        // A folder may be there, and its disk full.
        let tried = storage.write_atomic(TRIED, b"tried").and_then(|()| storage.remove(TRIED));
        tried.exit(Exit::Unavailable, format!("can't write into {} (state.dir)", dir.display()))?;
        Ok((storage, dir.display().to_string()))
    });
    if let Some(storage) = checks.note("state", state)?
        && config.serve.tls != Tls::Off
    {
        let keys = Keys::open(&storage).exit(Exit::Data, "TLS");
        checks.note("tls", keys.map(|keys| ((), format!("server name {}", keys.pin().server_name()))))?;
    }
    axon(checks, config, table).await
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
