//! From real-valued weights to the u16 vector that the chain takes.
//!
//! The figures are those of the Bittensor SDK 11.3.0 (clip to the largest share, divide by the largest weight, round
//! half to even, leave zeros out), with two differences: a limit that would pay a miner of weight zero is refused,
//! and zeros are sent where the chain's minimum length needs them. The order of weights is never reversed, and each
//! entry lies within half a unit of its target. This is the only module of the crate that uses floating point: the
//! four basic operations in a fixed order, which every machine rounds alike.

use serde::Serialize;
use weighhouse_types::{SubnetState, Uid, WeightVector};

#[cfg(test)]
mod tests;

/// Keeps a clipped weight below the limit by a hair; the SDK's figure.
const CLIP_MARGIN: f64 = 1e-7;

/// The chain's limits on a vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Neurons in the subnet: uids are below this.
    pub neurons: u16,
    /// The hyperparameter; what binds is `min(neurons, min_allowed_weights)`.
    pub min_allowed_weights: u16,
    /// The largest share of one weight, as a fraction of 65535.
    pub max_weights_limit: u16,
}

impl Limits {
    pub fn of(state: &SubnetState) -> Self {
        Self {
            neurons: u16::try_from(state.metagraph.neurons.len()).unwrap_or(u16::MAX),
            min_allowed_weights: state.hyperparameters.min_allowed_weights,
            max_weights_limit: state.hyperparameters.max_weights_limit,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error, Serialize)]
#[serde(tag = "refusal", rename_all = "snake_case")]
pub enum ConformError {
    #[error("there are no weights")]
    Empty,
    #[error("every weight is zero")]
    AllZero,
    #[error("the weight of uid {uid} is not a finite number")]
    NotFinite { uid: Uid },
    #[error("the weight of uid {uid} is negative")]
    Negative { uid: Uid },
    #[error("uid {uid} comes twice")]
    Duplicate { uid: Uid },
    #[error("uid {uid} does not exist among {neurons} neurons")]
    UnknownUid { uid: Uid, neurons: u16 },
    #[error("the sum of the weights is not a finite number")]
    Overflow,
    #[error("a largest share of {limit}/65535 would pay uid {uid}, whose weight is zero")]
    PaysZero { uid: Uid, limit: u16 },
    #[error("no clipping satisfies a largest share of {limit}/65535")]
    Unsatisfiable { limit: u16 },
}

/// Clips, upscales and quantises `weights` (relative, in any order) to a vector that the chain accepts.
///
/// Weights that round to zero are left out, then zeros for the lowest absent uids fill up to the least length.
///
/// # Errors
/// Refuses what has no honest vector: see [`ConformError`].
pub fn conform(weights: &[(Uid, f64)], limits: &Limits) -> Result<WeightVector, ConformError> {
    let mut pairs = weights.to_vec();
    pairs.sort_by_key(|(uid, _)| *uid);
    let mut entries = Vec::new();
    conform_into(&mut pairs, limits, &mut Vec::new(), &mut entries)?;
    WeightVector::new(entries).map_err(|_| ConformError::AllZero)
}

/// As [`conform`], from pairs that ascend by uid into `entries`; `scratch` is overwritten.
pub(crate) fn conform_into(
    pairs: &mut [(Uid, f64)],
    limits: &Limits,
    scratch: &mut Vec<f64>,
    entries: &mut Vec<(Uid, u16)>,
) -> Result<(), ConformError> {
    let mut top = check(pairs, limits)?;
    // Most subnets have no limit, and clipping allocates.
    if limits.max_weights_limit < u16::MAX {
        clip_pairs(pairs, limits.max_weights_limit, scratch)?;
        top = pairs.iter().fold(0.0, |top, (_, weight)| top.max(*weight));
    }
    quantise(pairs, top, entries);
    pad(entries, limits);
    Ok(())
}

/// The largest weight. `pairs` ascend by uid.
fn check(pairs: &[(Uid, f64)], limits: &Limits) -> Result<f64, ConformError> {
    // Floats that are not negative are ordered as their bits are, and so are infinities and what is no number above them.
    const INFINITE: u64 = f64::INFINITY.to_bits();
    let (mut top, mut previous, mut is_sound) = (0, None, true);
    for &(uid, weight) in pairs {
        // Adding zero turns -0 into 0, whose bits would otherwise look like the largest number.
        top = (weight + 0.0).to_bits().max(top);
        is_sound &= Some(uid) > previous;
        previous = Some(uid);
    }
    is_sound &= (1..INFINITE).contains(&top) && previous.is_some_and(|last| last.0 < limits.neurons);
    if is_sound { Ok(f64::from_bits(top)) } else { Err(fault(pairs, limits)) }
}

/// The first of what is wrong.
fn fault(pairs: &[(Uid, f64)], limits: &Limits) -> ConformError {
    for &(uid, weight) in pairs {
        if !weight.is_finite() {
            return ConformError::NotFinite { uid };
        }
        if weight < 0.0 {
            return ConformError::Negative { uid };
        }
        if uid.0 >= limits.neurons {
            return ConformError::UnknownUid { uid, neurons: limits.neurons };
        }
    }
    match pairs.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        Some(pair) => ConformError::Duplicate { uid: pair[1].0 },
        None if pairs.is_empty() => ConformError::Empty,
        None => ConformError::AllZero,
    }
}

