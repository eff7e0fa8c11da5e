//! Epochs whose vector is not settled: news of it may stand in a later epoch's file, so their rows wait.
//!
//! Epochs leave in order, so that tables are sorted; one that stays open keeps those behind it waiting, up to a limit. Beyond it
//! the oldest is written as it stands, and later news of it is an error rather than a table that contradicts itself.

use std::collections::{BTreeSet, HashMap, VecDeque};

use weighhouse_journal::Segment;
use weighhouse_types::{
    Block, Digest, Epoch, EpochContext, Hotkey, Intent, IntentState, IntentUpdate, Record,
};

use crate::error::ExportError;
use crate::rows::{EpochClosing, EpochOpening, EpochOutcome, EpochRow, Subject};

/// One epoch's rows but for judgements and standings.
#[derive(Debug)]
pub(crate) struct HeldEpoch {
    pub(crate) subject: Subject,
    pub(crate) row: EpochRow,
    /// The Merkle root over the epoch's records.
    pub(crate) root: Digest,
    abstained: Option<String>,
    pub(crate) intents: Vec<HeldIntent>,
    /// By uid.
    pub(crate) hotkeys: Vec<Hotkey>,
}

#[derive(Debug)]
pub(crate) struct HeldIntent {
    pub(crate) intent: Intent,
    pub(crate) state: Option<IntentState>,
    /// The time of the block that the state names, where the journal has it.
    time: Option<u64>,
}

impl HeldEpoch {
    pub(crate) fn of(segment: &Segment) -> Self {
        let header = segment.header();
        let context = context(segment);
        let times = block_times(segment);
        let mut held = Self {
            subject: Subject::of(segment, context),
            row: EpochRow {
                mechanism: header.identity.mechanism.0,
                genesis: header.identity.genesis.to_string(),
                opened: context.map(|context| opened(context, segment.records(), &times)),
                judgements: 0,
                void_rounds: 0,
                record_version: segment.oldest_record_version(),
                closed: None,
            },
            root: segment.root(),
            abstained: None,
            intents: Vec::new(),
            hotkeys: context.map_or_else(Vec::new, |context| {
                context.state.metagraph.neurons.iter().map(|neuron| neuron.hotkey).collect()
            }),
        };
        for record in segment.records() {
            match record {
                Record::Judged(_) => held.row.judgements += 1,
                Record::Abstained { why, .. } => held.abstained = Some(why.clone()),
                Record::Intent(intent) => {
                    held.intents.push(HeldIntent { intent: intent.clone(), state: None, time: None });
                }
                // News of earlier epochs is for those, where they wait: see `take_updates`.
                Record::IntentUpdate(update) if update.epoch == header.epoch => {
                    held.advance(update, &times);
                }
                Record::VoidRound(_) => held.row.void_rounds += 1,
                Record::EpochClosed(closed) => {
                    held.row.closed = Some(EpochClosing {
                        block: closed.block.0,
                        time: times.get(&closed.block).copied(),
                        receipts_root: closed.receipts.to_string(),
                    });
                }
                _ => {}
            }
        }
        held
    }

    fn advance(&mut self, update: &IntentUpdate, times: &BlockTimes) {
        // The same payload intended twice is one intent to the chain; the last is the one in progress.
        let updated = self.intents.iter_mut().rev().find(|held| held.intent.id == update.intent);
        if let Some(held) = updated {
            held.state = Some(update.state.clone());
            held.time = update.state.block().and_then(|block| times.get(&block)).copied();
        }
    }

    /// True if no news is to be expected: published, failed for good, or never intended.
    fn is_settled(&self) -> bool {
        self.intents.last().is_none_or(|last| last.state.as_ref().is_some_and(IntentState::is_final))
    }

    pub(crate) fn outcome(&self) -> EpochOutcome {
        let Some(last) = self.intents.last() else {
            let decision = if self.abstained.is_some() { "abstained" } else { "open" };
            return EpochOutcome {
                decision,
                decided_at: None,
                decided_time: None,
                why: self.abstained.clone(),
            };
        };
        // The block of a commit is left out: the vector itself isn't on the chain there.
        let decided_at = match &last.state {
            Some(
                IntentState::Included { block }
                | IntentState::Revealed { block }
                | IntentState::Published { block },
            ) => Some(block.0),
            _ => None,
        };
        let why = match (&last.state, &last.intent.supersedes) {
            (Some(IntentState::Failed { why } | IntentState::Missed { why }), _) => Some(why.clone()),
            (_, Some((_, why))) => Some(format!("replaces an earlier vector: {why}")),
            _ => None,
        };
        // `time` is of whatever block the state names, which may be a commit's.
        let decided_time = decided_at.and(last.time);
        EpochOutcome { decision: crate::words::state(last.state.as_ref()), decided_at, decided_time, why }
    }
}

