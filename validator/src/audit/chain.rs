//! What a chain says of an epoch's file: its beacons, and what became of its signed calls.
//!
//! A node that has dropped the blocks in question says nothing for or against: that is listed, and is no problem of the file's.

use std::collections::BTreeSet;

use serde::Serialize;
use weighhouse_chain::{CallOutcome, Chain, ChainError, SignedCall};
use weighhouse_journal::Segment;
use weighhouse_merkle::{Frontier, GrownTree, commitments};
use weighhouse_types::{Beacon, Block, EpochContext, Intent, IntentState, Record};

use super::{AuditError, context_of};
use crate::log::Anchor;
use crate::publish::stored;

/// Later checkpoints that are stepped over in search of an epoch's own.
const STEPS_MAX: usize = 16;

/// What the chain confirms, contradicts, and doesn't say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ChainFindings {
    pub confirmed: Vec<String>,
    pub problems: Vec<String>,
    pub unknown: Vec<String>,
}

/// Holds an epoch's file against a chain.
///
/// # Errors
/// A file that can't be read as an epoch.
pub async fn audit_chain(file: &[u8], chain: &dyn Chain) -> Result<ChainFindings, AuditError> {
    let segment = Segment::read(file)?;
    let context = context_of(&segment)?;
    let mut found = ChainFindings::default();
    if context.genesis != chain.genesis() {
        let genesis = chain.genesis();
        found.problems.push(format!("the file is of another chain: this one has genesis {genesis}"));
        return Ok(found);
    }
    found.beacons(segment.records(), context, chain).await;
    found.roots(segment.records(), context, chain).await;
    found.calls(segment.records(), chain).await;
    found.weights(segment.records(), context, chain).await;
    found.anchor(&segment, context, chain).await;
    Ok(found)
}

impl ChainFindings {
    async fn beacons(&mut self, records: &[Record], context: &EpochContext, chain: &dyn Chain) {
        let began = context.state.schedule.last_epoch_block;
        if context.beacon.block != began {
            let (named, block) = (context.beacon.block, began);
            self.problems
                .push(format!("the beacon is block {named}'s, and the epoch began with block {block}"));
        }
        let draws = records.iter().filter_map(|record| match record {
            Record::CheckDraw(draw) => Some(draw.beacon),
            _ => None,
        });
        let beacons: Vec<Beacon> = std::iter::once(context.beacon).chain(draws).collect();
        let mut confirmed = 0;
        for beacon in &beacons {
            match chain.beacon(beacon.block).await {
                Ok(shown) if shown == *beacon => confirmed += 1,
                Ok(_) => self.problems.push(format!("block {} has another beacon", beacon.block)),
                Err(error) => self.says_nothing(&format!("the beacon of block {}", beacon.block), &error),
            }
        }
        if confirmed > 0 {
            self.confirmed.push(format!("{confirmed} of {} beacons", beacons.len()));
        }
    }

    /// What the chain had of miners' commitments, where these have their place there.
    async fn roots(&mut self, records: &[Record], context: &EpochContext, chain: &dyn Chain) {
        let recorded = records.iter().filter_map(|record| match record {
            Record::Judged(judged) => Some((judged.who.hotkey, judged.fields.chain_root()?)),
            Record::Answered(answered) => Some((answered.who.hotkey, answered.fields.chain_root()?)),
            _ => None,
        });
        let recorded: BTreeSet<_> = recorded.map(|(who, root)| (who, root.by, root.root)).collect();
        let mut confirmed = 0;
        for (hotkey, by, root) in &recorded {
            match chain.commitment_at(context.netuid, *hotkey, *by).await {
                Ok(shown)
                    if shown.as_ref().and_then(|shown| commitments::from_chain(&shown.data)) == *root =>
                {
                    confirmed += 1;
                }
                Ok(_) => self.problems.push(format!(
                    "{hotkey} had other commitments on the chain with block {by} than the file says"
                )),
                Err(error) => {
                    self.says_nothing(&format!("the commitments of {hotkey} in block {by}"), &error)
                }
            }
        }
        if confirmed > 0 {
            self.confirmed.push(format!("{confirmed} of {} roots of miners' commitments", recorded.len()));
        }
    }

