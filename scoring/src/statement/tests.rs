use weighhouse_types::{Failure, Likeness, Mark, Reason, VerdictRecord};

use super::*;
use crate::fixture::{EPOCH, context, judged, judged_because, records, standing, who};

const FULL: i64 = 1_000_000_000;

fn wrong(uid: u16, round: u32, billionths: i64) -> VerdictRecord {
    judged_because(uid, round, billionths, Reason::Deviates { items: 8, outside: 2, worst: 1 })
}

fn silent(uid: u16, round: u32) -> VerdictRecord {
    judged_because(uid, round, 0, Reason::Silent { failure: Failure::Unreachable })
}

/// The statement of uid 1, beside whom uid 2 answers everything well.
fn of_one(policy: &str, verdicts: &[VerdictRecord]) -> PayStatement {
    let mut context = context(2);
    context.policy = policy.as_bytes().to_vec();
    let mut all: Vec<_> = (0..10).map(|round| judged(2, round, FULL)).collect();
    all.extend_from_slice(verdicts);
    statement(&records(&context, &all), Uid(1)).expect("it was judged")
}

/// As [`of_one`], of ten answers that are good but for these.
fn ten_but(policy: &str, others: &[VerdictRecord]) -> PayStatement {
    let good = (0..10).filter(|at| others.iter().all(|verdict| verdict.round != *at));
    let mut verdicts: Vec<_> = good.map(|at| judged(1, at, FULL)).collect();
    verdicts.extend_from_slice(others);
    of_one(policy, &verdicts)
}

/// Parts that are all there is, and a sum that comes out.
fn check_sum(statement: &PayStatement) {
    let parts: i64 = statement.losses.iter().map(|loss| loss.lost).sum();
    assert_eq!(parts, statement.share_without as i64 - statement.share as i64);
}

const LINEAR: &str = crate::fixture::POLICY;

#[test]
fn a_miner_without_a_failure_lost_nothing() {
    let statement = ten_but(LINEAR, &[]);
    assert!(statement.losses.is_empty());
    assert_eq!((statement.share, statement.share_without), (500_000_000, 500_000_000));
    assert_eq!((statement.answers, statement.verdicts.len(), statement.omitted), (10, 10, 0));
    assert!(statement.sentence().contains("nothing was lost over 10 answers"), "{}", statement.sentence());
}

#[test]
fn one_check_s_cost_is_what_passing_it_would_have_paid() {
    let statement = ten_but(LINEAR, &[wrong(1, 3, 0), wrong(1, 7, 0)]);
    let [loss] = &statement.losses[..] else { panic!("one loss: {:?}", statement.losses) };
    assert_eq!((loss.check.as_str(), loss.answers, loss.marks), ("deviates", 2, 2 * FULL));
    assert_eq!((statement.share_without, loss.share_without), (500_000_000, 500_000_000));
    // 0.8 beside 1.
    assert!(statement.share.abs_diff(444_444_444) < 20_000, "{}", statement.share);
    let example = loss.example.as_ref().expect("the first");
    assert_eq!((example.round, example.text.as_str()), (3, "deviates: 2 of 8 items outside, item 1 most"));
    check_sum(&statement);
}

#[test]
fn parts_sum_to_what_was_lost_under_every_shape() {
    let failures = [wrong(1, 0, -500_000_000), wrong(1, 1, 0), silent(1, 4), silent(1, 5), silent(1, 6)];
    for policy in [
        LINEAR,
        "version = 2\n[shape]\nkind = \"power\"\nexponent = 3.0",
        "version = 2\n[shape]\nkind = \"rank\"\nratio = 0.5",
        "version = 2\n[shape]\nkind = \"winner_takes_all\"",
        "version = 2\n[average]\nkind = \"window\"\nepochs = 2\n[significance]\nstandard_errors = 1.0",
    ] {
        let statement = ten_but(policy, &failures);
        let checks: Vec<_> = statement.losses.iter().map(|loss| loss.check.as_str()).collect();
        assert_eq!(statement.losses.iter().map(|loss| loss.answers).sum::<u32>(), 5, "{policy}");
        assert!(checks.contains(&"deviates") && checks.contains(&"unreachable"), "{policy}: {checks:?}");
        assert!(statement.share < statement.share_without, "{policy}");
        check_sum(&statement);
    }
}

