use weighhouse_types::{Epoch, Mark, Reason, VoidCause, VoidRound, sample};

use super::*;

fn judged(round: u32, uid: u16, outcome: Outcome) -> Record {
    Record::Judged(sample::judged(Epoch(1), round, uid, Mark::ZERO, Reason::told(outcome, "why")))
}

fn void(round: u32) -> Record {
    Record::VoidRound(VoidRound::new(Epoch(1), round, VoidCause::Judge, "NameError"))
}

#[test]
fn a_round_counts_as_malformed_where_nobody_was_well_formed() {
    let records = [
        judged(0, 1, Outcome::Malformed),
        judged(0, 2, Outcome::Silent),
        judged(1, 1, Outcome::Malformed),
        judged(1, 2, Outcome::Wrong),
        judged(2, 1, Outcome::Silent),
    ];
    let rounds = Rounds::of(&records);
    assert_eq!((rounds.malformed, rounds.malformed_why.as_deref()), (1, Some("malformed: why")));
}

#[test]
fn rounds_are_void_together_only_where_all_are() {
    let mut run = Rounds::of(&[void(0), void(1)]);
    assert!(run.are_void());
    assert_eq!((run.void, run.void_why.as_deref()), (2, Some("NameError")));
    run.add(&Rounds { all: 1, ..Rounds::default() });
    assert!(!run.are_void() && !run.went_well());
    assert!(!Rounds::default().are_void());
}
