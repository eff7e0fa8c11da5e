//! The publications under way, each taken as far as one block lets it go.

use std::collections::BTreeSet;

use weighhouse_types::SubnetState;

use super::validator::Validator;
use crate::error::ValidatorError;
use crate::publish;

impl Validator {
    /// Takes the publications as far as the chain's present state lets them go.
    pub(super) async fn follow_publications(&mut self, state: &SubnetState) -> Result<(), ValidatorError> {
        let mut waiting = BTreeSet::new();
        while let Some(epoch) = self.publications.next_due(&waiting) {
            let Some(publication) = self.publications.get(epoch).cloned() else { break };
            let next = publish::advance(&self.parts, &publication, self.open.as_ref(), state).await?;
            let Some(next) = next else {
                // A call that is still pending may have been lost on the way; the same bytes again make up for it.
                publish::submit(&self.parts, &publication).await;
                waiting.insert(epoch);
                continue;
            };
            let mut news = vec![publish::update(&publication.intent, next.clone())];
            news.extend(next.block().and_then(|block| self.seen.record(block)));
            self.record(news).await?;
            publish::report(&publication.intent, &next, self.parts.clock.now());
            self.publications.update(epoch, next);
            if let Some(advanced) = self.publications.get(epoch).filter(|advanced| advanced.is_in_flight()) {
                publish::submit(&self.parts, advanced).await;
                // Its outcome is in no block before the next.
                waiting.insert(epoch);
            }
        }
        Ok(())
    }
}
