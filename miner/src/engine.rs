//! Engines: one model each behind one trait, and the catalogue of those that a miner serves.
//!
//! An engine sees requests for its model that were authenticated and admitted, and tensors whose bytes agree with their
//! shapes; it decides everything else about them. The caller's identity never reaches it.

pub(crate) mod error;
pub(crate) mod generator;
pub(crate) mod limits;
pub(crate) mod served;

mod batch;
mod catalogue;
mod classifier;
mod embed;
mod passthrough;
mod text;

pub use catalogue::{Catalogue, TwiceServed};
pub use classifier::ClassifierEngine;
pub use embed::EmbedEngine;
pub use error::EngineError;
pub use generator::{Generator, Paces, PieceStream};
pub use limits::EngineLimits;
pub use passthrough::PassthroughEngine;
pub use served::{AnswerStream, Engine, ModelName, ServedModel, TensorSpec};
pub use text::TextEngine;

pub use crate::remote::Upstream;
