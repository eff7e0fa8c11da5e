//! `epoch_vectors.json`: what the pallet's own epoch tests assert. The file names each test; where it leaves the setup out,
//! the setup stands here.

use serde_json::Value;

use super::math::{number, numbers, sparse_rows};
use super::plain::{bonds, consensus, liquid_alpha, sparse, stake, vector::fixed_proportion_to_u16, weights};
use super::vectors::load;
use super::*;

#[test]
fn yuma_gives_what_the_pallets_own_epoch_tests_assert() {
    let file: Value = load("epoch_vectors.json");
    let cases = file["asserted"].as_array().unwrap();
    assert!(!cases.is_empty());
    for case in cases {
        match case["name"].as_str().unwrap() {
            "test_1_graph" => self_weights_earn_nothing(case, vec![1_000_000_000]),
            "test_10_graph" => {
                self_weights_earn_nothing(case, vec![case["stake_each"].as_u64().unwrap(); 10]);
            }
            "test_512_graph" => equal_weights_pay_equally(case),
            "test_bonds" => bonds_follow_changing_weights(case),
            "test_active_stake" => inactive_stake_earns_no_new_bonds(case),
            "test_outdated_weights" => weights_for_a_previous_holder_do_not_count(case),
            "test_zero_weights" => without_weights_validators_share_by_stake(case),
            "epoch_logs two distinct servers" | "epoch_logs split server" => explicit_zeros(case),
            "test_liquid_alpha_equal_values_against_itself" => equal_alphas_are_a_fixed_alpha(case),
            name => panic!("{name}: no setup for this case"),
        }
    }
}

fn integer(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is no integer"))
}

fn integers(value: &Value) -> Vec<u64> {
    value.as_array().unwrap().iter().map(integer).collect()
}

fn bond(output: &EpochOutput, validator: usize, miner: u64) -> u64 {
    let row = &output.new_bonds[validator];
    row.iter().find(|&&(uid, _)| u64::from(uid) == miner).map_or(0, |&(_, bond)| u64::from(bond))
}

/// One epoch whose bonds and permits become the next one's.
fn step(input: &mut EpochInput) -> EpochOutput {
    let output = epoch(Rules::Spec425, input).unwrap();
    input.bonds.clone_from(&output.new_bonds);
    input.validator_permit.clone_from(&output.new_permits);
    output
}

fn self_weights_earn_nothing(case: &Value, stake: Vec<u64>) {
    assert_eq!(integer(&case["n"]), stake.len() as u64);
    let mut input = EpochInput { stake, ..quiet(integer(&case["n"]) as usize) };
    input.emission_rao = case["rao_emission"].as_u64().unwrap();
    input.weights = (0..input.stake.len() as u16).map(|uid| vec![(uid, u16::MAX)]).collect();
    for permitted in [false, true] {
        input.validator_permit.fill(permitted);
        let output = epoch(Rules::Spec425, &input).unwrap();
        for uid in 0..input.stake.len() {
            assert_eq!(u64::from(output.consensus[uid]), integer(&case["expect"]["consensus"]));
            assert_eq!(u64::from(output.incentive[uid]), integer(&case["expect"]["incentive"]));
            assert_eq!(u64::from(output.incentive[uid]), integer(&case["expect"]["rank"]));
            assert_eq!(u64::from(output.dividends[uid]), integer(&case["expect"]["dividends"]));
            if let Some(emission) = case["expect"].get("emission_each") {
                assert_eq!(output.combined_emission[uid], integer(emission));
            }
        }
    }
}

fn equal_weights_pay_equally(case: &Value) {
    let (uids, validators) = (integer(&case["n"]) as usize, integer(&case["validators"]) as usize);
    let (validator, server) = (&case["expect"]["validator"], &case["expect"]["server"]);
    for (stride, server_self) in
        [(1, false), (1, true), (uids / validators, false), (uids / validators, true)]
    {
        let validates = |uid: usize| uid.is_multiple_of(stride) && uid / stride < validators;
        let to_servers: Vec<(u16, u16)> =
            (0..uids).filter(|&uid| !validates(uid)).map(|uid| (uid as u16, u16::MAX)).collect();
        let mut input = quiet(uids);
        for uid in (0..uids).filter(|&uid| validates(uid)) {
            input.stake[uid] = 21_000_000_000_000_000 / validators as u64;
            input.weights[uid].clone_from(&to_servers);
        }
        for uid in (0..uids).filter(|&uid| server_self && !validates(uid)) {
            input.weights[uid] = vec![(uid as u16, u16::MAX)];
        }
        let output = (0..3).map(|_| step(&mut input)).last().unwrap();
        for uid in 0..uids {
            let expected = if validates(uid) { validator } else { server };
            assert_eq!(u64::from(output.consensus[uid]), integer(&expected["consensus"]));
            assert_eq!(u64::from(output.dividends[uid]), integer(&expected["dividends"]));
            assert_eq!(output.combined_emission[uid], integer(&expected["emission"]));
            if validates(uid) {
                let first_server = u64::from(to_servers[0].0);
                assert_eq!(bond(&output, uid, first_server), integer(&expected["bond_to_server"]));
            } else {
                assert_eq!(u64::from(output.incentive[uid]), integer(&expected["incentive"]));
            }
        }
    }
}

