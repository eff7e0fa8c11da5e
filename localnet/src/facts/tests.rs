use weighhouse_scoring::policy::DEFAULT_POLICY;
use weighhouse_types::{Block, EpochContext, Exchange, StageRecord, VoidRound, sample};

use super::*;

/// An epoch's records: its context and these.
fn epoch(epoch: u64, records: impl IntoIterator<Item = Record>) -> Vec<Record> {
    let state = sample::subnet(Epoch(epoch), Block(100), (0..=1).map(sample::neuron).collect());
    let context = EpochContext { policy: DEFAULT_POLICY.as_bytes().to_vec(), ..sample::context(state) };
    std::iter::once(Record::EpochOpened(Box::new(context))).chain(records).collect()
}

fn judged(epoch: u64, round: u32, mark: Mark, reason: Reason) -> Record {
    let digest = weighhouse_types::Digest::of(b"bytes");
    let exchange =
        Exchange { request: digest, answer: digest, model: digest, signature: Vec::new(), latency_us: 1 };
    let judged = sample::judged(Epoch(epoch), round, 1, mark, reason);
    Record::Judged(VerdictRecord { exchange: Some(exchange), ..judged })
}

fn void(epoch: u64, round: u32, why: &str) -> Record {
    Record::VoidRound(VoidRound::new(Epoch(epoch), round, VoidCause::Judge, why))
}

fn facts(first: u64, epochs: &[Vec<Record>]) -> Facts {
    let last = Epoch(epochs.len() as u64 - 1);
    let read = |epoch: Epoch| Ok(epochs[epoch.0 as usize].clone());
    Facts::gather((Epoch(first), last), Some(0), read).expect("records of epochs")
}

#[test]
fn verdicts_and_void_rounds_are_counted_over_all_epochs() {
    let good = |epoch| judged(epoch, 0, Mark::MAX, Reason::Conforms { items: 8 });
    let facts = facts(0, &[epoch(0, [good(0), void(0, 1, "one")]), epoch(1, [good(1), void(1, 1, "two")])]);
    let sentence = &facts.explanations[0].sentence;
    assert!(sentence.starts_with("2 of 2 answers within tolerance"), "{sentence}");
    assert_eq!(facts.void, [VoidRounds { cause: VoidCause::Judge, rounds: 2, why: "two".to_owned() }]);
    assert_eq!((facts.rounds.all, facts.fault()), (2, None));
}

#[test]
fn a_run_whose_rounds_are_all_void_is_our_fault_whatever_was_judged_before() {
    let good = judged(0, 0, Mark::MAX, Reason::Conforms { items: 8 });
    let epochs = [epoch(0, [good]), epoch(1, [void(1, 0, "the judge is away")])];
    assert_eq!(facts(0, &epochs).fault(), None);
    let fault = facts(1, &epochs).fault();
    assert_eq!(fault.as_deref(), Some("1 of 1 rounds are void (judge): the judge is away"));
}

/// An answer of this epoch's that is kept until its truth is known.
fn kept(epoch: u64) -> [Record; 2] {
    let Record::Judged(judged) = judged(epoch, 0, Mark::ZERO, Reason::told(Outcome::Accepted, "")) else {
        panic!("a verdict")
    };
    let VerdictRecord { challenge, epoch, round, uid, who, exchange, fields, .. } = judged;
    let outcome = Ok(exchange.expect("an answer"));
    let closed = ChallengePhase::Closed;
    let change = PhaseChange { epoch, challenge, asked_in: epoch, phase: closed, fields: fields.clone() };
    let answered = StageRecord { challenge, epoch, round, stage: 0, uid, who, outcome, fields };
    [Record::Answered(answered), Record::PhaseChange(change)]
}

#[test]
fn answers_whose_truth_nobody_could_ask_for_are_our_fault() {
    let waiting = facts(0, &[epoch(0, kept(0))]);
    assert_eq!((waiting.awaiting, waiting.overdue, waiting.fault()), (1, 0, None));
    let [answered, closed] = kept(0);
    let mut taken_over = epoch(1, [answered, closed]);
    for record in &mut taken_over {
        if let Record::Answered(answered) = record {
            answered.epoch = Epoch(0);
        }
    }
    let overdue = facts(0, &[epoch(0, []), taken_over]);
    assert_eq!(overdue.overdue, 1);
    assert!(overdue.fault().is_some_and(|fault| fault.contains("the truth about 1 answers failed")));
}

#[test]
fn the_first_refusal_is_told_with_its_round_and_a_mark_of_0_alone_is_none() {
    let deviates = Reason::Deviates { items: 8, outside: 3, worst: 5 };
    let told = |outcome| Reason::told(outcome, "");
    let refused =
        |records| facts(0, &[epoch(0, records)]).refused.remove(&Uid(1)).map(|refused| refused.text);
    let records = [
        judged(0, 0, Mark::ZERO, told(Outcome::Accepted)),
        judged(0, 1, Mark::MIN, deviates),
        judged(0, 2, Mark::MIN, told(Outcome::Wrong)),
    ];
    let first = "first refused in epoch 0, round 1: outside tolerance (3 of 8 items)";
    assert_eq!(refused(records.to_vec()).as_deref(), Some(first));
    assert_eq!(refused(records[..1].to_vec()), None);
    let late = Reason::Silent { failure: weighhouse_types::Failure::DeadlineExceeded };
    let silent = refused(vec![judged(0, 2, Mark::ZERO, late)]);
    assert_eq!(silent.as_deref(), Some("first silent in epoch 0, round 2: deadline exceeded"));
}
