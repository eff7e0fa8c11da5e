//! Trouble with the chain that lasts: told once with its cause, counted while it is there, and told when it is over.

use std::time::Duration;

use tracing::{error, info, warn};
use weighhouse_chain::ChainError;
use weighhouse_seams::ClockExt as _;
use weighhouse_types::{Block, SubnetState};

use super::{BLOCKS, CHAIN_DEADLINE, Validator};
use crate::epoch::OpenEpoch;
use crate::error::ValidatorError;
use crate::metrics;

/// The wait for a block after which it is told that none comes.
const SILENCE: Duration = Duration::from_secs(60);
/// As many block times, where that is longer.
const SILENT_BLOCKS: u32 = 5;
/// Blocks that one endpoint may be behind another.
const BEHIND_BLOCKS: u64 = 5;
/// For how long a final block that changed is asked for again: an endpoint may come to its senses.
pub(super) const FINALITY_PATIENCE: Duration = Duration::from_secs(600);

/// What may be wrong with a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ChainTrouble {
    /// No block comes.
    Silent,
    /// It is behind a block that was acted on.
    Behind,
    /// The block that began the epoch is kept by no endpoint.
    Pruned,
    /// A final block is another one than before.
    Finality,
}

impl ChainTrouble {
    pub(crate) const ALL: [Self; 4] = [Self::Silent, Self::Behind, Self::Pruned, Self::Finality];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Silent => "silent",
            Self::Behind => "behind",
            Self::Pruned => "pruned",
            Self::Finality => "finality",
        }
    }
}

impl Validator {
    /// True where this trouble is news.
    fn turns_bad(&mut self, trouble: ChainTrouble) -> bool {
        let before = self.chain_trouble.replace(trouble);
        metrics::chain_trouble(Some(trouble));
        before != Some(trouble)
    }

    /// Tells that the chain is as it should be again, at a block that was worked through.
    pub(super) fn chain_is_good(&mut self, block: Block) {
        if let Some(trouble) = self.chain_trouble.take() {
            metrics::chain_trouble(None);
            let was = trouble.name();
            info!(state = BLOCKS, turned = "good", %block, was, "the chain is as it should be again");
        }
    }

    /// Waits for a block after `seen`, or for trouble that the next step shows again.
    pub(super) async fn await_block(&mut self, seen: Block) {
        let (chain, clock) = (self.parts.chain.clone(), self.parts.clock.clone());
        // On demand blocks come when somebody wants one.
        let silence = chain.block_time().map(|block| SILENCE.max(block * SILENT_BLOCKS));
        let mut next = chain.next_block(seen);
        while let Some(silence) = silence {
            match clock.timeout(silence, &mut next).await {
                Ok(_) => return,
                Err(_) if self.is_put_back(seen).await => return,
                Err(_) => {}
            }
        }
        // An error here shows again, with its retry, in the next step.
        let _ = next.await;
    }

    /// Tells why no block comes; true where the chain is behind the one that was worked through.
    async fn is_put_back(&mut self, seen: Block) -> bool {
        let asked = self.parts.clock.timeout(CHAIN_DEADLINE, self.parts.chain.head()).await;
        let why = match asked {
            Ok(Ok(head)) if head.number < seen => return true,
            Ok(Ok(head)) if head.number > seen => return false,
            Ok(Ok(_)) => "its endpoints answer, and finalise nothing new".to_owned(),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("nobody answers in {} s", CHAIN_DEADLINE.as_secs()),
        };
        self.tell_silence(seen, &why);
        false
    }

    /// Takes note of a step that the chain failed, and tells where that has lasted.
    pub(super) fn step_failed(&mut self, error: &ValidatorError) {
        let now = self.parts.clock.monotonic();
        let since = *self.failing_since.get_or_insert(now);
        if now.saturating_sub(since) >= SILENCE && self.chain_trouble.is_none() {
            let newest = self.progress.borrow().block;
            self.tell_silence(newest, &error.to_string());
        }
    }

    fn tell_silence(&mut self, newest: Block, why: &str) {
        if self.turns_bad(ChainTrouble::Silent) {
            warn!(
                state = BLOCKS, turned = "bad", %newest, why,
                "no block was worked through for a minute or more: nothing can be asked or published. Look at the chain, and at the \
                 endpoints in chain.endpoints; two of different operators fail less often"
            );
        }
    }

    /// Whether the chain is behind a block that was acted on, which is told: it was put back from an older copy.
    pub(super) fn is_behind(&mut self, state: &SubnetState) -> bool {
        let open = self.open.as_ref().map(OpenEpoch::context);
        let opened = open.map_or(Block(0), |open| open.state.head.number);
        let published = self.publications.all().filter_map(|publication| publication.state.as_ref()?.block());
        let acted = published.fold(opened.max(self.progress.borrow().block), Block::max);
        let head = state.head.number;
        if head >= acted {
            return false;
        }
        if opened.saturating_since(head) > BEHIND_BLOCKS {
            // Its opening is of blocks that are no more, and so is what was published for it. A little behind is any endpoint once.
            self.relived = open.map(|open| open.epoch);
        }
        let epoch = self.relived;
        if acted.saturating_since(head) > BEHIND_BLOCKS && self.turns_bad(ChainTrouble::Behind) {
            error!(
                state = BLOCKS, turned = "bad", %head, %acted, again = ?epoch.map(|epoch| epoch.0),
                "the chain is behind a block that was acted on: it was put back from an older copy, or chain.endpoints names another \
                 one. Nothing is asked or published until it is past that block, and past the epoch that it lives through again. Name \
                 the right chain, or wait; the journal stays as it is"
            );
        }
        true
    }

    /// Tells that this epoch can't be opened any more, since nobody keeps the block that began it.
    pub(super) fn tell_pruned(&mut self, state: &SubnetState, error: &ChainError) {
        let (epoch, next) = (state.schedule.epoch, state.schedule.next_epoch_block());
        if self.turns_bad(ChainTrouble::Pruned) {
            let next = next.map(|next| next.0);
            warn!(
                state = BLOCKS, turned = "bad", %epoch, ?next, %error,
                "the epoch can't be opened: the block that began it is kept by no endpoint. The next epoch is; an archive node in \
                 chain.endpoints lets a validator begin in mid-epoch"
            );
        }
    }

    /// Tells that a final block changed; true where that has lasted too long to be a moment's fault of an endpoint.
    pub(super) fn finality_is_broken(&mut self, error: &ChainError) -> bool {
        let now = self.parts.clock.monotonic();
        let since = *self.finality_broken.get_or_insert(now);
        if self.turns_bad(ChainTrouble::Finality) {
            error!(
                state = BLOCKS, turned = "bad", %error,
                "nothing is asked or published on a chain whose final blocks change. Take the endpoint that is wrong out of \
                 chain.endpoints; where the chain itself was put back, the validator starts on it anew in ten minutes"
            );
        }
        now.saturating_sub(since) >= FINALITY_PATIENCE
    }
}
