//! Scans of handwritten digits as tensors: pixels in, a distribution over the ten digits for each scan out.
//!
//! Both sides of the wire read and write through here. A request that reads has finite pixels in rows of [`PIXELS`];
//! an answer that reads has as many rows as were asked for, and each row is a distribution.

mod answer;
mod error;
mod request;

pub use answer::{ScansAnswer, check_row};
pub use error::{MalformedScans, ScansError};
pub use request::ScansRequest;

/// The input's name: FP32, shape `[scans, 64]`, values in [0, 1].
pub const INPUT: &str = "pixels";
/// The output's name: FP32, shape `[scans, 10]`, each row a distribution over the digits.
pub const OUTPUT: &str = "probabilities";
/// Pixels of one scan.
pub const PIXELS: usize = 64;
/// Digits that a scan can show.
pub const CLASSES: usize = 10;

#[cfg(test)]
mod tests;
