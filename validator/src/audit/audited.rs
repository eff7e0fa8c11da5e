//! The findings of an audit.

use serde::Serialize;
use weighhouse_types::{
    Block, Digest, Epoch, EpochContext, Hotkey, LaterAnswers, MechId, Netuid, Record, WeightVector,
};

use super::chain::ChainFindings;
use super::log::LogReport;

/// The findings of one epoch's audit.
#[derive(Debug, Serialize)]
pub struct AuditReport {
    pub epoch: Epoch,
    pub validator: Hotkey,
    pub genesis: Digest,
    pub netuid: Netuid,
    pub mechanism: MechId,
    pub records: usize,
    /// Requests, answers and references that were removed from the file: their hashes alone are left.
    #[serde(skip_serializing_if = "is_zero")]
    pub removed: usize,
    /// The RFC 6962 root over the records.
    pub root: Digest,
    pub challenges: usize,
    /// Answers whose signature was checked.
    pub answers: usize,
    /// Verdicts that were reached again from the recorded reference.
    pub verdicts: usize,
    /// References that were worked out again by their model.
    pub references: usize,
    /// Miners' receipts that were compared with the record.
    #[serde(skip_serializing_if = "is_zero")]
    pub receipts: usize,
    /// Answers that await their truth at the epoch's end.
    #[serde(skip_serializing_if = "is_zero")]
    pub awaiting: usize,
    /// Answers of earlier epochs whose truth came in this one.
    #[serde(skip_serializing_if = "is_zero")]
    pub resolved: usize,
    /// Challenges that lapsed without a truth.
    #[serde(skip_serializing_if = "is_zero")]
    pub lapsed: usize,
    /// The scores were made by other software, as the records say: nothing gives the vector, and it is the validator's word.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub scored_elsewhere: bool,
    /// The vector that the validator meant to publish, where no records give one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub intended: Option<WeightVector>,
    /// The vector that the records give.
    pub vector: Option<WeightVector>,
    /// Why they give none.
    pub abstains: Option<String>,
    /// The log that the records are in, where the epoch is closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<LogReport>,
    /// What a chain says of it, where one was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_chain: Option<ChainFindings>,
    /// True where no closing record ends it: the epoch is under way, or its end was cut off.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_open: bool,
    /// True if it is the vector that the validator meant to publish; absent where it meant none yet.
    pub matches: Option<bool>,
    pub published_at: Option<Block>,
    /// The block in which the epoch ended, where its plain weights were published no earlier: they count from the next epoch on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub late_after: Option<Block>,
    /// Everything that the version of the records has no place for, so that no audit can show it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_shown: Vec<String>,
    /// Records that there must be between this file and the one before, and what can't be compared without them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
    /// Everything that was not reached again, since the judge is not at hand here.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_rederived: Vec<String>,
    /// Everything that is other than in the file before, and that a validator may change.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changed: Vec<String>,
    /// Everything that rests on an operator's word, as the records say themselves.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub on_trust: Vec<String>,
    /// Everything that is not as it should be.
    pub problems: Vec<String>,
}

impl AuditReport {
    pub(super) fn new(context: &EpochContext, records: &[Record]) -> Self {
        let later = LaterAnswers::of(records);
        Self {
            epoch: context.epoch,
            validator: context.validator,
            genesis: context.genesis,
            netuid: context.netuid,
            mechanism: context.mechanism,
            records: records.len(),
            removed: 0,
            root: Digest::default(),
            challenges: 0,
            answers: 0,
            verdicts: 0,
            references: 0,
            receipts: 0,
            awaiting: later.awaiting.len(),
            resolved: later.resolved,
            lapsed: later.lapsed,
            log: None,
            on_chain: None,
            is_open: false,
            scored_elsewhere: false,
            intended: None,
            vector: None,
            abstains: None,
            matches: None,
            published_at: None,
            late_after: None,
            not_shown: Vec::new(),
            missing: Vec::new(),
            not_rederived: Vec::new(),
            changed: Vec::new(),
            on_trust: Vec::new(),
            problems: Vec::new(),
        }
    }
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}
