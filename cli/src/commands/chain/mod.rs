//! `weighhouse chain`: serve the ledger, take part in it, look at it.

mod explain;
mod ledger;
mod stake;
mod subnet;
mod transfer;
#[cfg(feature = "subtensor")]
mod verify_epoch;

use clap::{Args, Subcommand};
use tokio_util::sync::CancellationToken;
use weighhouse_types::{Digest, Rao};

use crate::failure::Failure;

/// Serve the embedded ledger, or take part in a chain that is served.
#[derive(Subcommand, Debug)]
#[command(after_help = "\
Examples:
  weighhouse chain genesis --owner-wallet owner --fund 5Grw...=1000 > genesis.toml
  weighhouse chain serve --genesis genesis.toml --dir ./chain
  weighhouse chain register --wallet miner --limit 1
  weighhouse chain stake --wallet validator --amount 500
  weighhouse chain metagraph --json
  weighhouse chain explain 5Grw... --chain finney --netuid 7
  weighhouse chain transfer --to 5FHn... --amount 2.5 --dry-run")]
pub(crate) enum Chain {
    /// Write a genesis file for a new chain to standard output
    Genesis(ledger::MakeGenesis),
    /// Run the ledger and serve it to roles on this and other hosts
    Serve(ledger::Serve),
    /// Pay the burn price for a uid (signed by the coldkey)
    Register(stake::Register),
    /// Move free balance to a hotkey's stake (signed by the coldkey)
    Stake(stake::Stake),
    /// Move stake back to free balance (signed by the coldkey)
    Unstake(stake::Stake),
    /// Give free balance to another coldkey (signed by the coldkey)
    Transfer(transfer::Transfer),
    /// Recompute an epoch of a subtensor network and compare every figure
    #[cfg(feature = "subtensor")]
    VerifyEpoch(verify_epoch::VerifyEpoch),
    /// Recompute an epoch of a subtensor network (in builds with `--features full`)
    #[cfg(not(feature = "subtensor"))]
    VerifyEpoch(Lacking),
    /// Show who is in a subnet and how they fare
    Metagraph(subnet::Subnet),
    /// Show a subnet's hyperparameters, or set some as its owner
    Hyperparameters(subnet::SetHyperparameters),
    /// Show a coldkey's free balance
    Balance(subnet::Balance),
    /// Say what stands between a hotkey and its weights, and what to do about it
    Explain(explain::Explain),
}

/// Arguments of a command that this build lacks: any.
#[cfg(not(feature = "subtensor"))]
#[derive(Args, Debug)]
pub(crate) struct Lacking {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    _arguments: Vec<String>,
}

/// Which chain.
#[derive(Args, Clone, Debug)]
pub(crate) struct Endpoint {
    /// Chain: http:// of a served ledger; finney, test, local or ws:// addresses of a subtensor network
    #[arg(
        long = "chain",
        visible_alias = "network",
        default_value = "http://127.0.0.1:9944",
        value_name = "URL",
        env = "WEIGHHOUSE_CHAIN"
    )]
    url: String,
    /// Genesis hash to insist on
    #[arg(long, value_name = "HEX")]
    genesis_hash: Option<Digest>,
}

pub(crate) async fn run(command: Chain, shutdown: CancellationToken) -> Result<(), Failure> {
    match command {
        Chain::Genesis(args) => ledger::make_genesis(&args),
        Chain::Serve(args) => ledger::run_ledger(&args, shutdown).await,
        Chain::Register(args) => stake::register(&args).await,
        Chain::Stake(args) => stake::stake(&args, true).await,
        Chain::Unstake(args) => stake::stake(&args, false).await,
        Chain::Transfer(args) => transfer::run(&args).await,
        #[cfg(feature = "subtensor")]
        Chain::VerifyEpoch(args) => verify_epoch::run(&args).await,
        #[cfg(not(feature = "subtensor"))]
        Chain::VerifyEpoch(_) => Err(super::lacks("chain verify-epoch")),
        Chain::Metagraph(args) => subnet::metagraph(&args).await,
        Chain::Hyperparameters(args) => subnet::hyperparameters(&args).await,
        Chain::Balance(args) => subnet::balance(&args).await,
        Chain::Explain(args) => explain::run(&args).await,
    }
}

/// An amount in TAO with up to nine decimals, exactly.
fn parse_tao(text: &str) -> Result<Rao, String> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.chars().all(|digit| digit.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) || fraction.len() > 9 {
        return Err("an amount is digits with at most nine decimals, such as 1.5".into());
    }
    let rao = format!("{whole}{fraction:0<9}").parse().map_err(|_| "that is more than exists".to_owned())?;
    Ok(Rao(rao))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_parse_exactly_or_not_at_all() {
        assert_eq!(parse_tao("1.5"), Ok(Rao(1_500_000_000)));
        assert_eq!(parse_tao("0.000000001"), Ok(Rao(1)));
        for bad in ["", ".5", "-1", "1e3", "1.0000000001", "99999999999999999999"] {
            assert!(parse_tao(bad).is_err(), "{bad}");
        }
    }
}
