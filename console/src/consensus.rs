//! The validator's vtrust as the next epoch would give it, and how far its weights agree with other validators': Yuma over the
//! weights that the chain shows now.

use std::collections::BTreeMap;

use serde::Serialize;
use weighhouse_types::{Hotkey, MechId, SubnetState, Uid, WeightVector};
use weighhouse_yuma::{EpochInput, InputError, Rules, epoch, max_upscale};

/// Weights by the uid of the validator that set them.
pub(crate) type Rows = BTreeMap<Uid, Vec<(Uid, u16)>>;

/// The subnet's validators, with what consensus makes of their weights.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Consensus {
    /// This validator's uid, and its vtrust as the chain shows it and as the next epoch would give it.
    pub(crate) uid: Uid,
    pub(crate) vtrust: f64,
    pub(crate) expected: f64,
    /// Its vector of this epoch was put in place of its weights on the chain.
    pub(crate) with_newest_vector: bool,
    pub(crate) validators: Vec<Voice>,
}

/// One validator.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Voice {
    pub(crate) uid: Uid,
    pub(crate) hotkey: Hotkey,
    /// Of the stake of all who set weights.
    pub(crate) stake: f64,
    pub(crate) vtrust: f64,
    pub(crate) expected: f64,
    /// The share of its weights that is where this validator's are.
    pub(crate) agreement: f64,
    pub(crate) last_update: u64,
}

/// # Errors
/// A state that Yuma refuses.
pub(crate) fn consensus(
    state: &SubnetState,
    rows: &Rows,
    own: Hotkey,
    newest: Option<&WeightVector>,
) -> Result<Option<Consensus>, InputError> {
    let neurons = &state.metagraph.neurons;
    let Some(own) = state.metagraph.by_hotkey(&own) else { return Ok(None) };
    let mut rows = rows.clone();
    // Under commit-reveal, or before its block, what was decided isn't on the chain yet.
    let upscaled = newest.map(|vector| upscaled(vector, neurons.len()));
    let with_newest_vector = upscaled.as_ref().is_some_and(|row| rows.get(&own.uid) != Some(row));
    if let Some(row) = upscaled {
        rows.insert(own.uid, row);
    }
    let output = epoch(Rules::Spec425, &input(state, &rows, own.uid))?;
    let fraction = |of: u16| f64::from(of) / f64::from(u16::MAX);
    let expected = |uid: Uid| output.validator_trust.get(uid.index()).copied().map_or(0.0, fraction);
    let mine = shares(rows.get(&own.uid).map_or(&[][..], Vec::as_slice));
    let speakers = neurons.iter().filter(|neuron| rows.get(&neuron.uid).is_some_and(|row| !row.is_empty()));
    let stakes: f64 = speakers.clone().map(|neuron| neuron.stake.0 as f64).sum();
    let mut validators: Vec<Voice> = speakers
        .map(|neuron| Voice {
            uid: neuron.uid,
            hotkey: neuron.hotkey,
            stake: neuron.stake.0 as f64 / stakes.max(1.0),
            vtrust: fraction(neuron.validator_trust),
            expected: expected(neuron.uid),
            agreement: agreement(&mine, &shares(&rows[&neuron.uid])),
            last_update: neuron.last_update.0,
        })
        .collect();
    validators.sort_by(|one, other| other.stake.total_cmp(&one.stake));
    let (vtrust, expected) = (fraction(own.validator_trust), expected(own.uid));
    Ok(Some(Consensus { uid: own.uid, vtrust, expected, with_newest_vector, validators }))
}

/// As the chain stores a vector.
fn upscaled(vector: &WeightVector, neurons: usize) -> Vec<(Uid, u16)> {
    let values = max_upscale(&vector.values());
    vector.uids().into_iter().zip(values).filter(|(uid, _)| uid.index() < neurons).collect()
}

