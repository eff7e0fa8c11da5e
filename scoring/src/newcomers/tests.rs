use weighhouse_types::{
    CheckedMiner, EarlierChecks, EpochContext, Fields, OpenWalk, Reason, RecentMarks, Record, Uid,
    VerdictRecord,
};

use crate::fixture::{self, EPOCH, context, judged, judged_because, standing, who};
use crate::rate::Rating;
use crate::weigh::{Decision, closing, weigh};
use crate::{WeighError, explain};

const ONE: i64 = 1_000_000_000;

fn miner(uid: u16, accepted: u64, on_probation: bool) -> CheckedMiner {
    let (recent, walk) = (RecentMarks::default(), OpenWalk::default());
    CheckedMiner { who: who(uid), accepted, on_probation, recent, walk }
}

/// The records of an epoch that takes over these checks, of whom 32 settle a newcomer.
fn records(context: &EpochContext, miners: Vec<CheckedMiner>, verdicts: &[VerdictRecord]) -> Vec<Record> {
    let earlier = EarlierChecks { epoch: EPOCH, newcomer_checks: 32, miners, fields: Fields::default() };
    let mut records = fixture::records(context, verdicts);
    records.push(Record::EarlierChecks(earlier));
    records
}

fn ratings(records: &[Record]) -> Vec<(u16, u64, Rating)> {
    let decision = weigh(records).expect("one epoch's records");
    let scores = decision.scores().iter();
    scores.map(|scored| (scored.uid.0, scored.score.billionths(), scored.rating)).collect()
}

fn convicted(uid: u16, round: u32) -> VerdictRecord {
    judged_because(uid, round, -ONE, Reason::Convicted { checks: 1, log_odds: 17_000 })
}

fn spared(uid: u16, round: u32, mark: i64) -> VerdictRecord {
    judged_because(uid, round, mark, Reason::Spared { tokens: 48 })
}

#[test]
fn whoever_comes_after_others_is_not_paid_before_checks_accepted_enough() {
    let verdicts: Vec<_> = (1..=3).map(|uid| judged(uid, 0, ONE)).collect();
    let late = records(&context(3), vec![miner(1, 40, true), miner(2, 31, true)], &verdicts);
    let expected =
        [(1, ONE as u64, Rating::Scored), (2, 0, Rating::OnProbation), (3, 0, Rating::OnProbation)];
    assert_eq!(ratings(&late), expected);
    let explained = explain(&late).expect("explained");
    let sentence = &explained.iter().find(|miner| miner.uid == Uid(2)).expect("judged").sentence;
    assert!(sentence.contains("31 of 32 answers accepted by checks"), "{sentence}");
    // The first ones of a validator are all checked as long as nobody is settled, and don't wait.
    let first = records(&context(3), vec![miner(1, 3, false), miner(2, 3, false)], &verdicts);
    assert!(ratings(&first).iter().all(|(_, _, rating)| *rating == Rating::Scored));
    // Where somebody waits, so does whoever comes later.
    let waiting = records(&context(3), vec![miner(1, 3, false), miner(2, 3, true)], &verdicts);
    assert_eq!(ratings(&waiting), expected);
}

#[test]
fn a_conviction_takes_the_epoch_in_which_it_is_found_and_the_average() {
    let mut context = context(2);
    context.carried = vec![standing(1, ONE, 6), standing(2, ONE, 6)];
    context.carried.sort_by_key(|standing| standing.who);
    let miners = || vec![miner(1, 40, false), miner(2, 40, false)];
    let verdicts = [spared(1, 0, ONE), convicted(1, 1), spared(2, 0, ONE), spared(2, 1, ONE)];
    let found = records(&context, miners(), &verdicts);
    assert_eq!(ratings(&found), [(1, 0, Rating::Convicted), (2, ONE as u64, Rating::Scored)]);
    let Decision::Weights { vector, .. } = weigh(&found).expect("one epoch's records") else {
        panic!("weights")
    };
    assert!(vector.entries().iter().all(|(uid, weight)| (uid.0 == 2) == (*weight > 0)), "{vector:?}");
    let standings = closing(&found).expect("closed").standings;
    assert_eq!(standings.iter().map(|standing| standing.who).collect::<Vec<_>>(), [who(2)]);
    // Records of before these terms give what they gave.
    let before = fixture::records(&context, &verdicts);
    assert_eq!(ratings(&before)[0].2, Rating::Scored);
    assert_eq!(closing(&before).expect("closed").standings.len(), 2);
}

#[test]
fn unchecked_answers_hold_an_average_and_never_raise_it() {
    let mut context = context(1);
    let average = |context: &EpochContext, verdicts: &[VerdictRecord]| {
        let closed = closing(&records(context, vec![miner(1, 40, false)], verdicts)).expect("closed");
        (closed.standings[0].average.billionths(), closed.standings[0].attempts)
    };
    context.carried = vec![standing(1, 500_000_000, 6)];
    assert_eq!(average(&context, &[spared(1, 0, ONE), spared(1, 1, ONE)]), (500_000_000, 4));
    // The policy keeps a quarter: of a checked 0.6 and an unchecked 1 no more than 0.6 counts.
    let mixed = [judged(1, 0, 600_000_000), spared(1, 1, ONE)];
    assert_eq!(average(&context, &mixed), (575_000_000, 5));
    // Worth less than the average they lower it, as silence does.
    assert_eq!(average(&context, &[spared(1, 0, 0)]), (125_000_000, 4));
    assert_eq!(average(&context, &[judged(1, 0, 0), spared(1, 1, ONE)]), (500_000_000, 5));
}

#[test]
fn checks_that_contradict_the_epoch_are_refused() {
    let refusal = |miners: Vec<CheckedMiner>, change: &dyn Fn(&mut Vec<Record>)| {
        let mut records = records(&context(2), miners, &[]);
        change(&mut records);
        weigh(&records).expect_err("refused")
    };
    let twice = refusal(vec![miner(1, 0, false), miner(1, 0, false)], &|_| {});
    assert_eq!(twice, WeighError::ChecksOrder { who: who(1).hotkey });
    let second = refusal(Vec::new(), &|records| records.extend(records.last().cloned()));
    assert_eq!(second, WeighError::SecondChecks);
    let elsewhere = refusal(Vec::new(), &|records| {
        if let Some(Record::EarlierChecks(earlier)) = records.last_mut() {
            earlier.epoch = EPOCH.next();
        }
    });
    assert_eq!(elsewhere, WeighError::ChecksElsewhere { found: EPOCH.next(), opened: EPOCH });
}
