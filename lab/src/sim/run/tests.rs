use std::path::PathBuf;

use super::*;
use crate::sim::fixture::{profile, read, small};
use crate::sim::{Judging, MinerGroup, ScenarioSubnet, Strategy, ValidatorGroup};
use weighhouse_scoring::policy::Policy;
use weighhouse_scoring::track::{Tally, Track};
use weighhouse_types::profile::Scope;

fn persona(name: &str, operators: u16) -> MinerGroup {
    MinerGroup::attackers(Strategy::persona(name).expect("a preset"), operators)
}

fn validators(name: &str, persona: ScenarioValidator, count: u16) -> ValidatorGroup {
    ValidatorGroup { name: name.to_owned(), persona, ..ValidatorGroup::honest(count) }
}

fn with_attackers(group: MinerGroup) -> Scenario {
    let mut scenario = small();
    let uids = group.operators * group.strategy.identities;
    scenario.miners = vec![MinerGroup::honest(20 - uids), group];
    scenario
}

#[test]
fn every_rao_is_accounted_for() {
    let mut scenario = with_attackers(persona("sleeper", 5));
    scenario.miners[0].arrivals = 0.5;
    let mut simulator = Simulator::new(&scenario).expect("a world");
    for seed in 0..3 {
        let outcome = simulator.run(seed);
        let all = u64::from(scenario.epochs) * scenario.subnet.emission_rao;
        assert_eq!(outcome.miners_rao + outcome.validators_rao + outcome.burned_rao + outcome.dust_rao, all);
        let by_group: u64 = outcome.miners.iter().map(|group| group.emission_rao).sum();
        assert_eq!(by_group, outcome.miners_rao);
        // Shares are cut at 2^-32, each amount at a rao, for a miner's and a validator's half of each uid.
        let cut = 2 * (scenario.subnet.emission_rao / (1 << 32) + 2);
        assert!(outcome.dust_rao < cut * u64::from(scenario.epochs) * u64::from(scenario.subnet.max_uids));
        for group in &outcome.miners {
            assert_eq!(group.emission_by_epoch_rao.iter().sum::<u64>(), group.emission_rao);
        }
    }
}

#[test]
fn lazy_random_and_nan_miners_earn_nothing() {
    for name in ["lazy", "random", "nan", "cached", "plagiarist"] {
        let outcome = run(&with_attackers(persona(name, 6)), 5).expect("runs");
        let group = outcome.group(name).expect("the group");
        assert_eq!(group.emission_rao, 0, "{name}");
        assert_eq!((group.dishonest, group.detected), (6, 6), "{name}");
        assert!(outcome.rank_correlation.expect("two kinds of miner") > 0.6, "{name}");
    }
}

#[test]
fn better_work_earns_more() {
    let mut scenario = small();
    scenario.miners[0].quality = [0.5, 1.0];
    scenario.policy = read(&scenario.policy.text().replace("floor = 0.4", "floor = 0.1"));
    let outcome = run(&scenario, 9).expect("runs");
    assert!(outcome.rank_correlation.expect("qualities differ") > 0.95, "{:?}", outcome.rank_correlation);
}

#[test]
fn the_same_world_comes_out_of_any_number_of_threads() {
    let scenarios: Vec<_> =
        ["sleeper", "twin", "sybil"].map(|name| with_attackers(persona(name, 1))).to_vec();
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        let outcomes = pool.install(|| run_all(&scenarios, &[1, 2, 3])).expect("runs");
        serde_json::to_string(&outcomes).expect("serialises")
    };
    let one = on(1);
    assert_eq!(one, on(2));
    assert_eq!(one, on(4));
    let [first, second] = [1, 2].map(|seed| run(&scenarios[0], seed).expect("runs").miners);
    assert_ne!(first, second, "seeds must differ");
}

#[test]
fn a_simulator_used_before_gives_what_a_new_one_gives() {
    let mut scenario = with_attackers(persona("sleeper", 4));
    scenario.miners[0].arrivals = 0.3;
    let mut used = Simulator::new(&scenario).expect("a world");
    used.run(11);
    assert_eq!(used.run(12), run(&scenario, 12).expect("runs"));
}

