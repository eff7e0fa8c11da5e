//! Passes of one fixed size over the scans of several requests.
//!
//! **Invariant.** An answer depends on the request and the weights alone, bit for bit on one machine, never on which
//! other requests were in the batch: a row's last bits depend on the size of the pass it is in, so there is one size, and
//! the model always sees [`FORWARD_ROWS`] rows, padded with zeros.

use std::fmt;
use std::sync::Arc;

use weighhouse_models::{Classifier, ModelError};
use weighhouse_types::Digest;
use weighhouse_types::scans::{CLASSES, PIXELS};

use crate::engine::batch::BatchModel;
use crate::engine::error::EngineError;

/// Rows of every forward pass.
pub(super) const FORWARD_ROWS: usize = 64;

pub(super) type QueuedRow = [f32; CLASSES];

/// A classifier's arithmetic.
pub(super) trait Forward: Send + Sync + fmt::Debug {
    fn digest(&self) -> Digest;
    /// One row of probabilities for each 64 pixels.
    fn forward(&self, pixels: &[f32]) -> Result<Vec<QueuedRow>, ModelError>;
}

impl Forward for Classifier {
    fn digest(&self) -> Digest {
        self.digest()
    }

    fn forward(&self, pixels: &[f32]) -> Result<Vec<QueuedRow>, ModelError> {
        self.forward(pixels)
    }
}

/// A classifier over the scans of several requests.
#[derive(Debug)]
pub(super) struct Passes(pub(super) Arc<dyn Forward>);

impl BatchModel for Passes {
    type Input = Vec<f32>;
    type Output = Vec<QueuedRow>;

    fn items(pixels: &Vec<f32>) -> usize {
        pixels.len() / PIXELS
    }

    fn run(&self, inputs: &[Arc<Vec<f32>>]) -> Vec<Result<Vec<QueuedRow>, EngineError>> {
        let pixels: Vec<f32> = inputs.iter().flat_map(|input| input.iter().copied()).collect();
        let mut rows = Vec::with_capacity(pixels.len() / PIXELS + FORWARD_ROWS);
        for chunk in pixels.chunks(FORWARD_ROWS * PIXELS) {
            let mut padded = chunk.to_vec();
            // Passes of one size: the model's bits depend on the batch's shape, and answers must not depend on who else
            // asks.
            padded.resize(FORWARD_ROWS * PIXELS, 0.0);
            match self.0.forward(&padded) {
                Ok(pass) if pass.len() == FORWARD_ROWS => rows.extend(&pass[..chunk.len() / PIXELS]),
                Ok(pass) => {
                    return failed(inputs, &format!("{} rows of {FORWARD_ROWS} came back", pass.len()));
                }
                Err(error) => return failed(inputs, &error.to_string()),
            }
        }
        let mut rows = rows.into_iter();
        inputs.iter().map(|input| Ok(rows.by_ref().take(input.len() / PIXELS).collect())).collect()
    }
}

fn failed(inputs: &[Arc<Vec<f32>>], why: &str) -> Vec<Result<Vec<QueuedRow>, EngineError>> {
    vec![Err(EngineError::Failed(why.to_owned())); inputs.len()]
}
