//! `weighhouse init`: writes the files that a role, a chain or a subnet starts from.

mod subnet;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use weighhouse_chain::address::ChainAddress;
use weighhouse_types::Netuid;

use super::{chain, refuse_existing, write_file};
use crate::failure::{Context, Exit, Failure};
use crate::output;

const MINER: &str = include_str!("../../../deploy/miner.toml");
const VALIDATOR: &str = include_str!("../../../deploy/validator.toml");

/// Write the files that a miner, a validator, a chain or a subnet starts from.
#[derive(Subcommand, Debug)]
pub(crate) enum Init {
    /// Write a miner's configuration, with every key and what it means
    Miner(RoleFile),
    /// Write a validator's configuration, with every key and what it means
    Validator(RoleFile),
    /// Write the genesis file of a new chain
    Genesis(chain::InitGenesis),
    Subnet(subnet::InitSubnet),
}

#[derive(Args, Debug)]
pub(crate) struct RoleFile {
    /// Wallet whose hotkey signs
    #[arg(long, value_name = "NAME", default_value = "default")]
    wallet: String,
    /// Hotkey name within the wallet
    #[arg(long, value_name = "NAME", default_value = "default")]
    hotkey: String,
    /// Chain: finney, archive, test, local or ledger, or addresses of a node
    #[arg(long, value_name = "NAME|URL", default_value_t = ChainAddress::default())]
    chain: ChainAddress,
    #[arg(long, default_value_t = Netuid(1))]
    netuid: Netuid,
    /// The file to write; one that is there already is left alone [default: miner.toml or validator.toml]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(command: Init) -> Result<(), Failure> {
    match command {
        Init::Miner(args) => {
            let text = filled(MINER, &args)?;
            // Parsed before it is written: no file is left behind that its role would refuse.
            weighhouse_miner::config::Config::parse(&text).exit(Exit::Config, "what would be written")?;
            write_new(&args, "miner", &text)
        }
        Init::Validator(args) => {
            let text = filled(VALIDATOR, &args)?
                .replace("/var/lib/weighhouse/validator", "validator-journal")
                // `weighhouse validator status` asks there.
                .replace("# listen = \"127.0.0.1:9102\"", "listen = \"127.0.0.1:9102\"");
            weighhouse_validator::config::Config::parse(&text).exit(Exit::Config, "what would be written")?;
            write_new(&args, "validator", &text)
        }
        Init::Genesis(args) => chain::init_genesis(&args),
        Init::Subnet(args) => subnet::run(&args),
    }
}

/// The example file with wallet, chain and subnet filled in. Its schema lies in the source and isn't named.
fn filled(example: &str, args: &RoleFile) -> Result<String, Failure> {
    let quoted = |text: &str| toml::Value::from(text).to_string();
    let mut lines = Vec::new();
    let mut table = "";
    for line in example.lines().filter(|line| !line.starts_with("#:schema")) {
        table = if line.starts_with('[') { line } else { table };
        let key = line.split_once(" = ").map_or("", |(key, _)| key);
        lines.push(match (table, key) {
            ("[wallet]", "name") => format!("name = {}", quoted(&args.wallet)),
            ("[wallet]", "hotkey") => format!("hotkey = {}", quoted(&args.hotkey)),
            ("[chain]", "# network") => match args.chain.network() {
                Some(network) => format!("network = {}", quoted(network.as_str())),
                None => line.to_owned(),
            },
            ("[chain]", "endpoints") => match args.chain.endpoints() {
                [] => format!("# {line}"),
                addresses => format!("endpoints = {}", toml::Value::from(addresses.to_vec())),
            },
            ("[chain]", "netuid") => format!("netuid = {}", args.netuid),
            _ => line.to_owned(),
        });
    }
    Ok(lines.join("\n") + "\n")
}

fn write_new(args: &RoleFile, role: &str, text: &str) -> Result<(), Failure> {
    let path = args.out.clone().unwrap_or_else(|| PathBuf::from(format!("{role}.toml")));
    refuse_existing(&path)?;
    write_file(&path, text.as_bytes())?;
    if args.json {
        return Ok(output::json(&serde_json::json!({ "written": path }))?);
    }
    let path = path.display();
    Ok(output::line(format!("{path} written; try `weighhouse {role} check --config {path}` next"))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(chain: &str) -> RoleFile {
        let (wallet, hotkey) = ("we \"quote\"".to_owned(), "h".to_owned());
        let chain = chain.parse().expect("a chain");
        RoleFile { wallet, hotkey, chain, netuid: Netuid(7), out: None, json: false }
    }

    #[test]
    fn a_written_file_says_what_was_asked_for() {
        for chain in ["finney", "http://10.0.0.1:9944", "wss://a,wss://b"] {
            let args = args(chain);
            let text = filled(MINER, &args).expect("filled");
            let miner = weighhouse_miner::config::Config::parse(&text).expect("valid");
            assert_eq!((miner.wallet.name, miner.chain.netuid), (args.wallet.clone(), Netuid(7)));
            assert_eq!(miner.chain.address, args.chain);
            let text = filled(VALIDATOR, &args).expect("filled");
            let validator = weighhouse_validator::config::Config::parse(&text).expect("valid");
            assert_eq!((validator.wallet.hotkey.as_str(), validator.chain.address), ("h", args.chain));
        }
    }
}