fn bonds_follow_changing_weights(case: &Value) {
    let params = &case["params"];
    let mut input = EpochInput { stake: integers(&params["stake"]), ..quiet(integer(&params["n"]) as usize) };
    input.hyperparameters.kappa = integer(&params["kappa"]) as u16;
    input.hyperparameters.bonds_penalty = integer(&params["bonds_penalty"]) as u16;
    input.hyperparameters.bonds_moving_average = integer(&params["bonds_moving_average"]);
    input.hyperparameters.max_allowed_validators = integer(&params["max_allowed_validators"]) as u16;
    input.hyperparameters.activity_cutoff = integer(&params["activity_cutoff"]);
    input.emission_rao = integer(&params["rao_emission"]);
    for uid in 0..4 {
        let stored = max_upscale(&[16383, 32767, 49149, 65535]);
        input.weights[uid] = (4..).zip(stored).collect();
    }
    for expected in case["epochs"].as_array().unwrap() {
        input.block = integer(&expected["epoch"]);
        input.last_step_boundary_block = input.block - integer(&params["tempo"]);
        if let Some(uid) = expected["change"]["uid"].as_u64() {
            let row = &expected["change"]["weights"];
            input.weights[uid as usize] = serde_json::from_value(row.clone()).unwrap();
            input.last_update[uid as usize] = input.block - 1;
        }
        let output = step(&mut input);
        assert_eq!(output.combined_emission, integers(&expected["emission"]), "epoch {}", input.block);
        if let Some(column) = expected["bonds_col"].as_u64() {
            let bonds: Vec<u64> = (0..4).map(|validator| bond(&output, validator, column)).collect();
            assert_eq!(bonds, integers(&expected["bonds"]), "epoch {}", input.block);
        }
    }
}

fn inactive_stake_earns_no_new_bonds(case: &Value) {
    let params = &case["params"];
    let mut input = EpochInput { stake: integers(&params["stake"]), ..quiet(4) };
    input.hyperparameters.activity_cutoff = integer(&params["activity_cutoff"]);
    input.hyperparameters.bonds_penalty = integer(&params["bonds_penalty"]) as u16;
    input.hyperparameters.bonds_moving_average = integer(&params["bonds_moving_average"]);
    input.hyperparameters.max_allowed_validators = 4;
    input.last_update = vec![1, 1, 0, 0];
    input.last_step_boundary_block = 0;
    for uid in 0..2 {
        input.weights[uid] = vec![(2, u16::MAX), (3, u16::MAX)];
    }
    step(&mut input);
    let updates = [(5002, 5002, vec![5002, 1, 0, 0]), (5003, 5002, vec![5002, 5002, 0, 0])];
    for (expected, (block, boundary, last_update)) in case["steps"].as_array().unwrap().iter().zip(updates) {
        (input.block, input.last_step_boundary_block, input.last_update) = (block, boundary, last_update);
        let output = step(&mut input);
        for (field, value) in expected["expect"].as_object().unwrap() {
            let uid = usize::from(field.ends_with('1'));
            let found = match field.split_once('_').unwrap().0 {
                "dividends" => u64::from(output.dividends[uid]),
                "emission" => output.combined_emission[uid],
                "bonds" => bond(&output, uid, 2),
                _ => panic!("{field}: no such output"),
            };
            assert_eq!(found, integer(value), "{field} at block {block}");
        }
    }
}

fn weights_for_a_previous_holder_do_not_count(case: &Value) {
    let mut input = EpochInput { stake: vec![1; 4], ..quiet(4) };
    let submitted = max_upscale(&[2 * (u16::MAX / 3), u16::MAX / 3]);
    for uid in 0..2 {
        input.weights[uid] = (2..).zip(submitted.iter().copied()).collect();
    }
    (input.weights[2], input.weights[3]) = (vec![(2, u16::MAX)], vec![(3, u16::MAX)]);
    step(&mut input);
    // Uid 3 is replaced at block 1 by a hotkey without stake or permit; only uid 0 sets weights again.
    input.block = 2;
    input.last_step_boundary_block = 2;
    input.block_at_registration[3] = 1;
    (input.stake[3], input.validator_permit[3]) = (0, false);
    input.last_update = vec![2, 1, 1, 1];
    let output = step(&mut input);
    let expected = &case["expect"];
    assert_eq!(u64::from(output.dividends[0]), integer(&expected["dividends_uid0"]));
    assert_eq!(output.combined_emission[0], integer(&expected["emission_uid0"]));
    for (miner, value) in expected["bonds_uid0"].as_object().unwrap() {
        assert_eq!(bond(&output, 0, miner.parse().unwrap()), integer(value), "bond to {miner}");
    }
}

