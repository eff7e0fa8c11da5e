//! `weighhouse miner earnings`: what this miner would earn in the subnet as it is.

use clap::Args;

use super::{ConfigFile, read_identity};
use crate::commands::connect;
use crate::commands::earnings::Assumed;
use crate::commands::keys::DaemonWallet;
use crate::failure::Failure;
use crate::output;

#[derive(Args, Debug)]
pub(super) struct MinerEarnings {
    #[command(flatten)]
    file: ConfigFile,
    /// Which of the file's hotkeys; the first if not given
    #[arg(long, value_name = "NAME")]
    hotkey: Option<String>,
    #[command(flatten)]
    assumed: Assumed,
}

pub(super) async fn run(args: &MinerEarnings) -> Result<(), Failure> {
    let config = read_identity(&args.file.config, args.hotkey.as_deref())?;
    // A hotkey that isn't there yet isn't registered either.
    let (_, hotkey) = DaemonWallet::from(&config.wallet).addresses()?;
    let chain = connect(&config.chain.address, None).await?;
    let estimate = args.assumed.estimate(&*chain, config.chain.netuid, hotkey).await?;
    if args.file.json {
        return Ok(output::json(&estimate)?);
    }
    Ok(estimate.lines().into_iter().try_for_each(output::line)?)
}
