//! Small epochs for the tests of this crate.

use weighhouse_types::{
    Axon, Beacon, Block, ChallengeScope, Coldkey, Digest, Epoch, EpochContext, Fields, Hasher, Head, Hotkey,
    Hyperparameters, Judged, Judgement, Mark, MechId, Metagraph, Netuid, Neuron, Rao, Reason, Record,
    RegistrationId, Schedule, Standing, SubnetState, Uid,
};

pub(crate) const EPOCH: Epoch = Epoch(7);

/// The validator is uid 0; it has a permit and no axon.
pub(crate) const VALIDATOR: Hotkey = Hotkey([0; 32]);

pub(crate) const POLICY: &str = r#"
version = 1
shape = "linear"
memory = 0.25
min_mark = 0.0
min_attempts = 1
min_coverage = 0.5
min_miners = 1
max_score_age_epochs = 2
"#;

pub(crate) fn policy_with(key: &str, value: &str) -> Vec<u8> {
    let line = |line: &str| match line.split_once(" = ") {
        Some((name, _)) if name == key => format!("{key} = {value}\n"),
        _ => format!("{line}\n"),
    };
    POLICY.lines().map(line).collect::<String>().into_bytes()
}

pub(crate) fn who(uid: u16) -> RegistrationId {
    RegistrationId { hotkey: Hotkey([u8::try_from(uid).expect("few neurons"); 32]), registered_at: Block(10) }
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

/// An epoch with the validator and `miners` miners, uids 1 and up, all with an axon.
pub(crate) fn context(miners: u16) -> EpochContext {
    let head = Head { number: Block(100), hash: Digest::of(b"head") };
    let neurons = (0..=miners).map(neuron).collect();
    let state = SubnetState {
        head,
        metagraph: Metagraph { netuid: Netuid(1), block: head.number, owner: None, neurons },
        hyperparameters: Hyperparameters {
            min_allowed_weights: 0,
            weights_version_key: 3,
            ..Default::default()
        },
        schedule: Schedule {
            epoch: EPOCH,
            last_epoch_block: Block(95),
            tempo: 10,
            pending_epoch_at: None,
            blocks_since_last_step: 5,
        },
    };
    EpochContext {
        epoch: EPOCH,
        netuid: Netuid(1),
        mechanism: MechId(0),
        genesis: Digest::of(b"genesis"),
        validator: VALIDATOR,
        state,
        beacon: Beacon { block: head.number, value: Digest::of(b"beacon") },
        policy: POLICY.into(),
        task: Vec::new(),
        carried: Vec::new(),
        software: "test".to_owned(),
        judge: None,
        fields: Fields::default(),
    }
}

pub(crate) fn standing(uid: u16, average: i64, judged_in: u64) -> Standing {
    Standing { who: who(uid), average: mark(average), attempts: 4, judged_in: Epoch(judged_in) }
}

pub(crate) fn mark(billionths: i64) -> Mark {
    Mark::from_billionths(billionths).expect("a mark")
}

pub(crate) fn judged_because(uid: u16, round: u32, billionths: i64, reason: Reason) -> Judged {
    Judged {
        challenge: Hasher::new("test").part(&round.to_le_bytes()).part(&uid.to_le_bytes()).finish(),
        epoch: EPOCH,
        round,
        uid: Uid(uid),
        who: who(uid),
        exchange: None,
        judgement: Judgement { mark: mark(billionths), reasons: vec![reason] },
        asked_in: EPOCH,
        stage: 0,
        fields: Fields::default(),
    }
}

pub(crate) fn judged(uid: u16, round: u32, billionths: i64) -> Judged {
    judged_because(uid, round, billionths, Reason::Conforms { items: 8 })
}

/// The context, the verdicts, and a record of another kind that must not matter.
pub(crate) fn records(context: &EpochContext, verdicts: &[Judged]) -> Vec<Record> {
    let asked = Record::Asked(weighhouse_types::Asked {
        challenge: Digest::of(b"challenge"),
        epoch: context.epoch,
        round: 0,
        scope: ChallengeScope::Shared,
        vrf_output: vec![1],
        vrf_proof: vec![2],
        kind: "classify".to_owned(),
        request: Some(Digest::of(b"request")),
        secret: None,
        reference: Some(Digest::of(b"reference")),
        fields: Fields::default(),
    });
    let mut records = vec![Record::EpochOpened(Box::new(context.clone())), asked];
    records.extend(verdicts.iter().cloned().map(Record::Judged));
    records
}