fn without_weights_validators_share_by_stake(case: &Value) {
    let mut input = EpochInput { stake: vec![1, 0], ..quiet(integer(&case["n"]) as usize) };
    let mut emissions = Vec::new();
    input.last_update = vec![0, 0];
    emissions.push(step(&mut input).combined_emission);
    input.weights[1] = vec![(1, u16::MAX)];
    input.last_update = vec![0, 1];
    emissions.push(step(&mut input).combined_emission);
    input.weights[0] = vec![(1, u16::MAX)];
    (input.block, input.last_update, input.block_at_registration) = (2, vec![2, 1], vec![0, 2]);
    emissions.push(step(&mut input).combined_emission);
    (input.block, input.last_update) = (3, vec![3, 1]);
    emissions.push(step(&mut input).combined_emission);
    for (text, emission) in case["expect_sequence"].as_array().unwrap().iter().zip(emissions) {
        let text = text.as_str().unwrap();
        assert!(text.contains(&format!(" {}", emission[0])), "{text}: {emission:?}");
        assert!(
            emission[1] == if emission[0] == 500_000_000 { 500_000_000 } else { 0 },
            "{text}: {emission:?}"
        );
    }
}

/// Values are asserted as decimals of the fixed-point numbers; these come out exact.
fn explicit_zeros(case: &Value) {
    let stake = integers(&case["stake"]);
    let mut input = quiet(stake.len());
    input.stake = stake;
    input.hyperparameters.activity_cutoff = 10;
    input.block = 1;
    input.last_step_boundary_block = 0;
    for (row, weights) in case["weights"].as_array().unwrap().iter().enumerate() {
        input.weights[row] = serde_json::from_value(weights.clone()).unwrap();
    }
    input.validator_permit = (0..5).map(|uid| uid < 3).collect();
    let output = epoch(Rules::Spec425, &input).unwrap();
    let proportion = |value: &Value| fixed_proportion_to_u16(number(value));
    let expected = &case["expect"];
    for (field, found) in [
        ("consensus", &output.consensus),
        ("validator_trust", &output.validator_trust),
        ("dividends", &output.dividends),
    ] {
        if let Some(values) = expected[field].as_array() {
            assert_eq!(found, &values.iter().map(proportion).collect::<Vec<_>>(), "{field}");
        }
    }
    let shares = expected["combined_emission"].as_array().unwrap();
    let rao: Vec<u64> = shares.iter().map(|share| (share.as_f64().unwrap() * 1e9) as u64).collect();
    assert_eq!(output.combined_emission, rao);
    if let Some(rows) = expected["delta_bonds_norm"].as_array() {
        let stake = stake::normalized(Rules::Spec425, &input);
        let active_stake = stake::active_stake(&stake, &output.active, &input.validator_permit);
        let weights = weights::masked(&input, &input.validator_permit);
        let consensus =
            consensus::weighted_median_col_sparse(&active_stake, &weights, 5, number(&0.5.into()));
        let clipped = consensus::col_clip_sparse(&weights, &consensus);
        let mut bought = sparse::row_hadamard_sparse(&clipped, &active_stake);
        sparse::inplace_col_normalize_sparse(&mut bought, 5);
        for (row, found) in rows.iter().zip(bought) {
            let row = row.as_array().unwrap();
            let entries: sparse::Row =
                row.iter().map(|entry| (integer(&entry[0]) as u16, number(&entry[1]))).collect();
            assert_eq!(found, entries);
        }
    }
}

fn equal_alphas_are_a_fixed_alpha(case: &Value) {
    let inputs = &case["inputs"];
    let rows = integer(&inputs["rows"]) as usize;
    let square = |field: &str| sparse_rows(&numbers(&inputs[field]), rows);
    let (weights, old) = (square("weights_flat"), square("bonds_flat"));
    let hyper = Hyperparameters {
        alpha_low: integer(&inputs["alpha_low"]) as u16,
        alpha_high: integer(&inputs["alpha_high"]) as u16,
        ..defaults()
    };
    assert_eq!(integer(&inputs["bma"]), 900_000);
    let liquid_alpha = liquid_alpha::LiquidAlpha::of(&hyper);
    let on = bonds::mat_ema_alpha_sparse(&weights, &old, &numbers(&inputs["consensus"]), &liquid_alpha);
    let off = bonds::mat_ema_sparse(&weights, &old, number(&0.1.into()));
    // The sparse form drops bonds without a weight, which the dense one that upstream compares here lets decay.
    let named = |row: usize, column: u16| weights[row].iter().any(|&(uid, _)| uid == column);
    for row in 0..rows {
        let off: sparse::Row = off[row].iter().copied().filter(|&(column, _)| named(row, column)).collect();
        assert_eq!(on[row].len(), off.len());
        for (&(column, on), &(same, off)) in on[row].iter().zip(&off) {
            assert_eq!(column, same);
            assert!((on.to_bits() - off.to_bits()).abs() <= (1 << 32) / 1000, "{on:?} {off:?}");
        }
    }
}
