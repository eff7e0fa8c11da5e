//! Small epochs for the tests of this crate.

use weighhouse_types::{
    Block, ChallengePhase, ChallengeScope, Digest, Epoch, EpochContext, Exchange, Fields, Hyperparameters,
    Mark, PhaseChange, Reason, Record, StageRecord, Standing, Uid, VerdictRecord, sample,
};

pub(crate) const EPOCH: Epoch = Epoch(7);

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

pub(crate) use sample::registration as who;

/// An epoch of the validator, uid 0, and `miners` miners, uids 1 and up, all with an axon.
pub(crate) fn context(miners: u16) -> EpochContext {
    let mut state = sample::subnet(EPOCH, Block(100), (0..=miners).map(sample::neuron).collect());
    state.hyperparameters =
        Hyperparameters { min_allowed_weights: 0, weights_version_key: 3, ..Default::default() };
    EpochContext { policy: POLICY.into(), ..sample::context(state) }
}

pub(crate) fn standing(uid: u16, average: i64, judged_in: u64) -> Standing {
    Standing { who: who(uid), average: mark(average), attempts: 4, judged_in: Epoch(judged_in) }
}

pub(crate) fn mark(billionths: i64) -> Mark {
    Mark::from_billionths(billionths).expect("a mark")
}

pub(crate) fn judged_because(uid: u16, round: u32, billionths: i64, reason: Reason) -> VerdictRecord {
    sample::judged(EPOCH, round, uid, mark(billionths), reason)
}

pub(crate) fn judged(uid: u16, round: u32, billionths: i64) -> VerdictRecord {
    judged_because(uid, round, billionths, Reason::Conforms { items: 8 })
}

/// The context, the verdicts, and a record of another kind that must not matter.
pub(crate) fn records(context: &EpochContext, verdicts: &[VerdictRecord]) -> Vec<Record> {
    let asked = Record::Asked(weighhouse_types::ChallengeRecord {
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

/// An answer of a miner's in a round of its own that is kept until its truth is known.
pub(crate) fn kept(round: u32, uid: u16) -> [Record; 2] {
    let digest = Digest::of(&round.to_le_bytes());
    let exchange =
        Exchange { request: digest, answer: digest, model: digest, signature: Vec::new(), latency_us: 1 };
    let answered = StageRecord {
        challenge: digest,
        epoch: EPOCH,
        round,
        stage: 0,
        uid: Uid(uid),
        who: who(uid),
        outcome: Ok(exchange),
        fields: Fields::default(),
    };
    let closed = PhaseChange {
        epoch: EPOCH,
        challenge: digest,
        asked_in: EPOCH,
        phase: ChallengePhase::Closed,
        fields: Fields::default(),
    };
    [Record::Answered(answered), Record::PhaseChange(closed)]
}
