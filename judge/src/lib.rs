//! Judges in Rust, served to validators and auditors as processes of their own; and the digest by which a task file pins
//! a judge in any language.
//!
//! A judge implements [`Judge`] and calls [`serve`] from its `main`. What is not on that trait (testimonies, answers
//! judged together) is `JudgeService` in `weighhouse_proto`, which a program may serve itself, or Python's
//! `weighhouse.judge`.

mod command;
mod digest;
mod service;
mod values;

pub use command::{ServeError, serve};
pub use digest::judge_digest;
pub use rand_chacha::{ChaCha20Rng, rand_core};
pub use values::{Challenge, Judge, Verdict};
pub use weighhouse_types::{Datatype, InferAnswer, Tensor, TensorError};
