//! Writes the journal that the tests replay: `cargo run --release --example fixture -- tests/data/journal`.
//!
//! Four epochs of one validator and four miners: one good, one that gets worse, one that guesses, one that is silent. The
//! last epoch judges too few, so that its policy abstains. The same bytes each time.

use std::path::PathBuf;
use std::sync::Arc;

use weighhouse_journal::{Identity, Journal};
use weighhouse_scoring::policy::DEFAULT_POLICY;
use weighhouse_scoring::{Closing, Decision, closing, weigh};
use weighhouse_seams::DirStorage;
use weighhouse_types::{
    Block, Digest, Epoch, EpochContext, Failure, Hasher, Hotkey, Intent, IntentState, IntentUpdate, Mark,
    MechId, Netuid, Reason, Record, Schedule, VerdictRecord, sample,
};

const VALIDATOR: Hotkey = Hotkey([0; 32]);
const MINERS: u16 = 4;
const ROUNDS: u32 = 4;
const FIRST: u64 = 7;
/// By epoch: the marks of the miners 1, 2 and 3 in billionths; miner 4 never answers, the last epoch judges miner 1 only.
const MARKS: [[i64; 3]; 4] = [
    [950_000_000, 900_000_000, 20_000_000],
    [930_000_000, 700_000_000, -40_000_000],
    [970_000_000, 450_000_000, 10_000_000],
    [940_000_000, 0, 0],
];
const LAST: usize = MARKS.len() - 1;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir = std::env::args_os().nth(1).map(PathBuf::from).ok_or("name the folder to write to")?;
    std::fs::create_dir_all(&dir)?;
    let identity = Identity {
        genesis: Digest::of(b"genesis"),
        netuid: Netuid(1),
        mechanism: MechId(0),
        validator: VALIDATOR,
    };
    let mut journal = Journal::open(Arc::new(DirStorage::open(&dir)?), identity)?;
    let mut carried = Closing { standings: Vec::new(), trails: Vec::new() };
    for (at, marks) in MARKS.iter().enumerate() {
        let context = context(Epoch(FIRST + at as u64), &carried);
        let mut records = vec![Record::EpochOpened(Box::new(context.clone()))];
        if !carried.trails.is_empty() {
            records.push(Record::Trails { epoch: context.epoch, trails: carried.trails.clone() });
        }
        records.extend(verdicts(context.epoch, marks, at == LAST).into_iter().map(Record::Judged));
        carried = closing(&records)?;
        match weigh(&records)? {
            Decision::Weights { vector, version_key, .. } => {
                records.extend(published(context.epoch, vector, version_key))
            }
            Decision::Abstain { why, .. } => {
                records.push(Record::Abstained { epoch: context.epoch, why: why.to_string() });
            }
        }
        journal.begin_epoch(context.epoch)?;
        for record in records {
            journal.append(record)?;
        }
        journal.commit()?;
    }
    Ok(())
}

fn published(epoch: Epoch, weights: weighhouse_types::WeightVector, version_key: u64) -> [Record; 2] {
    let (netuid, mechanism) = (Netuid(1), MechId(0));
    let id = Intent::digest(epoch, netuid, mechanism, &weights, version_key);
    let intent = Intent { id, epoch, netuid, mechanism, weights, version_key, supersedes: None };
    let state = IntentState::Published { block: Block(100 * epoch.0 + 99) };
    [Record::Intent(intent), Record::IntentUpdate(IntentUpdate { intent: id, epoch, state })]
}

fn verdicts(epoch: Epoch, marks: &[i64; 3], is_short: bool) -> Vec<VerdictRecord> {
    let mut verdicts = Vec::new();
    for round in 0..ROUNDS {
        for uid in 1..=MINERS {
            if is_short && uid > 1 {
                continue;
            }
            let (mark, reason) = match marks.get(usize::from(uid) - 1) {
                Some(mark) => (*mark, Reason::Conforms { items: 8 }),
                None => (0, Reason::Silent { failure: Failure::DeadlineExceeded }),
            };
            let mark = Mark::from_billionths(mark).unwrap_or_default();
            let challenge =
                Hasher::new("fixture").part(&epoch.0.to_le_bytes()).part(&[round as u8, uid as u8]).finish();
            verdicts.push(VerdictRecord { challenge, ..sample::judged(epoch, round, uid, mark, reason) });
        }
    }
    verdicts
}

fn context(epoch: Epoch, carried: &Closing) -> EpochContext {
    let block = Block(100 * epoch.0);
    let mut state = sample::subnet(epoch, block, (0..=MINERS).map(sample::neuron).collect());
    state.head.hash = Digest::of(&epoch.0.to_le_bytes());
    state.hyperparameters.min_allowed_weights = 0;
    state.hyperparameters.weights_version_key = 3;
    state.schedule = Schedule {
        last_epoch_block: Block(block.0 - 5),
        tempo: 100,
        blocks_since_last_step: 5,
        ..state.schedule
    };
    EpochContext {
        policy: DEFAULT_POLICY.into(),
        carried: carried.standings.clone(),
        software: "fixture".to_owned(),
        ..sample::context(state)
    }
}
