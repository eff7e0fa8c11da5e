//! `weighhouse chain verify-epoch`: what the chain stored beside what Yuma computes from the same inputs.

use clap::Args;
use weighhouse_chain::subtensor::{Network, Subtensor};
use weighhouse_types::{Block, Netuid};

use super::chain::Endpoint;
use super::chain_failure;
use crate::failure::{Context, Exit, Failure};
use crate::output::{self, Table};

#[derive(Args, Debug)]
pub(crate) struct VerifyEpoch {
    #[command(flatten)]
    endpoint: Endpoint,
    #[arg(long, default_value_t = Netuid(1))]
    netuid: Netuid,
    /// The block that the epoch ran in; older ones need an endpoint that keeps old states
    #[arg(long)]
    block: Block,
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(args: &VerifyEpoch) -> Result<(), Failure> {
    let network: Network = args.endpoint.url.parse().exit(Exit::Config, "--chain")?;
    let chain = Subtensor::connect(&network.with_genesis(args.endpoint.genesis_hash)).await;
    let chain = chain.map_err(chain_failure)?;
    let check = chain.verify_epoch(args.netuid, args.block).await.map_err(chain_failure)?;
    if args.json {
        output::json(&check)?;
    } else {
        output::line(format!(
            "subnet {}, epoch at block {}: {} figures of {} neurons compared, {} differ",
            check.netuid,
            check.block,
            check.compared,
            check.neurons,
            check.differences.len()
        ))?;
    }
    if check.differences.is_empty() {
        return Ok(());
    }
    if !args.json {
        let mut table = Table::new(&["uid", "<figure", "stored", "computed"]);
        for found in &check.differences {
            let (stored, computed) = (found.stored.to_string(), found.computed.to_string());
            table.row(vec![found.uid.to_string(), found.figure.to_owned(), stored, computed]);
        }
        table.print()?;
    }
    Err(Failure::new(Exit::Data, "the epoch isn't what Yuma computes from its inputs"))
}
