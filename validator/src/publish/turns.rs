//! The publications under way, each taken as far as one block lets it go. Whoever takes the turns journals the news of each before it is
//! acted on.

use std::collections::BTreeSet;

use weighhouse_chain::ChainError;
use weighhouse_types::{Block, Epoch, EpochContext, Intent, IntentState, Record, SubnetState};

use super::{Advance, PublicationQueue, Publisher, advance, report, submit, superseded, update};

/// The turns of one block.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    /// Publications that have had theirs.
    waiting: BTreeSet<Epoch>,
}

/// A publication's new state, or the intent that takes the place of one before; it is to be journalled.
#[derive(Debug)]
pub(crate) struct News {
    intent: Intent,
    /// `None`: the intent itself is the news.
    state: Option<IntentState>,
}

impl News {
    pub(crate) fn record(&self) -> Record {
        match &self.state {
            Some(state) => update(&self.intent, state.clone()),
            None => Record::Intent(self.intent.clone()),
        }
    }

    /// The block that has plain weights or a commit, where that is the news, and their epoch.
    pub(crate) fn included(&self) -> Option<(Epoch, Block)> {
        match self.state {
            Some(IntentState::Included { block } | IntentState::Committed { block, .. }) => {
                Some((self.intent.epoch, block))
            }
            _ => None,
        }
    }

    /// The block in which the chain noted an update of ours, where that is the news.
    pub(crate) fn updated(&self) -> Option<Block> {
        match self.state {
            Some(IntentState::Included { block } | IntentState::Committed { block, .. }) => Some(block),
            _ => None,
        }
    }

    /// The block that it names, where it names one.
    pub(crate) fn block(&self) -> Option<Block> {
        self.state.as_ref()?.block()
    }
}

impl Turns {
    /// Finds the next news; `None` where this block has no more. `open` is the epoch that the chain is in, as it was opened.
    pub(crate) async fn next(
        &mut self,
        publisher: &Publisher,
        queue: &mut PublicationQueue,
        open: Option<&EpochContext>,
        state: &SubnetState,
    ) -> Result<Option<News>, ChainError> {
        while let Some(epoch) = queue.next_due(&self.waiting) {
            let Some(publication) = queue.get(epoch).cloned() else { break };
            match advance(publisher, &publication, queue, (open, state)).await? {
                Advance::Not => {}
                Advance::To(state) => {
                    return Ok(Some(News { intent: publication.intent, state: Some(state) }));
                }
                Advance::Superseded(intent) => return Ok(Some(News { intent, state: None })),
            }
            // A call that is still pending may have been lost on the way; the same bytes again make up for it.
            submit(publisher, &publication).await;
            self.waiting.insert(epoch);
        }
        Ok(None)
    }

    /// Acts on news that were journalled.
    pub(crate) async fn take(&mut self, publisher: &Publisher, queue: &mut PublicationQueue, news: News) {
        let News { intent, state } = news;
        let Some(state) = state else {
            superseded(&intent);
            queue.extend(&[Record::Intent(intent)]);
            return;
        };
        report(&intent, &state, publisher.clock.now());
        queue.update(intent.epoch, state);
        if let Some(advanced) = queue.get(intent.epoch).filter(|advanced| advanced.is_in_flight()) {
            submit(publisher, advanced).await;
            // Its outcome is in no block before the next.
            self.waiting.insert(intent.epoch);
        }
    }
}
