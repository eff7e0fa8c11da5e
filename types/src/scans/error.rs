//! Reasons why tensors are no request for scans, or no answer to one.

use std::fmt;

use super::layout::{INPUT, OUTPUT, PIXELS};
use crate::TensorError;

/// Dimensions of a foreign shape that a message shows: its length is the sender's choice.
const DIMENSIONS_SHOWN: usize = 4;

/// Why a request can't be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScansError {
    #[error(transparent)]
    Tensor(#[from] TensorError),
    #[error("{name:?} is no input of this model, only {INPUT:?} is")]
    UnknownInput { name: String },
    #[error("{name:?} is no output of this model, only {OUTPUT:?} is")]
    UnknownOutput { name: String },
    #[error("input {INPUT:?} has shape {shape}, expected [scans, {PIXELS}]")]
    Shape { shape: ShownShape },
    #[error("{scans} scans, from 1 to {scans_max} are read at once")]
    Count { scans: u64, scans_max: u64 },
    #[error("pixel {pixel} of scan {scan} is not finite")]
    NotFinite { scan: usize, pixel: usize },
}

/// Why an answer can't be read. `item` counts scans from 0.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("item {item}: {what}")]
pub struct MalformedScans {
    pub item: u32,
    pub what: String,
}

/// A foreign shape, cut to its first dimensions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownShape {
    dimensions: Vec<u64>,
    cut: bool,
}

impl ShownShape {
    pub(super) fn of(shape: &[u64]) -> Self {
        let dimensions = shape.iter().copied().take(DIMENSIONS_SHOWN).collect();
        Self { dimensions, cut: shape.len() > DIMENSIONS_SHOWN }
    }
}

impl fmt::Display for ShownShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dimensions: Vec<String> = self.dimensions.iter().map(u64::to_string).collect();
        let rest = if self.cut { ", .." } else { "" };
        write!(f, "[{}{rest}]", dimensions.join(", "))
    }
}
