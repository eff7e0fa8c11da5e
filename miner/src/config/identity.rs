//! `[[identity]]`: hotkeys that one process serves as besides that of `[wallet]`.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::Path;

use weighhouse_types::Netuid;

use super::error::ConfigError;
use super::raw::{IdentityTable, WalletSection};
use super::{Config, Serve};

/// Folder of their states, below that of the first.
const STATES: &str = "identities";

/// What another hotkey has of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    wallet: WalletSection,
    netuid: Option<Netuid>,
    listen: SocketAddr,
    external: Option<SocketAddr>,
}

impl Identity {
    pub(super) fn listen(&self) -> SocketAddr {
        self.listen
    }
}

/// Reads the tables: each of a hotkey and an address that none before it has.
pub(super) fn read(
    tables: Vec<IdentityTable>,
    first: &WalletSection,
    listen: SocketAddr,
) -> Result<Vec<Identity>, ConfigError> {
    let mut hotkeys = HashSet::from([(first.name.clone(), first.hotkey.clone())]);
    let mut addresses = HashSet::from([listen]);
    let mut read = Vec::new();
    for table in tables {
        let IdentityTable { hotkey, wallet, password_file, netuid, listen, external } = table;
        let name = wallet.unwrap_or_else(|| first.name.clone());
        if !hotkeys.insert((name.clone(), hotkey.clone())) {
            let why = format!("{hotkey:?} of the wallet {name:?} comes twice");
            return Err(ConfigError::Value { key: "identity.hotkey", why });
        }
        // A free port may be asked for any number of times.
        if listen.port() != 0 && !addresses.insert(listen) {
            let why = format!("{listen} comes twice: each hotkey is dialled at an address of its own");
            return Err(ConfigError::Value { key: "identity.listen", why });
        }
        let wallet = WalletSection { path: first.path.clone(), name, hotkey, password_file };
        read.push(Identity { wallet, netuid: netuid.map(Netuid), listen, external });
    }
    Ok(read)
}

impl Config {
    /// The configuration as each of the process's hotkeys has it, the first one's first.
    pub fn identities(&self) -> Vec<Self> {
        let others = self.others.iter().map(|identity| {
            let Identity { wallet, netuid, listen, external } = identity.clone();
            let mut config = self.clone();
            config.others.clear();
            config.serve = Serve { listen, external, tls: self.serve.tls };
            config.chain.netuid = netuid.unwrap_or(self.chain.netuid);
            config.state.dir = [Path::new(STATES), Path::new(&wallet.name), Path::new(&wallet.hotkey)]
                .iter()
                .fold(self.state.dir.clone(), |dir, part| dir.join(part));
            config.wallet = wallet;
            config
        });
        let first = Self { others: Vec::new(), ..self.clone() };
        std::iter::once(first).chain(others).collect()
    }

    /// Sections that differ and that a reload doesn't exchange.
    pub fn needs_restart(&self, new: &Self) -> Vec<&'static str> {
        [
            ("wallet", self.wallet != new.wallet),
            ("chain", self.chain != new.chain),
            ("serve", self.serve != new.serve),
            ("identity", self.others != new.others),
            ("limits", self.limits != new.limits),
            ("text", self.text != new.text),
            ("metrics", self.metrics != new.metrics),
            ("notify", self.notify != new.notify),
            ("state", self.state != new.state),
        ]
        .into_iter()
        .filter_map(|(section, differs)| differs.then_some(section))
        .collect()
    }
}
