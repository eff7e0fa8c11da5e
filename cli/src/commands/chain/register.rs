//! `weighhouse chain register`: a uid for a burned price, told with what it would earn before it is paid.

use clap::Args;
use weighhouse_chain::{Call, Chain, ChainError, Event, SharedChain};
use weighhouse_types::{Hotkey, Netuid, Rao, tao as exact};

use super::Endpoint;
use super::stake::would;
use crate::commands::earnings::{Assumed, Estimate};
use crate::commands::keys::{WalletArgs, wallet_failure};
use crate::commands::{chain_failure, confirm, connect};
use crate::failure::{Exit, Failure};
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
    #[arg(long, visible_alias = "max-price", value_name = "TAO", value_parser = weighhouse_types::tao::parse)]
    limit: Option<Rao>,
    #[command(flatten)]
    assumed: Assumed,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Don't ask, where somebody is there to answer
    #[arg(long)]
    yes: bool,
    #[arg(long)]
    json: bool,
}

/// What the registration costs, as far as the chain tells before it is signed.
struct Cost {
    price: Rao,
    /// The most that may be paid.
    limit: Rao,
    fee: Option<Rao>,
    balance: Rao,
}

pub(super) async fn run(args: &Register) -> Result<(), Failure> {
    let folder = args.wallet.folder()?;
    let hotkey = folder.hotkey(&args.wallet.hotkey).map_err(wallet_failure)?;
    let chain = connect(&args.endpoint.address, args.endpoint.genesis_hash).await?;
    let price = chain.burn(args.netuid).await.map_err(chain_failure)?;
    // A tenth more: other registrations may raise the price until this one is in a block.
    let limit = args.limit.unwrap_or(Rao(price.0.saturating_add(price.0 / 10)));
    let call = Call::Register { netuid: args.netuid, hotkey, limit };
    let cost = Cost {
        price,
        limit,
        fee: fee(&*chain, &call).await?,
        balance: chain.balance(folder.coldkey().map_err(wallet_failure)?).await.map_err(chain_failure)?,
    };
    // The estimate is an extra: without it the registration is what it was.
    let estimate = args.assumed.estimate(&*chain, args.netuid, Some(hotkey)).await;
    tell(&cost, &estimate);
    check(args, &cost)?;
    if args.dry_run {
        let (price, most) = (tao(price.0), tao(limit.0));
        let subnet = args.netuid;
        return would(
            args.json,
            format!("register {hotkey} in subnet {subnet} for {price} TAO, at most {most}"),
        );
    }
    if !args.yes && confirm::can_ask() {
        confirm::ask()?;
    }
    pay(args, &chain, hotkey, call).await
}

/// Refuses what the chain would refuse, before anybody is asked for a password.
fn check(args: &Register, cost: &Cost) -> Result<(), Failure> {
    let denied = |why: String| Err(Failure::new(Exit::Denied, why));
    if cost.price > cost.limit {
        let (price, limit) = (exact::format(cost.price), exact::format(cost.limit));
        return denied(format!(
            "the price is {price} TAO, more than the {limit} of --limit: nothing was paid"
        ));
    }
    let needed = cost.price.0.saturating_add(cost.fee.unwrap_or_default().0);
    match needed.checked_sub(cost.balance.0) {
        Some(missing) if missing > 0 && !args.dry_run => {
            denied(format!("{} TAO are missing: nothing was paid", exact::format(Rao(missing))))
        }
        _ => Ok(()),
    }
}

/// `None` where the chain doesn't tell its fees.
pub(crate) async fn fee(chain: &dyn Chain, call: &Call) -> Result<Option<Rao>, Failure> {
    match chain.fee(call).await {
        Ok(fee) => Ok(Some(fee)),
        // An older runtime checks the limit here already; that is refused below, with the price.
        Err(ChainError::Unsupported { .. } | ChainError::Refused(_)) => Ok(None),
        Err(error) => Err(chain_failure(error)),
    }
}

fn tell(cost: &Cost, estimate: &Result<Estimate, Failure>) {
    let fee = match cost.fee {
        Some(Rao(0)) => "no fee".to_owned(),
        Some(fee) => format!("a fee of {} TAO", exact::format(fee)),
        None => "a fee that the chain doesn't tell before".to_owned(),
    };
    let left = cost.balance.0.saturating_sub(cost.price.0.saturating_add(cost.fee.unwrap_or_default().0));
    output::note(format!(
        "price     {} TAO, burned, and {fee}; of {} TAO free {} are left",
        exact::format(cost.price),
        exact::format(cost.balance),
        exact::format(Rao(left)),
    ));
    match estimate {
        Ok(estimate) => {
            estimate.summary().iter().for_each(output::note);
            output::note("assumed   what `weighhouse miner earnings` lists");
        }
        Err(why) => output::note(format!("earns     no estimate: {why}")),
    }
}

async fn pay(args: &Register, chain: &SharedChain, hotkey: Hotkey, call: Call) -> Result<(), Failure> {
    let coldkey = args.wallet.open_coldkey()?;
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
