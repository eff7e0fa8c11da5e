use weighhouse_types::{Block, Epoch};

use super::*;
use crate::fixture::{self, EPOCH, context, judged, policy_with, standing};
use crate::track::divide;

fn closing(context: &EpochContext, verdicts: &[VerdictRecord]) -> Vec<Standing> {
    crate::weigh::closing(&fixture::records(context, verdicts)).expect("one epoch's records").standings
}

fn fold<'a>(context: &'a EpochContext, verdicts: &'a [VerdictRecord]) -> Fold<'a> {
    let records = EpochRecords {
        context,
        judged: verdicts.iter().collect(),
        trails: Vec::new(),
        likeness: Vec::new(),
        checks: None,
        departed: BTreeSet::new(),
        void_rounds: 0,
    };
    Fold::new(records).expect("one epoch's records")
}

fn average_of(context: &EpochContext, verdicts: &[VerdictRecord]) -> i64 {
    closing(context, verdicts)[0].average.billionths()
}

#[test]
fn division_rounds_to_nearest_with_halves_away_from_zero() {
    for (value, by, expected) in
        [(5, 2, 3), (-5, 2, -3), (4, 3, 1), (-4, 3, -1), (5, 3, 2), (-5, 3, -2), (0, 7, 0)]
    {
        assert_eq!(divide(value, by), expected, "{value} / {by}");
    }
}

#[test]
fn marks_are_averaged_with_their_sign_before_anything_is_clipped() {
    let context = context(1);
    let verdicts = [judged(1, 0, 900_000_000), judged(1, 1, -900_000_000), judged(1, 2, -300_000_000)];
    assert_eq!(average_of(&context, &verdicts), -100_000_000);
    assert_eq!(fold(&context, &verdicts).scores()[0].score, Score::ZERO);
    assert_eq!(average_of(&context, &[judged(1, 0, 1), judged(1, 1, 2)]), 2);
    assert_eq!(average_of(&context, &[judged(1, 0, -1), judged(1, 1, -2)]), -2);
}

#[test]
fn the_policys_memory_is_the_share_of_the_carried_average() {
    let mut context = context(1);
    context.carried = vec![standing(1, -800_000_000, 6)];
    let verdicts = [judged(1, 0, 400_000_000), judged(1, 1, 400_000_000)];
    let expected =
        Standing { average: fixture::mark(100_000_000), attempts: 6, judged_in: EPOCH, ..context.carried[0] };
    assert_eq!(closing(&context, &verdicts), [expected]);
    context.policy = policy_with("memory", "0");
    assert_eq!(average_of(&context, &verdicts), 400_000_000);
}

#[test]
fn a_first_epoch_is_not_blended_with_anything() {
    assert_eq!(average_of(&context(1), &[judged(1, 0, 400_000_001)]), 400_000_001);
}

#[test]
fn who_was_not_judged_keeps_its_average_until_it_is_too_old() {
    let mut context = context(2);
    context.carried = vec![standing(1, 500_000_000, 5), standing(2, 500_000_000, 4)];
    assert_eq!(closing(&context, &[]), [context.carried[0]]);
    let fold = fold(&context, &[]);
    let ratings: Vec<_> =
        fold.scores().iter().map(|scored| (scored.score.billionths(), scored.rating)).collect();
    assert_eq!(ratings, [(500_000_000, Rating::Scored), (0, Rating::TooOld)]);
    let again = closing(&context, &[judged(2, 0, 100_000_000)]);
    assert_eq!(
        (again[1].average.billionths(), again[1].attempts),
        (100_000_000, 1),
        "a forgotten average is not blended"
    );
}

#[test]
fn a_standing_never_outlives_its_registration() {
    let mut context = context(2);
    context.carried = vec![standing(1, 500_000_000, 6), standing(2, 500_000_000, 6)];
    context.state.metagraph.neurons[1].registered_at = Block(90);
    context.state.metagraph.neurons.pop();
    assert_eq!(closing(&context, &[]), []);
    let mut verdict = judged(1, 0, 300_000_000);
    verdict.who.registered_at = Block(90);
    let closed = closing(&context, &[verdict]);
    assert_eq!((closed[0].who.registered_at, closed[0].attempts), (Block(90), 1));
    assert_eq!(closed[0].average.billionths(), 300_000_000);
}