#[test]
fn a_copier_without_commit_reveal_earns_its_share_of_stake_and_a_stale_one_less() {
    let mut scenario = small();
    scenario.subnet = ScenarioSubnet { max_uids: 25, commit_reveal: false, ..ScenarioSubnet::default() };
    scenario.miners[0].quality = [0.6, 1.0];
    scenario.validators.push(validators("copier", ScenarioValidator::Copier, 1));
    let copied = |scenario: &Scenario| {
        run(scenario, 3).expect("runs").validator_group("copier").expect("the group").dividend_per_stake
    };
    let fresh = copied(&scenario);
    assert!((0.97..1.05).contains(&fresh), "{fresh}");
    scenario.judging.drift = 0.15;
    scenario.subnet.commit_reveal = true;
    scenario.subnet.reveal_period_epochs = 6;
    let stale = copied(&scenario);
    assert!(stale < 0.9, "{stale}");
}

#[test]
fn a_cartel_takes_the_subnet_only_above_half_of_the_stake() {
    let share = |cartel: u16| {
        let mut scenario = with_attackers(MinerGroup { name: "lazy".to_owned(), ..persona("lazy", 5) });
        scenario.subnet.max_uids = 30;
        scenario.validators = vec![
            ValidatorGroup::honest(10 - cartel),
            validators("cartel", ScenarioValidator::Cartel { group: "lazy".to_owned() }, cartel),
        ];
        let outcome = run(&scenario, 1).expect("runs");
        outcome.group("lazy").expect("the group").emission_rao as f64 / outcome.miners_rao as f64
    };
    assert!(share(6) > 0.9, "{}", share(6));
    assert!(share(4) < 0.01, "{}", share(4));
}

#[test]
fn a_bribe_below_half_of_the_stake_buys_little() {
    let mut scenario = with_attackers(persona("lazy", 4));
    let bribed = ScenarioValidator::Bribed { group: "lazy".to_owned(), share: 0.5 };
    scenario.subnet.max_uids = 25;
    scenario.validators.push(validators("bribed", bribed, 1));
    let outcome = run(&scenario, 1).expect("runs");
    assert!(outcome.group("lazy").expect("the group").emission_rao < outcome.miners_rao / 100);
    let bribed = outcome.validator_group("bribed").expect("the group");
    assert!(bribed.dividend_per_stake < 0.95, "{bribed:?}");
}

#[test]
fn lazy_and_differing_validators_earn_less_than_honest_ones() {
    let mut scenario = small();
    scenario.subnet.max_uids = 26;
    scenario.miners[0].quality = [0.6, 1.0];
    scenario.judging.drift = 0.1;
    scenario.epochs = 60;
    scenario.validators.push(validators("lazy", ScenarioValidator::Lazy { period_epochs: 12 }, 1));
    scenario.validators.push(validators("differing", ScenarioValidator::Differing { deviation: 0.3 }, 1));
    let outcome = run(&scenario, 4).expect("runs");
    for name in ["lazy", "differing"] {
        let group = outcome.validator_group(name).expect("the group");
        assert!(group.dividend_per_stake < 0.97, "{group:?}");
    }
}

#[test]
fn a_newcomer_is_never_paid_for_the_score_of_who_had_the_uid_before() {
    for commit_reveal in [false, true] {
        let mut scenario = small();
        scenario.subnet.commit_reveal = commit_reveal;
        scenario.miners[0].arrivals = 1.0;
        scenario.epochs = 60;
        let outcome = run(&scenario, 2).expect("runs");
        assert!(outcome.newcomers.count > 30, "{:?}", outcome.newcomers);
        assert!(outcome.group("honest").expect("the group").evictions > 30);
        assert_eq!(outcome.misdirected_rao, 0);
        assert!(outcome.newcomers.reached > 20, "{:?}", outcome.newcomers);
    }
}

