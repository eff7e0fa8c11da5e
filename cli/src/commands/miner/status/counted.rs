//! What the miner's own metrics say, and what is wrong by them and by the chain.

use std::collections::BTreeMap;

use weighhouse_types::Block;

use super::{Standing, hotkeys_of};
use crate::commands::samples::Samples;

/// Blocks that the miner's list of callers may be behind the chain.
const ROSTER_LAG_MAX: u64 = 50;

pub(super) struct Counted<'a> {
    is_miner: bool,
    is_ready: bool,
    roster: Block,
    /// By gRPC status.
    answers: BTreeMap<&'a str, u64>,
    /// By why they were refused before any work.
    refused: BTreeMap<&'a str, u64>,
    connections_refused: u64,
    /// Of the validators that dialled the axon, those that reached it.
    reached: Option<f64>,
    /// The process's hotkeys; none before it has read the chain.
    hotkeys: Vec<String>,
    has_backends: bool,
    backends_away: Vec<&'a str>,
    backend_failures: u64,
    reloaded: bool,
}

impl<'a> Counted<'a> {
    pub(super) fn of(samples: &'a Samples) -> Self {
        let count = |name: &str| samples.total(name).unwrap_or(0.0) as u64;
        let backends = samples.by_label("weighhouse_miner_backend_up", "model");
        Self {
            is_miner: samples.total("weighhouse_miner_identities").is_some(),
            is_ready: samples.total("weighhouse_ready") != Some(0.0),
            roster: Block(count("weighhouse_miner_roster_block")),
            answers: samples.sums("weighhouse_miner_requests_total", "code"),
            refused: samples.sums("weighhouse_wallet_requests_refused_total", "reason"),
            connections_refused: count("weighhouse_miner_connections_refused_total"),
            reached: samples.total("weighhouse_miner_axon_reached_ratio"),
            hotkeys: hotkeys_of(samples),
            has_backends: !backends.is_empty(),
            backends_away: backends.iter().filter(|(_, up)| *up == 0.0).map(|(model, _)| *model).collect(),
            backend_failures: count("weighhouse_miner_backend_failures_total"),
            reloaded: samples.total("weighhouse_miner_config_last_reload_successful") != Some(0.0),
        }
    }

    /// Another role, or a miner of others, may have the port.
    pub(super) fn is_miner_of(&self, standings: &[Standing]) -> bool {
        let own = standings.iter().any(|one| self.hotkeys.contains(&one.hotkey.to_string()));
        self.is_miner && (own || self.hotkeys.is_empty())
    }

    /// The first thing that keeps it from earning.
    pub(super) fn trouble(&self, standings: &[Standing]) -> Option<String> {
        for Standing { hotkey, ours, status, .. } in standings {
            let Some(status) = status else { continue };
            if !self.hotkeys.is_empty() && !self.hotkeys.contains(&hotkey.to_string()) {
                return Some(format!("the running miner left {hotkey} out when it started: restart it"));
            }
            let Some(shown) = &status.axon else {
                return Some(format!("the chain shows no axon of {hotkey}; the miner's log says why"));
            };
            if ours.is_some_and(|ours| ours.to_string() != *shown) {
                return Some(format!(
                    "the chain has another axon for {hotkey}: does another process serve with it?"
                ));
            }
            if self.roster.0.saturating_add(ROSTER_LAG_MAX) < status.head.0 {
                return Some("the miner isn't in step with the chain; its log says why".to_owned());
            }
        }
        let log = "the miner's log says why";
        match () {
            () if !self.backends_away.is_empty() => {
                Some(format!("the backend of {} doesn't answer; {log}", self.backends_away.join(", ")))
            }
            () if !self.is_ready => Some(format!("it isn't ready, and requests are refused; {log}")),
            () if !self.reloaded => Some(format!("the configuration couldn't be read again; {log}")),
            () if self.reached == Some(0.0) => {
                Some(format!("no validator reaches the axon: look at the port and at serve.external; {log}"))
            }
            () => None,
        }
    }

