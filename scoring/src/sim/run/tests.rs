use super::*;
use crate::sim::fixture::small;

#[test]
fn every_rao_is_accounted_for() {
    let scenario = small();
    let outcome = run(&scenario, 1).expect("runs");
    let all = u64::from(scenario.epochs) * scenario.subnet.emission_rao;
    assert_eq!(outcome.miners_rao + outcome.validators_rao + outcome.dust_rao, all);
    println!("{}", serde_json::to_string_pretty(&outcome).expect("json"));
}
