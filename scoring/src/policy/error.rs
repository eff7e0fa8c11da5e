//! Refusals of a policy file, and the limits that they name.

use weighhouse_types::config::ConfigError;

use super::expression::ExpressionError;

/// The newest version of the file format; version 1 is read too.
pub const POLICY_VERSION: u32 = 2;

/// A policy file is refused above this size.
pub const MAX_POLICY_BYTES: usize = 64 * 1024;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    #[error("the policy has {bytes} bytes, at most {MAX_POLICY_BYTES} are read")]
    TooLong { bytes: usize },
    #[error("the policy is not UTF-8 text")]
    NotText,
    #[error("policy: {0}")]
    Config(#[from] ConfigError),
    #[error("policy version {found}, this software reads versions 1 and {POLICY_VERSION}")]
    Version { found: u32 },
    #[error("policy key `{key}` is {found}, it must be {wanted}")]
    Value { key: &'static str, found: String, wanted: &'static str },
    #[error("policy key `expression.score`: {0}")]
    Expression(#[from] ExpressionError),
}
