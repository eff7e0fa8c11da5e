//! `weighhouse init miner` and `init validator`: a configuration, new or carried over, and the steps that are left.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use weighhouse_chain::address::ChainAddress;
use weighhouse_miner::config::Config as MinerConfig;
use weighhouse_types::{Netuid, address};
use weighhouse_validator::config::Config as ValidatorConfig;

use super::carry::{Change, Target, carry};
use super::refuse_existing;
use super::steps::{Role, Setup, Steps};
use crate::commands::{read_text, write_file};
use crate::failure::{Context, Exit, Failure};
use crate::output;

const MINER: &str = include_str!("../../../../deploy/miner.toml");
const VALIDATOR: &str = include_str!("../../../../deploy/validator.toml");
/// A wallet's name and a hotkey's, where none is given.
const USUAL: &str = "default";

#[derive(Args, Debug)]
pub(crate) struct MinerFile {
    #[command(flatten)]
    role: RoleFile,
    /// Address to listen on for requests
    #[arg(long, value_name = "ADDRESS", value_parser = address::parse)]
    listen: Option<SocketAddr>,
    /// Address that validators dial, to be published as the axon
    #[arg(long, value_name = "ADDRESS", value_parser = address::parse)]
    external: Option<SocketAddr>,
}

#[derive(Args, Debug)]
pub(crate) struct ValidatorFile {
    #[command(flatten)]
    role: RoleFile,
}

#[derive(Args, Debug)]
struct RoleFile {
    /// Wallet whose hotkey signs [default: default, or with --from the file's]
    #[arg(long, value_name = "NAME")]
    wallet: Option<String>,
    /// Hotkey name within the wallet [default: default, or with --from the file's]
    #[arg(long, value_name = "NAME")]
    hotkey: Option<String>,
    /// Network: finney, archive, test, local or ledger, or addresses of a node [default: a ledger on this machine]
    #[arg(long, visible_alias = "chain", value_name = "NAME|URL")]
    network: Option<ChainAddress>,
    /// The subnet [default: 1]
    #[arg(long, value_name = "N")]
    netuid: Option<Netuid>,
    /// A configuration to carry over: everything but wallet, network, subnet, state and addresses stays as it is
    #[arg(long, value_name = "FILE", requires = "network", requires = "netuid")]
    from: Option<PathBuf>,
    /// Folder of the role's state: nonces of a miner, the journal of a validator
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
    /// Address that serves metrics
    #[arg(long, value_name = "ADDRESS", value_parser = address::parse)]
    metrics: Option<SocketAddr>,
    /// The file to write; one that is there already is left alone [default: miner.toml or validator.toml]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Write nothing: tell which steps the file that is there has left
    #[arg(long, conflicts_with_all = ["wallet", "hotkey", "network", "netuid", "from", "state_dir", "metrics"])]
    steps: bool,
    #[arg(long)]
    json: bool,
}

/// What was done, and what is left.
#[derive(Serialize)]
struct Outcome<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    written: Option<&'a Path>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    changed: Vec<Change>,
    #[serde(flatten)]
    steps: Steps,
}

pub(super) async fn miner(args: &MinerFile) -> Result<(), Failure> {
    let role = &args.role;
    let path = role.path(Role::Miner);
    let target = role.target(Role::Miner, args.listen, args.external);
    // Parsed before it is written: no file is left behind that its role would refuse.
    let parse = |text: &str| MinerConfig::parse(text);
    let (config, changed) = write(role, &path, &target, MINER, parse)?;
    finish(role, &path, changed, Setup::of_miner(&path, &config)?).await
}

pub(super) async fn validator(args: &ValidatorFile) -> Result<(), Failure> {
    let role = &args.role;
    let path = role.path(Role::Validator);
    let target = role.target(Role::Validator, None, None);
    let parse = |text: &str| ValidatorConfig::parse(text);
    let (config, changed) = write(role, &path, &target, VALIDATOR, parse)?;
    finish(role, &path, changed, Setup::of_validator(&path, &config)?).await
}

impl RoleFile {
    fn path(&self, role: Role) -> PathBuf {
        self.out.clone().unwrap_or_else(|| PathBuf::from(format!("{}.toml", role.name())))
    }

