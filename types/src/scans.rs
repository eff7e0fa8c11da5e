//! Scans of handwritten digits as tensors: pixels in, a distribution over the ten digits for each scan out.
//!
//! Both sides of the wire read and write through here. A request that reads has finite pixels in rows of [`PIXELS`];
//! an answer that reads has as many rows as were asked for, and each row is a distribution.

mod answer;
mod error;
mod layout;
mod request;

pub use answer::{ScansAnswer, check_row};
pub use error::{MalformedScans, ScansError};
pub use layout::{CLASSES, INPUT, OUTPUT, PIXELS};
pub use request::ScansRequest;

#[cfg(test)]
mod tests;
