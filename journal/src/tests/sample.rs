//! Made-up records, the same every time.

use std::sync::Arc;

use weighhouse_types::{
    Asked, Axon, Beacon, Blob, Block, ChallengeScope, Coldkey, Digest, Epoch, EpochContext, Exchange,
    Failure, Head, Hotkey, Hyperparameters, Intent, IntentState, IntentUpdate, Judged, Judgement, Mark,
    MechId, Metagraph, Netuid, Neuron, Rao, Reason, Record, RegistrationId, Schedule, Standing, SubnetState,
    Uid, WeightVector,
};

use super::disk::Disk;
use crate::{Identity, Journal};

pub(super) fn identity() -> Identity {
    Identity {
        genesis: Digest::of(b"genesis"),
        netuid: Netuid(7),
        mechanism: MechId(0),
        validator: Hotkey(Digest::of(b"validator").0),
    }
}

pub(super) fn open(disk: &Disk) -> Journal {
    Journal::open(Arc::new(disk.clone()), identity()).expect("the journal opens")
}

fn who(uid: u16) -> RegistrationId {
    RegistrationId {
        hotkey: Hotkey(Digest::of(&uid.to_le_bytes()).0),
        registered_at: Block(u64::from(uid) + 1),
    }
}

fn neuron(uid: u16) -> Neuron {
    Neuron {
        uid: Uid(uid),
        hotkey: who(uid).hotkey,
        coldkey: Coldkey([9; 32]),
        registered_at: who(uid).registered_at,
        stake: Rao(1_000_000_007),
        validator_permit: uid == 0,
        active: true,
        last_update: Block(90),
        axon: (uid > 0).then(|| Axon::new(([127, 0, 0, 1], 8091).into(), 1, Block(3))),
        incentive: 1,
        dividends: 2,
        consensus: 3,
        validator_trust: 4,
        emission: Rao(5),
    }
}

pub(super) fn opened(epoch: u64) -> Record {
    let Identity { genesis, netuid, mechanism, validator } = identity();
    let state = SubnetState {
        head: Head { number: Block(100), hash: Digest::of(b"head") },
        metagraph: Metagraph {
            netuid,
            block: Block(100),
            owner: Some(Uid(0)),
            neurons: (0..3).map(neuron).collect(),
        },
        hyperparameters: Hyperparameters::default(),
        schedule: Schedule {
            epoch: Epoch(epoch),
            last_epoch_block: Block(90),
            tempo: 20,
            pending_epoch_at: None,
            blocks_since_last_step: 10,
        },
    };
    Record::EpochOpened(Box::new(EpochContext {
        epoch: Epoch(epoch),
        netuid,
        mechanism,
        genesis,
        validator,
        state,
        beacon: Beacon { block: Block(100), value: Digest::of(b"beacon") },
        policy: b"version = 1\n".to_vec(),
        task: b"kind = \"classify\"\n".to_vec(),
        carried: vec![Standing { who: who(1), average: Mark::MAX, attempts: 12, judged_in: Epoch(1) }],
        software: "weighhouse 0.1.0".to_owned(),
    }))
}

pub(super) fn asked(epoch: u64, round: u32) -> Record {
    Record::Asked(Asked {
        challenge: Digest::of(&round.to_le_bytes()),
        epoch: Epoch(epoch),
        round,
        scope: ChallengeScope::Private { miner: who(1).hotkey },
        vrf_output: vec![0xAA; 32],
        vrf_proof: vec![0xBB; 64],
        reference: Digest::of(b"reference"),
    })
}

pub(super) fn judged(epoch: u64, round: u32) -> Record {
    Record::Judged(Judged {
        challenge: Digest::of(&round.to_le_bytes()),
        epoch: Epoch(epoch),
        round,
        uid: Uid(1),
        who: who(1),
        exchange: Some(Exchange {
            request: Digest::of(b"request"),
            answer: Digest::of(b"answer"),
            model: Digest::of(b"model"),
            signature: vec![0xCC; 65],
            latency_us: 1234,
        }),
        judgement: Judgement { mark: Mark::MAX, reasons: vec![Reason::Conforms { items: 16 }] },
    })
}

fn silent(epoch: u64, round: u32) -> Record {
    let Record::Judged(answered) = judged(epoch, round) else { unreachable!("a judged record") };
    let reasons = vec![Reason::Silent { failure: Failure::DeadlineExceeded }];
    Record::Judged(Judged { exchange: None, judgement: Judgement { mark: Mark::ZERO, reasons }, ..answered })
}

pub(super) fn intent(epoch: u64, weight: u16) -> Intent {
    let Identity { netuid, mechanism, .. } = identity();
    let weights = WeightVector::new(vec![(Uid(0), 0), (Uid(1), weight)]).expect("a weight vector");
    Intent {
        id: Intent::digest(Epoch(epoch), netuid, mechanism, &weights, 1),
        epoch: Epoch(epoch),
        netuid,
        mechanism,
        weights,
        version_key: 1,
        supersedes: None,
    }
}

pub(super) fn update(intent: &Intent, state: IntentState) -> Record {
    Record::IntentUpdate(IntentUpdate { intent: intent.id, epoch: intent.epoch, state })
}

pub(super) fn blob(bytes: &[u8]) -> Record {
    Record::Blob(Blob::new(bytes.to_vec()))
}

/// An epoch with every kind of record, commit by commit.
pub(super) fn epoch(epoch: u64) -> Vec<Vec<Record>> {
    let intent = intent(epoch, u16::MAX);
    let signed =
        IntentState::Signed { extrinsic: vec![1, 2, 3], hash: Digest::of(&[1, 2, 3]), expires: Block(120) };
    let departed = Record::Departed { epoch: Epoch(epoch), block: Block(109), who: vec![who(2)] };
    vec![
        vec![opened(epoch)],
        vec![blob(b"reference"), blob(b"request"), asked(epoch, 0)],
        vec![blob(b"answer"), judged(epoch, 0), silent(epoch, 1)],
        vec![departed, Record::Intent(intent.clone()), update(&intent, signed)],
        vec![
            update(&intent, IntentState::Included { block: Block(110) }),
            update(&intent, IntentState::Published { block: Block(111) }),
        ],
        vec![Record::Abstained {
            epoch: Epoch(epoch),
            why: "the sample ends with every kind of record".to_owned(),
        }],
    ]
}

pub(super) fn write(journal: &mut Journal, number: u64, commits: &[Vec<Record>]) {
    journal.begin_epoch(Epoch(number)).expect("the epoch begins");
    for records in commits {
        for record in records {
            journal.append(record.clone()).expect("the record is appended");
        }
        journal.commit().expect("the records are committed");
    }
}