    fn target(&self, role: Role, listen: Option<SocketAddr>, external: Option<SocketAddr>) -> Target {
        Target {
            role,
            wallet: self.wallet.clone(),
            hotkey: self.hotkey.clone(),
            address: self.network.clone().unwrap_or_default(),
            netuid: self.netuid.unwrap_or(Netuid(1)),
            state_dir: self.state_dir.clone(),
            metrics: self.metrics,
            listen,
            external,
        }
    }
}

/// Writes the file, if it was asked for, and reads what it says.
fn write<T, E: std::fmt::Display>(
    args: &RoleFile,
    path: &Path,
    target: &Target,
    example: &str,
    parse: impl Fn(&str) -> Result<T, E>,
) -> Result<(T, Vec<Change>), Failure> {
    if args.steps {
        return Ok((parse(&read_text(path)?).exit(Exit::Config, path.display())?, Vec::new()));
    }
    refuse_existing(path)?;
    let (text, changed) = match &args.from {
        None => (filled(example, target), Vec::new()),
        Some(from) => {
            let text = read_text(from)?;
            parse(&text).exit(Exit::Config, from.display())?;
            carry(&text, target).exit(Exit::Config, from.display())?
        }
    };
    let config = parse(&text).exit(Exit::Config, "what would be written")?;
    write_file(path, text.as_bytes())?;
    Ok((config, changed))
}

async fn finish(args: &RoleFile, path: &Path, changed: Vec<Change>, setup: Setup<'_>) -> Result<(), Failure> {
    let steps = setup.steps().await;
    let written = (!args.steps).then_some(path);
    if args.json {
        return Ok(output::json(&Outcome { written, changed, steps })?);
    }
    if let Some(path) = written {
        output::line(format!("{} written", path.display()))?;
    }
    changed.iter().try_for_each(output::line)?;
    Ok(steps.lines().into_iter().try_for_each(output::line)?)
}

/// The example file with wallet, chain, subnet and addresses filled in. Its schema lies in the source and isn't named.
fn filled(example: &str, target: &Target) -> String {
    let quoted = |text: &str| toml::Value::from(text).to_string();
    let path = |path: &Path| quoted(&path.to_string_lossy());
    let mut lines = Vec::new();
    let mut table = "";
    for line in example.lines().filter(|line| !line.starts_with("#:schema")) {
        table = if line.starts_with('[') { line } else { table };
        let key = line.split_once(" = ").map_or("", |(key, _)| key);
        let new = match (table, key) {
            ("[wallet]", "name") => Some(quoted(target.wallet.as_deref().unwrap_or(USUAL))),
            ("[wallet]", "hotkey") => Some(quoted(target.hotkey.as_deref().unwrap_or(USUAL))),
            ("[chain]", "# network") => target.address.network().map(|network| quoted(network.as_str())),
            ("[chain]", "endpoints") => match target.address.endpoints() {
                [] => {
                    lines.push(format!("# {line}"));
                    continue;
                }
                addresses => Some(toml::Value::from(addresses.to_vec()).to_string()),
            },
            ("[chain]", "netuid") => Some(target.netuid.to_string()),
            ("[serve]", "listen") => target.listen.map(|listen| quoted(&listen.to_string())),
            ("[serve]", "# external") => target.external.map(|external| quoted(&external.to_string())),
            ("[state]", "dir") => target.state_dir.as_deref().map(path),
            ("[journal]", "dir") => {
                Some(path(target.state_dir.as_deref().unwrap_or(Path::new("validator-journal"))))
            }
            ("[metrics]", "listen") => target.metrics.map(|listen| quoted(&listen.to_string())),
            // `weighhouse validator status` asks there.
            ("[metrics]", "# listen") => Some(
                target.metrics.map_or_else(|| quoted("127.0.0.1:9102"), |listen| quoted(&listen.to_string())),
            ),
            _ => None,
        };
        lines.push(match new {
            Some(value) => format!("{} = {value}", key.trim_start_matches("# ")),
            None => line.to_owned(),
        });
    }
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests;
