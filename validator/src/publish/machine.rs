//! The life of a publication as a state machine: which event takes it from which state to which.
//!
//! The states are those of the journal ([`IntentState`]; none yet is the state "intended"). An event is a fact about the
//! chain, or a call or a seal that was just made; `observe` finds it, [`next`] alone decides where it leads, and the new
//! state is journalled before anything is handed to the chain. `docs/ARCHITECTURE.md` has the drawing.

use weighhouse_chain::{Refusal, SignedCall};
use weighhouse_journal::Publication;
use weighhouse_types::{Block, Epoch, IntentState, Seal};

/// A fact that may move a publication on.
#[derive(Clone, Debug)]
pub(super) enum Event {
    /// Nothing changed: the call is still pending, or it is not time to reveal.
    Nothing,
    /// The chain would refuse the call in this block.
    Postponed(Refusal),
    /// The weights must not reach the chain any more: the epoch ended, or a uid changed hands.
    Obstructed(String),
    /// A seal was made, which hides the weights.
    Sealed(Seal),
    /// The schedule moved, so that the seal would open at the wrong time.
    SealOutdated,
    /// The state's call was signed: weights, a commit or a reveal.
    Signed(SignedCall),
    /// The call in flight is in a finalised block.
    Included(Block),
    /// The commit in flight is in a finalised block, and belongs to this epoch of the chain.
    CommitIncluded(Block, Epoch),
    /// The call in flight can't be included any more, or was refused for a reason that passes.
    NotTaken(Option<Refusal>),
    /// The call in flight was refused for good.
    Refused(Refusal),
    /// Nothing tells any more what became of the call in flight.
    Lost(String),
    /// The chain shows the intent's weights, as it scales them itself.
    ReadBack(Block),
    /// The chain shows other weights, or none, when it should show the intent's.
    NotShown(String),
}

/// Returns the state that an event leads to; `None` where the publication stays as it is.
///
/// `Published` is reached by [`Event::ReadBack`] alone, and a commit is only signed from `Sealed`.
pub(super) fn next(publication: &Publication, event: Event) -> Option<IntentState> {
    use IntentState as S;
    let state = match &publication.state {
        Some(state) => state,
        // An intent that never reached the chain goes the way of one whose call expired.
        None => &S::Expired,
    };
    Some(match (state, event) {
        (S::Expired | S::Sealed { .. }, Event::Obstructed(why)) => S::Failed { why },
        (S::Expired, Event::Signed(call)) => {
            S::Signed { extrinsic: call.bytes, hash: call.hash, expires: call.expires }
        }
        (S::Expired, Event::Sealed(seal)) => S::Sealed { seal },

        (S::Sealed { .. }, Event::SealOutdated) => S::Expired,
        (S::Sealed { .. }, Event::Signed(call)) => {
            S::Committing { extrinsic: call.bytes, hash: call.hash, expires: call.expires }
        }

        (S::Signed { .. }, Event::Included(block)) => S::Included { block },
        (S::Committing { .. }, Event::CommitIncluded(block, epoch)) => S::Committed { block, epoch },
        // The same payload may be signed anew: the old bytes can't be included any more.
        (S::Signed { .. } | S::Committing { .. }, Event::NotTaken(_)) => S::Expired,
        (S::Signed { .. } | S::Committing { .. }, Event::Refused(refusal)) => {
            S::Failed { why: refusal.to_string() }
        }

        (S::Committed { .. }, Event::Signed(call)) => {
            S::Revealing { extrinsic: call.bytes, hash: call.hash, expires: call.expires }
        }
        (S::Revealing { .. }, Event::Included(block)) => S::Revealed { block },
        (S::Revealing { .. }, Event::NotTaken(_)) => match publication.committed {
            Some((block, epoch)) => S::Committed { block, epoch },
            None => S::Expired,
        },
        // Missed and not failed: the commit stays on the chain, and only its reveal is lost.
        (S::Revealing { .. }, Event::Refused(refusal)) => S::Missed { why: refusal.to_string() },
        (S::Signed { .. } | S::Committing { .. }, Event::Lost(why)) => S::Failed { why },
        (S::Revealing { .. }, Event::Lost(why)) => S::Missed { why },

        (S::Included { .. } | S::Committed { .. } | S::Revealed { .. }, Event::ReadBack(block)) => {
            S::Published { block }
        }
        (S::Included { .. } | S::Revealed { .. }, Event::NotShown(why)) => S::Failed { why },
        (S::Committed { .. }, Event::NotShown(why)) => S::Missed { why },

        _ => return None,
    })
}

/// Returns the signed call that is with the chain in a state.
pub(super) fn call_in_flight(state: Option<&IntentState>) -> Option<SignedCall> {
    match state? {
        IntentState::Signed { extrinsic, hash, expires }
        | IntentState::Committing { extrinsic, hash, expires }
        | IntentState::Revealing { extrinsic, hash, expires } => {
            Some(SignedCall { bytes: extrinsic.clone(), hash: *hash, expires: *expires })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
