//! The newest checkpoint on the chain, as the hotkey's commitment, where that place is free.

use tracing::{debug, info, warn};
use weighhouse_chain::{Call, ChainError};
use weighhouse_seams::ClockExt as _;
use weighhouse_types::{Block, Epoch, SubnetState};

use super::{CHAIN_DEADLINE, Validator};
use crate::log::{Anchor, Gathering};
use crate::metrics;

/// Blocks from a call to the look at what became of it.
const LOOK_BLOCKS: u64 = 3;

/// How far the newest checkpoint has come.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Anchoring {
    /// The newest epoch with which nothing is left to do.
    done: Option<Epoch>,
    /// The block of the newest call.
    handed_in: Option<Block>,
    /// Whether the operator was told that the place is taken.
    told_taken: bool,
}

enum Anchored {
    Shown,
    HandedIn,
    Taken,
}

impl Validator {
    /// Commits the newest checkpoint, in the first half of the epoch behind it: weights go first, and a hotkey has one call under way
    /// at a time. Nothing waits for the outcome: a later block looks.
    pub(super) async fn anchor(&mut self, state: &SubnetState) {
        let Some(anchor) = self.gathering.as_ref().map(Gathering::anchor) else { return };
        let schedule = &state.schedule;
        let is_early = schedule.blocks_since_last_step < u64::from(schedule.tempo) / 2;
        let is_due =
            anchor.epoch < schedule.epoch && self.anchoring.done.is_none_or(|done| done < anchor.epoch);
        let block = state.head.number;
        let waits = self.anchoring.handed_in.is_some_and(|at| block.saturating_since(at) < LOOK_BLOCKS);
        if !is_early || !is_due || waits || self.publications.is_in_flight() {
            return;
        }
        let committing = self.parts.clock.timeout(CHAIN_DEADLINE, self.commit(anchor)).await;
        let outcome =
            committing.map_err(|late| late.to_string()).and_then(|it| it.map_err(|e| e.to_string()));
        match outcome {
            Ok(Anchored::HandedIn) => {
                self.anchoring.handed_in = Some(block);
                debug!(epoch = %anchor.epoch, "the checkpoint was handed to the chain");
            }
            Ok(Anchored::Shown) => {
                self.anchoring.done = Some(anchor.epoch);
                metrics::anchored(anchor.epoch);
            }
            Ok(Anchored::Taken) => {
                self.anchoring.done = Some(anchor.epoch);
                if !std::mem::replace(&mut self.anchoring.told_taken, true) {
                    info!(
                        "the hotkey's commitment on the chain has another use: checkpoints aren't committed there"
                    );
                }
            }
            Err(error) => {
                self.anchoring.done = Some(anchor.epoch);
                metrics::chain_error();
                warn!(%error, epoch = %anchor.epoch, "the checkpoint isn't committed on the chain; the next epoch's is tried again");
            }
        }
    }

    async fn commit(&self, anchor: Anchor) -> Result<Anchored, ChainError> {
        let (chain, netuid) = (&self.parts.chain, self.parts.netuid);
        let shown = match chain.commitment(netuid, self.parts.keypair.hotkey()).await {
            Err(ChainError::Unsupported { .. }) => return Ok(Anchored::Taken),
            shown => shown?,
        };
        if let Some(shown) = shown {
            match Anchor::of(&shown.data) {
                Some(known) if known == anchor => return Ok(Anchored::Shown),
                Some(_) => {}
                None => return Ok(Anchored::Taken),
            }
        }
        let call = Call::SetCommitment { netuid, data: anchor.to_bytes() };
        let signed = chain.sign(&self.parts.keypair, call).await?;
        chain.submit(&signed).await?;
        Ok(Anchored::HandedIn)
    }
}
