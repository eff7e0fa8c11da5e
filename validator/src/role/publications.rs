//! The publications under way, each taken as far as one block lets it go.

use weighhouse_types::{Block, Epoch, SubnetState};

use super::validator::Validator;
use crate::epoch::OpenEpoch;
use crate::error::ValidatorError;
use crate::publish::{self, Turns};

impl Validator {
    /// Takes the publications as far as the chain's present state lets them go.
    pub(super) async fn follow_publications(&mut self, state: &SubnetState) -> Result<(), ValidatorError> {
        let publisher = self.parts.publisher();
        let mut turns = Turns::default();
        loop {
            let open = self.open.as_ref().map(OpenEpoch::context);
            let Some(news) = turns.next(&publisher, &mut self.publications, open, state).await? else {
                return Ok(());
            };
            let mut records = vec![news.record()];
            records.extend(news.block().and_then(|block| self.seen.record(block)));
            self.record(records).await?;
            if let Some(block) = news.updated() {
                self.updates.explain(block);
            }
            if let Some((epoch, block)) = news.included()
                && let Some(end) = self.end_of(epoch, state).filter(|end| block >= *end)
            {
                publish::late(epoch, block, end);
            }
            turns.take(&publisher, &mut self.publications, news).await;
        }
    }

    /// The block in which the chain ran Yuma at an epoch's end, or will; calls in it come after that.
    fn end_of(&self, epoch: Epoch, state: &SubnetState) -> Option<Block> {
        let schedule = &state.schedule;
        if epoch.0.checked_add(1) == Some(schedule.epoch.0) {
            return Some(schedule.last_epoch_block);
        }
        let opened = self.open.as_ref().map(|open| &open.context().state.schedule);
        opened.filter(|opened| opened.epoch == epoch)?.next_epoch_block()
    }
}
