use super::*;
use crate::profiles;

#[test]
fn a_policy_that_pays_the_best_miner_alone_moves_emission_towards_one_kind() {
    let profile = profiles::shipped("digits-quality-private").expect("it ships");
    let takes_all = b"version = 2\n[shape]\nkind = \"winner_takes_all\"\n";
    let after = PolicyFile::parse(takes_all).expect("a policy");
    let compared = compare([PolicyFile::shipped(), after], "digits", profile.clone()).expect("simulated");
    assert_eq!(compared.changes.len(), profile.personas.len());
    let gains: Vec<f64> = compared.changes.iter().map(|change| change.after - change.before).collect();
    assert!(gains.is_sorted_by(|one, other| one >= other), "{gains:?}");
    assert!(gains[0] > 0.0, "{gains:?}");
    assert!(gains.iter().sum::<f64>().abs() < 1e-9, "what one kind gains, others lose: {gains:?}");
}

#[test]
fn keys_that_differ_are_told_with_both_values_defaults_included() {
    let shipped = PolicyFile::shipped();
    let other = crate::sim::fixture::policy("[shape]\nkind = \"rank\"\nfloor = 0.4");
    let changed = keys(&shipped, &other);
    let of = |key: &str| changed.iter().find(|change| change.key == key);
    let kind = of("shape.kind").expect("differs");
    assert_eq!((kind.before.as_deref(), kind.after.as_deref()), (Some("\"linear\""), Some("\"rank\"")));
    assert!(of("shape.floor").is_none() && of("cluster.pay").is_some());
    assert_eq!(keys(&shipped, &shipped), []);
}
