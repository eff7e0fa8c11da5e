//! `weighhouse chain why`: the chain's answer to a hotkey's weights now, and what to do about it.

use clap::Args;
use weighhouse_chain::explain::explain;
use weighhouse_types::{Hotkey, Netuid};

use super::Endpoint;
use crate::commands::{chain_failure, connect};
use crate::failure::Failure;
use crate::output;

#[derive(Args, Debug)]
pub(crate) struct Why {
    #[command(flatten)]
    endpoint: Endpoint,
    /// The hotkey whose weights are meant
    #[arg(value_name = "HOTKEY")]
    hotkey: Hotkey,
    #[arg(long, default_value_t = Netuid(1))]
    netuid: Netuid,
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(args: &Why) -> Result<(), Failure> {
    let chain = connect(&args.endpoint.address, args.endpoint.genesis_hash).await?;
    let explanation = explain(&*chain, args.netuid, args.hotkey).await.map_err(chain_failure)?;
    if args.json {
        return Ok(output::json(&explanation)?);
    }
    Ok(output::line(explanation.to_string().trim_end())?)
}