/// The chain clears the weights on a uid that changes hands, but not those that are still concealed, and its mask looks
/// at the earliest commit that is not revealed yet. With weights concealed for more than one epoch, vectors from before
/// a registration are in force once: no validator can help it, the simulator counts it.
#[test]
fn weights_concealed_for_two_epochs_pay_a_newcomer_once_for_who_came_before() {
    let mut scenario = small();
    scenario.subnet.reveal_period_epochs = 2;
    scenario.miners[0].arrivals = 1.0;
    scenario.epochs = 60;
    let outcome = run(&scenario, 2).expect("runs");
    let share = outcome.misdirected_rao as f64 / outcome.miners_rao as f64;
    assert!(share > 0.01 && share < 0.1, "{share}");
}

#[test]
fn who_earns_nothing_is_pruned_first_and_pays_to_come_back() {
    let mut scenario = with_attackers(persona("lazy", 4));
    scenario.miners[0].arrivals = 1.0;
    scenario.miners[1].strategy.comes_back = Some(crate::sim::Return { after_epochs: 2, unpaid_epochs: 0 });
    scenario.subnet.immunity_blocks = 720;
    scenario.epochs = 60;
    let outcome = run(&scenario, 2).expect("runs");
    let lazy = outcome.group("lazy").expect("the group");
    assert!(lazy.evictions >= 4 && lazy.registrations > 4, "{lazy:?}");
    assert!(lazy.profit < 0.0, "registrations cost: {lazy:?}");
}

#[test]
fn identities_on_one_backend_miss_the_barrier_and_a_cluster_shares() {
    let earned = |scope: Scope, barrier: bool| {
        let mut scenario = with_attackers(persona("sybil", 1));
        scenario.profile = profile(scope);
        scenario.judging = Judging { barrier, ..Judging::default() };
        scenario.policy = read(&scenario.policy.text().replace("floor = 0.4", "floor = 0.05"));
        let outcome = run(&scenario, 1).expect("runs");
        let of = |name: &str| outcome.group(name).expect("the group").emission_rao as f64;
        of("sybil") / (of("honest") / 12.0)
    };
    // Eight identities on a backend for one: an eighth of the answers each.
    let barred = earned(Scope::Private, true);
    assert!((0.8..1.05).contains(&barred), "{barred}");
    let open = earned(Scope::Private, false);
    assert!(open > 7.5, "{open}");
    // All are asked the same: one computation answers for eight, until their likeness makes them one cluster.
    let shared = |likeness: f64| {
        let mut scenario = with_attackers(persona("sybil", 1));
        scenario.profile = profile(Scope::Shared);
        scenario.judging.honest_likeness = Some(likeness);
        let outcome = run(&scenario, 1).expect("runs");
        let of = |name: &str| outcome.group(name).expect("the group").emission_rao as f64;
        of("sybil") / (of("honest") / 12.0)
    };
    assert!(shared(0.3) < 1.05, "{}", shared(0.3));
    assert!(shared(1.0) > 7.5, "honest answers are all alike: {}", shared(1.0));
}

fn vector(name: &str) -> Vec<u8> {
    let given = std::env::var_os("WEIGHHOUSE_VECTORS").map(|folder| PathBuf::from(folder).join(name));
    let own = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name);
    let path = given.filter(|path| path.exists()).unwrap_or(own);
    std::fs::read(&path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()))
}

/// The published figures of a noise model and its mirror image over sixty rounds.
#[test]
fn twins_leak_where_rounds_are_clipped_and_hardly_where_they_are_averaged_first() {
    let vector: serde_json::Value =
        serde_json::from_slice(&vector("numerai/twin_attack.json")).expect("json");
    let rounds: Vec<[f64; 2]> = serde_json::from_value(vector["rounds"].clone()).expect("pairs");
    let published = |key: &str| vector["expected"][key].as_f64().expect("a figure");
    let clipped: f64 = rounds.iter().flatten().map(|mark| mark.max(0.0)).sum();
    assert!((clipped - published("sum_of_per_round_max0")).abs() < 1e-12);

    // The memory of an average that a new round moves by a twentieth.
    let half_life = libm::log(0.5) / libm::log(0.95);
    let text = format!(
        "version = 2\n[average]\nkind = \"ema\"\nhalf_life = {half_life:.9}\n[newcomer]\nmin_attempts = 1\n"
    );
    let policy = Policy::parse(text.as_bytes()).expect("a policy");
    let mut tracks = [Track::default(), Track::default()];
    let mut leak = 0.0;
    for (epoch, pair) in rounds.iter().enumerate() {
        for (track, mark) in tracks.iter_mut().zip(pair) {
            let mut tally = Tally::default();
            tally.add(&policy, (mark * 1e9) as i64, Some(1));
            track.fold(&policy, epoch as u64, &tally);
            leak += policy.rate(track, epoch as u64).0.to_f64();
        }
    }
    let expected = published("sum_of_max0_of_ema_alpha_0.05");
    assert!((leak - expected).abs() < 0.15 * clipped, "{leak} against {expected}");
    assert!(leak < 0.25 * clipped, "{leak} of {clipped}");
}

