use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

use weighhouse_models::draw::unit;

use crate::label::*;

const SEEDS: u64 = 20;

fn crowd(classes: usize, sorts: &[(Sort, usize)]) -> CrowdPlan {
    let workers = sorts.iter().flat_map(|(sort, count)| vec![*sort; *count]).collect();
    CrowdPlan { items: 2_000, classes, overlap: 5, gold_per_mille: 50, workers }
}

/// What all workers of a sort earn together, of 1, by seed.
fn earned(plan: &CrowdPlan, outcomes: &[CrowdOutcome], sort: Sort) -> Interval {
    let of_one = |outcome: &CrowdOutcome| {
        let own = outcome.pay.iter().zip(&plan.workers).filter(|(_, worker)| **worker == sort);
        own.map(|(pay, _)| pay).sum()
    };
    Interval::of(&outcomes.iter().map(of_one).collect::<Vec<f64>>())
}

fn drawn(plan: &CrowdPlan, seeds: u64) -> Vec<CrowdOutcome> {
    (0..seeds).map(|seed| draw_crowd(plan, seed)).collect()
}

#[test]
fn the_careful_get_the_pay_and_the_posterior_beats_the_majority_where_four_in_ten_are_bad() {
    for classes in [2, 10] {
        let plan = crowd(classes, &mixed());
        let outcomes = drawn(&plan, SEEDS);
        let careful = earned(&plan, &outcomes, Sort::Careful);
        assert!(careful.mean - careful.half_width >= 0.95, "{classes} classes: {careful:?}");
        let clique = earned(&plan, &outcomes, Sort::Clique);
        assert!(clique.mean / 3.0 < careful.mean / 15.0 / 10.0, "{clique:?} for {careful:?}");
        let gain: Vec<f64> =
            outcomes.iter().map(|outcome| outcome.accuracy - outcome.majority_accuracy).collect();
        let gain = Interval::of(&gain);
        assert!(gain.mean - gain.half_width >= 0.03, "{classes} classes: {gain:?}");
    }
}

#[test]
fn no_sort_that_does_not_look_earns_beside_the_careful() {
    for sort in [Sort::Random, Sort::Constant, Sort::MajorityGuesser, Sort::Clique, Sort::GoldSpotter] {
        let plan = crowd(4, &[(Sort::Careful, 15), (sort, 10)]);
        let all = earned(&plan, &drawn(&plan, 5), sort);
        assert!(all.mean < 0.01, "{}: {all:?}", sort.name());
    }
    // A majority in league loses as well: whom gold doesn't prove isn't heard.
    let plan = crowd(4, &[(Sort::Careful, 10), (Sort::Clique, 15)]);
    for outcome in drawn(&plan, 3) {
        assert!(outcome.accuracy > 0.85 && outcome.majority_accuracy < 0.5, "{}", outcome.accuracy);
    }
}

#[test]
fn a_crowd_of_one_model_earns_together_what_one_worker_earns() {
    let plan = crowd(10, &[(Sort::Careful, 15), (Sort::SameModel, 10)]);
    let outcomes = drawn(&plan, 5);
    let (together, careful) =
        (earned(&plan, &outcomes, Sort::SameModel), earned(&plan, &outcomes, Sort::Careful));
    assert!(together.mean < 1.1 * careful.mean / 15.0, "{together:?} for {careful:?}");
    assert!(outcomes.iter().all(|outcome| outcome.accuracy > outcome.majority_accuracy + 0.03));
}

#[test]
fn honest_crowds_are_hardly_ever_taken_for_groups() {
    let workers = vec![Sort::Careful; 12];
    let plan = CrowdPlan { items: 500, classes: 4, overlap: 5, gold_per_mille: 50, workers };
    let alarms = drawn(&plan, 200).iter().filter(|outcome| !outcome.judged.groups.is_empty()).count();
    assert!(alarms <= 2, "{alarms} of 200 crowds, and 1 in 1,000 is what the bound says");
}

#[test]
fn the_worst_worker_that_a_policy_allows_is_never_slashed_and_one_who_guesses_soon_is() {
    let mut rng = ChaCha20Rng::from_seed([9; 32]);
    let mut lifetime = |accuracy: f64, items: usize| {
        let mut wager = Wager::new(0.6);
        let mut slashed = (0..items).map(|_| {
            wager.take(unit(&mut rng) < accuracy);
            wager.slashes()
        });
        slashed.position(|slashed| slashed)
    };
    let wrongly = (0..3_000).filter(|_| lifetime(0.6, 1_000).is_some()).count();
    assert!(wrongly <= 1, "{wrongly} of 3,000, and 0.3 is the bound");
    let mut until: Vec<usize> = (0..200).map(|_| lifetime(0.25, 1_000).expect("slashed")).collect();
    until.sort_unstable();
    assert!(until[100] < 60, "half of those who guess among four are slashed after {}", until[100]);
}

#[test]
fn bounds_are_those_of_the_tables() {
    let near = |found: f64, expected: f64| assert!((found - expected).abs() < 5e-5, "{found} for {expected}");
    near(lower_bound(18, 20, 0.05), 0.71738);
    near(lower_bound(10, 10, 0.05), 0.74113);
    near(lower_bound(1, 20, 0.05), 0.00256);
    assert_eq!((lower_bound(0, 20, 0.05), lower_bound(0, 0, 0.05)), (0.0, 0.0));
}

#[test]
fn every_item_has_as_many_workers_as_it_should_and_everybody_as_many_items() {
    let mut rng = ChaCha20Rng::from_seed([1; 32]);
    let shares = divide(2_000, 25, 5, &mut rng);
    let mut heard = vec![0; 2_000];
    for share in &shares {
        assert!((399..=401).contains(&share.len()) && share.is_sorted_by(|one, next| one < next));
        share.iter().for_each(|item| heard[*item] += 1);
    }
    assert!(heard.iter().all(|heard| *heard == 5));
    assert_eq!(divide(3, 2, 5, &mut rng), [[0, 1, 2], [0, 1, 2]]);
    assert_eq!(divide(3, 0, 5, &mut rng), Vec::<Vec<usize>>::new());
}
