//! Recorded enums as the words that stand in the tables. They are part of the format: a query compares with them.

use weighhouse_types::{Failure, IntentState, Reason};

/// A reason's code, which is one of a closed list, and the reason in words.
pub(crate) fn reason(reason: &Reason) -> (&'static str, String) {
    (reason.outcome().name(), reason.to_string())
}

/// Why nothing judgeable came back.
pub(crate) fn first_failure(reasons: &[Reason]) -> Option<String> {
    reasons.iter().find_map(Reason::failure).map(Failure::code)
}

/// State of an intent in a word, as in the tables; `None` for one that was written and never handed to the chain.
pub fn state(state: Option<&IntentState>) -> &'static str {
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
