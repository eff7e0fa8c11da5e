//! Names that nearly every kind needs: `use crate::kind::prelude::*`.

#![allow(unused_imports, reason = "a kind takes the names that it needs")]

pub(crate) use parity_scale_codec::{Decode, Encode};
pub(crate) use rand_chacha::ChaCha20Rng;
pub(crate) use serde::Deserialize;
pub(crate) use weighhouse_models::draw::{self, Gaussian, below, unit};
pub(crate) use weighhouse_types::profile::Scope;
pub(crate) use weighhouse_types::{
    Digest, Hasher, InferAnswer, InferRequest, JointVerdicts, Judgement, RegistrationId, Tensor,
};

pub(crate) use super::{Kind, NextRequest, NoSection, Timing, Truth, generator, per_seed};
pub(crate) use crate::error::{TaskError, TaskFileError};
pub(crate) use crate::file::{TaskFile, count, refused, within};
pub(crate) use crate::persona::{Conduct, Persona};
pub(crate) use crate::references::References;
pub(crate) use crate::{reading, verdict};
