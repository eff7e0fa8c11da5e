//! Bundles: an epoch's whole file, for anybody who wants to audit it, once nothing in it is a secret any more.
//!
//! [`serve`] answers three kinds of requests over plain HTTP: a page for people, [`BundleIndex`] for programs, and the files, which
//! are streamed from the disk. It reads the journal beside the validator that writes it, and holds up nothing of the
//! validator's: connections, bytes a second and time are bounded.
//!
//! **Invariant.** A file is offered only when its epoch is over, its weights are public or never will be, and no challenge in it
//! waits for its truth (`outcome`): an open epoch's file holds references, and weights that are sealed would be worth copying.

mod answer;
mod catalogue;
mod index;
mod outcome;
mod pace;
mod range;
mod server;

pub use index::{BundleEntry, BundleIndex, BundleWeights, INDEX_FOLDER, INDEX_NAME};
pub use server::{BundlesParts, serve};

#[cfg(test)]
mod tests;