#[test]
fn a_failed_answer_is_worth_what_accepted_ones_are() {
    let accepted = |round| {
        let mark = Mark::from_billionths(600_000_000).expect("a mark");
        judged_because(1, round, 600_000_000, Reason::Skill { answer: mark, reference: mark })
    };
    let verdicts: Vec<_> = (0..9).map(accepted).chain([silent(1, 9)]).collect();
    let statement = of_one(LINEAR, &verdicts);
    assert_eq!(statement.accepted_worth.billionths(), 600_000_000);
    // 0.6 beside 1, where it has 0.54.
    assert!(statement.share_without.abs_diff(375_000_000) < 20_000, "{}", statement.share_without);
    check_sum(&statement);
}

#[test]
fn an_answer_behind_the_policy_s_deadline_is_a_loss_of_its_own() {
    let mut context = context(2);
    context.policy = b"version = 2\n[deadline]\nmilliseconds = 100".to_vec();
    let timed = |uid, round, latency_us| {
        let mut verdict = judged(uid, round, FULL);
        let digest = weighhouse_types::Digest::default();
        let exchange = weighhouse_types::Exchange {
            request: digest,
            answer: digest,
            model: digest,
            signature: Vec::new(),
            latency_us,
        };
        verdict.exchange = Some(exchange);
        verdict
    };
    let verdicts = [timed(1, 0, 99_000), timed(1, 1, 250_000), timed(2, 0, 1_000)];
    let statement = statement(&records(&context, &verdicts), Uid(1)).expect("judged");
    let [loss] = &statement.losses[..] else { panic!("one loss: {:?}", statement.losses) };
    assert_eq!((loss.check.as_str(), loss.answers), ("late", 1));
    assert_eq!(loss.example.as_ref().map(|example| example.text.as_str()), Some("250.0 ms"));
    assert!(loss.lost > 0);
    check_sum(&statement);
}

#[test]
fn a_copy_s_pay_is_told_as_lost_to_likeness() {
    let mut context = context(3);
    context.policy = b"version = 2\n[cluster]\npay = \"split\"".to_vec();
    let verdicts: Vec<_> = (1..=3).map(|uid| judged(uid, 0, FULL)).collect();
    let mut records = records(&context, &verdicts);
    records.push(Record::Likeness(Likeness {
        epoch: EPOCH,
        round: 0,
        compared: vec![who(1), who(2), who(3)],
        groups: vec![vec![who(1), who(2)]],
    }));
    let statement = statement(&records, Uid(1)).expect("judged");
    let [loss] = &statement.losses[..] else { panic!("one loss: {:?}", statement.losses) };
    assert_eq!((loss.check.as_str(), loss.answers), ("alike", 1));
    assert!(loss.share_without.abs_diff(333_333_333) < 20_000, "{loss:?}");
    assert!(statement.share.abs_diff(250_000_000) < 20_000);
    check_sum(&statement);
}

#[test]
fn a_conviction_is_undone_whole_by_its_parts_together() {
    let betrayed = |round| {
        let reason = Reason::Betrayed { token: 3, id: 7, margin: 9, mean: 1, tokens: 12 };
        judged_because(1, round, 0, reason)
    };
    let convicted = |round| judged_because(1, round, -FULL, Reason::Convicted { checks: 3, log_odds: 9000 });
    let mut context = context(2);
    context.carried = vec![standing(1, FULL, 6), standing(2, FULL, 6)];
    let mut verdicts: Vec<_> = (0..4).map(|round| judged(2, round, FULL)).collect();
    verdicts.extend([judged(1, 0, FULL), betrayed(1), betrayed(2), convicted(3)]);
    let mut records = records(&context, &verdicts);
    records.push(Record::EarlierChecks(weighhouse_types::EarlierChecks {
        epoch: EPOCH,
        newcomer_checks: 3,
        miners: Vec::new(),
        fields: weighhouse_types::Fields::default(),
    }));
    let statement = statement(&records, Uid(1)).expect("judged");
    assert_eq!((statement.share, statement.rating.as_str()), (0, "convicted"));
    assert_eq!(statement.share_without, 500_000_000);
    assert_eq!(statement.losses[0].check, "convicted", "without it there is no conviction");
    check_sum(&statement);
}

#[test]
fn answers_that_lost_something_are_listed_first_where_not_all_are() {
    let last = u32::try_from(VERDICTS_MAX).expect("few") + 1;
    let verdicts: Vec<_> = (0..last).map(|round| judged(1, round, FULL)).chain([wrong(1, last, 0)]).collect();
    let statement = of_one(LINEAR, &verdicts);
    assert_eq!((statement.verdicts.len(), statement.omitted), (VERDICTS_MAX, 2));
    let newest = statement.verdicts.last().expect("some");
    assert_eq!((newest.round, newest.reasons[0].code.as_str()), (last, "deviates"));
    assert!(statement.verdicts.is_sorted_by_key(|verdict| verdict.round));
}
