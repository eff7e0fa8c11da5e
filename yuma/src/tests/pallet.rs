//! `pallet_epochs.json`: random subnets and what the pallet made of them, over consecutive epochs.

use serde::Deserialize;

use super::vectors::{big, bigs, load};
use super::*;

#[derive(Deserialize)]
struct File {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    #[serde(default)]
    seed: serde_json::Value,
    /// The runtime's spec; the file's `meta` says 377 where a case says nothing.
    #[serde(default)]
    spec: Option<u32>,
    input: Input,
    epochs: Vec<Expected>,
}

#[derive(Deserialize)]
struct Input {
    block: u64,
    #[serde(deserialize_with = "bigs")]
    alpha_stake: Vec<u64>,
    last_update: Vec<u64>,
    block_at_registration: Vec<u64>,
    validator_permit: Vec<bool>,
    weights: Vec<Vec<(u16, u16)>>,
    bonds: Vec<Vec<(u16, u16)>>,
    #[serde(default)]
    earliest_commit_block: Option<Vec<Option<u64>>>,
    last_step_boundary_block: u64,
    #[serde(default)]
    owner_uid: Option<u16>,
    #[serde(deserialize_with = "big")]
    emission_rao: u64,
    kappa: u16,
    bonds_penalty: u16,
    #[serde(deserialize_with = "big")]
    bonds_moving_average: u64,
    alpha_low: u16,
    alpha_high: u16,
    alpha_sigmoid_steepness: i16,
    max_allowed_validators: u16,
    activity_cutoff: u64,
    #[serde(deserialize_with = "big")]
    stake_threshold: u64,
    liquid_alpha: bool,
    yuma3: bool,
    commit_reveal: bool,
}

#[derive(Deserialize)]
struct Expected {
    active: Vec<bool>,
    consensus: Vec<u16>,
    incentive: Vec<u16>,
    dividends: Vec<u16>,
    validator_trust: Vec<u16>,
    validator_permit: Vec<bool>,
    #[serde(deserialize_with = "bigs")]
    server_emission_rao: Vec<u64>,
    #[serde(deserialize_with = "bigs")]
    validator_emission_rao: Vec<u64>,
    bonds: Vec<Vec<(u16, u16)>>,
    #[serde(default)]
    stake_weight: Option<Vec<u16>>,
}

impl Input {
    fn epoch_input(self) -> EpochInput {
        let uids = self.alpha_stake.len();
        EpochInput {
            block: self.block,
            stake: self.alpha_stake,
            last_update: self.last_update,
            block_at_registration: self.block_at_registration,
            validator_permit: self.validator_permit,
            weights: self.weights,
            bonds: self.bonds,
            earliest_commit_block: self.earliest_commit_block.unwrap_or_else(|| vec![None; uids]),
            last_step_boundary_block: self.last_step_boundary_block,
            owner_uid: self.owner_uid,
            emission_rao: self.emission_rao,
            hyperparameters: Hyperparameters {
                kappa: self.kappa,
                bonds_penalty: self.bonds_penalty,
                bonds_moving_average: self.bonds_moving_average,
                alpha_low: self.alpha_low,
                alpha_high: self.alpha_high,
                alpha_sigmoid_steepness: self.alpha_sigmoid_steepness,
                max_allowed_validators: self.max_allowed_validators,
                activity_cutoff: self.activity_cutoff,
                stake_threshold: self.stake_threshold,
                liquid_alpha: self.liquid_alpha,
                yuma3: self.yuma3,
                commit_reveal: self.commit_reveal,
            },
        }
    }
}

#[test]
fn yuma_gives_every_integer_of_the_recorded_pallet_epochs() {
    let file: File = load("pallet_epochs.json");
    assert!(!file.cases.is_empty());
    for case in file.cases {
        let rules = match case.spec.unwrap_or(377) {
            377 => Rules::Spec377,
            425 => Rules::Spec425,
            spec => panic!("case {}: no rules for spec {spec}", case.seed),
        };
        let mut input = case.input.epoch_input();
        assert!(!case.epochs.is_empty(), "case {}", case.seed);
        for (number, expected) in case.epochs.iter().enumerate() {
            let at = format!("case {}, epoch {number}", case.seed);
            let output = epoch(rules, &input).unwrap_or_else(|error| panic!("{at}: {error}"));
            check(&output, expected, &at);
            input.bonds = output.new_bonds;
            input.validator_permit = output.new_permits;
        }
    }
}

fn check(output: &EpochOutput, expected: &Expected, at: &str) {
    assert_eq!(output.active, expected.active, "active, {at}");
    assert_eq!(output.consensus, expected.consensus, "consensus, {at}");
    assert_eq!(output.validator_trust, expected.validator_trust, "validator trust, {at}");
    assert_eq!(output.incentive, expected.incentive, "incentive, {at}");
    assert_eq!(output.new_bonds, expected.bonds, "bonds, {at}");
    assert_eq!(output.dividends, expected.dividends, "dividends, {at}");
    assert_eq!(output.server_emission, expected.server_emission_rao, "server emission, {at}");
    assert_eq!(output.validator_emission, expected.validator_emission_rao, "validator emission, {at}");
    assert_eq!(output.new_permits, expected.validator_permit, "permits, {at}");
    if let Some(stake_weight) = &expected.stake_weight {
        assert_eq!(&output.stake_weight, stake_weight, "stake weight, {at}");
    }
}
