//! When a round's checks are drawn, and by which beacon.

use weighhouse_types::{Block, CheckDraw, Fields};

use super::rounds::Moment;
use super::validator::Validator;
use crate::checks::CheckHistory;
use crate::draw::{self, Draw};
use crate::epoch::OpenEpoch;
use crate::error::ValidatorError;
use crate::round::AnsweredRound;

impl Validator {
    /// The draw of a round whose answers are all in.
    pub(super) async fn draw_of(&self, round: u32, now: Moment<'_>) -> Draw {
        let history = self.open.as_ref().and_then(OpenEpoch::history);
        if !history.is_some_and(CheckHistory::outlasts_epochs) {
            return Draw::BySeed;
        }
        // Where the chain doesn't say how far it came meanwhile, the round began in time at least.
        let head = self.parts.chain.head().await.map_or(now.state.head.number, |head| head.number);
        let block = now.table.draw_block(round, self.parts.task.deadline(), head);
        block.map_or(Draw::BySeed, Draw::At)
    }

    /// Draws, if the draw's block has come.
    pub(super) async fn draw(
        &self,
        round: u32,
        answered: &mut AnsweredRound,
        head: Block,
    ) -> Result<(), ValidatorError> {
        if let (Draw::At(block), Some(open)) = (&answered.draw, &self.open)
            && *block <= head
        {
            let (epoch, fields) = (open.context().epoch, Fields::default());
            let beacon = self.parts.chain.beacon(*block).await?;
            let drawn = CheckDraw { epoch, round, beacon, fields };
            let seed = draw::seed(open.context(), &drawn);
            answered.draw = Draw::By(drawn, seed);
        }
        Ok(())
    }
}
