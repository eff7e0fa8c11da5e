//! Weights that the chain itself opens, each block before it computes epochs.

use super::*;
use crate::rules::reveal::COMMIT_VERSION;
use crate::timelock::{CIPHERTEXT_BYTES_MAX, LocalBeacon, open_weights};

/// Content of a timelocked commit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SealedWeights<'a> {
    pub(crate) ciphertext: &'a [u8],
    pub(crate) reveal_round: u64,
    pub(crate) version: u16,
}

impl State {
    pub(in super::super) fn commit_timelocked(
        &mut self,
        hotkey: Hotkey,
        netuid: Netuid,
        mechanism: MechId,
        sealed: SealedWeights<'_>,
    ) -> Result<Vec<Event>, Refusal> {
        let SealedWeights { ciphertext, reveal_round, version } = sealed;
        let block = self.block;
        let subnet = self.subnet_mut(netuid)?;
        if ciphertext.len() > CIPHERTEXT_BYTES_MAX {
            let bytes = u32::try_from(ciphertext.len()).unwrap_or(u32::MAX);
            return Err(Refusal::CommitTooLarge { bytes, maximum: 5_000 });
        }
        let committed = subnet.may_commit(&hotkey, mechanism, block);
        // Mechanism and switch are checked before the version, everything else after it.
        let before =
            matches!(committed, Err(Refusal::MechanismDoesNotExist { .. } | Refusal::CommitRevealDisabled));
        if !before && version != COMMIT_VERSION {
            return Err(Refusal::IncorrectCommitRevealVersion { required: COMMIT_VERSION });
        }
        let (uid, epoch) = committed?;
        if reveal_round < block.0 {
            return Err(Refusal::InvalidRevealRound { round: reveal_round, last: block.0 });
        }
        let queue = subnet.commits.timelocked.entry((mechanism, epoch)).or_default();
        if queue.iter().filter(|commit| commit.hotkey == hotkey).count() >= UNREVEALED_MAX {
            return Err(Refusal::TooManyUnrevealedCommits { maximum: 10 });
        }
        let hash = reveal::blake2_256(ciphertext);
        queue.push(TimelockCommit { hotkey, block, ciphertext: ciphertext.to_vec(), reveal_round });
        subnet.store_last_update(mechanism, uid, block);
        Ok(vec![Event::TimelockedWeightsCommitted { netuid, mechanism, hotkey, hash, reveal_round }])
    }

    /// Opens what is due in every subnet. A commit whose round hasn't come waits within its reveal epoch; one that
    /// can't be opened, or holds weights that the chain refuses, is dropped without a word, as on the chain.
    pub(in super::super) fn reveal_timelocked(&mut self, beacon: &LocalBeacon) -> Vec<Event> {
        let block = self.block;
        let mut events = Vec::new();
        for (netuid, subnet) in &mut self.subnets {
            let (now, period) =
                (reveal::epoch_at(&subnet.schedule, block), subnet.rules.reveal_period_epochs);
            let due = Epoch(now.0.saturating_sub(period));
            subnet.commits.timelocked.retain(|(_, epoch), _| *epoch >= due);
            // `due` is held at 0 here, and epoch 0's own commits are not due yet.
            if now.0 < period {
                continue;
            }
            for mechanism in (0..subnet.mechanisms.count).map(MechId) {
                let Some(queue) = subnet.commits.timelocked.remove(&(mechanism, due)) else { continue };
                let (ready, waiting): (Vec<_>, Vec<_>) =
                    queue.into_iter().partition(|commit| commit.reveal_round <= block.0);
                if !waiting.is_empty() {
                    subnet.commits.timelocked.insert((mechanism, due), waiting);
                }
                for commit in ready {
                    events.extend(subnet.open(*netuid, mechanism, &commit, block, beacon));
                }
            }
        }
        events
    }
}

impl LedgerSubnet {
    fn open(
        &mut self,
        netuid: Netuid,
        mechanism: MechId,
        commit: &TimelockCommit,
        block: Block,
        beacon: &LocalBeacon,
    ) -> Vec<Event> {
        let hotkey = commit.hotkey;
        let signature = beacon.sign(commit.reveal_round);
        let Ok(payload) = open_weights(&commit.ciphertext, &signature, &hotkey) else { return Vec::new() };
        let (uids, values, version_key) = (payload.uids, payload.values, payload.version_key);
        let weights = SetWeights { netuid, mechanism, uids, values, version_key };
        let Ok(mut events) = self.apply_weights(hotkey, &weights, block) else { return Vec::new() };
        events.push(Event::TimelockedWeightsRevealed { netuid, mechanism, hotkey });
        events
    }
}
