use super::*;
use crate::sim::fixture::small;
use crate::sim::{Judging, MinerGroup, ScenarioSubnet, ValidatorGroup};

fn world() -> Scenario {
    let honest = small();
    Scenario {
        judging: Judging { challenges: 64, ..Judging::default() },
        subnet: ScenarioSubnet { max_uids: 25, reveal_period_epochs: 4, ..ScenarioSubnet::default() },
        miners: vec![MinerGroup { quality: [0.6, 1.0], ..MinerGroup::honest(20) }],
        validators: vec![
            ValidatorGroup::honest(4),
            ValidatorGroup {
                name: "copier".to_owned(),
                persona: ScenarioValidator::Copier,
                ..ValidatorGroup::honest(1)
            },
        ],
        epochs: 160,
        warmup_epochs: 60,
        ..honest
    }
}

#[test]
fn copying_pays_while_nothing_moves_and_stops_to_pay_at_some_drift() {
    let found = copy_break_even(&world(), &[1, 2], 0.4, 6).expect("runs");
    assert!(found.gain_at_rest > 0.0, "{found:?}");
    assert!(found.gain_at_most < 0.0, "{found:?}");
    let drift = found.drift.expect("the gain changes its sign");
    assert!(drift > 0.0 && drift < 0.4, "{found:?}");
    assert_eq!(found.evaluations, 8);
}

#[test]
fn a_world_without_copiers_is_refused() {
    let error = copy_break_even(&small(), &[1], 0.1, 1).expect_err("nobody copies");
    assert_eq!(error, ScenarioError::NoValidators { missing: "copier" });
}
