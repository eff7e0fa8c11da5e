//! Language models of the Llama family: loading, teacher-forced forward passes, and decoding by continuous batching.
//!
//! RMSNorm (B. Zhang and R. Sennrich, 2019), rotary positions, grouped-query attention (J. Ainslie and others, 2023)
//! and SwiGLU (N. Shazeer, 2020), with the names and shapes that Hugging Face publishes; Qwen2's biases.

mod builtin;
mod config;
mod decoder;
mod ending;
mod error;
mod kernels;
mod model;
mod pieces;
mod rope;
mod tokens;

pub use builtin::{BuiltinLanguage, UnknownLanguage};
pub use config::{ModelConfigError, Shape};
pub(crate) use config::{model_type, within};
pub use decoder::{Decoder, DecoderEvent, DecoderLimits, Finish, Generation, SequenceId, SubmitRefusal};
pub use error::{ForwardError, LanguageError};
pub use kernels::{AttentionMask, ForcedSequence, TensorLayer, TensorNetwork, attend_each};
pub use model::LanguageModel;
pub use rope::{Rope, RopeError};
pub use tokens::LanguageTokens;

pub use crate::text::{TEXT_BYTES_MAX, TextError};

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) use tests::golden_folders;
