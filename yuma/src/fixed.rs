//! Fixed-point numbers with the chain's bits: `I32F32`, `I64F64` and `I96F32` as substrate-fixed 0.6.0 computes them.
//!
//! **Invariant.** No floating point and no platform mathematics: every operation is integer arithmetic, so that two
//! machines get the same bits. Products floor, quotients truncate toward zero, conversions to integers floor, and what
//! does not fit saturates; nothing here panics.

#![cfg_attr(not(test), forbid(clippy::float_arithmetic))]

mod exp;
mod narrow;
mod wide;

pub use exp::exp_safe;
pub use narrow::I32F32;
pub use wide::{Fixed128, I64F64, I96F32};

#[cfg(test)]
mod tests;
