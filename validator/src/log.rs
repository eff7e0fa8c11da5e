//! The transparency log over the journal: its key, its checkpoints, and the validators that witness each other's.
//!
//! Behind each epoch's closing record the validator signs a checkpoint, and the subnet's other validators sign it too, once they
//! have seen that it extends the one they signed before (`book`, served by `service`). So a validator that shows two records to two
//! people has to show one of them without witnesses, or with two checkpoints that prove it ([`Fork`]).
//!
//! **Invariant.** A witness's signature leaves only once the checkpoint is durable in its own folder: after a restart it signs no
//! other of the same size.

mod anchor;
mod fork;
mod keys;
mod quorum;

mod book;
mod witnessed;

mod exchange;
mod gather;
mod service;

pub use fork::{Fork, ForkError};
pub use quorum::WrongWitness;

pub(crate) use anchor::Anchor;
pub(crate) use book::WitnessBook;
#[cfg(test)]
pub(crate) use book::Witnessing;
pub(crate) use exchange::exchange;
pub(crate) use gather::{Gathering, Means, Peer};
pub(crate) use keys::{LogOwner, load, opening, verifier};
pub(crate) use quorum::{Wanted, signers, witnesses_of};
pub(crate) use service::Witness;

#[cfg(test)]
pub(crate) mod tests;
