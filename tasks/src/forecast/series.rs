//! Values by id, and what is done with them by position.

use std::collections::BTreeMap;

use super::normal::quantile;

/// Why there is no score.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ScoreError {
    #[error("id {id:?} stands twice")]
    Duplicate { id: String },
    #[error("{values} values for {ids} ids")]
    Values { ids: usize, values: usize },
    #[error("{common} ids have a value on both sides, fewer than {least:.0} % of the {of} on one of them")]
    Overlap { common: usize, of: usize, least: f64 },
    #[error("all values are the same: there is no ranking")]
    Constant,
    #[error("raised to its power the target is too unlike itself (correlation below 0.9): it has outliers")]
    Outliers,
    #[error("the ids of both sides must be the same")]
    Ids,
    #[error("{rows} rows can't give the best and the worst {wanted}")]
    TopBottom { rows: usize, wanted: usize },
    #[error("the stakes add up to nothing")]
    Stakes,
    #[error("{name} must lie within {within}")]
    OutOfRange { name: &'static str, within: &'static str },
}

/// Values by id, in the order of the ids. NaN stands for a value that is missing.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    ids: Vec<String>,
    values: Vec<f64>,
}

impl Series {
    /// # Errors
    /// An id that stands twice.
    pub fn new(rows: impl IntoIterator<Item = (String, f64)>) -> Result<Self, ScoreError> {
        let mut sorted = BTreeMap::new();
        for (id, value) in rows {
            if sorted.contains_key(&id) {
                return Err(ScoreError::Duplicate { id });
            }
            sorted.insert(id, value);
        }
        let (ids, values) = sorted.into_iter().unzip();
        Ok(Self { ids, values })
    }

    pub fn len(&self) -> usize {
        self.ids.len()
    }

    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    pub fn ids(&self) -> &[String] {
        &self.ids
    }

    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// The value of an id; NaN where it is missing, `None` where there is no such id.
    pub fn get(&self, id: &str) -> Option<f64> {
        let at = self.ids.binary_search_by(|known| known.as_str().cmp(id)).ok()?;
        Some(self.values[at])
    }

    /// As weights of a portfolio, whose amounts add up to 1.
    #[must_use]
    pub fn normalized(&self) -> Self {
        let total = self.values.iter().fold(0.0, |sum, value| sum + value.abs());
        self.with(self.values.iter().map(|value| value / total).collect())
    }

    /// The same ids with other values.
    pub(super) fn with(&self, values: Vec<f64>) -> Self {
        Self { ids: self.ids.clone(), values }
    }

    /// Less the mean of the values that are there.
    pub(super) fn centred(&self) -> Self {
        let there: Vec<f64> = self.values.iter().copied().filter(|value| !value.is_nan()).collect();
        let mean = mean(&there);
        self.with(self.values.iter().map(|value| value - mean).collect())
    }

    /// Ids with a value.
    pub(super) fn present(&self) -> impl Iterator<Item = &String> {
        self.ids.iter().zip(&self.values).filter(|(_, value)| !value.is_nan()).map(|(id, _)| id)
    }

    /// Only these ids, which are among its own and in order.
    pub(super) fn only(&self, ids: &[String]) -> Self {
        let value = |id: &String| self.ids.binary_search(id).map_or(f64::NAN, |at| self.values[at]);
        Self { ids: ids.to_vec(), values: ids.iter().map(value).collect() }
    }

    /// The ids that have a value in both, of which each must keep a share of its rows.
    pub(super) fn aligned(&self, other: &Self, dropped_most: f64) -> Result<(Self, Self), ScoreError> {
        let ids = common([self, other].map(|one| one.present().cloned().collect()).into_iter());
        for of in [self.len(), other.len()] {
            overlap(ids.len(), of, dropped_most)?;
        }
        Ok((self.only(&ids), other.only(&ids)))
    }
}

/// The ids that are in all of these sorted lists.
pub(super) fn common(lists: impl Iterator<Item = Vec<String>>) -> Vec<String> {
    let both = |mut kept: Vec<String>, list: Vec<String>| {
        kept.retain(|id| list.binary_search(id).is_ok());
        kept
    };
    lists.reduce(both).unwrap_or_default()
}

/// # Errors
/// [`ScoreError::Overlap`] where more than a share was dropped.
pub(super) fn overlap(common: usize, of: usize, dropped_most: f64) -> Result<(), ScoreError> {
    let least = 1.0 - dropped_most;
    match common as f64 / of as f64 >= least {
        true => Ok(()),
        false => Err(ScoreError::Overlap { common, of, least: 100.0 * least }),
    }
}

pub(super) fn sum(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |sum, value| sum + value)
}

pub(super) fn dot(one: &[f64], other: &[f64]) -> f64 {
    one.iter().zip(other).fold(0.0, |sum, (a, b)| sum + a * b)
}

pub(super) fn mean(values: &[f64]) -> f64 {
    sum(values) / values.len() as f64
}

pub(super) fn less_mean(values: &[f64]) -> Vec<f64> {
    let mean = mean(values);
    values.iter().map(|value| value - mean).collect()
}

/// Ranks from 1, ties at their mean.
pub(super) fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    let mut ranks = vec![0.0; values.len()];
    let mut begin = 0;
    while begin < order.len() {
        let value = values[order[begin]];
        // Not by their bits: 0 and -0 are one value.
        let tied = order[begin..].iter().take_while(|at| values[**at] == value).count().max(1);
        let rank = (2 * begin + tied + 1) as f64 / 2.0;
        order[begin..begin + tied].iter().for_each(|at| ranks[*at] = rank);
        begin += tied;
    }
    ranks
}

/// Ranks as shares around 0.5, made normal.
pub(super) fn gaussian(values: &[f64]) -> Vec<f64> {
    let count = values.len() as f64;
    ranks(values).into_iter().map(|rank| quantile((rank - 0.5) / count)).collect()
}

/// To the power 1.5, signs kept.
pub(super) fn power(values: &[f64]) -> Result<Vec<f64>, ScoreError> {
    let raised: Vec<f64> =
        values.iter().map(|value| value.abs() * libm::sqrt(value.abs())).zip(values).map(signed).collect();
    match pearson(&raised, values) {
        Ok(alike) if alike < 0.9 => Err(ScoreError::Outliers),
        _ => Ok(raised),
    }
}

fn signed((magnitude, value): (f64, &f64)) -> f64 {
    if *value < 0.0 { -magnitude } else { magnitude }
}

/// # Errors
/// [`ScoreError::Constant`] of either side.
pub(super) fn pearson(one: &[f64], other: &[f64]) -> Result<f64, ScoreError> {
    if is_constant(one) || is_constant(other) {
        return Err(ScoreError::Constant);
    }
    let (one, other) = (less_mean(one), less_mean(other));
    Ok(dot(&one, &other) / libm::sqrt(dot(&one, &one) * dot(&other, &other)))
}

pub(super) fn is_constant(values: &[f64]) -> bool {
    values.windows(2).all(|pair| pair[0] == pair[1])
}

/// Positions of the best and of the worst so many, each in order of the ids.
pub(super) fn extremes(values: &[f64], count: usize) -> Result<[Vec<usize>; 2], ScoreError> {
    let rows = values.len();
    if 2 * count > rows {
        return Err(ScoreError::TopBottom { rows, wanted: count });
    }
    let mut order: Vec<usize> = (0..rows).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    let mut found = [order[rows - count..].to_vec(), order[..count].to_vec()];
    found.iter_mut().for_each(|positions| positions.sort_unstable());
    Ok(found)
}
