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
    Axon, Beacon, Block, Coldkey, Digest, Epoch, EpochContext, Failure, Fields, Hasher, Head, Hotkey,
    Hyperparameters, Intent, IntentState, IntentUpdate, Judged, Judgement, Mark, MechId, Metagraph, Netuid,
    Neuron, Rao, Reason, Record, RegistrationId, Schedule, SubnetState, Uid,
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

fn who(uid: u16) -> RegistrationId {
    RegistrationId { hotkey: Hotkey([uid as u8; 32]), registered_at: Block(10) }
}

fn verdicts(epoch: Epoch, marks: &[i64; 3], is_short: bool) -> Vec<Judged> {
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
            verdicts.push(Judged {
                challenge: Hasher::new("fixture")
                    .part(&epoch.0.to_le_bytes())
                    .part(&[round as u8, uid as u8])
                    .finish(),
                epoch,
                round,
                uid: Uid(uid),
                who: who(uid),
                exchange: None,
                judgement: Judgement { mark, reasons: vec![reason] },
                asked_in: epoch,
                stage: 0,
                fields: Fields::default(),
            });
        }
    }
    verdicts
}

fn context(epoch: Epoch, carried: &Closing) -> EpochContext {
    let head = Head { number: Block(100 * epoch.0), hash: Digest::of(&epoch.0.to_le_bytes()) };
    let state = SubnetState {
        head,
        metagraph: Metagraph {
            netuid: Netuid(1),
            block: head.number,
            owner: None,
            neurons: (0..=MINERS).map(neuron).collect(),
        },
        hyperparameters: Hyperparameters {
            min_allowed_weights: 0,
            weights_version_key: 3,
            ..Default::default()
        },
        schedule: Schedule {
            epoch,
            last_epoch_block: Block(head.number.0 - 5),
            tempo: 100,
            pending_epoch_at: None,
            blocks_since_last_step: 5,
        },
    };
    EpochContext {
        epoch,
        netuid: Netuid(1),
        mechanism: MechId(0),
        genesis: Digest::of(b"genesis"),
        validator: VALIDATOR,
        state,
        beacon: Beacon { block: head.number, value: Digest::of(b"beacon") },
        policy: DEFAULT_POLICY.into(),
        task: Vec::new(),
        carried: carried.standings.clone(),
        software: "fixture".to_owned(),
        judge: None,
        fields: Fields::default(),
    }
}

fn neuron(uid: u16) -> Neuron {
    let axon = Axon::new(([127, 0, 0, 1], 9000 + uid).into(), 1, Block(20));
    Neuron {
        uid: Uid(uid),
        hotkey: who(uid).hotkey,
        coldkey: Coldkey([9; 32]),
        registered_at: who(uid).registered_at,
        stake: Rao(0),
        validator_permit: uid == 0,
        active: true,
        last_update: Block(0),
        axon: (uid != 0).then_some(axon),
        incentive: 0,
        dividends: 0,
        consensus: 0,
        validator_trust: 0,
        emission: Rao(0),
    }
}
