use expect_test::expect;
use weighhouse_scoring::policy::DEFAULT_POLICY;
use weighhouse_types::{Block, EpochContext, Failure, Mark, Outcome, Reason, Record, VerdictRecord, sample};

use super::*;

const EPOCH: Epoch = Epoch(7);

/// The table of a miner's verdicts, each of the epoch that asked.
fn shown(asked_in: &[(Epoch, Reason)]) -> String {
    let state = sample::subnet(EPOCH, Block(100), (0..=1).map(sample::neuron).collect());
    let policy = DEFAULT_POLICY.as_bytes().to_vec();
    let context = EpochContext { policy, ..sample::context(state) };
    let mut records = vec![Record::EpochOpened(Box::new(context))];
    for (round, (asked_in, reason)) in (0..).zip(asked_in) {
        let judged = sample::judged(EPOCH, round, 1, Mark::ZERO, reason.clone());
        records.push(Record::Judged(VerdictRecord { asked_in: *asked_in, ..judged }));
    }
    // Expectations lose an indentation that all lines share.
    format!("uid 1\n{}", verdicts(&path(&records, Uid(1)).expect("it was judged")).to_text())
}

#[test]
fn reasons_are_told_in_words() {
    let reasons = [
        Reason::told(Outcome::Wrong, "Brier skill -0.520"),
        Reason::told(Outcome::Accepted, ""),
        Reason::Silent { failure: Failure::DeadlineExceeded },
        Reason::Deviates { items: 8, outside: 3, worst: 5 },
    ];
    expect![[r#"
        uid 1
          round     mark  ms  why
              0  +0.0000   -  wrong: Brier skill -0.520
              1  +0.0000   -  accepted
              2  +0.0000   -  silent: deadline exceeded
              3  +0.0000   -  deviates: 3 of 8 items outside, item 5 most"#]]
    .assert_eq(&shown(&reasons.map(|reason| (EPOCH, reason))));
}

#[test]
fn a_truth_that_came_later_is_shown_with_the_epoch_that_asked() {
    let told = |text| Reason::told(Outcome::Accepted, text);
    let silent = Reason::Silent { failure: Failure::Unreachable };
    expect![[r#"
        uid 1
          asked in  round     mark  ms  why
                 5      0  +0.0000   -  accepted: Brier skill 0.520
                 7      1  +0.0000   -  silent: unreachable"#]]
    .assert_eq(&shown(&[(Epoch(5), told("Brier skill 0.520")), (EPOCH, silent)]));
}