    /// Each call that was included by the file's word, at the block that it names.
    async fn calls(&mut self, records: &[Record], chain: &dyn Chain) {
        let mut signed: Option<(SignedCall, &'static str)> = None;
        for record in records {
            let Record::IntentUpdate(update) = record else { continue };
            let call =
                |extrinsic: &[u8], hash, expires| SignedCall { bytes: extrinsic.to_vec(), hash, expires };
            match &update.state {
                IntentState::Signed { extrinsic, hash, expires } => {
                    signed = Some((call(extrinsic, *hash, *expires), "weights"));
                }
                IntentState::Committing { extrinsic, hash, expires } => {
                    signed = Some((call(extrinsic, *hash, *expires), "the commit to weights"));
                }
                IntentState::Revealing { extrinsic, hash, expires } => {
                    signed = Some((call(extrinsic, *hash, *expires), "the reveal of weights"));
                }
                IntentState::Included { block }
                | IntentState::Committed { block, .. }
                | IntentState::Revealed { block } => {
                    if let Some((call, what)) = signed.take() {
                        self.call(&call, what, *block, chain).await;
                    }
                }
                _ => {}
            }
        }
    }

    async fn call(&mut self, call: &SignedCall, what: &str, block: Block, chain: &dyn Chain) {
        match chain.outcome(call).await {
            Ok(CallOutcome::Included { block: shown, .. }) if shown == block => {
                self.confirmed.push(format!("{what} in block {block}"));
            }
            Ok(CallOutcome::Included { block: shown, .. }) => {
                self.problems.push(format!("{what} are in block {shown}, and the file says {block}"));
            }
            Ok(CallOutcome::Refused { refusal, .. }) => {
                self.problems.push(format!("the chain refused {what}: {refusal}"));
            }
            Ok(CallOutcome::Expired | CallOutcome::Pending) => {
                self.problems.push(format!("{what} are not in block {block}, as the file says"));
            }
            Err(error) => self.says_nothing(&format!("{what} in block {block}"), &error),
        }
    }

    /// The weights that the chain shows now, while no later ones have taken their place.
    async fn weights(&mut self, records: &[Record], context: &EpochContext, chain: &dyn Chain) {
        let included = records.iter().rev().find_map(|record| match record {
            Record::IntentUpdate(update) => match update.state {
                IntentState::Included { block } | IntentState::Revealed { block } => Some(block),
                _ => None,
            },
            _ => None,
        });
        let intent = records.iter().rev().find_map(|record| match record {
            Record::Intent(intent) => Some(intent),
            _ => None,
        });
        let (Some(block), Some(intent)) = (included, intent) else { return };
        if let Err(error) = self.shown(block, intent, context, chain).await {
            self.says_nothing("the weights that it shows now", &error);
        }
    }

    async fn shown(
        &mut self,
        block: Block,
        intent: &Intent,
        context: &EpochContext,
        chain: &dyn Chain,
    ) -> Result<(), ChainError> {
        let state = chain.subnet(context.netuid).await?;
        let own = state.metagraph.by_hotkey(&context.validator);
        // Of mechanism 0 alone does the metagraph tell when weights were last set.
        let is_newest = own.filter(|own| own.last_update == block && context.mechanism.0 == 0);
        let Some(own) = is_newest else { return Ok(()) };
        let shown = chain.weights(context.netuid, context.mechanism, own.uid).await?;
        if shown == stored(intent) {
            self.confirmed.push("its weights are those that the chain shows now".to_owned());
        } else {
            self.problems
                .push("the chain shows other weights of this validator, set in the same block".to_owned());
        }
        Ok(())
    }

    /// The root of the log at this epoch's end, as it was committed on the chain.
    async fn anchor(&mut self, segment: &Segment, context: &EpochContext, chain: &dyn Chain) {
        let (anchor, block) = match anchored(context, chain).await {
            Ok(Some(found)) => found,
            Ok(None) => return,
            Err(error) => return self.says_nothing("the checkpoint that was committed on it", &error),
        };
        let log = context.fields.log().filter(|log| log.size < anchor.size);
        let tree = log.and_then(|log| {
            let before = Frontier::from_parts(log.size, log.subtrees)?;
            Some(GrownTree::new(before, segment.leaves().to_vec()))
        });
        if tree.and_then(|tree| tree.root_at(anchor.size)) == Some(anchor.root) {
            self.confirmed
                .push(format!("the log's root over {} records, committed in block {block}", anchor.size));
        } else {
            self.problems.push(format!(
                "the log's root that was committed in block {block} is not that of the records"
            ));
        }
    }

    fn says_nothing(&mut self, of: &str, error: &ChainError) {
        self.unknown.push(format!("{of}: {error}"));
    }
}

/// This epoch's checkpoint with the block of its commitment: the one that stands now, or the one that stood while the next epoch's was not
/// there yet.
async fn anchored(context: &EpochContext, chain: &dyn Chain) -> Result<Option<(Anchor, Block)>, ChainError> {
    let EpochContext { netuid, validator, epoch, .. } = *context;
    let mut standing = match chain.commitment(netuid, validator).await {
        Err(ChainError::Unsupported { .. }) => return Ok(None),
        standing => standing?,
    };
    // A checkpoint is committed in the epoch behind its own. Later ones, and other tempos since, are stepped over one by one.
    let schedule = &context.state.schedule;
    let behind = 2 * u64::from(schedule.tempo);
    let mut at = Block(schedule.last_epoch_block.0.saturating_add(behind));
    for _ in 0..=STEPS_MAX {
        let Some(shown) = standing else { return Ok(None) };
        let Some(anchor) = Anchor::of(&shown.data) else { return Ok(None) };
        if anchor.epoch <= epoch {
            return Ok((anchor.epoch == epoch).then_some((anchor, shown.block)));
        }
        at = at.min(Block(shown.block.0.saturating_sub(1)));
        standing = chain.commitment_at(netuid, validator, at).await?;
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use weighhouse_chain::Call;
    use weighhouse_types::{Digest, Epoch, sample};

    use super::*;
    use crate::testing::{NETUID, World, validator};

    fn anchor(epoch: u64) -> Anchor {
        Anchor { epoch: Epoch(epoch), size: 10 * epoch, root: Digest::of(&epoch.to_le_bytes()) }
    }

    #[tokio::test]
    async fn an_epochs_own_checkpoint_is_found_behind_later_ones() {
        let world = World::new(&[]).await;
        let ledger = &world.ledger;
        let mut expected = Vec::new();
        for epoch in [3, 4, 6, 7] {
            let call = Call::SetCommitment { netuid: NETUID, data: anchor(epoch).to_bytes() };
            let signed = ledger.sign(&validator(), call).await.expect("signed");
            ledger.submit(&signed).await.expect("taken");
            expected.push((epoch, ledger.produce_block().await.expect("a block").number));
            ledger.produce_block().await.expect("a block");
        }
        for epoch in 2..=8 {
            let mut context = sample::context(sample::subnet(Epoch(epoch), Block(10), Vec::new()));
            (context.netuid, context.validator) = (NETUID, validator().hotkey());
            let found = anchored(&context, ledger).await.expect("asked");
            let block = expected.iter().find(|(of, _)| *of == epoch).map(|(_, block)| *block);
            assert_eq!(found, block.map(|block| (anchor(epoch), block)), "epoch {epoch}");
        }
    }
}
