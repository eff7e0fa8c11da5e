//! Where publications stand: a view of the records, nothing more.

use std::collections::BTreeMap;

use weighhouse_types::{Epoch, Intent, IntentState, Record};

/// The last intent of an epoch, and the last that is known of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Publication<'a> {
    pub intent: &'a Intent,
    /// `None`: written, and nothing handed to the chain yet.
    pub state: Option<&'a IntentState>,
}

impl Publication<'_> {
    /// Whether nothing is left to do: published, or failed for good.
    pub fn is_closed(&self) -> bool {
        matches!(self.state, Some(IntentState::Published { .. } | IntentState::Failed { .. }))
    }
}

/// The last intent of each epoch with its latest state. News of an epoch's intent may stand in a later epoch's
/// segment: hand over the records of all epochs of interest, in order.
pub fn publications(records: &[Record]) -> BTreeMap<Epoch, Publication<'_>> {
    let mut publications = BTreeMap::new();
    for record in records {
        match record {
            Record::Intent(intent) => {
                publications.insert(intent.epoch, Publication { intent, state: None });
            }
            // News of an intent that was superseded meanwhile says nothing about its successor.
            Record::IntentUpdate(update) => {
                if let Some(known) = publications.get_mut(&update.epoch)
                    && known.intent.id == update.intent
                {
                    known.state = Some(&update.state);
                }
            }
            _ => {}
        }
    }
    publications
}

/// What a restarted validator has to go on with, oldest epoch first.
pub fn open_intents(records: &[Record]) -> Vec<Publication<'_>> {
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
