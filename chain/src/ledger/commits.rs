//! Weights that stay hidden until they are revealed: by the validator, who shows what it had hashed, or by the chain,
//! which opens timelocked ones with the beacon's signature.

mod timelocked;

use weighhouse_types::{Block, Digest, Epoch, Hotkey, MechId, Netuid, Uid};

use super::state::{HashCommit, LedgerSubnet, State, TimelockCommit};
use crate::rules::check_commit;
use crate::rules::reveal::{self, UNREVEALED_MAX};
use crate::{Event, Refusal, Reveal, SetWeights};

pub(crate) use timelocked::SealedWeights;

impl LedgerSubnet {
    /// The block of each uid's earliest commit that waits: its weights count only on uids that were there by then.
    pub(crate) fn earliest_commits(&self, mechanism: MechId, now: Epoch) -> Vec<Option<u64>> {
        let period = self.rules.reveal_period_epochs;
        let earliest = |hotkey: &Hotkey| {
            let waiting = self.commits.waiting(mechanism, hotkey, now, period);
            waiting.first().map(|commit| commit.block.0)
        };
        self.neurons.iter().map(|slot| earliest(&slot.hotkey)).collect()
    }
}

impl State {
    pub(super) fn commit_weights(
        &mut self,
        hotkey: Hotkey,
        netuid: Netuid,
        mechanism: MechId,
        hash: Digest,
    ) -> Result<Vec<Event>, Refusal> {
        let block = self.block;
        let subnet = self.subnet_mut(netuid)?;
        let (uid, epoch) = subnet.may_commit(&hotkey, mechanism, block)?;
        let period = subnet.rules.reveal_period_epochs;
        let hashed = subnet.commits.hashed.entry((mechanism, hotkey)).or_default();
        let waiting = hashed.iter().filter(|commit| !is_expired(commit, epoch, period)).count();
        if waiting >= UNREVEALED_MAX {
            return Err(Refusal::TooManyUnrevealedCommits { maximum: 10 });
        }
        // Only after the limit was checked, and on the same clock, so that a full queue frees itself.
        hashed.retain(|commit| !is_expired(commit, epoch, period));
        hashed.push(HashCommit { hash, epoch, block });
        subnet.store_last_update(mechanism, uid, block);
        Ok(vec![Event::WeightsCommitted { netuid, mechanism, hotkey, hash }])
    }

    pub(super) fn reveal_weights(
        &mut self,
        hotkey: Hotkey,
        weights: &SetWeights,
        salt: &[u16],
    ) -> Result<Vec<Event>, Refusal> {
        let SetWeights { netuid, mechanism, uids, values, version_key } = weights;
        let (netuid, mechanism) = (*netuid, *mechanism);
        let index = reveal::storage_index(netuid, mechanism);
        let hash = reveal::commit_hash(&hotkey, index, uids, values, salt, *version_key);
        let block = self.block;
        let subnet = self.subnet_mut(netuid)?;
        let at = subnet.may_reveal(&hotkey, mechanism, &hash, block)?;
        let mut events = subnet.apply_weights(hotkey, weights, block)?;
        // With a commit go those before it.
        subnet.drop_hashed((mechanism, hotkey), 0..=at);
        events.push(Event::WeightsRevealed { netuid, mechanism, hotkey, hash });
        Ok(events)
    }

    /// All are checked before the first is applied. Each is hashed with the plain netuid, and all are mechanism 0's.
    pub(super) fn batch_reveal_weights(
        &mut self,
        hotkey: Hotkey,
        netuid: Netuid,
        reveals: &[Reveal],
    ) -> Result<Vec<Event>, Refusal> {
        let (block, mechanism) = (self.block, MechId(0));
        let subnet = self.subnet_mut(netuid)?;
        let hash = |reveal: &Reveal| {
            let Reveal { uids, values, salt, version_key } = reveal;
            reveal::commit_hash(&hotkey, netuid.0, uids, values, salt, *version_key)
        };
        for reveal in reveals {
            subnet.may_reveal(&hotkey, mechanism, &hash(reveal), block)?;
        }
        // On a copy: the chain applies a batch as a whole or not at all.
        let mut changed = subnet.clone();
        let mut events = Vec::new();
        for reveal in reveals {
            let hash = hash(reveal);
            let at = changed.may_reveal(&hotkey, mechanism, &hash, block)?;
            let Reveal { uids, values, version_key, .. } = reveal.clone();
            let weights = SetWeights { netuid, mechanism, uids, values, version_key };
            events.extend(changed.apply_weights(hotkey, &weights, block)?);
            // Its own commit alone: those before it may be what other reveals of the batch show.
            changed.drop_hashed((mechanism, hotkey), at..=at);
            events.push(Event::WeightsRevealed { netuid, mechanism, hotkey, hash });
        }
        *subnet = changed;
        Ok(events)
    }
}

impl LedgerSubnet {
    /// The committer's uid, and the epoch that the commit belongs to.
    fn may_commit(&self, hotkey: &Hotkey, mechanism: MechId, block: Block) -> Result<(Uid, Epoch), Refusal> {
        check_commit(&self.weights_view(hotkey, mechanism, block), mechanism)?;
        let uid = self.uid_of(hotkey).ok_or(Refusal::HotKeyNotRegisteredInSubNet)?;
        Ok((uid, reveal::epoch_at(&self.schedule, block)))
    }

    /// Position of the commit with this hash in its hotkey's queue, if now is the epoch to reveal it.
    fn may_reveal(
        &self,
        hotkey: &Hotkey,
        mechanism: MechId,
        hash: &Digest,
        block: Block,
    ) -> Result<usize, Refusal> {
        if mechanism.0 >= self.mechanisms.count {
            return Err(Refusal::MechanismDoesNotExist { mechanism: mechanism.0 });
        }
        if !self.rules.commit_reveal_weights_enabled {
            return Err(Refusal::CommitRevealDisabled);
        }
        let queue = self.commits.hashed.get(&(mechanism, *hotkey)).ok_or(Refusal::NoWeightsCommitFound)?;
        let (now, period) = (reveal::epoch_at(&self.schedule, block), self.rules.reveal_period_epochs);
        let alive = |commit: &HashCommit| !is_expired(commit, now, period);
        let Some(at) = queue.iter().position(|commit| commit.hash == *hash && alive(commit)) else {
            return Err(match queue.iter().any(|commit| commit.hash == *hash) {
                true => Refusal::ExpiredWeightCommit,
                false if queue.iter().any(alive) => Refusal::InvalidRevealCommitHashNotMatch { hash: *hash },
                false => Refusal::NoWeightsCommitFound,
            });
        };
        // Exactly in its epoch: earlier would show the weights to copiers, later finds the commit expired.
        match queue[at].epoch.0.saturating_add(period) {
            epoch if epoch == now.0 => Ok(at),
            epoch => Err(Refusal::RevealTooEarly { epoch, now: now.0 }),
        }
    }

    fn drop_hashed(&mut self, key: (MechId, Hotkey), which: std::ops::RangeInclusive<usize>) {
        let Some(queue) = self.commits.hashed.get_mut(&key) else { return };
        queue.drain(which);
        if queue.is_empty() {
            self.commits.hashed.remove(&key);
        }
    }
}

fn is_expired(commit: &HashCommit, now: Epoch, reveal_period: u64) -> bool {
    now.0 > commit.epoch.0.saturating_add(reveal_period)
}
