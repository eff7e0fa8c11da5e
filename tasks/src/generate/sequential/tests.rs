use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use weighhouse_types::{
    Block, CheckedMiner, EarlierChecks, Epoch, Fields, Hotkey, Mark, OpenWalk, RecentMarks, RegistrationId,
    Standing,
};

use super::*;

const HONEST: [f64; 3] = [0.999, 0.0009, 0.0001];
const CHEAT: [f64; 3] = [0.95, 0.03, 0.02];

fn budget() -> Budget {
    let test = SequentialTest::new(vec![1e-6, 0.1], &HONEST, &CHEAT, 1e-4, 0.01);
    Budget { test, drawn: 0.1, terms: Terms::Verdicts(8), false_alarm: 1e-4, miss: 0.01, cheats: Vec::new() }
}

/// A completion's margins, drawn from a distribution.
fn margins(shares: &[f64; 3], tokens: usize, rng: &mut ChaCha8Rng) -> Vec<f32> {
    let margin = |rng: &mut ChaCha8Rng| match f64::from(rng.next_u32()) / 4_294_967_296.0 {
        draw if draw < shares[0] => 0.0,
        draw if draw < shares[0] + shares[1] => 0.05,
        _ => 1.0,
    };
    (0..tokens).map(|_| margin(rng)).collect()
}

fn decide(shares: &[f64; 3], rng: &mut ChaCha8Rng) -> (Verdict, u32) {
    let (budget, mut walk) = (budget(), LogOddsWalk::default());
    for checks in 1..10_000 {
        match walk.take(&budget.test, &budget.test.count(&margins(shares, 32, rng))) {
            Verdict::Undecided => {}
            verdict => return (verdict, checks),
        }
    }
    panic!("never sure");
}

#[test]
fn errors_stay_within_what_is_declared() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let honest: Vec<_> = (0..20_000).map(|_| decide(&HONEST, &mut rng)).collect();
    let alarms = honest.iter().filter(|(verdict, _)| *verdict == Verdict::Convicted).count();
    // Twice the expectation of 20,000 tests at 1e-4; Wald's bound is rarely reached.
    assert!(alarms <= 4, "{alarms}");
    let cheats: Vec<_> = (0..5_000).map(|_| decide(&CHEAT, &mut rng)).collect();
    let missed = cheats.iter().filter(|(verdict, _)| *verdict == Verdict::Cleared).count();
    assert!(missed <= 65, "{missed} of 5,000 at 1 %");
    let mean = |decided: &[(Verdict, u32)]| {
        decided.iter().map(|(_, checks)| *checks).sum::<u32>() as usize / decided.len()
    };
    assert!(mean(&honest) <= 5 && mean(&cheats) <= 5, "{} {}", mean(&honest), mean(&cheats));
}

#[test]
fn a_conviction_stays_and_a_clearance_is_no_credit() {
    let budget = budget();
    let mut walk = LogOddsWalk::default();
    while walk.take(&budget.test, &budget.test.count(&[0.0; 32])) != Verdict::Cleared {}
    assert!(walk.was_cleared() && !walk.is_suspect());
    let cleared = walk.log_odds();
    let one = walk.take(&budget.test, &budget.test.count(&[0.0; 1]));
    assert!(one == Verdict::Undecided && walk.log_odds() > cleared, "starts anew from 0");
    assert_eq!(walk.take(&budget.test, &budget.test.count(&[1.0, 1.0, 0.0])), Verdict::Convicted);
    assert_eq!(walk.take(&budget.test, &budget.test.count(&[0.0; 1_000])), Verdict::Convicted);
    assert!(walk.is_convicted());
}

#[test]
fn a_margin_that_is_no_number_or_infinite_is_the_worst() {
    let test = budget().test;
    for margin in [f32::INFINITY, f32::NAN] {
        let mut walk = LogOddsWalk::default();
        walk.take(&test, &test.count(&[margin]));
        let mut worst = LogOddsWalk::default();
        worst.take(&test, &test.count(&[5.0]));
        assert_eq!(walk, worst);
    }
}

fn who(key: u8) -> RegistrationId {
    RegistrationId { hotkey: Hotkey([key; 32]), registered_at: Block(1) }
}

fn standing(key: u8, attempts: u64, average: i64) -> Standing {
    let average = Mark::from_billionths(average).expect("in range");
    Standing { who: who(key), average, attempts, judged_in: Epoch(1) }
}

