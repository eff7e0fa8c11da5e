//! A label, and its receipt.

use serde::{Deserialize, Serialize};
use weighhouse_types::{Digest, Hasher};

/// The receipt of a label: a hash over it, and over the receipt before it of the same worker.
pub type Receipt = Digest;

/// One answer of one worker for one item, as it stands in the worker's file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Label {
    pub item: Digest,
    pub worker: String,
    /// A class's name, or `skip`, `unsure` or `undo`.
    pub label: String,
    /// Seconds from the item's showing to the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lead_time: Option<f64>,
    /// When it was given, in milliseconds since 1970 in UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<u64>,
    /// Keeps whoever knows a receipt from finding the label by trying all.
    pub salt: Digest,
    pub receipt: Receipt,
}

impl Label {
    /// What its receipt has to be after this one.
    pub fn expected(&self, job: &Digest, before: &Receipt) -> Receipt {
        let optional = |bytes: Option<[u8; 8]>| bytes.map_or_else(Vec::new, |bytes| bytes.to_vec());
        Hasher::new("weighhouse/label/receipt/1")
            .part(job.as_bytes())
            .part(before.as_bytes())
            .part(self.item.as_bytes())
            .part(self.worker.as_bytes())
            .part(self.label.as_bytes())
            .part(&optional(self.lead_time.map(|seconds| seconds.to_bits().to_le_bytes())))
            .part(&optional(self.at.map(u64::to_le_bytes)))
            .part(self.salt.as_bytes())
            .finish()
    }

    pub(crate) fn line(&self) -> String {
        let mut line = serde_json::to_string(self).expect("texts and finite numbers");
        line.push('\n');
        line
    }
}
