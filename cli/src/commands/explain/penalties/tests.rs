use weighhouse_scoring::path::path;
use weighhouse_scoring::policy::DEFAULT_POLICY;
use weighhouse_scoring::statement::statement;
use weighhouse_types::{Block, Epoch, EpochContext, Failure, Mark, Outcome, Reason, Record, Uid, sample};

use super::*;

const EPOCH: Epoch = Epoch(7);

/// Names of the penalties of uid 1, by these reasons of its verdicts.
fn named(reasons: &[(Mark, Reason)]) -> Vec<&'static str> {
    let state = sample::subnet(EPOCH, Block(100), (0..=2).map(sample::neuron).collect());
    let policy = DEFAULT_POLICY.as_bytes().to_vec();
    let context = EpochContext { policy, ..sample::context(state) };
    let mut records = vec![Record::EpochOpened(Box::new(context))];
    for (round, (mark, reason)) in (0..).zip(reasons) {
        records.push(Record::Judged(sample::judged(EPOCH, round, 1, *mark, reason.clone())));
        records.push(Record::Judged(sample::judged(EPOCH, round, 2, full(), accepted())));
    }
    let statement = statement(&records, Uid(1)).expect("it was judged");
    let way = path(&records, Uid(1)).expect("it was judged");
    penalties(&statement, &way).into_iter().map(|penalty| penalty.name).collect()
}

fn full() -> Mark {
    Mark::from_billionths(1_000_000_000).expect("in range")
}

fn accepted() -> Reason {
    Reason::told(Outcome::Accepted, "")
}

#[test]
fn a_silent_miner_is_told_of_its_refusals_and_an_accepted_one_of_none() {
    let silent = (Mark::ZERO, Reason::Silent { failure: Failure::Unreachable });
    let told = named(&[silent.clone(), silent.clone(), silent]);
    assert!(told.contains(&"refusals") && told.contains(&"checks"), "{told:?}");
    let answered = named(&[(full(), accepted()), (full(), accepted())]);
    assert!(!answered.contains(&"refusals") && !answered.contains(&"checks"), "{answered:?}");
}
