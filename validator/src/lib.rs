//! The validator: rounds of asking and judging, one weight vector per epoch, published and confirmed.
//!
//! The life of an answer runs through the modules in this order: an `epoch` is opened from one finalised block; a
//! `round` derives challenges, asks every miner, judges and journals; `receipts` tell miners that their answers were received; `publish` turns the epoch's records
//! into an intent and follows it until the chain shows it; [`log`] has the epoch's end witnessed by others. [`role`] drives all of it, one step per block. [`verdicts`] tells
//! miners, once it is public, what became of their answers, and [`bundles`] hands the whole epoch to whoever audits it. [`put`] publishes
//! weights that other software made, and [`moving`] carries a validator to another machine.
//!
//! **Invariant:** every effect is journalled before it leaves: a challenge before it is sent, a judgement before it
//! counts, an intent and its signed bytes before they are submitted. A miner's misbehaviour costs that miner only.

pub mod audit;
pub mod bundles;
pub mod config;
pub mod log;
pub mod metrics;
pub mod moving;
pub mod put;
pub mod remote;
pub mod role;
pub mod rollout;
pub mod start;
pub mod verdicts;

mod answers;
mod canary;
mod check;
mod checks;
mod closing;
mod dialogue;
mod draw;
mod epoch;
mod error;
mod fault;
mod later;
mod outcome;
mod parts;
mod policies;
mod publish;
mod receipts;
mod requests;
mod resolve;
mod round;
mod seen;
mod timetable;
mod together;

#[cfg(test)]
mod testing;

pub use canary::{Canary, CanaryServer};
pub use error::ValidatorError;
pub use parts::{Parts, Retention};
pub use requests::request_bytes;
pub use role::{Progress, Validator};
