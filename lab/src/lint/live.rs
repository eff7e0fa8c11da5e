//! A policy against a subnet as it runs: whether newcomers have time, caps can be met, and the burn arrives.

use serde::Serialize;
use weighhouse_scoring::forecast::epochs_to_full_pay;
use weighhouse_scoring::policy::Policy;
use weighhouse_types::{Hotkey, Uid};

use super::Severity;

/// A subnet as it runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Live {
    pub tempo_blocks: u64,
    pub immunity_blocks: u64,
    /// Miners among its uids.
    pub miners: u16,
    /// The chain's largest share of one weight, of 65535.
    pub max_weights_limit: u16,
    /// Epochs for which weights stay concealed; 0 without commit-reveal.
    pub reveal_epochs: u64,
    /// By uid; empty where they aren't known, as a burn's can't be checked then.
    pub hotkeys: Vec<Hotkey>,
    /// The uid whose miner emission the chain burns.
    pub owner: Option<Uid>,
}

pub(super) fn examine(
    policy: &Policy,
    live: &Live,
    rounds: u32,
    say: &mut impl FnMut(Severity, &'static str, String),
) {
    newcomers(policy, live, rounds, say);
    burn(policy, live, say);
    if live.miners == 0 {
        let message = "can't be checked against the subnet yet: it has no miners".to_owned();
        return say(Severity::Note, "caps.share", message);
    }
    caps(policy, live, say);
    if live.miners < policy.min_miners() {
        let message = format!(
            "asks for {} miners, the subnet has {}: every validator abstains",
            policy.min_miners(),
            live.miners
        );
        say(Severity::Error, "guards.min_miners", message);
    }
}

fn newcomers(
    policy: &Policy,
    live: &Live,
    rounds: u32,
    say: &mut impl FnMut(Severity, &'static str, String),
) {
    let per_epoch = u64::from(policy.rounds().unwrap_or(rounds).max(1));
    let samples = policy.min_attempts().div_ceil(per_epoch).max(1);
    let epochs = epochs_to_full_pay(policy, rounds, live.reveal_epochs);
    let needed = epochs.saturating_mul(live.tempo_blocks);
    if needed.saturating_mul(2) > live.immunity_blocks {
        let message = format!(
            "a newcomer needs {epochs} epochs ({needed} blocks: {samples} to be judged, a ramp of {}, {} until weights are revealed, 1 to be paid), more than half of its immunity of {} blocks",
            policy.ramp_epochs(),
            live.reveal_epochs,
            live.immunity_blocks
        );
        say(Severity::Error, "newcomer.min_attempts", message);
    }
}

fn caps(policy: &Policy, live: &Live, say: &mut impl FnMut(Severity, &'static str, String)) {
    let cap = policy.cap().to_f64();
    if cap * f64::from(live.miners) < 1.0 {
        let message = format!("can't be met: {} miners with at most {cap} each leave some over", live.miners);
        say(Severity::Error, "caps.share", message);
    }
    let chain = f64::from(live.max_weights_limit) / 65535.0;
    if chain * f64::from(live.miners) < 1.0 {
        let message = format!(
            "the chain lets one weight have {chain:.4} at most, which {} miners can't share out: every validator abstains",
            live.miners
        );
        say(Severity::Error, "caps.share", message);
    } else if chain < cap {
        let message =
            format!("is looser than the chain's own limit of {chain:.4}, which the vector is cut to");
        say(Severity::Note, "caps.share", message);
    }
    if let Some((share, _)) = policy.burn() {
        let share = share.to_f64();
        if chain < share {
            let message = format!("burns {share}, the chain lets one weight have {chain:.4} at most");
            say(Severity::Error, "burn.share", message);
        }
    }
}

fn burn(policy: &Policy, live: &Live, say: &mut impl FnMut(Severity, &'static str, String)) {
    let Some((share, hotkey)) = policy.burn() else { return };
    if super::rounds_away(share.to_f64(), live.miners.max(1)) {
        let message = format!(
            "leaves {} miners less than half a unit of weight each, which is rounded to none: nobody is paid",
            live.miners.max(1)
        );
        say(Severity::Error, "burn.share", message);
    }
    if live.hotkeys.is_empty() {
        return;
    }
    match live.hotkeys.iter().position(|known| *known == hotkey) {
        None => {
            let message = format!(
                "{hotkey} has no uid on the subnet: every validator abstains under this policy; register it or name one that is"
            );
            say(Severity::Error, "burn.hotkey", message);
        }
        Some(uid) if live.owner.is_some_and(|owner| owner.index() != uid) => {
            let message = format!(
                "is uid {uid}, not the owner's: what it earns is paid to it and isn't burned by the chain"
            );
            say(Severity::Warning, "burn.hotkey", message);
        }
        Some(_) => {}
    }
}
