//! Reasons for which a configuration file is refused.

use weighhouse_types::config;

/// A text that is no configuration, or a value that makes no sense.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error(transparent)]
    Text(#[from] config::ConfigError),
    #[error("{key}: {why}")]
    Value { key: &'static str, why: String },
}

impl ConfigError {
    /// A `[[model]]` table that makes no sense.
    pub(crate) fn model(why: String) -> Self {
        Self::Value { key: "model", why }
    }
}
