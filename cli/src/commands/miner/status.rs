//! `weighhouse miner status`: what the running miner counts, and what the chain says of it.

use weighhouse_types::Block;

use super::{ConfigFile, read_config};
use crate::commands::connect;
use crate::commands::keys::daemon_hotkey;
use crate::commands::samples::Samples;
use crate::commands::standing::HotkeyStatus;
use crate::failure::{Exit, Failure};
use crate::output;

/// Blocks that the miner's list of callers may be behind the chain.
const ROSTER_LAG_MAX: u64 = 50;

pub(super) async fn run(args: &ConfigFile) -> Result<(), Failure> {
    let config = read_config(&args.config)?;
    let samples = Samples::ask("miner", config.metrics.listen).await?;
    let chain = connect(&config.chain.address, None).await?;
    let mut standings = Vec::new();
    for one in config.identities() {
        let hotkey = daemon_hotkey(&one.wallet)?.hotkey();
        standings.push(HotkeyStatus::ask(&*chain, one.chain.netuid, hotkey).await?);
    }
    let head = standings.iter().map(|standing| standing.head).max().unwrap_or_default();
    let count = |name: &str| samples.total(name).unwrap_or(0.0) as u64;
    let roster = Block(count("weighhouse_miner_roster_block"));
    let requests = count("weighhouse_miner_requests_total");
    let refused = count("weighhouse_miner_connections_refused_total");
    let backends = samples.by_label("weighhouse_miner_backend_up", "model");
    let failures = count("weighhouse_miner_backend_failures_total");
    let away: Vec<&str> = backends.iter().filter(|(_, up)| *up == 0.0).map(|(model, _)| *model).collect();
    let in_step = roster.0.saturating_add(ROSTER_LAG_MAX) >= head.0
        && standings.iter().all(|standing| standing.axon.is_some());
    let reloaded = samples.total("weighhouse_miner_config_last_reload_successful") != Some(0.0);
    let works = in_step && away.is_empty() && reloaded;
    if args.json {
        output::json(&serde_json::json!({
            "works": works, "reloaded": reloaded, "requests": requests, "connections_refused": refused, "roster_block": roster,
            "backends_away": away, "backend_failures": failures, "chain": standings,
        }))?;
    } else {
        output::line(format!("requests  {requests} since it started; {refused} connections refused"))?;
        output::line(format!("callers   as of block {roster}; the chain is at {head}"))?;
        if !backends.is_empty() {
            let state =
                if away.is_empty() { "all answer".to_owned() } else { format!("away: {}", away.join(", ")) };
            output::line(format!("backends  {state}; {failures} answers failed"))?;
        }
        for standing in &standings {
            let axon = standing.axon.as_deref().unwrap_or("none");
            output::line(format!("chain     uid {}, axon {axon}", standing.uid))?;
            output::line(format!("earns     {} TAO in its last epoch", standing.emission_tao))?;
        }
    }
    if works {
        return Ok(());
    }
    let why = match in_step {
        true if away.is_empty() => {
            "the configuration couldn't be read again; the miner's log says why".to_owned()
        }
        true => format!("the backend of {} doesn't answer; the miner's log says why", away.join(", ")),
        false => "the miner isn't in step with the chain; its log says why".to_owned(),
    };
    Err(Failure::new(Exit::Unavailable, why))
}
