use super::*;
use crate::sim::fixture::{policy, profile, small};
use crate::sim::{MinerGroup, Mix, Scenario, Strategy, run};
use weighhouse_types::profile::{LikenessFigures, Scope};

#[test]
fn the_tail_of_a_binomial_is_the_sum_of_its_terms() {
    let close =
        |found: f64, wanted: f64| assert!((found / wanted - 1.0).abs() < 1e-9, "{found}, not {wanted}");
    close(tail(1, 1, 0.25), 0.25);
    close(tail(2, 1, 0.5), 0.75);
    close(tail(4, 3, 0.5), 5.0 / 16.0);
    close(tail(3, 3, 0.1), 0.001);
    // Ten thousand rounds of a fair coin: half of the even case lies at or above the middle.
    let middle = tail(10_000, 5000, 0.5);
    assert!((middle - 0.5).abs() < 0.005 && middle > 0.5, "{middle}");
    assert_eq!((tail(5, 6, 0.9), tail(5, 1, 0.0), tail(5, 5, 1.0)), (0.0, 0.0, 1.0));
}

#[test]
fn as_many_rounds_are_needed_as_the_scoring_code_needs() {
    let rounds = |rounds, billionths| {
        Rounds::new(rounds, Fraction::from_billionths(billionths).expect("a share")).needed
    };
    assert_eq!((rounds(32, 500_000_000), rounds(33, 500_000_000), rounds(3, 333_333_334)), (16, 17, 2));
    assert_eq!((rounds(10, 1), rounds(10, 1_000_000_000)), (1, 10));
}

fn shared() -> Scenario {
    let mut scenario = small();
    scenario.profile = profile(Scope::Shared);
    scenario.policy = policy("[cluster]\npay = \"split\"\nagreement = 0.5");
    scenario
}

/// What eight identities that answer by this mix earn over one honest miner's share.
fn earned(mut scenario: Scenario, work: &[(&str, f64)]) -> f64 {
    let strategy = Strategy { identities: 8, work: Mix::of(work), ..Strategy::plain("mixing", "honest") };
    scenario.miners[0].operators = 12;
    scenario.miners.push(MinerGroup::attackers(strategy, 1));
    let outcome = run(&scenario, 1).expect("runs");
    let of = |name: &str| outcome.group(name).expect("the group").emission_rao as f64;
    of("mixing") / (of("honest") / 12.0)
}

#[test]
fn a_mixture_just_below_the_agreement_is_caught_in_most_epochs() {
    let pure = earned(shared(), &[("honest", 1.0)]);
    assert!(pure < 1.1, "{pure}");
    // Alike in 0.48 of rounds on average: of 28 pairs some reach 16 of 32 in an epoch, and join the others.
    let mixed = earned(shared(), &[("honest", 0.6), ("weak", 0.346), ("random", 0.054)]);
    assert!(mixed < 2.0, "{mixed}");
    let kinds = [("honest", 0.25), ("weak", 0.25), ("noise", 0.25), ("int4", 0.25)];
    let spread = earned(shared(), &kinds);
    assert!(spread > 3.0, "alike in a quarter of rounds only: {spread}");
}

#[test]
fn measured_likeness_decides_where_there_is_any() {
    let mut scenario = shared();
    scenario.profile.likeness = Some(LikenessFigures { rounds: 200, strangers: 0.0 });
    for kind in &mut scenario.profile.personas {
        if kind.name == "honest" {
            kind.alike.insert("honest".to_owned(), 0.0);
        }
    }
    // Copies that the judge is blind to are paid eight times.
    let hidden = earned(scenario, &[("honest", 1.0)]);
    assert!(hidden > 6.0, "{hidden}");
}

#[test]
fn a_policy_that_asks_for_little_agreement_takes_honest_miners_for_each_other() {
    let honest = |agreement: &str| {
        let mut scenario = shared();
        scenario.policy = policy(&format!("[cluster]\npay = \"split\"\nagreement = {agreement}"));
        scenario.profile.likeness = Some(LikenessFigures { rounds: 200, strangers: 0.01 });
        scenario.profile.personas.iter_mut().for_each(|kind| {
            kind.alike.insert("honest".to_owned(), 0.0);
        });
        scenario.miners[0].quality = [0.5, 1.0];
        run(&scenario, 1).expect("runs")
    };
    let (strict, lax) = (honest("0.5"), honest("0.01"));
    // 32 rounds at 0.015 each: two strangers in five are alike in one of them, so that almost all are one cluster or paid by chance.
    assert!(strict.vtrust_mean > 0.95 && strict.rank_correlation.expect("differs") > 0.9, "{strict:?}");
    assert!(
        lax.vtrust_mean < strict.vtrust_mean || lax.rank_correlation < strict.rank_correlation,
        "{lax:?}"
    );
}
