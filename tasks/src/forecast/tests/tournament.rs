use crate::forecast::*;

use Forecaster::{Bluffer, Copy, Signal, Twin};

fn drawn(plan: &TournamentPlan, seeds: u64) -> Vec<TournamentOutcome> {
    (0..seeds).map(|seed| draw_tournament(plan, seed)).collect()
}

fn mean_of(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
    (mean, libm::sqrt(squares / (count - 1.0) / count))
}

#[test]
fn a_pair_of_twins_earns_a_fiftieth_of_what_a_signal_does_at_most() {
    let mut forecasters = vec![Signal; 4];
    forecasters.extend([Twin { mirrors: false }, Twin { mirrors: true }]);
    let outcomes = drawn(&TournamentPlan::new(forecasters), 200);
    let pair: Vec<f64> = outcomes.iter().map(|outcome| outcome.pay[4] + outcome.pay[5]).collect();
    let signal: Vec<f64> =
        outcomes.iter().map(|outcome| outcome.pay[..4].iter().sum::<f64>() / 4.0).collect();
    let ((pair, error), (signal, _)) = (mean_of(&pair), mean_of(&signal));
    assert!(signal > 0.0 && pair + 1.645 * error <= 0.02 * signal, "{pair} (+-{error}) for {signal}");
}

#[test]
fn the_meta_model_beats_the_model_that_was_best_before() {
    let outcomes = drawn(&TournamentPlan::new(everybody()), 20);
    let more: Vec<f64> = outcomes.iter().map(|outcome| outcome.meta_corr - outcome.best_corr).collect();
    let (mean, error) = mean_of(&more);
    assert!(mean - 1.729 * error > 0.0, "{mean} (+-{error})");
}

#[test]
fn copies_of_a_model_earn_together_with_it_hardly_more_than_it_earns_alone() {
    let alone = drawn(&TournamentPlan::new(vec![Signal; 8]), 20);
    let (alone, _) = mean_of(&alone.iter().map(|outcome| outcome.pay[0]).collect::<Vec<_>>());
    for (alike, copies) in [(1.0, 1), (1.0, 4), (0.8, 1), (0.8, 4)] {
        let mut forecasters = vec![Signal; 8];
        forecasters.extend(vec![Copy(alike); copies]);
        let outcomes = drawn(&TournamentPlan::new(forecasters), 20);
        let together = outcomes.iter().map(|outcome| outcome.pay[0] + outcome.pay[8..].iter().sum::<f64>());
        let (together, _) = mean_of(&together.collect::<Vec<_>>());
        assert!(together <= 1.1 * alone, "{copies} at {alike}: {together} for {alone}");
    }
}

#[test]
fn who_sees_nothing_earns_next_to_nothing_a_bluffer_loses_and_every_rao_is_accounted_for() {
    let plan = TournamentPlan::new(everybody());
    let outcomes = drawn(&plan, 20);
    let pay = |at: usize| mean_of(&outcomes.iter().map(|outcome| outcome.pay[at]).collect::<Vec<_>>()).0;
    let signal = (0..8).map(pay).sum::<f64>() / 8.0;
    for (at, forecaster) in plan.forecasters.iter().enumerate().skip(8) {
        let most = if *forecaster == Forecaster::Late { 1.0 } else { 0.1 };
        assert!(pay(at) < most * signal, "{}: {} for {signal}", forecaster.name(), pay(at));
    }
    let bluffer = plan.forecasters.iter().position(|it| *it == Bluffer).expect("one");
    let lost: i64 = outcomes.iter().map(|outcome| outcome.payouts[bluffer]).sum();
    let won: i64 = outcomes.iter().map(|outcome| outcome.payouts[0]).sum();
    assert!(lost < 0 && won > 0, "{lost} {won}");
    assert!(outcomes.iter().all(|outcome| outcome.rao_out_of_thin_air == 0));
}

#[test]
fn a_mean_is_only_worth_what_exceeds_two_of_its_errors() {
    let near =
        |found: f64, expected: f64| assert!((found - expected).abs() < 1e-12, "{found} for {expected}");
    // By hand: deviations -1.5, -0.5, 0.5, 1.5; covariances 1.25, 0.3125; weight of lag 1 is 1/2.
    near(newey_west(&[1.0, 2.0, 3.0, 4.0], 1).expect("four"), libm::sqrt((1.25 + 0.3125) / 3.0));
    near(newey_west(&[1.0, 2.0, 3.0, 4.0], 0).expect("four"), libm::sqrt(1.25 / 3.0));
    near(proven(&[1.0; 4], 3), 1.0);
    assert_eq!((proven(&[-1.0, 1.0, -1.0, 1.0], 0), proven(&[5.0], 2), newey_west(&[], 1)), (0.0, 0.0, None));
}

#[test]
fn a_round_scores_what_ranks_and_copies_share_one_part() {
    let target: Vec<f64> = (0..500).map(|at| f64::from(at % 5) / 4.0).collect();
    let wave: Vec<f64> = (0..500).map(|at| f64::from((at * 7_919) % 500)).collect();
    let submissions = [
        Some((target.clone(), 1.0)),
        Some((target.clone(), 3.0)),
        Some((wave, 1.0)),
        None,
        Some((vec![1.0; 500], 9.0)),
    ];
    let round = score_round(&submissions, &target).expect("a round");
    let own = |at: usize| round.scores[at].expect("ranked").own;
    assert!(own(0) == 0.5 && own(1) == 0.5 && own(2) == 1.0, "{:?}", round.scores);
    assert!(round.scores[0].expect("ranked").corr > 0.95 && round.meta_corr.expect("ranked") > 0.8);
    assert!(round.scores[3].is_none() && round.scores[4].is_none());
    assert!(score_round(&[Some((vec![1.0, 2.0], 1.0))], &target).is_err());
}

#[test]
fn a_pool_that_is_not_enough_pays_everybody_the_same_part() {
    let terms = PayoutTerms {
        corr_multiplier: 1.0,
        contribution_multiplier: 0.0,
        stake_threshold: 1e12,
        total_at_risk: 0.0,
        clip: 0.05,
    };
    let scores = |corrs: [f64; 3]| corrs.map(|corr| Some(RoundScore { corr, mmc: 0.0, own: 1.0 })).to_vec();
    let mut ledger = StakeLedger { stakes: vec![1_000, 2_000, 1_000], pool: 30, burned: 0 };
    let before = ledger.total();
    assert_eq!(ledger.settle(&terms, &scores([0.05, 0.02, -0.03])), Ok(vec![16, 13, -30]));
    assert_eq!((ledger.pool, ledger.burned, ledger.total()), (1, 30, before));
    assert_eq!(ledger.settle(&terms, &[None, None, None]), Ok(vec![0, 0, 0]));
    assert!(ledger.settle(&terms, &[None]).is_err());
}
