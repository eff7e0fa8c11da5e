//! `weighhouse miner status`: what the running miner counts, and what the chain says of each of its hotkeys.

mod counted;

use std::net::SocketAddr;

use serde::Serialize;
use weighhouse_chain::SharedChain;
use weighhouse_miner::Config;
use weighhouse_types::Hotkey;

use super::check::published;
use super::{ConfigFile, place, read_config};
use crate::commands::connect;
use crate::commands::keys::daemon_hotkey;
use crate::commands::samples::Samples;
use crate::commands::standing::HotkeyStatus;
use crate::failure::{Exit, Failure};
use crate::output;

use counted::Counted;

/// What the chain says of one hotkey, or why it says nothing.
#[derive(Serialize)]
struct Standing {
    hotkey: Hotkey,
    /// The address that its configuration has published.
    #[serde(skip)]
    ours: Option<SocketAddr>,
    #[serde(flatten)]
    status: Option<HotkeyStatus>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why_not: Option<String>,
}

pub(super) async fn run(args: &ConfigFile) -> Result<(), Failure> {
    let config = read_config(&args.config)?;
    let samples = Samples::ask("miner", config.metrics.listen).await?;
    let counted = Counted::of(&samples);
    // Shown without a chain as well.
    let chain = connect(&config.chain.address, None).await;
    let (mut standings, mut trouble) = (Vec::new(), None);
    for one in config.identities() {
        let (standing, failure) = standing(&one, chain.as_ref()).await?;
        trouble = trouble.or(failure);
        standings.push(standing);
    }
    if !counted.is_miner_of(&standings) {
        let listen = config.metrics.listen.map_or_else(String::new, |listen| listen.to_string());
        let why =
            format!("what answers at {listen} (metrics.listen) is no miner of this configuration's hotkeys");
        return Err(Failure::new(Exit::Unavailable, why));
    }
    let told = counted.trouble(&standings).map(|why| Failure::new(Exit::Unavailable, why));
    let trouble = trouble.or(told);
    if args.json {
        output::json(&counted.json(&standings, trouble.is_none()))?;
    } else {
        counted.lines(&standings).into_iter().try_for_each(output::line)?;
    }
    trouble.map_or(Ok(()), Err)
}

/// Hotkeys that a running miner serves as.
pub(super) fn hotkeys_of(samples: &Samples) -> Vec<String> {
    let hotkeys = samples.by_label("weighhouse_miner_incentive_ratio", "hotkey");
    hotkeys.into_iter().map(|(hotkey, _)| hotkey.to_owned()).collect()
}

async fn standing(
    config: &Config,
    chain: Result<&SharedChain, &Failure>,
) -> Result<(Standing, Option<Failure>), Failure> {
    let hotkey = daemon_hotkey(&config.wallet)?.hotkey();
    let asked = match chain {
        Ok(chain) => place(config, hotkey).ask(&**chain).await,
        Err(failure) => Err(Failure::new(failure.exit, failure)),
    };
    let (status, failure) = match asked {
        Ok(status) => (Some(status), None),
        Err(failure) => (None, Some(failure)),
    };
    let why_not = failure.as_ref().map(ToString::to_string);
    Ok((Standing { hotkey, ours: published(config), status, why_not }, failure))
}
