//! The `[journal]` table.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{BundlesSection, ByteSize};
use crate::parts::Retention;

#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Journal {
    /// The folder of the journal. It belongs to one validator and is never shared.
    pub dir: PathBuf,
    /// Epochs whose files are kept, besides the open one; older ones are removed once their weights are settled. All are kept when
    /// absent.
    pub keep_epochs: Option<usize>,
    /// Epochs whose requests, answers and references are kept, besides the open one. Older files keep verdicts, signatures and the
    /// hashes of what was removed: an audit still shows the vector and that nothing was changed, and no longer why an answer got
    /// its mark. All are kept when absent.
    pub keep_answers_epochs: Option<usize>,
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
        Retention {
            keep_epochs: self.keep_epochs,
            keep_answers_epochs: self.keep_answers_epochs,
            free_space_min: self.free_space_min.0,
        }
    }

    pub(super) fn fault(&self, bundles: &BundlesSection) -> Option<(&'static str, &'static str)> {
        const ANSWERS: &str = "journal.keep_answers_epochs";
        if self.keep_epochs == Some(0) {
            return Some(("journal.keep_epochs", "must be at least 1; leave it out to keep every epoch"));
        }
        match self.keep_answers_epochs? {
            0 => Some((ANSWERS, "must be at least 1; leave it out to keep all answers")),
            kept if bundles.listen.is_some() && kept < bundles.keep_epochs => {
                Some((ANSWERS, "must be at least bundles.keep_epochs: what is offered has its answers"))
            }
            _ => None,
        }
    }
}