/// The state that the next epoch would read, had it come now. Bonds don't enter vtrust, and nothing is paid.
fn input(state: &SubnetState, rows: &Rows, own: Uid) -> EpochInput {
    let neurons = &state.metagraph.neurons;
    let block = state.schedule.next_epoch_block().unwrap_or(state.head.number).0;
    let row = |uid: Uid| {
        let row = rows.get(&uid).into_iter().flatten();
        row.filter(|(of, _)| of.index() < neurons.len()).map(|(of, weight)| (of.0, *weight)).collect()
    };
    // An own vector that is put in place counts as set now.
    let updated = |uid: Uid, last: u64| if uid == own { last.max(state.head.number.0) } else { last };
    EpochInput {
        block,
        stake: neurons.iter().map(|neuron| neuron.stake.0).collect(),
        last_update: neurons.iter().map(|neuron| updated(neuron.uid, neuron.last_update.0)).collect(),
        block_at_registration: neurons.iter().map(|neuron| neuron.registered_at.0).collect(),
        validator_permit: neurons.iter().map(|neuron| neuron.validator_permit).collect(),
        weights: neurons.iter().map(|neuron| row(neuron.uid)).collect(),
        bonds: vec![Vec::new(); neurons.len()],
        hyperparameters: (&state.hyperparameters).into(),
        earliest_commit_block: vec![None; neurons.len()],
        last_step_boundary_block: state.schedule.last_epoch_block.0.saturating_add(1),
        owner_uid: state.metagraph.owner.map(|uid| uid.0),
        emission_rao: 0,
    }
}

fn shares(row: &[(Uid, u16)]) -> BTreeMap<Uid, f64> {
    let total: u64 = row.iter().map(|(_, weight)| u64::from(*weight)).sum();
    row.iter().map(|(uid, weight)| (*uid, f64::from(*weight) / total.max(1) as f64)).collect()
}

fn agreement(one: &BTreeMap<Uid, f64>, other: &BTreeMap<Uid, f64>) -> f64 {
    one.iter().map(|(uid, share)| share.min(other.get(uid).copied().unwrap_or_default())).sum()
}

/// The mechanism whose weights vtrust is about.
pub(crate) const MECHANISM: MechId = MechId(0);

#[cfg(test)]
mod tests {
    use weighhouse_types::{Block, Epoch, Neuron, Rao, sample};

    use super::*;

    fn state() -> SubnetState {
        let neuron = |uid: u16| Neuron {
            stake: Rao(if uid < 3 { 1_000_000_000_000 } else { 0 }),
            validator_permit: uid < 3,
            last_update: Block(95),
            ..sample::neuron(uid)
        };
        sample::subnet(Epoch(7), Block(100), (0..6).map(neuron).collect())
    }

    fn row(weights: &[(u16, u16)]) -> Vec<(Uid, u16)> {
        weights.iter().map(|(uid, weight)| (Uid(*uid), *weight)).collect()
    }

    #[test]
    fn who_weighs_like_the_majority_is_trusted_and_who_does_not_is_not() {
        let agreed = row(&[(3, 65535), (4, 32768)]);
        let rows =
            Rows::from([(Uid(0), row(&[(5, 65535)])), (Uid(1), agreed.clone()), (Uid(2), agreed.clone())]);
        let own = sample::registration(0).hotkey;
        let alone = consensus(&state(), &rows, own, None).expect("computed").expect("registered");
        assert!(alone.expected < 0.01 && !alone.with_newest_vector, "{alone:?}");
        let by_uid =
            |of: &Consensus, uid: u16| of.validators.iter().find(|voice| voice.uid == Uid(uid)).cloned();
        assert!(by_uid(&alone, 1).is_some_and(|voice| voice.agreement < 0.01 && voice.expected > 0.99));
        let vector = WeightVector::new(agreed).expect("a vector");
        let joined = consensus(&state(), &rows, own, Some(&vector)).expect("computed").expect("registered");
        assert!(joined.expected > 0.99 && joined.with_newest_vector, "{joined:?}");
        assert!(by_uid(&joined, 2).is_some_and(|voice| voice.agreement > 0.99), "{joined:?}");
    }

    #[test]
    fn a_validator_that_is_not_registered_has_no_place_in_it() {
        assert_eq!(consensus(&state(), &Rows::new(), sample::registration(77).hotkey, None), Ok(None));
    }

    #[test]
    fn rows_that_name_uids_beyond_the_subnet_are_passed_over() {
        let rows = Rows::from([(Uid(0), row(&[(3, 1), (900, 7)]))]);
        let found = consensus(&state(), &rows, sample::registration(0).hotkey, None).expect("computed");
        assert!(found.is_some_and(|found| (found.validators[0].agreement - 1.0).abs() < 1e-9));
    }
}
