use super::*;
use crate::search::tests::Recorder;
use crate::sim::Strategy;
use crate::sim::fixture::{PROFILE, policy, profile, read};
use weighhouse_types::profile::Scope;

/// A policy that pays half for having answered, and any mark above zero.
const WEAK: &str = "version = 2\n[metrics]\nmark = 1.0\n[shape]\nfloor = 0.0\n[average]\nhalf_life = 2.0\n";

fn file(decision: &str, evaluations: u64) -> String {
    format!(
        "version = 1\nseed = 3\nevaluations = {evaluations}\ndecision = \"{decision}\"\nfinalists = 3\n\
         [[parameter]]\nkey = \"shape.floor\"\nlow = 0.0\nhigh = 0.79\n\
         [[parameter]]\nkey = \"average.half_life\"\nlow = 0.0\nhigh = 4.0\n\
         [[objective]]\nmeasure = \"attack_profit\"\n\
         [[objective]]\nmeasure = \"newcomer_delay\"\nweight = 0.01\n\
         [worlds]\nminers = 16\nvalidators = 2\nattacks = [\"weak\", \"lazy\"]\nfractions = [0.25]\n\
         profile = \"digits\"\n\
         [train]\nseeds = [1, 2]\nepochs = 20\n[held_out]\nseeds = [21, 22]\nepochs = 30\n"
    )
}

fn tuning(decision: &str, evaluations: u64) -> (Tuning, Proving) {
    let mut tuning = Tuning::parse(file(decision, evaluations).as_bytes()).unwrap();
    tuning.worlds.profile = toml::Value::Table(PROFILE.parse().unwrap());
    let proving = tuning.proving().unwrap();
    (tuning, proving)
}

fn tuned(decision: &str, evaluations: u64) -> TuningResult {
    let (tuning, proving) = tuning(decision, evaluations);
    tune(&tuning, &read(WEAK), &proving, None, &mut Recorder::default()).unwrap()
}

#[test]
fn a_sum_is_tuned_to_a_policy_that_is_better_on_seeds_it_never_saw() {
    let result = tuned("sum", 60);
    assert!(result.base.held_out.attack_profit > 1.1, "{:?}", result.base);
    assert!(result.winner.held_out.attack_profit < 1.0, "{:?}", result.winner);
    assert!(result.winner.held_out_objective < result.base.held_out_objective);
    let floor = result.winner.values["shape.floor"].as_float().unwrap();
    // Above the weak model's mean mark of 0.62, so that it earns nothing.
    assert!(floor > 0.55, "{floor}");
    assert!(result.finalists.windows(2).all(|two| two[0].held_out_objective <= two[1].held_out_objective));
}

#[test]
fn the_winner_is_a_policy_file_with_its_provenance() {
    let result = tuned("sum", 20);
    let text = &result.winner_text;
    let policy = weighhouse_scoring::Policy::parse(text.as_bytes()).unwrap();
    assert_eq!(policy, weighhouse_scoring::Policy::parse(result.winner.policy.as_bytes()).unwrap());
    let base = read(WEAK).hash().to_string();
    for wanted in [base.as_str(), "seed 3", "[1, 2], 20 epochs", "[21, 22], 30 epochs", "AttackProfit"] {
        assert!(text.contains(wanted), "{wanted}: {text}");
    }
    assert!(text.contains(env!("CARGO_PKG_VERSION")) && text.contains(" evaluations"));
}

#[test]
fn a_front_holds_policies_none_of_which_beats_another() {
    let (tuning, proving) = tuning("front", 60);
    let result = tune(&tuning, &read(WEAK), &proving, None, &mut Recorder::default()).unwrap();
    assert!(!result.finalists.is_empty());
    let costs: Vec<_> = result.finalists.iter().map(|tuned| tuning.costs(&tuned.held_out)).collect();
    for one in &costs {
        assert!(costs.iter().all(|other| !pareto::dominates(other, one)), "{costs:?}");
    }
    assert!(result.winner.held_out.attack_profit < result.base.held_out.attack_profit);
}

#[test]
fn an_interrupted_tuning_goes_on_from_its_log() {
    let (tuning, proving) = tuning("sum", 24);
    let mut whole = Recorder::default();
    let wanted = tune(&tuning, &read(WEAK), &proving, None, &mut whole).unwrap();
    let mut first = Recorder { generations_left: Some(2), ..Recorder::default() };
    tune(&tuning, &read(WEAK), &proving, None, &mut first).unwrap();
    first.generations_left = None;
    let log = Log::parse(first.log.as_bytes()).unwrap();
    assert!(log.evaluations() < wanted.evaluations);
    let resumed = tune(&tuning, &read(WEAK), &proving, Some(log.clone()), &mut first).unwrap();
    assert_eq!((resumed, &first.log), (wanted, &whole.log));
    let other_base = tune(&tuning, &policy(""), &proving, Some(log), &mut Recorder::default());
    assert!(matches!(other_base, Err(TuningError::Search(_))), "{other_base:?}");
}

#[test]
fn what_is_good_enough_is_not_improved_further() {
    let (mut tuning, proving) = tuning("sum", 1);
    let measures = proving.measure(&read(WEAK), &[1, 2], 20).unwrap().unwrap();
    tuning.objectives = vec![Objective { measure: Measure::Vtrust, weight: 2.0, enough: Some(0.5) }];
    assert_eq!(tuning.costs(&measures), [0.5]);
    tuning.objectives[0].enough = None;
    assert_eq!(tuning.costs(&measures), [1.0 - measures.vtrust]);
}

#[test]
fn a_policy_under_which_honest_work_earns_nothing_has_no_figures() {
    let (_, proving) = tuning("sum", 1);
    assert_eq!(proving.measure(&policy("[shape]\nfloor = 1.0"), &[1, 2], 20).unwrap(), None);
}

#[test]
fn tuning_files_that_are_wrong_are_refused_by_name() {
    let refused = |text: String, wanted: &str| {
        let error = Tuning::parse(text.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(wanted), "{error}");
    };
    let right = file("sum", 10);
    refused(right.replace("version = 1", "version = 9"), "version 9");
    refused(right.replace("seeds = [21, 22]", "seeds = [2, 3]"), "seed 2 is both");
    refused(right.replace("newcomer_delay", "attack_profit"), "comes twice");
    refused(right.replace("newcomer_delay", "fun"), "fun");
    refused(right.replace("seeds = [1, 2]", "seeds = [1]"), "training seed");
    refused(right.replace("seeds = [21, 22]", "seeds = []"), "held-out seed");
    for fraction in ["-0.1", "1.5", "nan"] {
        refused(
            right.replace("fractions = [", &format!("fractions = [{fraction}, ")),
            "`worlds.fractions` is",
        );
    }
    refused(right.replace("finalists", "finalist"), "did you mean `finalists`");
    refused("x".repeat(TUNING_BYTES_MAX + 1), "bytes");
    let unknown = Tuning::parse(right.replace("profile = \"digits\"", "profile = \"nothing\"").as_bytes());
    assert!(matches!(unknown.unwrap().proving(), Err(TuningError::UnknownProfile(_))));
    assert_eq!(attacks(&profile(Scope::Private), &["bribe".to_owned()]), Err("bribe".to_owned()));
    assert_eq!(attacks(&profile(Scope::Private), &["lazy".to_owned()]).unwrap().len(), 1);
    assert!(Strategy::persona("lazy").is_some());
}
