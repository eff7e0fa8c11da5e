//! Models: the scans they read, their weights on disk and their forward passes.
//!
//! Three kinds of model: the classifier of handwritten digits, with three weight sets built in; language models of the
//! Llama family ([`language`]); BERT-style encoders ([`encoder`]). Weights are read from safetensors only, checked before
//! anything is allocated; a model's identity is the SHA-256 of its files. The crate `trainer` made the weights that ship.
//!
//! The only crate of the product that imports burn, by its tensors alone (`burn-tensor`): burn's optimisers and layers are
//! for training, and would be compiled for nobody here.
//!
//! **Invariant.** A classifier's probabilities of one row depend on the row, the weights and the size of the batch it is in,
//! never on the other rows. They differ in the last bits between batch sizes and processors, so
//! comparisons allow a tolerance. Perturbed scans, by contrast, are bit-equal everywhere.

pub mod device;
pub mod digits;
pub mod draw;
pub mod encoder;
pub mod language;
pub mod perturb;
pub mod precision;
pub mod safetensors;
pub mod sampling;

mod attention;
mod builtin;
mod classifier;
mod folder;
mod linear;
mod loading;
mod mlp;
mod panels;
mod projection;
mod rows;
mod text;

pub use builtin::{Builtin, UnknownBuiltin};
pub use classifier::{Classifier, LAYERS_MAX, ModelError, ROWS_MAX, WIDTH_MAX, held_out_accuracy};
pub use folder::{FolderError, LoadLimits};
pub use linear::Linear;
