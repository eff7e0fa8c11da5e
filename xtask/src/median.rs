//! The median of repeated measurements.

use std::cmp::Ordering;

/// The middle value, or the upper of two; numbers that can't be compared keep their place.
pub(crate) fn median<T: PartialOrd + Copy>(mut values: Vec<T>) -> T {
    values.sort_by(|one, other| one.partial_cmp(other).unwrap_or(Ordering::Equal));
    values[values.len() / 2]
}