fn clip_pairs(pairs: &mut [(Uid, f64)], limit: u16, weights: &mut Vec<f64>) -> Result<(), ConformError> {
    weights.clear();
    weights.extend(pairs.iter().map(|(_, weight)| *weight));
    if !sum(weights).is_finite() {
        return Err(ConformError::Overflow);
    }
    let share = f64::from(limit) / f64::from(u16::MAX);
    let clipped = clip(weights, share).ok_or(ConformError::Unsatisfiable { limit })?;
    for ((uid, weight), clipped) in pairs.iter_mut().zip(clipped) {
        // Equal shares would pay miners that earned nothing: the validator abstains instead.
        if *weight == 0.0 && clipped > 0.0 {
            return Err(ConformError::PaysZero { uid: *uid, limit });
        }
        *weight = clipped;
    }
    Ok(())
}

/// Shares with sum 1, none above `limit` where any distribution can do that, else all equal. What is cut off the
/// largest goes to all in proportion. `None` where the arithmetic leaves nothing. At least one weight is positive.
fn clip(weights: &[f64], limit: f64) -> Option<Vec<f64>> {
    let count = weights.len() as f64;
    if count * limit <= 1.0 {
        return Some(vec![1.0 / count; weights.len()]);
    }
    let total = sum(weights);
    let shares: Vec<f64> = weights.iter().map(|weight| weight / total).collect();
    let mut ascending = shares.clone();
    ascending.sort_by(f64::total_cmp);
    if ascending.last().is_some_and(|largest| *largest <= limit) {
        return Some(shares);
    }
    let cutoff = cutoff_share(&ascending, limit)? * total;
    let cut: Vec<f64> = weights.iter().map(|weight| weight.min(cutoff)).collect();
    let cut_total = sum(&cut);
    let clipped: Vec<f64> = cut.iter().map(|weight| weight / cut_total).collect();
    clipped.iter().all(|share| share.is_finite()).then_some(clipped)
}

/// Finds the cut of the ascending shares so that the largest, renormalised, lands on the limit: all of the shares that
/// would stay below it if they were the cut count whole, the others count as the cut itself.
fn cutoff_share(ascending: &[f64], limit: f64) -> Option<f64> {
    let count = ascending.len();
    let mut running = 0.0;
    let mut sums = Vec::with_capacity(count);
    let mut whole = 0;
    for (at, share) in ascending.iter().enumerate() {
        running += share;
        sums.push(running);
        let above = (count - at - 1) as f64;
        if share / (above * share + running + CLIP_MARGIN) < limit {
            whole += 1;
        }
    }
    let kept = sums.get(usize::checked_sub(whole, 1)?)?;
    Some((limit * kept - CLIP_MARGIN) / (1.0 - limit * (count - whole) as f64))
}

/// From left to right: the order is part of the result.
fn sum(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |total, value| total + value)
}

fn quantise(pairs: &[(Uid, f64)], top: f64, entries: &mut Vec<(Uid, u16)>) {
    entries.clear();
    let scaled = |weight: f64| ties_to_even(weight / top * f64::from(u16::MAX)) as u16;
    // A weight that rounds to 0 says nothing; zeros are added below only where the chain asks for length.
    entries.extend(pairs.iter().map(|(uid, weight)| (*uid, scaled(*weight))).filter(|(_, value)| *value > 0));
}

/// The nearest integer of a number in [0, 65535], halves to even: beyond 2^52 a float has no fraction left.
fn ties_to_even(value: f64) -> f64 {
    const WHOLE: f64 = 4_503_599_627_370_496.0;
    (value + WHOLE) - WHOLE
}

fn pad(entries: &mut Vec<(Uid, u16)>, limits: &Limits) {
    let least = usize::from(limits.min_allowed_weights.min(limits.neurons));
    let named = entries.len();
    if named >= least {
        return;
    }
    for uid in (0..limits.neurons).map(Uid) {
        if entries.len() == least {
            break;
        }
        if entries[..named].binary_search_by_key(&uid, |(other, _)| *other).is_err() {
            entries.push((uid, 0));
        }
    }
    entries.sort_unstable_by_key(|(uid, _)| *uid);
}
