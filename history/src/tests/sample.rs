//! A made-up journal, written by the journal's own code.

use std::path::Path;
use std::sync::Arc;

use weighhouse_journal::{Identity, Journal};
use weighhouse_seams::DirStorage;
use weighhouse_types::{
    Axon, Beacon, Block, Digest, Epoch, EpochContext, Exchange, Failure, Hotkey, Intent, IntentState,
    IntentUpdate, JudgeIdentity, Mark, MechId, Metagraph, Netuid, Neuron, Rao, Reason, Record,
    RegistrationId, Schedule, Standing, Uid, VerdictRecord, WeightVector, sample,
};

use crate::ExportRequest;

pub(super) fn identity(name: &[u8]) -> Identity {
    Identity {
        genesis: Digest::of(b"genesis"),
        netuid: Netuid(7),
        mechanism: MechId(0),
        validator: Hotkey(Digest::of(name).0),
    }
}

pub(super) fn who(uid: u16) -> RegistrationId {
    let hotkey = match uid {
        0 => identity(b"validator").validator,
        _ => Hotkey(Digest::of(&uid.to_le_bytes()).0),
    };
    RegistrationId { hotkey, registered_at: Block(u64::from(uid) + 1) }
}

fn neuron(uid: u16) -> Neuron {
    let RegistrationId { hotkey, registered_at } = who(uid);
    let axon = (uid == 1).then(|| Axon::new(([127, 0, 0, 1], 8091).into(), 1, Block(3)));
    Neuron { hotkey, registered_at, stake: Rao(5), last_update: Block(90), axon, ..sample::neuron(uid) }
}

/// Uid 0 is the validator, 1 published an axon, 2 and 3 did not.
pub(super) fn opened(epoch: u64) -> Record {
    let Identity { genesis, netuid, mechanism, validator } = identity(b"validator");
    let mut state = sample::subnet(Epoch(epoch), Block(100), (0..4).map(neuron).collect());
    state.head.number = Block(100 + epoch);
    state.metagraph = Metagraph { netuid, owner: Some(Uid(0)), ..state.metagraph };
    state.schedule =
        Schedule { last_epoch_block: Block(90), tempo: 20, blocks_since_last_step: 10, ..state.schedule };
    let gone = RegistrationId { registered_at: Block(1), ..who(2) };
    let standing = |who, billionths| Standing {
        who,
        average: Mark::from_billionths(billionths).expect("within the range"),
        attempts: 12,
        judged_in: Epoch(1),
    };
    let kind = "classify".to_owned();
    Record::EpochOpened(Box::new(EpochContext {
        mechanism,
        genesis,
        validator,
        beacon: Beacon { block: Block(100), value: Digest::of(b"beacon") },
        policy: b"version = 1\n".to_vec(),
        task: b"kind = \"classify\"\n".to_vec(),
        carried: vec![standing(who(1), 250_000_000), standing(gone, -1)],
        software: "weighhouse 0.1.0".to_owned(),
        judge: Some(JudgeIdentity { kind, version: JudgeIdentity::FIRST_VERSION, digest: None }),
        ..sample::context(state)
    }))
}

pub(super) fn judged(epoch: u64, round: u32, uid: u16, mark: i64, reason: Reason) -> Record {
    let answered = !matches!(reason, Reason::Silent { .. });
    let mark = Mark::from_billionths(mark).expect("within the range");
    let exchange = || Exchange {
        request: Digest::of(b"request"),
        answer: Digest::of(b"answer"),
        model: Digest::of(b"model"),
        signature: vec![0xCC; 65],
        latency_us: 1000 + u64::from(uid),
    };
    Record::Judged(VerdictRecord {
        challenge: Digest::of(&round.to_le_bytes()),
        who: who(uid),
        exchange: answered.then(exchange),
        ..sample::judged(Epoch(epoch), round, uid, mark, reason)
    })
}

pub(super) fn verdicts(epoch: u64) -> Vec<Record> {
    let what = "row \u{1b}[31m0".to_owned();
    vec![
        judged(epoch, 0, 1, 1_000_000_000, Reason::Conforms { items: 64 }),
        judged(epoch, 0, 2, 0, Reason::Silent { failure: Failure::DeadlineExceeded }),
        judged(epoch, 1, 1, 333_333_333, Reason::Deviates { items: 64, outside: 2, worst: 9 }),
        judged(epoch, 1, 2, -1_000_000_000, Reason::Malformed { item: 3, what }),
    ]
}

pub(super) fn intent(epoch: u64, weight: u16) -> Intent {
    let Identity { netuid, mechanism, .. } = identity(b"validator");
    let weights =
        WeightVector::new(vec![(Uid(1), weight), (Uid(2), 0), (Uid(9), 1)]).expect("a weight vector");
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

pub(super) fn news(intent: &Intent, state: IntentState) -> Record {
    Record::IntentUpdate(IntentUpdate { intent: intent.id, epoch: intent.epoch, state })
}

pub(super) fn published(block: u64) -> IntentState {
    IntentState::Published { block: Block(block) }
}

/// An epoch whose vector is published in its own file.
pub(super) fn plain(epoch: u64) -> Vec<Record> {
    let intent = intent(epoch, 3);
    let mut records = vec![opened(epoch)];
    records.extend(verdicts(epoch));
    records.extend([Record::Intent(intent.clone()), news(&intent, published(110 + epoch))]);
    records
}

/// Writes epochs in order, each in one commit.
pub(super) fn write(dir: &Path, epochs: &[(u64, Vec<Record>)]) {
    let storage = DirStorage::open(dir).expect("the folder opens");
    let mut journal = Journal::open(Arc::new(storage), identity(b"validator")).expect("the journal opens");
    for (epoch, records) in epochs {
        journal.begin_epoch(Epoch(*epoch)).expect("the epoch begins");
        for record in records {
            journal.append(record.clone()).expect("the record is appended");
        }
        journal.commit().expect("the records are committed");
    }
}

pub(super) fn request(dir: &Path) -> ExportRequest {
    ExportRequest {
        journal: dir.join("journal"),
        out: dir.join("out"),
        from: None,
        to: None,
        overwrite: false,
    }
}
