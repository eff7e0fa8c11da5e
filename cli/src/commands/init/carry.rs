//! A configuration carried to another network: what belongs to the old one is set anew, and each change is told. Everything
//! else, comments included, stays as it was.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use serde::Serialize;
use toml_edit::{DocumentMut, Item, Table, TomlError, Value};
use weighhouse_chain::address::ChainAddress;
use weighhouse_types::{Netuid, address};

use super::steps::Role;

#[cfg(test)]
mod tests;

/// What the new configuration is for; what isn't given is worked out of the old one.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) role: Role,
    pub(super) wallet: Option<String>,
    pub(super) hotkey: Option<String>,
    pub(super) address: ChainAddress,
    pub(super) netuid: Netuid,
    pub(super) listen: Option<SocketAddr>,
    pub(super) external: Option<SocketAddr>,
    pub(super) state_dir: Option<PathBuf>,
    pub(super) metrics: Option<SocketAddr>,
}

/// A key that isn't what it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Change {
    key: String,
    from: Option<String>,
    to: Option<String>,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.from, &self.to) {
            (Some(from), Some(to)) => write!(f, "changed   {} = {to}, it was {from}", self.key),
            (Some(from), None) => write!(f, "left out  {}, it was {from}", self.key),
            (None, to) => write!(f, "added     {} = {}", self.key, to.as_deref().unwrap_or_default()),
        }
    }
}

struct Editor {
    document: DocumentMut,
    changes: Vec<Change>,
}

pub(super) fn carry(text: &str, target: &Target) -> Result<(String, Vec<Change>), TomlError> {
    let mut editor = Editor { document: text.parse()?, changes: Vec::new() };
    editor.set("wallet", "name", target.wallet.clone().map(Value::from));
    editor.set("wallet", "hotkey", target.hotkey.clone().map(Value::from));
    editor.chain(target);
    let state = match target.role {
        Role::Miner => "state",
        Role::Validator => "journal",
    };
    let dir = target.state_dir.as_ref().map(|dir| dir.to_string_lossy().into_owned());
    let dir = dir.or_else(|| Some(format!("{}-{}", editor.text(state, "dir")?, label(target))));
    // Without a key of its own a miner's folder is the default one, which the old network's miner uses.
    let usual = || format!("{}-state-{}", target.role.name(), label(target));
    editor.set(state, "dir", Some(dir.unwrap_or_else(usual).into()));
    if target.role == Role::Miner {
        editor.axon(target);
    }
    editor.set("metrics", "listen", target.metrics.map(|listen| listen.to_string().into()));
    Ok((editor.document.to_string(), editor.changes))
}

impl Editor {
    fn chain(&mut self, target: &Target) {
        let address = &target.address;
        self.remove("chain", "endpoint");
        // Both belong to the old chain: its identity, and where its axons are dialled.
        self.remove("chain", "genesis");
        self.remove("chain", "dial");
        match address.network() {
            Some(network) => self.set("chain", "network", Some(network.as_str().into())),
            None => self.remove("chain", "network"),
        }
        match address.endpoints() {
            [] => self.remove("chain", "endpoints"),
            all => self.set("chain", "endpoints", Some(Value::from_iter(all.iter().map(String::as_str)))),
        }
        self.set("chain", "netuid", Some(i64::from(target.netuid.0).into()));
        // What was taken out of a table on one line leaves its spaces behind.
        if let Some(line) = self.document.get_mut("chain").and_then(Item::as_inline_table_mut) {
            line.fmt();
        }
    }

    /// Validators of another network reach no loopback, and a real one refuses addresses that nobody can dial.
    fn axon(&mut self, target: &Target) {
        let is_public = target.address.is_subtensor();
        let read = |text: Option<String>| text.and_then(|text| address::parse(&text).ok());
        let listen = target.listen.or_else(|| {
            let old = read(self.text("serve", "listen")).filter(|old| is_public && old.ip().is_loopback());
            old.map(|old| SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), old.port()))
        });
        self.set("serve", "listen", listen.map(|listen| listen.to_string().into()));
        match target.external {
            Some(external) => self.set("serve", "external", Some(external.to_string().into())),
            None => {
                let old = read(self.text("serve", "external"));
                if old.is_some_and(|old| is_public && !is_dialled_from_outside(old.ip())) {
                    self.remove("serve", "external");
                }
            }
        }
    }

    fn text(&self, table: &str, key: &str) -> Option<String> {
        self.document.get(table)?.get(key)?.as_str().map(str::to_owned)
    }

    /// Sets a key, if there is something to set and it isn't that already. Comments beside it stay.
    fn set(&mut self, table: &str, key: &str, value: Option<Value>) {
        let Some(mut value) = value else { return };
        let items = self.document.entry(table).or_insert_with(|| Item::Table(Table::new()));
        let Some(items) = items.as_table_like_mut() else { return };
        let old = items.get(key).and_then(Item::as_value).cloned();
        let to = shown(&value);
        let from = old.as_ref().map(shown);
        if from.as_ref() == Some(&to) {
            return;
        }
        if let Some(old) = old {
            *value.decor_mut() = old.decor().clone();
        }
        match items.get_mut(key) {
            // In place: the key keeps what was written before it.
            Some(item) => *item = Item::Value(value),
            None => {
                items.insert(key, Item::Value(value));
            }
        }
        self.changes.push(Change { key: format!("{table}.{key}"), from, to: Some(to) });
    }

    fn remove(&mut self, table: &str, key: &str) {
        let items = self.document.get_mut(table).and_then(Item::as_table_like_mut);
        let Some(old) = items.and_then(|items| items.remove(key)) else { return };
        let from = old.as_value().map_or_else(|| old.to_string().trim().to_owned(), shown);
        self.changes.push(Change { key: format!("{table}.{key}"), from: Some(from), to: None });
    }
}

fn shown(value: &Value) -> String {
    value.to_string().trim().to_owned()
}

/// Network and subnet, for the name of a folder.
fn label(target: &Target) -> String {
    let kind = if target.address.is_subtensor() { "subtensor" } else { "ledger" };
    let network = target.address.network().map_or(kind, |network| network.as_str());
    format!("{network}-{}", target.netuid)
}

/// False for addresses that lead nowhere from another network.
pub(super) fn is_dialled_from_outside(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => !(ip.is_loopback() || ip.is_private() || ip.is_link_local() || ip.is_unspecified()),
        IpAddr::V6(ip) => {
            !(ip.is_loopback() || ip.is_unspecified() || ip.is_unique_local() || ip.is_unicast_link_local())
        }
    }
}