#[test]
fn a_pair_of_twins_earns_nothing_from_the_shipped_policy() {
    let outcome = run(&with_attackers(persona("twin", 3)), 1).expect("runs");
    assert_eq!(outcome.group("twin").expect("the group").emission_rao, 0);
}

/// An expression that reads the error sends judging the way of the tracks, one miner at a time; these change no score by it.
#[test]
fn all_miners_at_once_are_judged_as_each_by_itself() {
    let worlds = [
        ("", ScenarioValidator::Honest),
        ("[newcomer]\nramp_epochs = 7", ScenarioValidator::Differing { deviation: 0.05 }),
        ("[deadline]\ncapacity = 9", ScenarioValidator::Lazy { period_epochs: 5 }),
        ("[shape]\nkind = \"rank\"\nratio = 0.9\nhysteresis = 0.05", ScenarioValidator::Honest),
        ("[average]\nhalf_life = 3.0\nfall_half_life = 1.0", ScenarioValidator::Honest),
    ];
    for (at, (keys, validator)) in worlds.into_iter().enumerate() {
        let mut scenario = with_attackers(persona("sleeper", 5));
        scenario.miners[0].arrivals = 0.5;
        scenario.miners[0].quality = [0.3, 1.0];
        scenario.miners[1].strategy.served_stake = 0.6;
        scenario.validators.push(validators("other", validator, 2));
        scenario.subnet.max_uids += 2;
        let outcome = |text: String| {
            let scenario = Scenario { policy: read(&text), ..scenario.clone() };
            let outcome = run(&scenario, at as u64).expect("runs");
            serde_json::to_string(&outcome).expect("serialises")
        };
        let expressed =
            |score: &str| outcome(format!("version = 2\n{keys}\n[expression]\nscore = \"{score}\""));
        assert_eq!(outcome(format!("version = 2\n{keys}")), expressed("score + 0.0 * error"), "{keys}");
        let slow_start = "age < 6 ? score * double(age + 1) / 6.0 : min(average, answered * capacity)";
        assert_eq!(expressed(slow_start), expressed(&format!("({slow_start}) + 0.0 * error")), "{keys}");
        let partly = "age > 2 && age < 90 && average < 0.45 ? sqrt(average - 0.45) : average / 2.0";
        assert_eq!(expressed(partly), expressed(&format!("({partly}) + 0.0 * error")), "{keys}");
    }
}

#[test]
fn a_policy_is_parsed_once_for_all_seeds_and_worlds() {
    let scenario = small();
    let parsed = scenario.policy.policy().clone();
    let plan = Arc::new(SimulationPlan::new(&scenario).expect("a plan"));
    assert!(Arc::ptr_eq(&plan.policy, &parsed));
    let simulators: Vec<_> = (0..8).map(|_| Simulator::runs(plan.clone())).collect();
    assert!(simulators.iter().all(|simulator| Arc::ptr_eq(&simulator.plan.policy, &parsed)));
    let world = crate::attack::AttackPlan {
        base: scenario,
        policies: vec![("shared".to_owned(), read("version = 2"))],
        attacks: vec![crate::attack::Attack::named("lazy").expect("known")],
        fractions: vec![0.2],
        seeds: vec![1],
    };
    let attacked = crate::attack::honest_base(&world);
    assert!(Arc::ptr_eq(attacked.policy.policy(), world.policies[0].1.policy()));
}
