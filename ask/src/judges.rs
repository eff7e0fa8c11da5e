//! Judges in other processes: their addresses, and the work of a round shared out among them.
//!
//! Every judge of a pool runs the same files, by the digest that the task file pins. A call that fails goes to the next
//! judge; what all of them fail at is an error of ours, and no miner is judged by it. Nothing that a judge says is
//! believed before it is checked (`weighhouse_proto`'s conversions).

mod address;
mod channel;
mod error;
mod pool;
mod remote;

pub use address::JudgeAddress;
pub use channel::JudgeDialing;
pub use error::{JudgeAddressError, JudgeError};
pub use pool::JudgePool;

#[cfg(test)]
mod tests;
