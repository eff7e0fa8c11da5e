//! An epoch as the validator keeps it: its context and its records without blobs.

use std::collections::{BTreeMap, BTreeSet};

use parity_scale_codec::Encode;
use weighhouse_journal::{Journal, JournalError};
use weighhouse_scoring::{Closing, Policy};
use weighhouse_tasks::Task;
use weighhouse_tasks::sequential::Heard;
use weighhouse_types::{
    Digest, Epoch, EpochContext, Judged, Neuron, Record, RegistrationId, Schedule, SubnetState, Trail, Uid,
};

use weighhouse_wallet::keypair::Keypair;

use crate::answers;
use crate::config::{Publish, Rounds};
use crate::error::ValidatorError;

/// The records of one epoch so far, the context first.
#[derive(Debug)]
pub(crate) struct OpenEpoch {
    records: Vec<Record>,
    /// What miners said; `None` where the task checks every answer.
    heard: Option<Heard>,
}

impl OpenEpoch {
    /// The epoch's records as the journal has them; `None` when it was never opened.
    pub(crate) fn resume(journal: &Journal, epoch: Epoch) -> Result<Option<Self>, JournalError> {
        let records = journal.read_epoch(epoch)?;
        let context = records.iter().find_map(|record| match record {
            Record::EpochOpened(context) => Some(context.as_ref()),
            _ => None,
        });
        // A crash may have left a segment without its context: then nothing was asked in it yet.
        let Some(context) = context else { return Ok(None) };
        let mut open = Self { records: Vec::new(), heard: listens(context) };
        open.extend(&records);
        Ok(Some(open))
    }

    /// An epoch about to be opened; what it carries in comes with its context.
    pub(crate) fn new(context: EpochContext, trails: Vec<Trail>) -> Self {
        let epoch = context.epoch;
        let heard = listens(&context);
        let mut records = vec![Record::EpochOpened(Box::new(context))];
        if !trails.is_empty() {
            records.push(Record::Trails { epoch, trails });
        }
        Self { records, heard }
    }

    /// Takes note of records that the journal has made durable.
    pub(crate) fn extend(&mut self, records: &[Record]) {
        if let Some(heard) = &mut self.heard {
            let mut blobs = BTreeMap::new();
            for record in records {
                match record {
                    Record::Blob { bytes } => drop(blobs.insert(Digest::of(bytes), bytes.as_slice())),
                    Record::Judged(judged) => answers::hear(heard, judged, &blobs),
                    _ => {}
                }
            }
        }
        self.records.extend(records.iter().filter(|record| !matches!(record, Record::Blob { .. })).cloned());
    }

    pub(crate) fn records(&self) -> &[Record] {
        &self.records
    }

    pub(crate) fn heard(&self) -> Option<&Heard> {
        self.heard.as_ref()
    }

    pub(crate) fn context(&self) -> &EpochContext {
        self.records
            .iter()
            .find_map(|record| match record {
                Record::EpochOpened(context) => Some(context.as_ref()),
                _ => None,
            })
            .expect("an epoch is only ever made with its context")
    }

    pub(crate) fn judged(&self) -> impl Iterator<Item = &Judged> {
        self.records.iter().filter_map(|record| match record {
            Record::Judged(judged) => Some(judged),
            _ => None,
        })
    }

    /// Who has a verdict in a round already: after a crash within a round only the others are asked again.
    pub(crate) fn judged_in(&self, round: u32) -> BTreeSet<Uid> {
        self.judged().filter(|judged| judged.round == round).map(|judged| judged.uid).collect()
    }

    pub(crate) fn abstained(&self) -> bool {
        self.records.iter().any(|record| matches!(record, Record::Abstained { .. }))
    }

    /// Registrations of the context, with their uids, that `current` shows no more.
    pub(crate) fn departed(&self, current: &SubnetState) -> Vec<(RegistrationId, Uid)> {
        let stays = |neuron: &Neuron| {
            let now = current.metagraph.neuron(neuron.uid);
            now.is_some_and(|now| now.registration() == neuron.registration())
        };
        let neurons = self.context().state.metagraph.neurons.iter();
        neurons.filter(|neuron| !stays(neuron)).map(|neuron| (neuron.registration(), neuron.uid)).collect()
    }

