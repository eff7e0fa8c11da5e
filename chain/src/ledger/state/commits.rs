//! Weight commits that wait to be revealed, as a subnet keeps them.

use std::collections::BTreeMap;

use parity_scale_codec::{Decode, Encode};
use weighhouse_types::{Block, CommitContent, Digest, Epoch, Hotkey, MechId, WeightCommit};

/// A subnet's commits that were not revealed yet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Commits {
    pub(crate) hashed: BTreeMap<(MechId, Hotkey), Vec<HashCommit>>,
    pub(crate) timelocked: BTreeMap<(MechId, Epoch), Vec<TimelockCommit>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct HashCommit {
    pub(crate) hash: Digest,
    pub(crate) epoch: Epoch,
    pub(crate) block: Block,
}

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct TimelockCommit {
    pub(crate) hotkey: Hotkey,
    pub(crate) block: Block,
    pub(crate) ciphertext: Vec<u8>,
    pub(crate) reveal_round: u64,
}

impl Commits {
    /// Drops the commits of mechanisms that are no more.
    pub(crate) fn keep_mechanisms(&mut self, count: u8) {
        self.hashed.retain(|(mechanism, _), _| mechanism.0 < count);
        self.timelocked.retain(|(mechanism, _), _| mechanism.0 < count);
    }

    /// Commits that wait and are revealed in `now` or later, oldest first.
    pub(crate) fn waiting(
        &self,
        mechanism: MechId,
        hotkey: &Hotkey,
        now: Epoch,
        reveal_period: u64,
    ) -> Vec<WeightCommit> {
        let alive = |epoch: Epoch| epoch.0.saturating_add(reveal_period) >= now.0;
        let hashed = self.hashed.get(&(mechanism, *hotkey)).into_iter().flatten();
        let hashed = hashed.filter(|commit| alive(commit.epoch)).map(|commit| WeightCommit {
            epoch: commit.epoch,
            block: commit.block,
            content: CommitContent::Hash { hash: commit.hash },
        });
        let mut waiting: Vec<WeightCommit> = hashed.collect();
        for ((_, epoch), queue) in self.timelocked.range((mechanism, Epoch(0))..=(mechanism, Epoch(u64::MAX)))
        {
            let own = queue.iter().filter(|commit| alive(*epoch) && commit.hotkey == *hotkey);
            waiting.extend(own.map(|commit| WeightCommit {
                epoch: *epoch,
                block: commit.block,
                content: CommitContent::Timelocked {
                    ciphertext: commit.ciphertext.clone(),
                    reveal_round: commit.reveal_round,
                },
            }));
        }
        waiting.sort_by_key(|commit| commit.block);
        waiting
    }
}
