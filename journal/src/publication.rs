//! States of publications: a view of the records, nothing more.

use std::collections::BTreeMap;

use weighhouse_types::{Block, Epoch, Intent, IntentState, Record, Seal};

/// The last intent of an epoch, and the last that is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    pub intent: Intent,
    /// `None`: written, and nothing handed to the chain yet.
    pub state: Option<IntentState>,
    /// Content of its commit, where the chain asked for one.
    pub seal: Option<Seal>,
    /// The block of its commit, and the epoch of the chain's that the commit belongs to.
    pub committed: Option<(Block, Epoch)>,
}

impl Publication {
    pub fn new(intent: Intent) -> Self {
        Self { intent, state: None, seal: None, committed: None }
    }

    /// Advances to a later state of this intent.
    pub fn advance(&mut self, state: IntentState) {
        match &state {
            IntentState::Sealed { seal } => self.seal = Some(seal.clone()),
            IntentState::Committed { block, epoch } => self.committed = Some((*block, *epoch)),
            _ => {}
        }
        self.state = Some(state);
    }

    /// True if nothing is left to do: published, failed for good, or never revealed.
    pub fn is_closed(&self) -> bool {
        self.state.as_ref().is_some_and(IntentState::is_final)
    }

    pub fn is_published(&self) -> bool {
        matches!(self.state, Some(IntentState::Published { .. }))
    }

    /// True if signed bytes are with the chain and their fate isn't known yet.
    pub fn is_in_flight(&self) -> bool {
        self.state.as_ref().is_some_and(IntentState::is_in_flight)
    }
}

/// The last intent of each epoch with its latest state. News of an epoch's intent may stand in a later epoch's
/// segment: hand over the records of all epochs of interest, in order.
pub fn publications(records: &[Record]) -> BTreeMap<Epoch, Publication> {
    let mut publications = BTreeMap::new();
    for record in records {
        match record {
            Record::Intent(intent) => {
                publications.insert(intent.epoch, Publication::new(intent.clone()));
            }
            // News of an intent that was superseded meanwhile says nothing about its successor.
            Record::IntentUpdate(update) => {
                if let Some(known) = publications.get_mut(&update.epoch)
                    && known.intent.id == update.intent
                {
                    known.advance(update.state.clone());
                }
            }
            _ => {}
        }
    }
    publications
}

/// Publications that a restarted validator goes on with, oldest epoch first.
pub fn open_intents(records: &[Record]) -> Vec<Publication> {
    publications(records).into_values().filter(|publication| !publication.is_closed()).collect()
}

/// The last intent that was read back from the chain; one that a later intent superseded without being published
/// itself still counts.
pub fn published(records: &[Record]) -> Option<&Intent> {
    let id = records.iter().rev().find_map(|record| match record {
        Record::IntentUpdate(update) if matches!(update.state, IntentState::Published { .. }) => {
            Some((update.intent, update.epoch))
        }
        _ => None,
    })?;
    records.iter().find_map(|record| match record {
        Record::Intent(intent) if (intent.id, intent.epoch) == id => Some(intent),
        _ => None,
    })
}
