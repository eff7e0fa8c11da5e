//! `weighhouse chain register`, `stake` and `unstake`: what a coldkey pays with.

use clap::Args;
use weighhouse_chain::{Call, Event};
use weighhouse_types::{Hotkey, Netuid, Rao};

use super::Endpoint;
use crate::commands::keys::{WalletArgs, wallet_failure};
use crate::commands::{chain_failure, connect};
use crate::failure::Failure;
use crate::output::{self, tao};

#[derive(Args, Debug)]
pub(crate) struct Register {
    #[command(flatten)]
    wallet: WalletArgs,
    #[command(flatten)]
    endpoint: Endpoint,
    #[arg(long, default_value_t = Netuid(1))]
    netuid: Netuid,
    /// Most that may be paid, in TAO; the present price plus a tenth when absent
    #[arg(long, value_name = "TAO", value_parser = weighhouse_types::tao::parse)]
    limit: Option<Rao>,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    #[arg(long)]
    json: bool,
}

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

pub(super) async fn register(args: &Register) -> Result<(), Failure> {
    let hotkey = args.wallet.folder()?.hotkey(&args.wallet.hotkey).map_err(wallet_failure)?;
    let chain = connect(&args.endpoint.address, args.endpoint.genesis_hash).await?;
    let price = chain.burn(args.netuid).await.map_err(chain_failure)?;
    // A tenth more: other registrations may raise the price until this one is in a block.
    let limit = args.limit.unwrap_or(Rao(price.0.saturating_add(price.0 / 10)));
    if args.dry_run {
        let (price, most) = (tao(price.0), tao(limit.0));
        let subnet = args.netuid;
        return would(
            args.json,
            format!("register {hotkey} in subnet {subnet} for {price} TAO, at most {most}"),
        );
    }
    let coldkey = args.wallet.open_coldkey()?;
    let call = Call::Register { netuid: args.netuid, hotkey, limit };
    output::note("waiting for the registration to be final ...");
    let (block, events) = chain.execute(&coldkey, call).await.map_err(chain_failure)?;
    let registered = events.iter().find_map(|event| match event {
        Event::NeuronRegistered { uid, burned, .. } => Some((*uid, *burned)),
        _ => None,
    });
    let (uid, burned) = registered.ok_or_else(|| Failure::internal("the chain reported no uid"))?;
    if args.json {
        let object = serde_json::json!({ "uid": uid, "hotkey": hotkey, "burned_rao": burned.0.to_string(), "block": block });
        return Ok(output::json(&object)?);
    }
    Ok(output::line(format!("{hotkey} is uid {uid} since block {block}; burned {} TAO", tao(burned.0)))?)
}

/// A dry run's only word.
fn would(json: bool, what: String) -> Result<(), Failure> {
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
