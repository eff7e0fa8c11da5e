//! `weighhouse chain`: serve the ledger, take part in it, look at it.

mod certificate;
mod head;
mod ledger;
mod register;
mod stake;
mod subnet;
mod transfer;
mod verify_epoch;
mod why;

use clap::{Args, Subcommand};
use tokio_util::sync::CancellationToken;
use weighhouse_chain::SharedChain;
use weighhouse_chain::address::ChainAddress;
use weighhouse_types::Digest;

use super::connect;
use crate::failure::Failure;

#[cfg(test)]
pub(crate) use head::describe as describe_metrics;
pub(crate) use ledger::{InitGenesis, init_genesis};
pub(crate) use register::fee;

/// Serve the embedded ledger, or take part in a chain that is served.
#[derive(Subcommand, Debug)]
pub(crate) enum ChainCommand {
    /// Write a genesis file for a new chain to standard output
    #[command(hide = true)]
    Genesis(ledger::MakeGenesis),
    /// Run the ledger and serve it to roles on this and other hosts
    Serve(ledger::Serve),
    /// Pay the burn price for a uid (signed by the coldkey)
    Register(register::Register),
    /// Move free balance to a hotkey's stake (signed by the coldkey)
    Stake(stake::Stake),
    /// Move stake back to free balance (signed by the coldkey)
    Unstake(stake::Stake),
    /// Give free balance to another coldkey (signed by the coldkey)
    Transfer(transfer::Transfer),
    /// Recompute an epoch of a subtensor network and compare every figure
    VerifyEpoch(verify_epoch::VerifyEpoch),
    /// Show who is in a subnet and how they fare
    Metagraph(subnet::SubnetArgs),
    /// Show a subnet's hyperparameters, or set some as its owner
    Hyperparameters(subnet::SetHyperparameters),
    Certificate(certificate::Certificate),
    /// Show a coldkey's free balance
    Balance(subnet::Balance),
    /// Say what stands between a hotkey and its weights, and what to do about it
    #[command(name = "why", alias = "explain")]
    Why(why::Why),
}

/// The options that name a chain.
#[derive(Args, Clone, Debug)]
pub(crate) struct Endpoint {
    /// Chain: finney, archive, test, local or ledger, or addresses of a node (http:// of a ledger; ws://, wss:// of subtensor)
    #[arg(
        long = "chain",
        visible_alias = "network",
        default_value_t = ChainAddress::default(),
        value_name = "NAME|URL",
        env = "WEIGHHOUSE_CHAIN"
    )]
    address: ChainAddress,
    /// Genesis hash to insist on
    #[arg(long, value_name = "HEX")]
    genesis_hash: Option<Digest>,
}

impl Endpoint {
    pub(crate) async fn connect(&self) -> Result<SharedChain, Failure> {
        connect(&self.address, self.genesis_hash).await
    }
}

pub(crate) async fn run(command: ChainCommand, shutdown: CancellationToken) -> Result<(), Failure> {
    match command {
        ChainCommand::Genesis(args) => ledger::make_genesis(&args),
        ChainCommand::Serve(args) => Box::pin(ledger::run_ledger(&args, shutdown)).await,
        ChainCommand::Register(args) => register::run(&args).await,
        ChainCommand::Stake(args) => stake::stake(&args, true).await,
        ChainCommand::Unstake(args) => stake::stake(&args, false).await,
        ChainCommand::Transfer(args) => transfer::run(&args).await,
        ChainCommand::VerifyEpoch(args) => verify_epoch::run(&args).await,
        ChainCommand::Metagraph(args) => subnet::metagraph(&args).await,
        ChainCommand::Hyperparameters(args) => subnet::hyperparameters(&args).await,
        ChainCommand::Certificate(args) => certificate::run(&args).await,
        ChainCommand::Balance(args) => subnet::balance(&args).await,
        ChainCommand::Why(args) => why::run(&args).await,
    }
}
