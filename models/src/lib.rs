//! Models: the scans they read, their weights on disk, their forward passes and how they are trained.
//!
//! The only crate that imports burn. The first model is a classifier of handwritten digits on burn's flex backend,
//! with three weight sets built in and the code that trained them. Weights are read from safetensors only, checked
//! before anything is allocated; a model's identity is the SHA-256 of its file.
//!
//! **Invariant.** The probabilities of one row depend on the row, the weights and the size of the batch it is in,
//! never on the other rows. They differ in the last bits between batch sizes and processors, so whoever compares
//! them does so within a tolerance. Perturbed scans, by contrast, are bit-equal everywhere.

pub mod corpus;
pub mod device;
pub mod digits;
pub mod encoder;
pub mod language;
pub mod perturb;
pub mod precision;
pub mod safetensors;
pub mod sampling;
mod train;

mod builtin;
mod classifier;
mod folder;
mod linear;
mod mlp;
mod panels;
mod text;

pub use builtin::{Builtin, UnknownBuiltin};
pub use classifier::{Classifier, LAYERS_MAX, ModelError, ROWS_MAX, WIDTH_MAX};
pub use folder::{FolderError, LoadLimits};
pub use train::{Progress, Recipe, TrainError, Trained, UnknownRecipe, held_out_accuracy, train};