    pub(super) fn json(&self, standings: &[Standing], works: bool) -> serde_json::Value {
        serde_json::json!({
            "works": works, "ready": self.is_ready, "reloaded": self.reloaded, "requests": self.requests(),
            "requests_by_status": self.answers, "requests_refused": self.refused, "reached_ratio": self.reached,
            "connections_refused": self.connections_refused, "roster_block": self.roster,
            "backends_away": self.backends_away, "backend_failures": self.backend_failures, "chain": standings,
        })
    }

    fn requests(&self) -> u64 {
        self.answers.values().sum()
    }

    pub(super) fn lines(&self, standings: &[Standing]) -> Vec<String> {
        let Self { connections_refused, roster, backend_failures, .. } = self;
        let heads = standings.iter().filter_map(|one| one.status.as_ref().map(|status| status.head));
        let head = heads.max().map_or(String::new(), |head| format!("; the chain is at {head}"));
        let mut lines = vec![
            format!("requests  {} since it started{}", self.requests(), listed(&self.answers)),
            format!(
                "refused   {} before any work{}; {connections_refused} connections",
                self.refused.values().sum::<u64>(),
                listed(&self.refused)
            ),
            format!("callers   as of block {roster}{head}"),
        ];
        if self.has_backends {
            let state = match self.backends_away.as_slice() {
                [] => "all answer".to_owned(),
                away => format!("away: {}", away.join(", ")),
            };
            lines.push(format!("backends  {state}; {backend_failures} answers failed"));
        }
        for Standing { hotkey, status, why_not, .. } in standings {
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

/// The counts behind a sum, largest first.
fn listed(counts: &BTreeMap<&str, u64>) -> String {
    let mut counts: Vec<_> = counts.iter().filter(|(_, count)| **count > 0).collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let parts: Vec<_> = counts.iter().map(|(name, count)| format!("{count} {name}")).collect();
    if parts.is_empty() { String::new() } else { format!(": {}", parts.join(", ")) }
}

#[cfg(test)]
mod tests {
    use weighhouse_types::{Hotkey, Uid};

    use super::*;
    use crate::commands::standing::HotkeyStatus;

    const OWN: Hotkey = Hotkey([7; 32]);

    fn standing(axon: &str) -> [Standing; 1] {
        let status = HotkeyStatus {
            head: Block(100),
            uid: Uid(1),
            validator_permit: false,
            axon: Some(axon.to_owned()),
            stake_tao: "0".to_owned(),
            emission_alpha: "1".to_owned(),
            last_update: Block(0),
        };
        let ours = "10.0.0.1:8091".parse().ok();
        [Standing { hotkey: OWN, ours, status: Some(status), why_not: None }]
    }

    #[test]
    fn what_keeps_a_miner_from_earning_is_named() {
        let page = |hotkey: Hotkey, further: &str| {
            format!(
                "weighhouse_miner_identities 1\nweighhouse_miner_incentive_ratio{{hotkey=\"{hotkey}\"}} 0\n\
                 weighhouse_miner_roster_block 99\n{further}"
            )
        };
        let trouble = |page: String, axon: &str| {
            let samples = Samples::parse(&page);
            Counted::of(&samples).trouble(&standing(axon)).unwrap_or_default()
        };
        let (ours, others) = ("10.0.0.1:8091", "10.0.0.2:8091");
        assert_eq!(trouble(page(OWN, ""), ours), "");
        assert!(trouble(page(OWN, ""), others).contains("another axon"));
        assert!(trouble(page(Hotkey([8; 32]), ""), ours).contains("restart"));
        assert!(trouble(page(OWN, "weighhouse_ready 0\n"), ours).contains("isn't ready"));
        assert!(trouble(page(OWN, "weighhouse_miner_axon_reached_ratio 0\n"), ours).contains("reaches"));
        let foreign = page(Hotkey([8; 32]), "");
        assert!(!Counted::of(&Samples::parse(&foreign)).is_miner_of(&standing(ours)));
        assert!(!Counted::of(&Samples::parse("weighhouse_validator_block 9\n")).is_miner_of(&standing(ours)));
    }
}
