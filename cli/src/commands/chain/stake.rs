//! `weighhouse chain stake` and `unstake`: what a coldkey votes with.

use clap::Args;
use weighhouse_chain::Call;
use weighhouse_types::{Hotkey, Netuid, Rao};

use super::Endpoint;
use crate::commands::keys::{WalletArgs, wallet_failure};
use crate::commands::{chain_failure, connect};
use crate::failure::Failure;
use crate::output::{self, tao};

#[derive(Args, Debug)]
pub(crate) struct Stake {
    #[command(flatten)]
    wallet: WalletArgs,
    #[command(flatten)]
    endpoint: Endpoint,
    #[arg(long, default_value_t = Netuid(1))]
    netuid: Netuid,
    /// Amount in TAO
    #[arg(long, value_name = "TAO", value_parser = weighhouse_types::tao::parse)]
    amount: Rao,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    #[arg(long)]
    json: bool,
}

/// A dry run's only word.
pub(super) fn would(json: bool, what: String) -> Result<(), Failure> {
    if json {
        return Ok(output::json(&serde_json::json!({ "dry_run": true, "would": what }))?);
    }
    Ok(output::line(format!("a dry run: would {what}"))?)
}

pub(super) async fn stake(args: &Stake, add: bool) -> Result<(), Failure> {
    let hotkey: Hotkey = args.wallet.folder()?.hotkey(&args.wallet.hotkey).map_err(wallet_failure)?;
    let chain = connect(&args.endpoint.address, args.endpoint.genesis_hash).await?;
    let (netuid, amount) = (args.netuid, args.amount);
    if args.dry_run {
        let verb = if add { "stake" } else { "take back" };
        let amount = tao(amount.0);
        return would(args.json, format!("{verb} {amount} TAO, of {hotkey} in subnet {netuid}"));
    }
    let coldkey = args.wallet.open_coldkey()?;
    let call = if add {
        Call::AddStake { netuid, hotkey, amount }
    } else {
        Call::RemoveStake { netuid, hotkey, amount }
    };
    output::note("waiting for the call to be final ...");
    let (block, _) = chain.execute(&coldkey, call).await.map_err(chain_failure)?;
    if args.json {
        let object =
            serde_json::json!({ "hotkey": hotkey, "amount_rao": amount.0.to_string(), "block": block });
        return Ok(output::json(&object)?);
    }
    let verb = if add { "staked on" } else { "taken from" };
    Ok(output::line(format!("{} TAO {verb} {hotkey} at block {block}", tao(amount.0)))?)
}
