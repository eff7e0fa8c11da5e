//! `weighhouse init`: writes the files that a role, a chain or a subnet starts from.

mod carry;
mod role;
mod steps;
mod subnet;

use clap::Subcommand;

use super::{chain, refuse_existing};
use crate::failure::Failure;

/// Write the files that a miner, a validator, a chain or a subnet starts from.
#[derive(Subcommand, Debug)]
pub(crate) enum Init {
    /// Write a miner's configuration, with every key and what it means, and tell the steps to go live
    Miner(role::MinerFile),
    /// Write a validator's configuration, with every key and what it means, and tell the steps to go live
    Validator(role::ValidatorFile),
    /// Write the genesis file of a new chain
    Genesis(chain::InitGenesis),
    Subnet(subnet::InitSubnet),
}

pub(crate) async fn run(command: Init) -> Result<(), Failure> {
    match command {
        Init::Miner(args) => role::miner(&args).await,
        Init::Validator(args) => role::validator(&args).await,
        Init::Genesis(args) => chain::init_genesis(&args),
        Init::Subnet(args) => subnet::run(&args),
    }
}
