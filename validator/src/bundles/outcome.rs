//! Which epochs are anybody's to see.

use std::collections::BTreeSet;

use weighhouse_types::{Block, Digest, Epoch, IntentState, Record};

use super::index::BundleWeights;
use crate::later::still_open;
use crate::outcome::{files_that_tell, is_news, publication};

/// What one reading of an epoch's file says of it.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    /// Files behind it that may tell of its weights.
    files_that_tell: usize,
    abstained: bool,
    /// Intents and what became of them, of earlier epochs as well.
    news: Vec<Record>,
    /// Challenges whose truth was awaited at its end.
    awaiting: BTreeSet<Digest>,
}

impl Facts {
    /// `None` of a file in which a crash left no epoch.
    pub(super) fn of(records: &[Record]) -> Option<Self> {
        let context = records.iter().find_map(|record| match record {
            Record::EpochOpened(context) => Some(context),
            _ => None,
        })?;
        Some(Self {
            files_that_tell: files_that_tell(context),
            abstained: records.iter().any(|record| matches!(record, Record::Abstained { .. })),
            news: records.iter().filter(|record| is_news(record)).cloned().collect(),
            awaiting: still_open(records),
        })
    }
}

/// What became of the weights of an epoch that is over and has no secret left; `None` where it has one. `later` are the files behind
/// its own, in their order; the open epoch's comes last.
pub(super) fn settled<'a>(
    epoch: Epoch,
    own: &Facts,
    later: impl Iterator<Item = &'a Facts> + Clone,
) -> Option<(BundleWeights, Option<Block>)> {
    let open = later.clone().last()?;
    // What the open epoch still waits for must stay unknown in every file that has it.
    if !own.awaiting.is_disjoint(&open.awaiting) {
        return None;
    }
    let news = own.news.iter().chain(later.clone().flat_map(|facts| &facts.news));
    let behind = later.clone().count();
    let Some(publication) = publication(epoch, news) else {
        return Some((if own.abstained { BundleWeights::Abstained } else { BundleWeights::Passed }, None));
    };
    match publication.state {
        Some(IntentState::Published { block }) => Some((BundleWeights::Published, Some(block))),
        Some(IntentState::Failed { .. }) => Some((BundleWeights::Failed, None)),
        Some(IntentState::Missed { .. }) => Some((BundleWeights::Missed, None)),
        // Nobody follows them any more, and their reveal has come and gone.
        _ if behind > own.files_that_tell => Some((BundleWeights::Unseen, None)),
        _ => None,
    }
}
