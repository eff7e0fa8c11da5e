//! Recorded enums as the words that stand in the tables. They are part of the format: a query compares with them.

use weighhouse_types::{Failure, IntentState, Reason};

/// A reason's code, which is one of a closed list, and the reason in words.
pub(crate) fn reason(reason: &Reason) -> (&'static str, String) {
    (code(reason), in_words(reason))
}

fn code(reason: &Reason) -> &'static str {
    match reason {
        Reason::Conforms { .. } => "conforms",
        Reason::Deviates { .. } => "deviates",
        Reason::Skill { .. } => "skill",
        Reason::BelowReference { .. } => "below_reference",
        Reason::Malformed { .. } => "malformed",
        Reason::Silent { .. } => "silent",
        Reason::Attested { .. } => "attested",
        Reason::Betrayed { .. } => "betrayed",
        Reason::Doubted { .. } => "doubted",
        Reason::Contradicts { .. } => "contradicts",
        Reason::Convicted { .. } => "convicted",
        Reason::Spared { .. } => "spared",
    }
}

fn in_words(reason: &Reason) -> String {
    match reason {
        Reason::Conforms { items } => format!("conforms: {items} items"),
        Reason::Deviates { items, outside, worst } => {
            format!("deviates: {outside} of {items} items outside, item {worst} most")
        }
        Reason::Skill { answer, reference } => format!("skill: {answer} to the reference's {reference}"),
        Reason::BelowReference { answer, reference } => {
            format!("below reference: {answer} to its {reference}")
        }
        Reason::Malformed { item, what } => format!("malformed: item {item}: {what}"),
        Reason::Silent { failure: why } => format!("silent: {}", failure(why)),
        Reason::Attested { tokens, mean } => format!("attested: {tokens} tokens, mean margin {mean} ppm"),
        Reason::Betrayed { token, id, margin, mean, tokens } => {
            format!("betrayed: token {token} ({id}), margin {margin} ppm, mean {mean} ppm over {tokens}")
        }
        Reason::Doubted { token, difference } => {
            format!("doubted: the log-probability of token {token} is {difference} ppm off")
        }
        Reason::Contradicts { token, what } => format!("contradicts: token {token}: {what}"),
        Reason::Convicted { checks, log_odds } => {
            format!("convicted: after {checks} checks, log-odds {log_odds} thousandths")
        }
        Reason::Spared { tokens } => format!("spared: {tokens} tokens"),
    }
}

/// Why nothing judgeable came back.
pub(crate) fn first_failure(reasons: &[Reason]) -> Option<String> {
    reasons.iter().find_map(|reason| match reason {
        Reason::Silent { failure: why } => Some(failure(why)),
        _ => None,
    })
}

fn failure(failure: &Failure) -> String {
    match failure {
        Failure::NoAxon => "no axon".to_owned(),
        Failure::Unreachable => "unreachable".to_owned(),
        Failure::DeadlineExceeded => "deadline exceeded".to_owned(),
        Failure::Status { code } => format!("grpc status {code}"),
        Failure::Oversized => "oversized".to_owned(),
        Failure::Undecodable => "undecodable".to_owned(),
        Failure::BadSignature => "bad signature".to_owned(),
    }
}

/// Where an intent stands; `None` for one that was written and never handed to the chain.
pub(crate) fn state(state: Option<&IntentState>) -> &'static str {
    match state {
        None => "intended",
        Some(IntentState::Signed { .. }) => "signed",
        Some(IntentState::Included { .. }) => "included",
        Some(IntentState::Published { .. }) => "published",
        Some(IntentState::Expired) => "expired",
        Some(IntentState::Failed { .. }) => "failed",
        Some(IntentState::Sealed { .. }) => "sealed",
        Some(IntentState::Committing { .. }) => "committing",
        Some(IntentState::Committed { .. }) => "committed",
        Some(IntentState::Revealing { .. }) => "revealing",
        Some(IntentState::Revealed { .. }) => "revealed",
        Some(IntentState::Missed { .. }) => "missed",
    }
}