#[test]
fn closing_standings_ascend_by_registration_and_can_be_carried() {
    let mut first = context(4);
    let hotkeys = [0x90, 0x20, 0xff, 0x01];
    for (neuron, hotkey) in first.state.metagraph.neurons[1..].iter_mut().zip(hotkeys) {
        neuron.hotkey = weighhouse_types::Hotkey([hotkey; 32]);
    }
    let verdicts: Vec<VerdictRecord> = (1..=4)
        .map(|uid| VerdictRecord {
            who: first.state.metagraph.neurons[usize::from(uid)].registration(),
            ..judged(uid, 0, 7)
        })
        .collect();
    let carried = closing(&first, &verdicts);
    assert!(carried.is_sorted_by(|one, other| one.who < other.who) && carried.len() == 4);
    let next = EpochContext { epoch: EPOCH.next(), carried, ..first };
    assert_eq!(closing(&next, &[]).len(), 4);
}

#[test]
fn coverage_counts_silence_but_not_validators_without_an_axon() {
    let mut context = context(4);
    context.state.metagraph.neurons[4].validator_permit = true;
    context.state.metagraph.neurons[4].axon = None;
    context.state.metagraph.neurons[3].axon = None;
    let coverage = |verdicts: &[VerdictRecord]| fold(&context, verdicts).coverage();
    assert_eq!(coverage(&[]), Coverage { judged: 0, miners: 2 });
    assert_eq!(coverage(&[judged(1, 0, 0), judged(1, 1, 0)]), Coverage { judged: 1, miners: 2 });
    assert_eq!(coverage(&[judged(1, 0, 0), judged(3, 0, 0)]), Coverage { judged: 2, miners: 3 });
}

#[test]
fn ratings_follow_the_policy() {
    let mut context = context(2);
    context.carried = vec![standing(2, 90_000_000, 6)];
    let rating = |context: &EpochContext, verdicts: &[VerdictRecord]| {
        let scores = fold(context, verdicts).scores();
        scores
            .iter()
            .map(|scored| (scored.uid.0, scored.score.billionths(), scored.rating))
            .collect::<Vec<_>>()
    };
    let verdict = [judged(1, 0, 100_000_000)];
    context.policy = policy_with("min_attempts", "4");
    assert_eq!(rating(&context, &verdict), [(1, 0, Rating::TooFewAttempts), (2, 90_000_000, Rating::Scored)]);
    context.policy = policy_with("min_mark", "0.1");
    assert_eq!(rating(&context, &verdict), [(1, 100_000_000, Rating::Scored), (2, 0, Rating::BelowMinMark)]);
    context.policy = policy_with("max_score_age_epochs", "0");
    assert_eq!(rating(&context, &verdict), [(1, 100_000_000, Rating::Scored), (2, 0, Rating::TooOld)]);
}

#[test]
fn the_validator_never_scores_itself() {
    let mut context = context(1);
    context.carried = vec![standing(0, 900_000_000, 6)];
    let verdicts = [judged(0, 0, 900_000_000), judged(1, 0, 100_000_000)];
    let fold = fold(&context, &verdicts);
    assert_eq!(fold.scores().iter().map(|scored| scored.uid.0).collect::<Vec<_>>(), [1]);
    assert_eq!(fold.coverage(), Coverage { judged: 1, miners: 1 });
}

#[test]
fn extreme_contexts_do_not_overflow() {
    let mut context = context(1);
    context.epoch = Epoch(u64::MAX);
    context.carried = vec![Standing { attempts: u64::MAX, ..standing(1, -1_000_000_000, 0) }];
    context.policy = policy_with("max_score_age_epochs", "4294967295");
    assert_eq!(closing(&context, &[]), []);
    context.carried[0].judged_in = Epoch(u64::MAX - 1);
    let verdict = VerdictRecord { epoch: context.epoch, ..judged(1, 0, -1_000_000_000) };
    let closed = closing(&context, &[verdict]);
    assert_eq!((closed[0].attempts, closed[0].average.billionths()), (u64::MAX, -1_000_000_000));
}