#[test]
fn newcomers_and_suspects_are_checked_and_the_settled_when_drawn() {
    let budget = budget();
    let carried = [standing(1, 8, 900_000_000), standing(2, 7, 900_000_000), standing(3, 100, 400_000_000)];
    let mut watch = Watch::new(&budget, &carried, None);
    let share = |watch: &Watch, key: u8, wanted: Attention| {
        let seed = |at: u16| std::array::from_fn(|byte| if byte < 2 { at.to_le_bytes()[byte] } else { 9 });
        (0..2_000).filter(|at| watch.attention(&budget, &who(key), &seed(*at)) == wanted).count()
    };
    assert!((150..250).contains(&share(&watch, 1, Attention::Drawn)));
    assert_eq!(share(&watch, 1, Attention::Drawn) + share(&watch, 1, Attention::Settled), 2_000);
    for key in [2, 3, 4] {
        assert_eq!(share(&watch, key, Attention::Newcomer), 2_000);
    }
    while !watch.take(&budget, who(4), &budget.test.count(&[0.0; 32])).was_cleared() {}
    assert!(share(&watch, 4, Attention::Settled) > 1_700);
    watch.take(&budget, who(1), &budget.test.count(&[0.05]));
    assert_eq!(share(&watch, 1, Attention::Suspect), 2_000);
    watch.take(&budget, who(1), &budget.test.count(&[1.0; 3]));
    assert_eq!(share(&watch, 1, Attention::Convicted), 2_000);
    assert!(!Attention::Convicted.is_checked() && Attention::Suspect.is_checked());
}

/// Checks of earlier epochs that accepted so many answers of the miner with this key.
fn checked(key: u8, accepted: u64, log_odds: i32) -> CheckedMiner {
    let walk = OpenWalk { log_odds, checks: 1, tokens: 32 };
    CheckedMiner { who: who(key), accepted, on_probation: false, recent: RecentMarks::default(), walk }
}

#[test]
fn a_newcomer_is_checked_until_checks_of_earlier_epochs_accepted_enough() {
    let budget = Budget { terms: Terms::Checks(32), drawn: 0.0, ..budget() };
    let carried =
        [1, 2, 3, 4].map(|key| standing(key, 100, if key == 3 { 940_000_000 } else { 1_000_000_000 }));
    let miners = vec![checked(1, 32, 0), checked(2, 31, 0), checked(3, 32, 0), checked(4, 32, 1)];
    let earlier = EarlierChecks { epoch: Epoch(2), newcomer_checks: 32, miners, fields: Fields::default() };
    let mut watch = Watch::new(&budget, &carried, Some(&earlier));
    let attention = |watch: &Watch, key: u8| watch.attention(&budget, &who(key), &[0; 32]);
    assert_eq!(attention(&watch, 1), Attention::Settled);
    for key in [2, 3, 5] {
        assert_eq!(attention(&watch, key), Attention::Newcomer, "{key}");
    }
    assert_eq!(attention(&watch, 4), Attention::Suspect, "an epoch's end forgets no evidence");
    for key in [2, 3, 4] {
        while !watch.take(&budget, who(key), &budget.test.count(&[0.0; 32])).was_cleared() {}
    }
    assert_eq!(attention(&watch, 2), Attention::Newcomer, "cleared, and not yet checked often enough");
    assert_eq!(attention(&watch, 3), Attention::Settled);
    assert_eq!(attention(&watch, 4), Attention::Settled);
}

#[test]
fn a_walk_goes_on_in_the_next_epoch_and_an_ended_one_begins_anew() {
    let test = budget().test;
    let mut walk = LogOddsWalk::default();
    assert_eq!(walk.take(&test, &test.count(&[1.0])), Verdict::Undecided);
    let open = walk.leave(&test);
    assert_eq!((open.log_odds, open.checks, open.tokens), (walk.log_odds(), 1, 1));
    let mut resumed = LogOddsWalk::resume(&open);
    assert!(resumed.is_suspect());
    assert_eq!(resumed.take(&test, &test.count(&[1.0; 2])), Verdict::Convicted);
    assert_eq!(resumed.leave(&test), OpenWalk::default());
    while walk.take(&test, &test.count(&[0.0; 32])) != Verdict::Cleared {}
    assert_eq!(walk.leave(&test), OpenWalk::default());
}