/// The record that opens the epoch; a file may lack it where its validator was killed just then.
pub(crate) fn context(segment: &Segment) -> Option<&EpochContext> {
    segment.records().iter().find_map(|record| match record {
        Record::EpochOpened(context) => Some(context.as_ref()),
        _ => None,
    })
}

/// The times at which blocks were first seen, in microseconds since the Unix epoch.
type BlockTimes = HashMap<Block, u64>;

fn block_times(segment: &Segment) -> BlockTimes {
    let mut times = HashMap::new();
    for record in segment.records() {
        if let Record::BlockSeen { block, unix_us } = record {
            // A block may be recorded more than once; the first sight of it counts.
            times.entry(*block).or_insert(*unix_us);
        }
    }
    times
}

fn opened(context: &EpochContext, records: &[Record], times: &BlockTimes) -> EpochOpening {
    let judged: BTreeSet<_> = records
        .iter()
        .filter_map(|record| match record {
            Record::Judged(judged) => Some(judged.who),
            _ => None,
        })
        .collect();
    // The same neurons that `scoring` counts as offered.
    let offered = context.state.metagraph.neurons.iter().filter(|neuron| {
        neuron.hotkey != context.validator
            && (neuron.axon.is_some() || judged.contains(&neuron.registration()))
    });
    EpochOpening {
        block: context.state.head.number.0,
        time: times.get(&context.state.head.number).copied(),
        tempo: context.state.schedule.tempo,
        policy_sha256: Digest::of(&context.policy).to_string(),
        task_sha256: Digest::of(&context.task).to_string(),
        judge_sha256: context.judge.as_ref().and_then(|judge| judge.digest).map(|digest| digest.to_string()),
        miners: offered.count() as u64,
        software: context.software.clone(),
    }
}

/// Epochs in order; each leaves once it and all before it are settled.
#[derive(Debug)]
pub(crate) struct WaitingEpochs {
    queue: VecDeque<HeldEpoch>,
    /// The most that wait.
    limit: usize,
    /// Epochs that were let go unsettled because too many waited.
    given_up: BTreeSet<Epoch>,
}

impl WaitingEpochs {
    pub(crate) fn new(limit: usize) -> Self {
        Self { queue: VecDeque::new(), limit, given_up: BTreeSet::new() }
    }

    /// Takes in what an epoch's file says of vectors of earlier epochs.
    pub(crate) fn take_updates(&mut self, segment: &Segment) -> Result<(), ExportError> {
        let told_in = segment.header().epoch;
        let times = block_times(segment);
        for record in segment.records() {
            let Record::IntentUpdate(update) = record else { continue };
            // Taken in when the epoch itself was read.
            if update.epoch == told_in {
                continue;
            }
            if self.given_up.contains(&update.epoch) {
                return Err(ExportError::LateNews { of: update.epoch, told_in });
            }
            // Epochs before the range, and those settled already, are not in the queue and need no news.
            if let Ok(at) = self.queue.binary_search_by_key(&update.epoch, |held| held.subject.epoch) {
                self.queue[at].advance(update, &times);
            }
        }
        Ok(())
    }

    pub(crate) fn push(&mut self, epoch: HeldEpoch) {
        self.queue.push_back(epoch);
    }

    /// The next epoch whose rows can be written.
    pub(crate) fn next_ready(&mut self) -> Option<HeldEpoch> {
        let settled = self.queue.front()?.is_settled();
        if !settled && self.queue.len() <= self.limit {
            return None;
        }
        let epoch = self.queue.pop_front()?;
        if !settled {
            self.given_up.insert(epoch.subject.epoch);
        }
        Some(epoch)
    }

    pub(crate) fn is_waiting(&self) -> bool {
        !self.queue.is_empty()
    }

    /// The rest, as it stands: the journal says no more.
    pub(crate) fn into_rest(self) -> impl Iterator<Item = HeldEpoch> {
        self.queue.into_iter()
    }
}

impl HeldEpoch {
    pub(crate) fn is_unsettled(&self) -> bool {
        !self.is_settled()
    }
}
