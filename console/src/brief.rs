//! An epoch in a few figures, small enough to keep many: what lists and curves are made of.

use std::collections::BTreeMap;

use serde::Serialize;
use weighhouse_journal::Identity;
use weighhouse_types::{
    Block, Epoch, EpochContext, IntentState, IntentUpdate, Outcome, Reason, Record, Seal, Uid, WeightVector,
};

use crate::folder::Records;

/// One epoch's figures.
#[derive(Debug)]
pub(crate) struct Brief {
    pub(crate) epoch: Epoch,
    pub(crate) owner: Identity,
    /// Absent where nothing was opened in the file yet.
    pub(crate) opened: Option<Opened>,
    /// Verdicts by the outcome of their first reason.
    pub(crate) verdicts: BTreeMap<Outcome, u32>,
    pub(crate) void_rounds: u32,
    pub(crate) abstained: Option<String>,
    /// The last vector that was meant to be published.
    pub(crate) vector: Option<WeightVector>,
    pub(crate) closed_at: Option<Block>,
    /// Checks that spoke against a miner, with the number of its answers.
    pub(crate) caught: BTreeMap<(Uid, String), u32>,
    /// Intents and news of them, of earlier epochs' too, without the bytes that were signed.
    pub(crate) news: Vec<Record>,
    pub(crate) unfinished_bytes: u64,
}

/// An epoch as it was opened.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) block: Block,
    pub(crate) ends_at: Option<Block>,
    pub(crate) tempo: u16,
    pub(crate) task: Option<String>,
    pub(crate) software: String,
    pub(crate) rounds: Option<u32>,
    pub(crate) neurons: usize,
    /// The validator's own uid and vtrust: by the epoch before.
    pub(crate) own: Option<(Uid, u16)>,
    /// What the epoch before paid, in rao.
    pub(crate) emission: Vec<(Uid, u64)>,
}

/// The share of an epoch's verdicts that speak for the miners, and their number.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Counts {
    pub(crate) verdicts: u32,
    pub(crate) accepted: u32,
    pub(crate) unchecked: u32,
    pub(crate) silent: u32,
}

impl Brief {
    pub(crate) fn of(records: &Records) -> Self {
        let header = records.segment.header();
        let mut brief = Self {
            epoch: header.epoch,
            owner: header.identity,
            opened: None,
            verdicts: BTreeMap::new(),
            void_rounds: 0,
            abstained: None,
            vector: None,
            closed_at: None,
            caught: BTreeMap::new(),
            news: Vec::new(),
            unfinished_bytes: records.unfinished_bytes,
        };
        records.segment.records().iter().for_each(|record| brief.take(record));
        brief
    }

    fn take(&mut self, record: &Record) {
        match record {
            Record::EpochOpened(context) => self.opened = Some(Opened::of(context)),
            Record::Judged(judged) => {
                if let Some(outcome) = judged.judgement.outcome() {
                    *self.verdicts.entry(outcome).or_default() += 1;
                }
                if let Some(complaint) = judged.judgement.complaint() {
                    *self.caught.entry((judged.uid, Reason::code(complaint))).or_default() += 1;
                }
            }
            Record::VoidRound(_) => self.void_rounds += 1,
            Record::Abstained { why, .. } => self.abstained = Some(why.clone()),
            Record::EpochClosed(closed) => self.closed_at = Some(closed.block),
            Record::Intent(intent) => {
                if intent.epoch == self.epoch {
                    self.vector = Some(intent.weights.clone());
                }
                self.news.push(record.clone());
            }
            Record::IntentUpdate(update) => self.news.push(Record::IntentUpdate(without_bytes(update))),
            _ => {}
        }
    }

    pub(crate) fn counts(&self) -> Counts {
        let of = |outcome| self.verdicts.get(&outcome).copied().unwrap_or_default();
        Counts {
            verdicts: self.verdicts.values().sum(),
            accepted: of(Outcome::Accepted),
            unchecked: of(Outcome::Unchecked),
            silent: of(Outcome::Silent),
        }
    }
}

impl Opened {
    fn of(context: &EpochContext) -> Self {
        let state = &context.state;
        let own = state.metagraph.by_hotkey(&context.validator);
        let paid = state.metagraph.neurons.iter().filter(|neuron| neuron.emission.0 > 0);
        Self {
            block: state.head.number,
            ends_at: state.schedule.next_epoch_block(),
            tempo: state.schedule.tempo,
            task: context.kind(),
            software: context.software.clone(),
            rounds: context.fields.rounds(),
            neurons: state.metagraph.neurons.len(),
            own: own.map(|neuron| (neuron.uid, neuron.validator_trust)),
            emission: paid.map(|neuron| (neuron.uid, neuron.emission.0)).collect(),
        }
    }
}

/// Ciphertexts and signed calls are large, and no page shows them.
fn without_bytes(update: &IntentUpdate) -> IntentUpdate {
    let mut update = update.clone();
    match &mut update.state {
        IntentState::Signed { extrinsic, .. }
        | IntentState::Committing { extrinsic, .. }
        | IntentState::Revealing { extrinsic, .. } => *extrinsic = Vec::new(),
        IntentState::Sealed { seal: Seal::Timelocked { ciphertext, .. } } => *ciphertext = Vec::new(),
        // The secret of weights that may still be hidden stays out of the page's memory.
        IntentState::Sealed { seal: Seal::Salted { salt } } => *salt = Vec::new(),
        _ => {}
    }
    update
}
