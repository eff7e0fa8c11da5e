//! Made-up records, the same every time.

use std::sync::Arc;

use weighhouse_types::{
    Axon, Beacon, Blob, Block, CarriedChallenge, ChallengePhase, ChallengeRecord, ChallengeScope, Digest,
    Epoch, EpochClosed, EpochContext, EpochCounts, Exchange, Failure, Fields, FollowUp, Hotkey, Intent,
    IntentState, IntentUpdate, JointJudgement, JointMember, JudgeIdentity, Judgement, Mark, MechId,
    Metagraph, Netuid, Neuron, PhaseChange, Rao, Reason, Record, RegistrationId, Schedule, StageRecord,
    Standing, Uid, VerdictRecord, VoidCause, VoidRound, WeightVector, sample,
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
    let RegistrationId { hotkey, registered_at } = who(uid);
    Neuron {
        hotkey,
        registered_at,
        stake: Rao(1_000_000_007),
        last_update: Block(90),
        axon: (uid > 0).then(|| Axon::new(([127, 0, 0, 1], 8091).into(), 1, Block(3))),
        incentive: 1,
        dividends: 2,
        consensus: 3,
        validator_trust: 4,
        emission: Rao(5),
        ..sample::neuron(uid)
    }
}

pub(super) fn opened(epoch: u64) -> Record {
    let Identity { genesis, netuid, mechanism, validator } = identity();
    let mut state = sample::subnet(Epoch(epoch), Block(100), (0..3).map(neuron).collect());
    state.metagraph = Metagraph { netuid, owner: Some(Uid(0)), ..state.metagraph };
    state.schedule =
        Schedule { last_epoch_block: Block(90), tempo: 20, blocks_since_last_step: 10, ..state.schedule };
    let kind = "classify".to_owned();
    Record::EpochOpened(Box::new(EpochContext {
        mechanism,
        genesis,
        validator,
        policy: b"version = 1\n".to_vec(),
        task: b"kind = \"classify\"\n".to_vec(),
        carried: vec![Standing { who: who(1), average: Mark::MAX, attempts: 12, judged_in: Epoch(1) }],
        software: "weighhouse 0.1.0".to_owned(),
        judge: Some(JudgeIdentity { kind, version: JudgeIdentity::FIRST_VERSION, digest: None }),
        ..sample::context(state)
    }))
}

pub(super) fn asked(epoch: u64, round: u32) -> Record {
    Record::Asked(ChallengeRecord {
        challenge: Digest::of(&round.to_le_bytes()),
        epoch: Epoch(epoch),
        round,
        scope: ChallengeScope::Private { miner: who(1).hotkey },
        vrf_output: vec![0xAA; 32],
        vrf_proof: vec![0xBB; 64],
        kind: "classify".to_owned(),
        request: Some(Digest::of(b"request")),
        secret: None,
        reference: Some(Digest::of(b"reference")),
        fields: Fields::default(),
    })
}

pub(super) fn judged(epoch: u64, round: u32) -> Record {
    let exchange = Exchange {
        request: Digest::of(b"request"),
        answer: Digest::of(b"answer"),
        model: Digest::of(b"model"),
        signature: vec![0xCC; 65],
        latency_us: 1234,
    };
    Record::Judged(VerdictRecord {
        challenge: Digest::of(&round.to_le_bytes()),
        who: who(1),
        exchange: Some(exchange),
        ..sample::judged(Epoch(epoch), round, 1, Mark::MAX, Reason::Conforms { items: 16 })
    })
}

fn silent(epoch: u64, round: u32) -> Record {
    let Record::Judged(answered) = judged(epoch, round) else { unreachable!("a judged record") };
    let reasons = vec![Reason::Silent { failure: Failure::DeadlineExceeded }];
    Record::Judged(VerdictRecord {
        exchange: None,
        judgement: Judgement { mark: Mark::ZERO, reasons },
        ..answered
    })
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

/// As records of version 1 come out of a journal: without what they could not say.
fn as_version_1(record: &Record) -> Record {
    match record.clone() {
        Record::EpochOpened(context) => {
            Record::EpochOpened(Box::new(EpochContext { judge: None, ..*context }))
        }
        Record::Asked(asked) => {
            Record::Asked(ChallengeRecord { kind: String::new(), request: None, ..asked })
        }
        record => record,
    }
}

/// Every kind of record that version 1 has, as an epoch of version 1 reads today.
pub(super) fn version_1(number: u64) -> Vec<Record> {
    let commits = epoch(number);
    commits[..commits.len() - 1].concat().iter().map(as_version_1).collect()
}

/// An epoch with every kind of record, commit by commit; the last commit's kinds came with version 2.
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
        of_version_2(epoch),
    ]
}

/// The kinds of record that came with version 2.
fn of_version_2(number: u64) -> Vec<Record> {
    let epoch = Epoch(number);
    let Record::Asked(asked) = asked(number - 1, 3) else { unreachable!("a challenge") };
    let challenge = asked.challenge;
    let answered = StageRecord {
        challenge,
        epoch: asked.epoch,
        round: 3,
        stage: 1,
        uid: Uid(1),
        who: who(1),
        outcome: Err(Failure::Unreachable),
        fields: Fields::default(),
    };
    let fields = Fields::on_the_word_of("truth.example:9000");
    let resolved = ChallengePhase::Resolved { truth: Digest::of(b"reference") };
    let carried = CarriedChallenge {
        epoch,
        asked,
        beacon: Beacon { block: Block(80), value: Digest::of(b"beacon") },
        task: Digest::of(b"reference"),
        closed_in: Some(Epoch(number - 1)),
        answers: vec![answered.clone()],
        fields: Fields::default(),
    };
    let follow_up = FollowUp {
        challenge,
        epoch,
        round: 3,
        stage: 1,
        who: None,
        request: Digest::of(b"request"),
        fields: Fields::default(),
    };
    let joint = JointJudgement {
        epoch,
        round: 3,
        asked_in: Epoch(number - 1),
        members: vec![JointMember { challenge, who: who(1) }],
        findings: None,
        fields: Fields::default(),
    };
    vec![
        Record::CarriedChallenge(Box::new(carried)),
        Record::FollowUp(follow_up),
        Record::Answered(StageRecord { epoch, ..answered }),
        Record::PhaseChange(PhaseChange { epoch, challenge, asked_in: epoch, phase: resolved, fields }),
        Record::JudgedTogether(joint),
        Record::BlockSeen { block: Block(112), unix_us: 1_796_000_000_000_000 },
        Record::VoidRound(VoidRound::new(epoch, 4, VoidCause::Judge, "no answer within 5 s")),
        Record::EpochClosed(EpochClosed {
            epoch,
            block: Block(112),
            counts: EpochCounts { challenges: 1, receipts: 1, verdicts: 2, void_rounds: 1 },
            receipts: Digest::of(b"receipts"),
            fields: Fields::default(),
        }),
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
