//! Strategies that pay on policies made for it, none of which is among the starts: the search has to find what they are worth.

use super::tests::{LINEAR, game};
use super::*;
use crate::search::tests::Recorder;
use crate::sim::{Mix, Return, Switch};

const EVALUATIONS: u64 = 2000;
const SEEDS: u64 = 2;
/// Of what was planted.
const ENOUGH: f64 = 0.95;

/// Plays the game from several seeds and asks that each finds nearly all that the planted strategy is worth.
fn finds(mut game: RedTeam, planted: &Strategy) {
    let worth = game.evaluate(planted).expect("has room").ratio;
    assert!(worth > 1.1, "planted in vain: {worth}");
    game.evaluations = EVALUATIONS;
    for seed in 1..=SEEDS {
        game.seed = seed;
        let found = game.run(None, &mut Recorder::default()).expect("plays");
        assert!(
            found.best_response >= ENOUGH * worth,
            "{}: seed {seed} found {}, planted {worth}: {:?}",
            planted.name,
            found.best_response,
            found.strategy
        );
    }
}

fn named(name: &str, strategy: Strategy) -> Strategy {
    Strategy { name: name.to_owned(), ..strategy }
}

/// Full pay above a step that is far below honest work.
const STEP: &str =
    "version = 2\n[average]\nhalf_life = 6.0\n[expression]\nscore = \"score > 0.35 ? 1.0 : 0.0\"\n";

#[test]
fn a_mixture_just_above_a_step_is_found() {
    let work = Mix::of(&[("honest", 0.5), ("silent", 0.3), ("weak", 0.2)]);
    finds(game(STEP, 1), &named("mixture", Strategy { work, ..Strategy::default() }));
}

#[test]
fn a_cycle_that_an_average_forgives_is_found() {
    let switch = Switch { period: 6, duty: 0.66, ..Switch::default() };
    let cycle = Strategy { rest: Some(Mix::only("silent")), switch, ..Strategy::default() };
    finds(game(STEP, 1), &named("cycle", cycle));
}

#[test]
fn churn_is_found_where_only_newcomers_are_paid() {
    let young = "version = 2\n[expression]\nscore = \"age < 5 ? score : 0.0\"\n";
    let back = Some(Return { after_epochs: 2, unpaid_epochs: 5 });
    finds(game(young, 1), &named("churn", Strategy { comes_back: back, ..Strategy::default() }));
}

#[test]
fn holding_less_power_is_found_where_answers_cost_nearly_all_that_they_earn() {
    let mut game = game(LINEAR, 1);
    for arena in [&mut game.training, &mut game.screening, &mut game.full] {
        arena.base.economy.cost_share = 0.95;
    }
    finds(game, &named("short", Strategy { backend: Some(0.62), ..Strategy::default() }));
}

#[test]
fn serving_judged_requests_alone_is_found() {
    let mut game = game(LINEAR, 1);
    for arena in [&mut game.training, &mut game.screening, &mut game.full] {
        arena.base.economy.unjudged = 6.0;
        arena.base.economy.cost_share = 0.8;
    }
    let work = Mix::of(&[("honest", 0.9), ("weak", 0.1)]);
    let shirker = Strategy { sight: Some(0.7), work, rest: Some(Mix::only("silent")), ..Strategy::default() };
    finds(game, &named("shirker", shirker));
}

#[test]
fn splitting_is_found_where_nobody_asks_all_at_once() {
    let mut game = game(LINEAR, 1);
    for arena in [&mut game.training, &mut game.screening, &mut game.full] {
        arena.base.judging.barrier = false;
        arena.base.profile.scope = weighhouse_types::profile::Scope::Shared;
        arena.base.judging.honest_likeness = Some(1.0);
    }
    let split = Strategy { identities: 4, backend: Some(0.9), ..Strategy::default() };
    finds(game, &named("split", split));
}
