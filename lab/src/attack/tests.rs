use super::*;
use crate::sim::Judging;
use crate::sim::fixture::profile;
use weighhouse_types::profile::Scope;

fn plan(scope: Scope, attacks: &[&str], fractions: &[f64]) -> AttackPlan {
    AttackPlan {
        base: Scenario {
            judging: Judging { challenges: 32, ..Judging::default() },
            ..Scenario::honest(profile(scope), 40, 4, 48)
        },
        policies: vec![("default".to_owned(), PolicyFile::shipped())],
        attacks: attacks.iter().map(|name| Attack::named(name).expect("known")).collect(),
        fractions: fractions.to_vec(),
        seeds: vec![1, 2, 3, 4],
    }
}

#[test]
fn every_attack_of_the_catalogue_has_a_preset_and_its_fixed_flag() {
    let (attacks, missing) = catalogue(&profile(Scope::Private));
    assert_eq!(attacks.len(), CATALOGUE.len());
    assert!(missing.is_empty());
    let detectable = attacks.iter().filter(|attack| attack.detectable).count();
    assert_eq!(detectable, 12);
    let words: Vec<_> = WORDS.iter().map(|words| words.name).collect();
    assert_eq!(words, CATALOGUE.map(|(name, _)| name), "each attack has its words, in the same order");
    assert_eq!(Attack::named("sybil-64").expect("a split").strategy.identities, 64);
    assert_eq!(Attack::named("honest"), None);
}

#[test]
fn attacks_that_were_not_measured_are_named() {
    let mut profile = profile(Scope::Private);
    profile.personas.retain(|kind| kind.name != "int4");
    assert_eq!(catalogue(&profile).1, ["int4"]);
}

#[test]
fn cheats_that_only_a_task_knows_are_attacks_on_it() {
    let regress = crate::profiles::shipped("regress").expect("it ships");
    let (attacks, _) = catalogue(&regress);
    let names: Vec<_> = attacks.iter().map(|attack| attack.name.as_str()).collect();
    assert!(names.contains(&"hasty") && names.contains(&"mean") && !names.contains(&"honest"), "{names:?}");
    assert!(attacks.iter().all(|attack| attack.strategy.is_measured(&regress)));
    assert_eq!(Attack::answering(&regress, "int4"), None);
}

#[test]
fn worthless_answers_earn_nothing_and_honest_work_in_disguise_earns_as_much() {
    let mut plan = plan(Scope::Private, &["lazy", "random"], &[0.0, 0.4]);
    plan.attacks.push(Attack {
        name: "disguise".to_owned(),
        detectable: false,
        strategy: Strategy { name: "disguise".to_owned(), ..Strategy::default() },
    });
    let matrix = matrix(&plan).expect("runs");
    for row in &matrix.matrix {
        let ratio = row.cell.profit_ratio.expect("honest work pays");
        if row.cell.attack == "disguise" {
            assert_eq!(ratio, 1.0);
        } else {
            assert!(ratio <= 0.0, "{row:?}");
            assert_eq!(row.detected, 1.0, "{row:?}");
            assert!(row.displacement.abs() < 0.01 && row.honest_loss < 0.0, "{row:?}");
        }
    }
    let text = serde_json::to_string(&matrix).expect("serialises");
    assert_eq!(serde_json::from_str::<Matrix>(&text).expect("reads back"), matrix);
}

#[test]
fn a_split_backend_earns_no_more_where_the_barrier_asks_all_at_once() {
    let plan = plan(Scope::Private, &["sybil-4"], &[0.2]);
    let ratio = matrix(&plan).expect("runs").matrix[0].cell.profit_ratio.expect("honest work pays");
    assert!(ratio < 1.05, "{ratio}");
    let mut open = plan;
    open.base.judging.barrier = false;
    let ratio = matrix(&open).expect("runs").matrix[0].cell.profit_ratio.expect("honest work pays");
    assert!(ratio > 2.0, "{ratio}");
}

#[test]
fn the_interval_holds_the_ratio_and_shrinks_with_seeds() {
    let (ratio, [low, high]) = ratio_ci95(&[1.0, 2.0, 3.0], &[2.0, 2.0, 2.0]).expect("a ratio");
    assert_eq!(ratio, 1.0);
    // Residuals -1, 0, 1: error sqrt(2 / 6) / 2, times t of 2 degrees.
    let half = 4.303 * 0.288_675_134_594_812_9;
    assert!((high - ratio - half).abs() < 1e-9 && (ratio - low - half).abs() < 1e-9, "{low} to {high}");
    assert_eq!(ratio_ci95(&[1.0], &[0.0]), None);
    assert_eq!(ratio_ci95(&[3.0], &[2.0]), Some((1.5, [1.5, 1.5])));
}