    /// The rounds that the epoch's policy asks of everybody, where it does, and its spot rounds.
    pub(crate) fn rounds(&self) -> (Option<u32>, u32) {
        match Policy::parse(&self.context().policy) {
            Ok(policy) => (policy.rounds(), policy.spot_rounds().0),
            // It was parsed when the epoch was opened; weighing says what is wrong with it now.
            Err(_) => (None, 0),
        }
    }

    /// Who is not asked in a spot round: those that the policy is sure of, but for a random share. The draw is the
    /// validator's VRF, so that nobody knows before being asked.
    pub(crate) fn spared(&self, round: u32, keypair: &Keypair) -> Result<BTreeSet<Uid>, ValidatorError> {
        let context = self.context();
        let (_, share) = Policy::parse(&context.policy)?.spot_rounds();
        let unsure = weighhouse_scoring::unsure(&self.records)?;
        let is_drawn = |neuron: &Neuron| {
            let draw = (
                "weighhouse/spot/v1",
                context.genesis,
                context.netuid,
                context.mechanism,
                context.beacon,
                round,
                neuron.hotkey,
            );
            let output = keypair.vrf(&draw.encode()).output;
            let draw = output.iter().take(8).fold(0_u64, |draw, byte| draw << 8 | u64::from(*byte));
            draw % 1_000_000_000 < share.billionths()
        };
        let neurons = context.state.metagraph.neurons.iter();
        Ok(neurons
            .filter(|neuron| !unsure.contains(&neuron.registration()) && !is_drawn(neuron))
            .map(|neuron| neuron.uid)
            .collect())
    }

    pub(crate) fn closing(&self) -> Result<Closing, ValidatorError> {
        Ok(weighhouse_scoring::closing(&self.records)?)
    }
}

/// Whether it matters what was said before: where not every answer is checked.
fn listens(context: &EpochContext) -> Option<Heard> {
    let task = Task::without_model(&context.task).ok()?;
    task.budget().map(|_| Heard::default())
}

/// When within an epoch things happen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timetable {
    first_block: u64,
    publish_block: u64,
    rounds: u32,
}

impl Timetable {
    /// `None` for a subnet that doesn't run.
    pub(crate) fn new(schedule: &Schedule, rounds: &Rounds, publish: &Publish) -> Option<Self> {
        let next_epoch = schedule.next_epoch_block()?.0;
        let first_block = schedule.last_epoch_block.0.saturating_add(1);
        // In an epoch shorter than the margin, publishing right after the first block is the best that can be done.
        let publish_block =
            next_epoch.saturating_sub(publish.margin_blocks).max(first_block.saturating_add(1));
        Some(Self { first_block, publish_block, rounds: rounds.per_epoch })
    }

    /// The rounds that are due by a block, in order. They are spread evenly from the epoch's first block up to
    /// publication; one that was missed stays due, so that a restart costs nobody a verdict.
    pub(crate) fn rounds_due(&self, block: u64) -> impl Iterator<Item = u32> + use<> {
        let Self { first_block, publish_block, rounds } = *self;
        let span = publish_block - first_block;
        (0..rounds)
            .take_while(move |round| first_block + span * u64::from(*round) / u64::from(rounds) <= block)
    }

    pub(crate) fn publication_due(&self, block: u64) -> bool {
        block >= self.publish_block
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weighhouse_types::Block;

    fn timetable(tempo: u16, rounds: u32, margin: u64) -> Timetable {
        let schedule = Schedule {
            epoch: Epoch(3),
            last_epoch_block: Block(100),
            tempo,
            pending_epoch_at: None,
            blocks_since_last_step: 0,
        };
        let rounds = Rounds { per_epoch: rounds, ..Rounds::default() };
        Timetable::new(&schedule, &rounds, &Publish { margin_blocks: margin }).expect("it runs")
    }

    #[test]
    fn rounds_are_spread_up_to_publication() {
        let table = timetable(10, 2, 4);
        let due: Vec<_> = (100..108).map(|block| table.rounds_due(block).count()).collect();
        assert_eq!(due, [0, 1, 1, 2, 2, 2, 2, 2]);
        assert_eq!((100..111).find(|block| table.publication_due(*block)), Some(106));
    }

    #[test]
    fn a_very_short_epoch_still_asks_and_publishes() {
        let table = timetable(2, 3, 4);
        assert_eq!(table.rounds_due(101).count(), 3);
        assert!(table.publication_due(102));
    }
}
