//! What an epoch's judgements came to for one miner: served to that miner, signed, once the epoch's weights are public.
//!
//! `find` reads a journal's epochs, whoever has them: the service here, or a command with the folder at hand. The service
//! ([`serve`]) reads the files of past epochs beside the validator that writes the newest one; it holds up nothing of the
//! validator's, and no stranger's request reaches a file.
//!
//! **Invariant.** A caller is told of its own hotkey's registration alone, and of no epoch before the chain shows its
//! weights: until then drawn checks and scores are secrets that would be worth copying.

mod find;
mod gate;
mod reach;
mod server;
mod service;
mod shelf;

pub use find::{FindError, Journalled, Miner, Which, find};
pub(crate) use gate::{Axons, REQUESTS_MAX, axons};
pub use server::{VerdictsError, VerdictsParts, serve};
pub use shelf::Shelf;

#[cfg(test)]
mod tests;
