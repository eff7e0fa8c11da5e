//! The publications under way: under commit-reveal one epoch's weights wait while the next are weighed.

use std::collections::{BTreeMap, BTreeSet};
use std::mem::discriminant;

use weighhouse_chain::Refusal;
use weighhouse_journal::{Journal, JournalError, Publication, publications};
use weighhouse_types::{Epoch, IntentState, Record};

/// Publications by epoch: the newest, and those before it with something left to do.
#[derive(Clone, Debug, Default)]
pub(crate) struct PublicationQueue {
    all: BTreeMap<Epoch, Publication>,
    /// The chain's last word against each, since its last call was signed.
    refused: BTreeMap<Epoch, Refusal>,
}

impl PublicationQueue {
    /// Takes up the publications of the journal. An intent's later states may stand in later segments than its own: in the
    /// next one, or in that of its reveal.
    pub(crate) fn resume(journal: &Journal, reveal_period: u64) -> Result<Self, JournalError> {
        let epochs = journal.epochs();
        // The segment of the intent, those until its reveal, and one more for news that came late.
        let span = usize::try_from(reveal_period).unwrap_or(usize::MAX).saturating_add(2);
        let mut records = Vec::new();
        for epoch in &epochs[epochs.len().saturating_sub(span)..] {
            let of_intents = |record: &Record| matches!(record, Record::Intent(_) | Record::IntentUpdate(_));
            records.extend(journal.read_epoch(*epoch)?.into_iter().filter(of_intents));
        }
        let mut queue = Self { all: publications(&records), refused: BTreeMap::new() };
        queue.tidy();
        Ok(queue)
    }

    /// Takes note of new intents.
    pub(crate) fn extend(&mut self, records: &[Record]) {
        self.all.extend(publications(records));
        self.tidy();
    }

    /// Takes note of an intent's new state.
    pub(crate) fn update(&mut self, epoch: Epoch, state: IntentState) {
        if let Some(publication) = self.all.get_mut(&epoch) {
            publication.advance(state);
        }
    }

    /// Takes note of the chain's word against an epoch's weights; true where it said something else before.
    pub(crate) fn refuse(&mut self, epoch: Epoch, refusal: &Refusal) -> bool {
        let before = self.refused.insert(epoch, refusal.clone());
        // Their figures change with each block.
        before.is_none_or(|before| discriminant(&before) != discriminant(refusal))
    }

    /// Takes note that an epoch's weights are on their way.
    pub(crate) fn accept(&mut self, epoch: Epoch) {
        self.refused.remove(&epoch);
    }

    /// The chain's last word against an epoch's weights.
    pub(crate) fn refusal(&self, epoch: Epoch) -> Option<&Refusal> {
        self.refused.get(&epoch)
    }

    pub(crate) fn has(&self, epoch: Epoch) -> bool {
        self.all.contains_key(&epoch)
    }

    pub(crate) fn get(&self, epoch: Epoch) -> Option<&Publication> {
        self.all.get(&epoch)
    }

    /// All of them, ascending by epoch.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Publication> {
        self.all.values()
    }

    /// The newest epoch whose weights the chain shows.
    pub(crate) fn published(&self) -> Option<Epoch> {
        let mut newest_first = self.all.iter().rev();
        newest_first.find(|(_, publication)| publication.is_published()).map(|(epoch, _)| *epoch)
    }

    /// Returns the publication whose turn it is, leaving out those that have had theirs in this block.
    ///
    /// While one's signed call is with the chain, it is that one's turn alone: a hotkey has one call under way, since the
    /// next one's nonce depends on what becomes of it. Otherwise those that are yet to be committed to come first: they
    /// have a few blocks, where a reveal has its whole epoch.
    pub(crate) fn next_due(&self, waiting: &BTreeSet<Epoch>) -> Option<Epoch> {
        let is_waiting = |epoch: &Epoch| waiting.contains(epoch);
        if let Some((epoch, _)) = self.all.iter().find(|(_, publication)| publication.is_in_flight()) {
            return Some(*epoch).filter(|epoch| !is_waiting(epoch));
        }
        let open =
            self.all.iter().filter(|(epoch, publication)| !publication.is_closed() && !is_waiting(epoch));
        let (_, epoch) = open.map(|(epoch, publication)| (publication.committed.is_some(), *epoch)).min()?;
        Some(epoch)
    }

    /// The oldest epoch whose publication isn't through.
    pub(crate) fn oldest_under_way(&self) -> Option<Epoch> {
        self.all.iter().find(|(_, publication)| !publication.is_closed()).map(|(epoch, _)| *epoch)
    }

    /// True while a signed call is with the chain.
    pub(crate) fn is_in_flight(&self) -> bool {
        self.all.values().any(Publication::is_in_flight)
    }

    fn tidy(&mut self) {
        let newest = self.all.keys().next_back().copied();
        // The newest stays even when closed: it says which epoch has been published.
        self.all.retain(|epoch, publication| !publication.is_closed() || Some(*epoch) == newest);
        self.refused.retain(|epoch, _| self.all.contains_key(epoch));
    }
}

#[cfg(test)]
mod tests {
    use weighhouse_types::{Block, Digest, Intent, MechId, Netuid, Uid, WeightVector};

    use super::*;

    fn queue(states: &[(u64, Option<IntentState>)]) -> PublicationQueue {
        let publication = |(epoch, state): &(u64, Option<IntentState>)| {
            let weights = WeightVector::new(vec![(Uid(1), 1)]).expect("a vector");
            let (epoch, netuid, mechanism) = (Epoch(*epoch), Netuid(1), MechId(0));
            let id = Intent::digest(epoch, netuid, mechanism, &weights, 0);
            let intent = Intent { id, epoch, netuid, mechanism, weights, version_key: 0, supersedes: None };
            let mut publication = Publication::new(intent);
            state.iter().for_each(|state| publication.advance(state.clone()));
            (epoch, publication)
        };
        PublicationQueue { all: states.iter().map(publication).collect(), refused: BTreeMap::new() }
    }

    fn turns(queue: &PublicationQueue) -> Vec<u64> {
        let mut waiting = BTreeSet::new();
        let turn = || {
            let epoch = queue.next_due(&waiting)?;
            waiting.insert(epoch);
            Some(epoch.0)
        };
        std::iter::from_fn(turn).collect()
    }

    #[test]
    fn what_is_yet_to_be_committed_to_comes_before_what_waits_for_its_reveal() {
        let committed = || Some(IntentState::Committed { block: Block(5), epoch: Epoch(1) });
        assert_eq!(turns(&queue(&[(1, committed()), (2, committed()), (3, None)])), [3, 1, 2]);
    }

    #[test]
    fn while_a_call_is_with_the_chain_nobody_else_has_a_turn() {
        let signed = IntentState::Signed { extrinsic: vec![1], hash: Digest::of(&[1]), expires: Block(9) };
        assert_eq!(turns(&queue(&[(1, None), (2, Some(signed)), (3, None)])), [2]);
    }
}
