//! Whether validators can reach the axon: a miner can't tell by itself, and one that nobody reaches earns nothing.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::sync::watch;
use weighhouse_ask::verdicts::{ENDPOINT_VERSION, reach};
use weighhouse_ask::{Asker, ProxyLimits, Target};
use weighhouse_types::{Hotkey, Neuron};

use super::announce::Announced;
use super::report::OwnStanding;
use super::roster::RosterSource;
use crate::metrics;

/// From the axon's block to the first look: validators have to see that block.
const SETTLE: Duration = Duration::from_secs(60);
/// Between two looks, where the axon was reached and where it wasn't. A validator dials a hotkey once in ten minutes.
const INTERVAL: Duration = Duration::from_secs(3_600);
const INTERVAL_UNREACHED: Duration = Duration::from_secs(660);
/// Validators whose word is wanted, and that are asked for it.
const WORDS: usize = 3;
const ASKED_MAX: usize = 64;
const LIMITS: ProxyLimits = ProxyLimits { deadline: Duration::from_secs(40), body_bytes_max: 4 << 10 };

/// What validators said that dialled us, by their hotkeys.
type Words = BTreeMap<Hotkey, Result<Duration, String>>;

/// Asks now and then, for ever, and tells what changes.
pub(super) async fn watch(
    source: RosterSource,
    asker: Asker,
    ours: Announced,
    mut standing: watch::Receiver<Option<OwnStanding>>,
) {
    let mut reached = None;
    loop {
        let shown = |own: &Option<OwnStanding>| own.as_ref().is_some_and(|own| own.announced == Some(ours));
        if standing.wait_for(shown).await.is_err() {
            return std::future::pending().await;
        }
        source.clock.sleep(SETTLE).await;
        // Of another's address nobody says anything about ours.
        if !shown(&standing.borrow_and_update()) {
            continue;
        }
        let words = ask(&source, &asker).await;
        let now = tell(&words, (asker.signer.hotkey(), ours.address), reached);
        reached = now.or(reached);
        let pause = if now == Some(false) { INTERVAL_UNREACHED } else { INTERVAL };
        source.clock.sleep(pause).await;
    }
}

/// Asks validators until some have said something.
async fn ask(source: &RosterSource, asker: &Asker) -> Words {
    let mut words = Words::new();
    let Ok(state) = source.read().await else { return words };
    let own = asker.signer.hotkey();
    let mut validators: Vec<&Neuron> = state.metagraph.neurons.iter().collect();
    validators.retain(|neuron| neuron.validator_permit && neuron.hotkey != own);
    // Those that decide about our pay first.
    validators.sort_by_key(|neuron| std::cmp::Reverse(neuron.stake));
    for validator in validators.into_iter().take(ASKED_MAX) {
        let hotkey = validator.hotkey;
        let endpoint = source.ask(source.chain.prometheus(source.netuid, hotkey)).await.ok().flatten();
        let Some(endpoint) = endpoint.filter(|endpoint| endpoint.version == ENDPOINT_VERSION) else {
            continue;
        };
        let to = Target { address: endpoint.address(), hotkey, pin: None };
        match reach(asker, to, source.netuid, LIMITS).await {
            Ok(reached) => drop(words.insert(hotkey, reached.outcome)),
            Err(error) => tracing::debug!(validator = %hotkey, %error, "doesn't say whether it reaches us"),
        }
        if words.len() == WORDS {
            break;
        }
    }
    words
}

/// Tells the operator what is new, and gives whether anybody reached us; nobody's word is none.
fn tell(words: &Words, (hotkey, address): (Hotkey, SocketAddr), before: Option<bool>) -> Option<bool> {
    if words.is_empty() {
        return None;
    }
    let reached = words.values().filter(|word| word.is_ok()).count();
    // Its name where people are told of it.
    let state = format!("axon of {hotkey} from outside");
    metrics::axon_reached(reached as f64 / words.len() as f64);
    let failures: Vec<String> = words
        .iter()
        .filter_map(|(validator, word)| word.as_ref().err().map(|why| format!("{validator}: {}", clean(why))))
        .collect();
    let asked = words.len();
    match (reached, before) {
        (0, _) => tracing::error!(
            state, turned = "bad", axon = %address, asked, why = failures.join("; "),
            "no validator reaches the axon, so it earns nothing: open the port in the firewall and the router, or set serve.external \
             to the address that leads here"
        ),
        (_, Some(true)) if failures.is_empty() => {}
        _ if failures.is_empty() => {
            tracing::info!(state, turned = "good", axon = %address, asked, "validators reach the axon");
        }
        _ => tracing::warn!(
            state, turned = "good", axon = %address, asked, reached, why = failures.join("; "), "some validators don't reach the axon"
        ),
    }
    Some(reached > 0)
}

/// A peer's words, as they may stand in our log.
fn clean(words: &str) -> String {
    words.chars().take(120).map(|char| if char.is_control() { ' ' } else { char }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobodys_word_says_nothing_and_one_validator_that_comes_through_is_enough() {
        let address = (Hotkey([9; 32]), SocketAddr::from(([203, 0, 113, 7], 8091)));
        let word = |byte: u8, reached: bool| {
            let outcome =
                if reached { Ok(Duration::from_millis(9)) } else { Err("nothing\ntakes it".to_owned()) };
            (Hotkey([byte; 32]), outcome)
        };
        assert_eq!(tell(&Words::new(), address, None), None);
        assert_eq!(tell(&Words::from([word(1, false), word(2, false)]), address, None), Some(false));
        assert_eq!(tell(&Words::from([word(1, false), word(2, true)]), address, Some(false)), Some(true));
        assert_eq!(clean("nothing\ntakes it"), "nothing takes it");
    }
}
