//! `runtime293_epochs.json`: single epochs of the wasm runtime of spec 293, which agrees with spec 377 where no subnet
//! owner takes part. It still showed ranks, trust and pruning scores; they follow from the same steps.

use serde::Deserialize;

use super::plain::{bonds, consensus, emission, permits, sparse, stake, to_u16, weights};
use super::vectors::{bigs, load};
use super::*;
use crate::fixed::I32F32;

/// The file leaves the emission out: that of two blocks, each 10^9 less the owner's cut of 11796 / 65535 and floored. One
/// rao more or less fails.
const EMISSION_RAO: u64 = 2 * 820_004_577;

#[derive(Deserialize)]
struct File {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Case {
    nv: usize,
    yuma3: bool,
    liquid: bool,
    kappa: u16,
    bonds_moving_average: u64,
    bonds_penalty: u16,
    #[serde(deserialize_with = "bigs")]
    stake: Vec<u64>,
    weights: Vec<Vec<(u16, u16)>>,
    bonds: Vec<Vec<(u16, u16)>>,
    out: Out,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Out {
    rank: Vec<u16>,
    trust: Vec<u16>,
    consensus: Vec<u16>,
    incentive: Vec<u16>,
    dividends: Vec<u16>,
    validator_trust: Vec<u16>,
    validator_permit: Vec<bool>,
    emission: Vec<u64>,
    pruning_scores: Vec<u16>,
    active: Vec<bool>,
    bonds: Vec<Vec<(u16, u16)>>,
}

#[test]
fn yuma_gives_every_integer_of_the_recorded_runtime_293_epochs() {
    let file: File = load("runtime293_epochs.json");
    assert!(!file.cases.is_empty());
    for (number, case) in file.cases.into_iter().enumerate() {
        let uids = case.stake.len();
        let mut input =
            EpochInput { stake: case.stake, weights: case.weights, bonds: case.bonds, ..quiet(uids) };
        input.validator_permit = (0..uids).map(|uid| uid < case.nv).collect();
        input.emission_rao = EMISSION_RAO;
        input.hyperparameters.yuma3 = case.yuma3;
        input.hyperparameters.liquid_alpha = case.liquid;
        input.hyperparameters.kappa = case.kappa;
        input.hyperparameters.bonds_moving_average = case.bonds_moving_average;
        input.hyperparameters.bonds_penalty = case.bonds_penalty;
        check(&input, &case.out, number);
    }
}

fn check(input: &EpochInput, expected: &Out, case: usize) {
    let output = epoch(Rules::Spec377, input).unwrap();
    assert_eq!(output.active, expected.active, "active, case {case}");
    assert_eq!(output.consensus, expected.consensus, "consensus, case {case}");
    assert_eq!(output.validator_trust, expected.validator_trust, "validator trust, case {case}");
    assert_eq!(output.incentive, expected.incentive, "incentive, case {case}");
    assert_eq!(output.incentive, expected.rank, "rank, case {case}");
    assert_eq!(output.new_bonds, expected.bonds, "bonds, case {case}");
    assert_eq!(output.dividends, expected.dividends, "dividends, case {case}");
    assert_eq!(output.new_permits, expected.validator_permit, "permits, case {case}");
    assert_eq!(output.combined_emission, expected.emission, "emission, case {case}");
    let (trust, pruning_scores) = retired_outputs(input);
    assert_eq!(trust, expected.trust, "trust, case {case}");
    assert_eq!(pruning_scores, expected.pruning_scores, "pruning scores, case {case}");
}

/// Trust is how much of a miner's rank consensus left standing; pruning scores are emission shares scaled up.
fn retired_outputs(input: &EpochInput) -> (Vec<u16>, Vec<u16>) {
    let (uids, hyper) = (input.stake.len(), &input.hyperparameters);
    let stake = stake::normalized(Rules::Spec377, input);
    let permits = permits::current(Rules::Spec377, input);
    let active_stake = stake::active_stake(&stake, &vec![true; uids], &permits);
    let weights = weights::masked(input, &permits);
    let kappa = I32F32::u16_ratio(hyper.kappa);
    let consensus = consensus::weighted_median_col_sparse(&active_stake, &weights, uids, kappa);
    let clipped = consensus::col_clip_sparse(&weights, &consensus);
    let ranks = sparse::matmul_sparse(&clipped, &active_stake, uids);
    let preranks = sparse::matmul_sparse(&weights, &active_stake, uids);
    let trust: Vec<I32F32> =
        ranks.iter().zip(preranks).map(|(rank, prerank)| rank.safe_div(prerank)).collect();

    let incentive = consensus::incentive(&clipped, &active_stake);
    let penalty = I32F32::u16_ratio(hyper.bonds_penalty);
    let bond_weights = bonds::interpolate_sparse(&weights, &clipped, uids, penalty);
    let bonded = match hyper.yuma3 {
        true => bonds::yuma3(input, &bond_weights, &consensus, &incentive, &active_stake),
        false => bonds::yuma2(input, &bond_weights, &incentive, &active_stake),
    };
    let shares = emission::shares(&incentive, &bonded.dividends, &stake, &active_stake);
    (to_u16(&trust), upscale::vec_max_upscale_to_u16(&shares.combined))
}
