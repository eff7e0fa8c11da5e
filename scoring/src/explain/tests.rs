use weighhouse_types::{EpochContext, Failure, Outcome, Reason, VerdictRecord, VoidCause, VoidRound};

use super::*;
use crate::fixture::{
    EPOCH, context, judged, judged_because, kept, mark, policy_with, records, standing, who,
};

fn explained(context: &EpochContext, verdicts: &[VerdictRecord]) -> Vec<Explanation> {
    explain(&records(context, verdicts)).expect("one epoch's records")
}

/// The sentence of uid 1 after `count` verdicts for each reason.
fn sentence(reasons: &[(u32, i64, Reason)]) -> String {
    let mut verdicts = Vec::new();
    for (count, mark, reason) in reasons {
        for _ in 0..*count {
            let round = u32::try_from(verdicts.len()).expect("few");
            verdicts.push(judged_because(1, round, *mark, reason.clone()));
        }
    }
    explained(&context(1), &verdicts)[0].sentence.clone()
}

fn silent(failure: Failure) -> Reason {
    Reason::Silent { failure }
}

#[test]
fn each_kind_of_answer_has_its_sentence() {
    let whole = 1_000_000_000;
    let conforms = Reason::Conforms { items: 8 };
    let deviates = Reason::Deviates { items: 8, outside: 3, worst: 5 };
    let malformed = Reason::Malformed { item: 0, what: "NaN".to_owned() };
    let skill = Reason::Skill { answer: mark(950_000_000), reference: mark(900_000_000) };
    let below = Reason::BelowReference { answer: mark(400_000_000), reference: mark(900_000_000) };
    let late = || silent(Failure::DeadlineExceeded);
    let cases = [
        (vec![(24, whole, conforms.clone())], "24 of 24 answers within tolerance"),
        (vec![(3, whole, Reason::told(Outcome::Accepted, ""))], "3 of 3 answers accepted"),
        (vec![(24, -whole, malformed)], "0 of 24 accepted: 24 answers malformed (e.g. item 0: NaN)"),
        (
            vec![(12, whole, conforms.clone()), (12, 0, late())],
            "12 of 24 answers within tolerance; silent 12 of 24 times: deadline exceeded",
        ),
        (vec![(4, 0, late())], "silent 4 of 4 times: deadline exceeded"),
        (
            vec![(3, 0, late()), (1, 0, silent(Failure::Status { code: 8 }))],
            "silent 4 of 4 times: deadline exceeded (3), gRPC status 8 (1)",
        ),
        (vec![(2, -whole, deviates.clone())], "0 of 2 accepted: 2 answers outside tolerance (6 of 16 items)"),
        (
            vec![(1, whole, conforms), (1, -whole, deviates)],
            "1 of 2 answers within tolerance; 1 answer outside tolerance (3 of 8 items)",
        ),
        (
            vec![(2, whole, skill)],
            "2 of 2 answers no worse than the reference (mean skill +0.9500 to its +0.9000)",
        ),
        (
            vec![(1, 0, below)],
            "0 of 1 accepted: 1 answer below the reference (mean skill +0.4000 to its +0.9000)",
        ),
        (vec![(2, 0, silent(Failure::BadSignature))], "0 of 2 accepted: 2 answers without a valid signature"),
    ];
    for (reasons, expected) in cases {
        assert_eq!(sentence(&reasons), expected);
    }
}

#[test]
fn a_complaint_outranks_praise_within_one_verdict() {
    let mut verdict = judged(1, 0, 0);
    verdict.judgement.reasons.push(silent(Failure::Oversized));
    let explained = explained(&context(1), &[verdict]);
    assert_eq!(explained[0].sentence, "0 of 1 accepted: 1 answer over the size cap");
    assert_eq!((explained[0].attempts, explained[0].accepted), (1, 0));
}

#[test]
fn a_verdict_without_reasons_says_so() {
    let mut verdict = judged(1, 0, 5);
    verdict.judgement.reasons.clear();
    assert_eq!(explained(&context(1), &[verdict])[0].sentence, "1 of 1 accepted: 1 answer without a reason");
}

