//! One epoch of Yuma consensus, bit for bit the chain's.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyMapping, PyString};
use weighhouse_yuma::{EpochInput, EpochOutput, Hyperparameters, Rules, epoch};

use crate::error::{InputError, refuse};
use crate::field::Fields;

const INPUT: &str = "epoch input";
const HYPERPARAMETERS: &str = "hyperparameters";
/// A u64 as an integer, or as decimal digits, which is how JSON files keep what JavaScript would round.
#[derive(Clone, Copy)]
struct Big(u64);

impl<'a, 'py> FromPyObject<'a, 'py> for Big {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        match object.cast::<PyString>() {
            Ok(text) => Ok(Self(text.to_cow()?.parse().map_err(refuse::<InputError>)?)),
            Err(_) => object.extract().map(Self),
        }
    }
}

/// Run one epoch on a mapping (see EpochInput); the package wraps the result in EpochOutput.
#[pyfunction]
#[pyo3(signature = (input, /, rules="spec425"))]
pub(crate) fn yuma_epoch<'py>(
    py: Python<'py>,
    input: &Bound<'py, PyMapping>,
    rules: &str,
) -> PyResult<Bound<'py, PyDict>> {
    let rules = match rules {
        "spec425" => Rules::Spec425,
        "spec377" => Rules::Spec377,
        other => {
            return Err(refuse::<InputError>(format!(
                "rules {other:?}, known are \"spec377\" and \"spec425\""
            )));
        }
    };
    let input = read_input(input)?;
    let output = py.detach(|| epoch(rules, &input)).map_err(refuse::<InputError>)?;
    write_output(py, output)
}

fn read_input(mapping: &Bound<'_, PyMapping>) -> PyResult<EpochInput> {
    let mut fields = Fields::of(mapping, INPUT);
    let block: u64 = fields.required("block")?;
    let stake: Option<Vec<Big>> = fields.optional("alpha_stake")?;
    let stake = match stake {
        Some(stake) => stake,
        None => fields.required("stake")?,
    };
    let uids = stake.len();
    if let Some(n) = fields.optional::<usize>("n")?.filter(|n| *n != uids) {
        return Err(refuse::<InputError>(format!("{INPUT}: `n` is {n}, there are {uids} stakes")));
    }
    // An epoch's bonds count for miners that were there when it began.
    let tempo: u64 = fields.or("tempo", 0)?;
    let nested: Option<Bound<'_, PyMapping>> = fields.optional(HYPERPARAMETERS)?;
    let input = EpochInput {
        block,
        stake: stake.into_iter().map(|amount| amount.0).collect(),
        last_update: fields.or("last_update", vec![block; uids])?,
        block_at_registration: fields.or("block_at_registration", vec![0; uids])?,
        validator_permit: fields.or("validator_permit", vec![true; uids])?,
        weights: rows(fields.required("weights")?),
        bonds: rows(fields.or("bonds", vec![Vec::new(); uids])?),
        hyperparameters: match &nested {
            Some(nested) => {
                let mut fields = Fields::of(nested, HYPERPARAMETERS);
                let read = read_hyperparameters(&mut fields)?;
                fields.finish()?;
                read
            }
            None => read_hyperparameters(&mut fields)?,
        },
        earliest_commit_block: fields.or("earliest_commit_block", vec![None; uids])?,
        last_step_boundary_block: fields.or("last_step_boundary_block", block.saturating_sub(tempo))?,
        owner_uid: fields.optional("owner_uid")?,
        emission_rao: fields.required::<Big>("emission_rao")?.0,
    };
    fields.finish()?;
    Ok(input)
}

/// Keys that are left out are as the chain sets them for a new subnet.
fn read_hyperparameters(fields: &mut Fields<'_, '_>) -> PyResult<Hyperparameters> {
    let usual = weighhouse_types::Hyperparameters::default();
    Ok(Hyperparameters {
        kappa: fields.or("kappa", usual.kappa)?,
        bonds_penalty: fields.or("bonds_penalty", usual.bonds_penalty)?,
        bonds_moving_average: fields.or("bonds_moving_average", Big(usual.bonds_moving_average))?.0,
        alpha_low: fields.or("alpha_low", usual.alpha_low)?,
        alpha_high: fields.or("alpha_high", usual.alpha_high)?,
        alpha_sigmoid_steepness: fields.or("alpha_sigmoid_steepness", usual.alpha_sigmoid_steepness)?,
        max_allowed_validators: fields.or("max_allowed_validators", usual.max_allowed_validators)?,
        activity_cutoff: fields.or("activity_cutoff", usual.activity_cutoff())?,
        stake_threshold: fields.or("stake_threshold", Big(usual.stake_threshold.0))?.0,
        liquid_alpha: fields.or("liquid_alpha", usual.liquid_alpha_enabled)?,
        yuma3: fields.or("yuma3", usual.yuma3_enabled)?,
        commit_reveal: fields.or("commit_reveal", usual.commit_reveal_weights_enabled)?,
    })
}

/// Pairs come as tuples or, from JSON, as lists.
fn rows(rows: Vec<Vec<[u16; 2]>>) -> Vec<Vec<(u16, u16)>> {
    rows.into_iter().map(|row| row.into_iter().map(<(u16, u16)>::from).collect()).collect()
}

fn write_output(py: Python<'_>, output: EpochOutput) -> PyResult<Bound<'_, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("active", output.active)?;
    dict.set_item("stake_weight", output.stake_weight)?;
    dict.set_item("consensus", output.consensus)?;
    dict.set_item("incentive", output.incentive)?;
    dict.set_item("dividends", output.dividends)?;
    dict.set_item("validator_trust", output.validator_trust)?;
    dict.set_item("server_emission", output.server_emission)?;
    dict.set_item("validator_emission", output.validator_emission)?;
    dict.set_item("combined_emission", output.combined_emission)?;
    dict.set_item("new_permits", output.new_permits)?;
    dict.set_item("new_bonds", output.new_bonds)?;
    Ok(dict)
}
