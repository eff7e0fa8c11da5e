//! `weighhouse chain verify-epoch`: what the chain stored beside what Yuma computes from the same inputs.

use std::path::{Path, PathBuf};

use clap::Args;
#[cfg(feature = "subtensor")]
use weighhouse_chain::subtensor::{Network, Subtensor};
use weighhouse_chain::verify::EpochSnapshot;
use weighhouse_types::{Block, Netuid};

use super::Endpoint;
use crate::commands::{chain_failure, read_text, write_file};
use crate::failure::{Context, Exit, Failure};
use crate::output::{self, Table};

#[derive(Args, Debug)]
pub(crate) struct VerifyEpoch {
    #[command(flatten)]
    endpoint: Endpoint,
    #[arg(long, default_value_t = Netuid(1))]
    netuid: Netuid,
    /// The block that the epoch ran in; older ones need an endpoint that keeps old states
    #[arg(long, required_unless_present = "snapshot")]
    block: Option<Block>,
    /// Check what --save wrote, and ask nobody
    #[arg(long, value_name = "FILE", conflicts_with_all = ["block", "save"])]
    snapshot: Option<PathBuf>,
    /// Keep what the epoch read and what it stored, to be checked again anywhere
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    #[arg(long)]
    json: bool,
}

#[cfg(feature = "subtensor")]
async fn ask(args: &VerifyEpoch) -> Result<EpochSnapshot, Failure> {
    let network = Network::try_from(&args.endpoint.address).exit(Exit::Config, "--chain")?;
    let chain = Subtensor::connect(&network.with_genesis(args.endpoint.genesis_hash)).await;
    let block = args.block.unwrap_or_default();
    chain.map_err(chain_failure)?.epoch_snapshot(args.netuid, block).await.map_err(chain_failure)
}

#[cfg(not(feature = "subtensor"))]
async fn ask(args: &VerifyEpoch) -> Result<EpochSnapshot, Failure> {
    let (netuid, block) = (args.netuid, args.block.unwrap_or_default());
    let what = format!("{}: subnet {netuid} of a subtensor network at block {block}", args.endpoint.address);
    Err(crate::commands::lacks(&what))
}

fn read(path: &Path) -> Result<EpochSnapshot, Failure> {
    let text = read_text(path)?;
    serde_json::from_str(&text).exit(Exit::Data, format!("{} is no snapshot of an epoch", path.display()))
}

pub(crate) async fn run(args: &VerifyEpoch) -> Result<(), Failure> {
    let snapshot = match &args.snapshot {
        Some(path) => read(path)?,
        None => ask(args).await?,
    };
    if let Some(path) = &args.save {
        let text = serde_json::to_vec(&snapshot).map_err(Failure::internal)?;
        write_file(path, &text)?;
    }
    let check = snapshot.check().map_err(chain_failure)?;
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