#[test]
fn every_miner_is_explained_and_no_validator() {
    let mut context = context(4);
    context.state.metagraph.neurons[4].axon = None;
    context.carried = vec![standing(2, 600_000_000, 6), standing(3, 600_000_000, 1)];
    let explained = explained(&context, &[judged(1, 0, 500_000_000)]);
    let rows: Vec<_> =
        explained.iter().map(|one| (one.uid.0, one.score.billionths(), one.sentence.as_str())).collect();
    assert_eq!(
        rows,
        [
            (1, 500_000_000, "1 of 1 answers within tolerance"),
            (2, 600_000_000, "not judged this epoch, last in epoch 6"),
            (3, 0, "not judged this epoch, last in epoch 1; older than 2 epochs, so it no longer counts"),
        ]
    );
    context.carried.clear();
    assert_eq!(self::explained(&context, &[])[0].sentence, "never judged");
}

#[test]
fn a_score_that_the_policy_zeroes_is_explained() {
    let mut context = context(1);
    let verdicts = [judged(1, 0, 90_000_000)];
    context.policy = policy_with("min_mark", "0.1");
    let low = &explained(&context, &verdicts)[0];
    assert_eq!(
        low.sentence,
        "1 of 1 answers within tolerance; average 0.0900 is below the least mark of 0.1"
    );
    assert_eq!((low.score, low.accepted), (Score::ZERO, 1));
    context.policy = policy_with("min_attempts", "4");
    let few = &explained(&context, &verdicts)[0];
    assert_eq!(few.sentence, "1 of 1 answers within tolerance; 1 of 4 verdicts needed before a weight");
}

#[test]
fn a_departed_miner_is_told_why_it_gets_nothing() {
    let context = context(2);
    let mut records = records(&context, &[judged(1, 0, 5), judged(2, 0, 5)]);
    records.push(Record::Departed {
        epoch: context.epoch,
        block: weighhouse_types::Block(104),
        who: vec![who(2)],
    });
    let gone = &explain(&records).expect("one epoch's records")[1];
    let sentence =
        "1 of 1 answers within tolerance; its registration ended before weighing, so it gets nothing";
    assert_eq!((gone.uid, gone.score, gone.sentence.as_str()), (Uid(2), Score::ZERO, sentence));
}

#[test]
fn an_explanation_is_one_json_object() {
    let explained = explained(&context(1), &[judged(1, 0, 500_000_000)]);
    let json = serde_json::to_value(&explained[0]).expect("json");
    assert_eq!(json["uid"], 1);
    assert_eq!(json["score"], 500_000_000);
    assert_eq!(json["sentence"], "1 of 1 answers within tolerance");
}

#[test]
fn the_verdicts_of_several_epochs_are_told_together_with_the_last_score() {
    let mut explainer = Explainer::default();
    let late = silent(Failure::DeadlineExceeded);
    let first = [judged(1, 0, 500_000_000), judged_because(2, 0, 0, late.clone())];
    explainer.count(&records(&context(3), &first)).expect("one epoch's records");
    let mut last = context(3);
    last.carried = vec![standing(1, 500_000_000, 6)];
    let explained = explainer.explain(&records(&last, &[judged_because(2, 0, 0, late)]));
    let rows: Vec<_> = explained.expect("one epoch's records").into_iter().map(|one| one.sentence).collect();
    assert_eq!(
        rows,
        ["1 of 1 answers within tolerance", "silent 2 of 2 times: deadline exceeded", "never judged"]
    );
}

#[test]
fn void_rounds_are_told_where_nobody_was_judged() {
    let mut records = records(&context(1), &[]);
    records.push(Record::VoidRound(VoidRound::new(EPOCH, 0, VoidCause::Judge, "away")));
    let explained = explain(&records).expect("one epoch's records");
    assert_eq!(explained[0].sentence, "never judged, as 1 round is void");
}

#[test]
fn answers_that_await_their_truth_are_counted() {
    let mut records = records(&context(2), &[judged_because(1, 0, 0, silent(Failure::Unreachable))]);
    for (round, uid) in [(1, 1), (2, 1), (3, 2)] {
        records.extend(kept(round, uid));
    }
    let sentences = explain(&records).expect("one epoch's records").into_iter().map(|one| one.sentence);
    assert_eq!(
        sentences.collect::<Vec<_>>(),
        [
            "silent 1 of 1 times: unreachable; 2 answers await their truth",
            "never judged; 1 answer awaits its truth",
        ]
    );
}
