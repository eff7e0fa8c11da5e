//! The publications under way: under commit-reveal one epoch's weights wait while the next are weighed.

use std::collections::BTreeMap;

use weighhouse_journal::{Journal, JournalError, Publication, publications};
use weighhouse_types::{Epoch, IntentState, Record};

/// Publications by epoch: the newest, and those before it with something left to do.
#[derive(Clone, Debug, Default)]
pub(crate) struct Queue(BTreeMap<Epoch, Publication>);

impl Queue {
    /// Takes up what the journal says. News of an intent may stand in later segments than its own: in the next one, or
    /// in that of its reveal.
    pub(crate) fn resume(journal: &Journal, reveal_period: u64) -> Result<Self, JournalError> {
        let epochs = journal.epochs();
        let span = usize::try_from(reveal_period).unwrap_or(usize::MAX).saturating_add(2);
        let mut records = Vec::new();
        for epoch in &epochs[epochs.len().saturating_sub(span)..] {
            let of_intents = |record: &Record| matches!(record, Record::Intent(_) | Record::IntentUpdate(_));
            records.extend(journal.read_epoch(*epoch)?.into_iter().filter(of_intents));
        }
        let mut queue = Self(publications(&records));
        queue.tidy();
        Ok(queue)
    }

    /// Takes note of new intents.
    pub(crate) fn extend(&mut self, records: &[Record]) {
        self.0.extend(publications(records));
        self.tidy();
    }

    pub(crate) fn hear(&mut self, epoch: Epoch, state: IntentState) {
        if let Some(publication) = self.0.get_mut(&epoch) {
            publication.hear(state);
        }
    }

    pub(crate) fn has(&self, epoch: Epoch) -> bool {
        self.0.contains_key(&epoch)
    }

    pub(crate) fn get(&self, epoch: Epoch) -> Option<&Publication> {
        self.0.get(&epoch)
    }

    /// The newest epoch whose weights the chain shows.
    pub(crate) fn published(&self) -> Option<Epoch> {
        let mut newest_first = self.0.iter().rev();
        newest_first.find(|(_, publication)| publication.is_published()).map(|(epoch, _)| *epoch)
    }

    /// Epochs with something left to do, those that are yet to be committed to first: they have a few blocks, where a
    /// reveal has its whole epoch. While one's signed bytes are with the chain, only that one: a hotkey has one call
    /// under way, since the next one's nonce depends on what becomes of it.
    pub(crate) fn due(&self) -> Vec<Epoch> {
        if let Some((epoch, _)) = self.0.iter().find(|(_, publication)| publication.is_in_flight()) {
            return vec![*epoch];
        }
        let open = self.0.iter().filter(|(_, publication)| !publication.is_closed());
        let mut due: Vec<_> = open.map(|(epoch, known)| (known.committed.is_some(), *epoch)).collect();
        due.sort_unstable();
        due.into_iter().map(|(_, epoch)| epoch).collect()
    }

    fn tidy(&mut self) {
        let newest = self.0.keys().next_back().copied();
        self.0.retain(|epoch, publication| !publication.is_closed() || Some(*epoch) == newest);
    }
}
