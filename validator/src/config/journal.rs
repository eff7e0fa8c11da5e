//! The `[journal]` table.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use super::ByteSize;
use crate::parts::Retention;

#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Journal {
    /// The folder of the journal. It belongs to one validator and is never shared.
    pub dir: PathBuf,
    /// Epochs whose files are kept, besides the open one; older ones are removed once their weights are settled. All are kept when
    /// absent.
    pub keep_epochs: Option<usize>,
    /// Free space below which the operator is told, before the disk is full.
    #[serde(default = "default_free_space_min")]
    pub free_space_min: ByteSize,
}

fn default_free_space_min() -> ByteSize {
    ByteSize(1_000_000_000)
}

impl Journal {
    /// What is kept, and what is watched.
    pub fn retention(&self) -> Retention {
        Retention { keep_epochs: self.keep_epochs, free_space_min: self.free_space_min.0 }
    }

    pub(super) fn fault(&self) -> Option<(&'static str, &'static str)> {
        (self.keep_epochs == Some(0))
            .then_some(("journal.keep_epochs", "must be at least 1; leave it out to keep every epoch"))
    }
}
