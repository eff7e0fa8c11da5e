use weighhouse_types::Mark;

use super::*;
use crate::kind::harness::Harness;

const FILE: &str = include_str!("sort.toml");

#[test]
fn work_earns_and_cheats_do_not() {
    let profile = Harness::of(FILE).expect("the built-in task").measured(20);
    let means: Vec<_> = profile.personas.iter().map(|persona| (&*persona.name, persona.mean)).collect();
    assert_eq!(means, [("honest", 1.0), ("cached", -1.0), ("echo", -1.0)]);
}

#[test]
fn a_list_that_is_not_the_asked_one_is_refused() {
    let harness = Harness::of(FILE).expect("the built-in task");
    let judged = |outputs: &[Tensor]| harness.judged(7, outputs).mark;
    assert_eq!(judged(&[Tensor::integers("sorted", &[1; 16])]), Mark::MIN);
    assert_eq!(judged(&[Tensor::integers("sorted", &[1; 15])]), Mark::ZERO);
    assert_eq!(judged(&[]), Mark::ZERO);
}
