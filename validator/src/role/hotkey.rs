//! Weights or commits of our hotkey that no intent of this journal explains: another process publishes with it.
//!
//! The chain notes the block of a hotkey's last weights or commit, and of nothing else that a validator does. Two processes with one
//! hotkey take turns at its rate limit, and each misses the epochs that the other has.

use tracing::{error, info};
use weighhouse_types::{Block, Epoch, IntentState, Neuron, SubnetState};

use super::Validator;
use crate::error::ValidatorError;
use crate::metrics;
use crate::publish::{PublicationQueue, last_update};

/// Its name where people are told of it.
const HOTKEY: &str = "hotkey";
/// Whole epochs without anything foreign after which it is over: two processes take turns.
const CLEAN_EPOCHS: u64 = 2;

/// What is known of the hotkey's updates on the chain.
#[derive(Debug, Default)]
pub(super) struct Updates {
    /// The newest that was explained, or told; `None` before the first look.
    known: Option<Block>,
    /// The newest that nothing explains, and the epoch in which it was seen.
    foreign: Option<(Block, Epoch)>,
}

/// What an update is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Update {
    Known,
    Foreign(Block),
    /// There was something foreign, and it is over.
    Over,
}

impl Updates {
    /// Takes note of an update of ours.
    pub(super) fn explain(&mut self, block: Block) {
        self.known = self.known.max(Some(block));
    }

    #[cfg(test)]
    pub(super) fn is_clean(&self) -> bool {
        self.foreign.is_none()
    }

    /// Sorts the chain's newest update, seen in an epoch; `own` are the blocks of ours that the journal has.
    fn sort(&mut self, newest: Block, registered: Block, own: &[Block], now: Epoch) -> Update {
        let ours = own.iter().copied().max();
        // Without a publication on record nothing says whose the update before us was.
        let known = self.known.or(ours).unwrap_or(newest).max(ours.unwrap_or_default());
        self.known = Some(known.max(newest));
        if newest > known && newest != registered && !own.contains(&newest) {
            self.foreign = Some((newest, now));
            return Update::Foreign(newest);
        }
        match self.foreign {
            Some((block, seen)) if ours > Some(block) && now.0 > seen.0.saturating_add(CLEAN_EPOCHS) => {
                self.foreign = None;
                Update::Over
            }
            _ => Update::Known,
        }
    }
}

/// Blocks of weights and commits that came of intents.
fn own_blocks(queue: &PublicationQueue) -> Vec<Block> {
    let blocks = queue.all().flat_map(|publication| {
        let committed = publication.committed.map(|(block, _)| block);
        let set = match publication.state {
            // Under commit-reveal it is the block of the reveal, or of reading: the commit's is the update.
            Some(IntentState::Included { block } | IntentState::Published { block }) => Some(block),
            _ => None,
        };
        [committed, set.filter(|_| committed.is_none())]
    });
    blocks.flatten().collect()
}

impl Validator {
    /// Looks at the block of our last update, once every publication's news are known.
    pub(super) async fn watch_hotkey(&mut self, state: &SubnetState) -> Result<(), ValidatorError> {
        let hotkey = self.parts.keypair.hotkey();
        let Some(own) = state.metagraph.by_hotkey(&hotkey) else { return Ok(()) };
        let newest = last_update(self.parts.chain.as_ref(), state, self.parts.mechanism, own).await?;
        self.tell_update(own, newest, state.schedule.epoch);
        Ok(())
    }

    fn tell_update(&mut self, own: &Neuron, newest: Block, epoch: Epoch) {
        let blocks = own_blocks(&self.publications);
        match self.updates.sort(newest, own.registered_at, &blocks, epoch) {
            Update::Known => {}
            Update::Foreign(block) => {
                metrics::foreign_update(Some(block));
                error!(
                    state = HOTKEY, turned = "bad", %epoch, %block,
                    "weights of our hotkey came to the chain that no intent of this journal explains. Either a file of the journal was \
                     taken away: put it back. Or another process publishes with the hotkey, and by the chain's rate limit each misses \
                     epochs: run one of them alone, stop the other validator or `weighhouse weights put`, or register a hotkey for it"
                );
            }
            Update::Over => {
                metrics::foreign_update(None);
                info!(state = HOTKEY, turned = "good", %epoch, "no other process has published with our hotkey for two epochs");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REGISTERED: Block = Block(3);

    fn sort(updates: &mut Updates, newest: u64, own: &[u64], now: u64) -> Update {
        let own: Vec<Block> = own.iter().copied().map(Block).collect();
        updates.sort(Block(newest), REGISTERED, &own, Epoch(now))
    }

    #[test]
    fn an_update_that_no_intent_explains_is_foreign_once() {
        let mut updates = Updates::default();
        assert_eq!(sort(&mut updates, 90, &[], 1), Update::Known, "nothing says whose it was");
        assert_eq!(sort(&mut updates, 110, &[110], 1), Update::Known);
        assert_eq!(sort(&mut updates, 110, &[], 2), Update::Known, "it was explained");
        assert_eq!(sort(&mut updates, 130, &[110], 2), Update::Foreign(Block(130)));
        assert_eq!(sort(&mut updates, 130, &[110], 2), Update::Known, "told once");
        assert_eq!(sort(&mut updates, 150, &[110], 3), Update::Foreign(Block(150)));
        assert_eq!(sort(&mut updates, 170, &[170], 4), Update::Known);
        assert_eq!(sort(&mut updates, 170, &[170], 5), Update::Known, "they may take turns");
        assert_eq!(sort(&mut updates, 190, &[190], 6), Update::Over);
        assert_eq!(sort(&mut updates, 190, &[190], 7), Update::Known);
    }

    #[test]
    fn what_was_seen_to_be_ours_stays_ours() {
        let mut updates = Updates::default();
        updates.explain(Block(120));
        assert_eq!(sort(&mut updates, 120, &[], 2), Update::Known);
        assert_eq!(sort(&mut updates, 121, &[], 2), Update::Foreign(Block(121)));
    }

    #[test]
    fn after_a_restart_the_journal_says_what_was_ours() {
        let mut updates = Updates::default();
        assert_eq!(sort(&mut updates, 130, &[90, 110], 2), Update::Foreign(Block(130)));
        let mut updates = Updates::default();
        assert_eq!(sort(&mut updates, 110, &[90, 110], 2), Update::Known);
        let mut updates = Updates::default();
        assert_eq!(sort(&mut updates, REGISTERED.0, &[1], 2), Update::Known, "a registration");
    }

    #[test]
    fn a_chain_that_was_put_back_brings_nothing_foreign() {
        let mut updates = Updates::default();
        assert_eq!(sort(&mut updates, 110, &[110], 5), Update::Known);
        assert_eq!(sort(&mut updates, 40, &[110], 2), Update::Known);
    }
}
