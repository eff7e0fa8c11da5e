//! `weighhouse miner status`: what the running miner counts, and what the chain says of each of its hotkeys.

use serde::Serialize;
use weighhouse_chain::SharedChain;
use weighhouse_miner::Config;
use weighhouse_types::{Block, Hotkey};

use super::{ConfigFile, read_config};
use crate::commands::connect;
use crate::commands::keys::daemon_hotkey;
use crate::commands::samples::Samples;
use crate::commands::standing::{HotkeyStatus, Place};
use crate::failure::{Exit, Failure};
use crate::output;

/// Blocks that the miner's list of callers may be behind the chain.
const ROSTER_LAG_MAX: u64 = 50;

/// What the miner's own metrics say.
struct Counted<'a> {
    roster: Block,
    requests: u64,
    connections_refused: u64,
    has_backends: bool,
    backends_away: Vec<&'a str>,
    backend_failures: u64,
    reloaded: bool,
}

/// What the chain says of one hotkey, or why it says nothing.
#[derive(Serialize)]
struct Standing {
    hotkey: Hotkey,
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
    let mut standings = Vec::new();
    let mut trouble = None;
    for one in config.identities() {
        let (standing, failure) = standing(&one, chain.as_ref()).await?;
        trouble = trouble.or(failure);
        standings.push(standing);
    }
    let trouble = trouble.or_else(|| counted.trouble(&standings));
    if args.json {
        output::json(&counted.json(&standings, trouble.is_none()))?;
    } else {
        counted.lines(&standings).into_iter().try_for_each(output::line)?;
    }
    trouble.map_or(Ok(()), Err)
}

async fn standing(
    config: &Config,
    chain: Result<&SharedChain, &Failure>,
) -> Result<(Standing, Option<Failure>), Failure> {
    let hotkey = daemon_hotkey(&config.wallet)?.hotkey();
    let asked = match chain {
        Ok(chain) => {
            let place = Place {
                address: &config.chain.address,
                netuid: config.chain.netuid,
                hotkey,
                wallet: (&config.wallet.name, &config.wallet.hotkey),
            };
            place.ask(&**chain).await
        }
        Err(failure) => Err(Failure::new(failure.exit, failure)),
    };
    Ok(match asked {
        Ok(status) => (Standing { hotkey, status: Some(status), why_not: None }, None),
        Err(failure) => {
            (Standing { hotkey, status: None, why_not: Some(failure.to_string()) }, Some(failure))
        }
    })
}

impl<'a> Counted<'a> {
    fn of(samples: &'a Samples) -> Self {
        let count = |name: &str| samples.total(name).unwrap_or(0.0) as u64;
        let backends = samples.by_label("weighhouse_miner_backend_up", "model");
        Self {
            roster: Block(count("weighhouse_miner_roster_block")),
            requests: count("weighhouse_miner_requests_total"),
            connections_refused: count("weighhouse_miner_connections_refused_total"),
            has_backends: !backends.is_empty(),
            backends_away: backends.iter().filter(|(_, up)| *up == 0.0).map(|(model, _)| *model).collect(),
            backend_failures: count("weighhouse_miner_backend_failures_total"),
            reloaded: samples.total("weighhouse_miner_config_last_reload_successful") != Some(0.0),
        }
    }

    /// The first thing that keeps it from earning.
    fn trouble(&self, standings: &[Standing]) -> Option<Failure> {
        let in_step = |status: &HotkeyStatus| {
            self.roster.0.saturating_add(ROSTER_LAG_MAX) >= status.head.0 && status.axon.is_some()
        };
        let why = match () {
            () if !standings.iter().filter_map(|one| one.status.as_ref()).all(in_step) => {
                "the miner isn't in step with the chain; its log says why".to_owned()
            }
            () if !self.backends_away.is_empty() => {
                let away = self.backends_away.join(", ");
                format!("the backend of {away} doesn't answer; the miner's log says why")
            }
            () if !self.reloaded => {
                "the configuration couldn't be read again; the miner's log says why".to_owned()
            }
            () => return None,
        };
        Some(Failure::new(Exit::Unavailable, why))
    }

    fn json(&self, standings: &[Standing], works: bool) -> serde_json::Value {
        serde_json::json!({
            "works": works, "reloaded": self.reloaded, "requests": self.requests,
            "connections_refused": self.connections_refused, "roster_block": self.roster,
            "backends_away": self.backends_away, "backend_failures": self.backend_failures, "chain": standings,
        })
    }

    fn lines(&self, standings: &[Standing]) -> Vec<String> {
        let Self { requests, connections_refused, roster, backend_failures, .. } = self;
        let heads = standings.iter().filter_map(|one| one.status.as_ref().map(|status| status.head));
        let head = heads.max().map_or(String::new(), |head| format!("; the chain is at {head}"));
        let mut lines = vec![
            format!("requests  {requests} since it started; {connections_refused} connections refused"),
            format!("callers   as of block {roster}{head}"),
        ];
        if self.has_backends {
            let state = match self.backends_away.as_slice() {
                [] => "all answer".to_owned(),
                away => format!("away: {}", away.join(", ")),
            };
            lines.push(format!("backends  {state}; {backend_failures} answers failed"));
        }
        for Standing { hotkey, status, why_not } in standings {
            lines.push(format!("hotkey    {hotkey}"));
            if let Some(status) = status {
                let axon = status.axon.as_deref().unwrap_or("none");
                lines.push(format!("chain     uid {}, axon {axon}", status.uid));
                lines.push(format!("earns     {} alpha in its last epoch", status.emission_alpha));
            }
            lines.extend(why_not.as_ref().map(|why| format!("chain     {why}")));
        }
        lines
    }
}