#[test]
fn the_matrix_does_not_depend_on_threads() {
    let plan = plan(Scope::Shared, &["sleeper", "sybil"], &[0.2]);
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        serde_json::to_string(&pool.install(|| matrix(&plan)).expect("runs")).expect("serialises")
    };
    assert_eq!(on(1), on(3));
}

#[test]
fn a_plan_that_gives_no_figures_or_figures_that_say_nothing_is_refused() {
    let good = plan(Scope::Private, &["lazy"], &[0.2]);
    let refused = |change: &dyn Fn(&mut AttackPlan)| {
        let mut plan = good.clone();
        change(&mut plan);
        matrix(&plan).expect_err("refused").to_string()
    };
    assert!(refused(&|plan| plan.fractions = vec![2.0]).contains("`fractions` is 2"));
    assert!(refused(&|plan| plan.fractions = vec![f64::NAN]).contains("`fractions` is NaN"));
    assert!(refused(&|plan| plan.fractions.clear()).contains("share of bad miners"));
    assert!(refused(&|plan| plan.attacks.clear()).contains("at least one attack"));
    assert!(refused(&|plan| plan.policies.clear()).contains("at least one policy"));
    assert!(refused(&|plan| plan.seeds = vec![1]).contains("1 seeds"));
    assert!(refused(&|plan| plan.seeds = (0..=SEEDS_MAX as u64).collect()).contains("at most"));
    assert!(refused(&|plan| plan.base.miners.clear()).contains("at least one miner"));
    assert!(refused(&|plan| plan.base.subnet.max_uids = 4).contains("at least one miner"));
    let crowd = |plan: &mut AttackPlan| plan.attacks = vec![Attack::named("sybil-64").expect("a split")];
    assert!(refused(&crowd).contains("no attack has room"));
    let mut both = good.clone();
    both.attacks.push(Attack::named("sybil-64").expect("a split"));
    assert_eq!(matrix(&both).expect("lazy has room").left_out, [("sybil-64".to_owned(), 0.2)]);
}

#[test]
fn silence_towards_some_validators_is_counted_as_their_loss() {
    let mut plan = plan(Scope::Private, &["silence", "lazy"], &[0.3]);
    plan.base.validators[0].count = 8;
    plan.base.subnet.max_uids = 48;
    let matrix = matrix(&plan).expect("runs").matrix;
    let [silence, lazy] = [&matrix[0], &matrix[1]];
    assert!(silence.validator_loss > 0.1 && silence.harmed_stake > 0.2, "{silence:?}");
    assert!(lazy.validator_loss < 0.02 && lazy.harmed_stake == 0.0, "{lazy:?}");
}

#[test]
fn other_costs_are_worked_out_from_the_same_runs() {
    let plan = plan(Scope::Private, &["timing", "shirker"], &[0.2]);
    let matrix = matrix(&plan).expect("runs");
    let at = |share: f64, unjudged: f64| {
        let row = matrix.sweep.iter().find(|row| row.cost_share == share && row.unjudged == unjudged);
        row.expect("a point")
    };
    assert_eq!(matrix.sweep.len(), 20);
    let mut other = plan.clone();
    other.base.economy.cost_share = 0.9;
    other.base.economy.unjudged = 4.0;
    let run = super::matrix(&other).expect("runs");
    let best = run.matrix.iter().map(|row| row.cell.profit_ratio.expect("a ratio")).fold(f64::MIN, f64::max);
    assert!((at(0.9, 4.0).profit_ratio - best).abs() < 1e-9, "{} {best}", at(0.9, 4.0).profit_ratio);
    assert_eq!(at(0.95, 9.0).attack, "shirker");
    assert!(at(0.5, 9.0).profit_ratio > at(0.5, 0.0).profit_ratio);
}

#[test]
fn the_docs_have_the_same_words() {
    let page = include_str!("../../../docs/lab.md");
    assert!(page.ends_with(&markdown()), "docs/lab.md ends with:\n{}", markdown());
}
