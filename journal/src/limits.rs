//! Limits of a journal's records, commits and segments.

/// The largest payload of one record, in bytes.
pub const RECORD_BYTES_MAX: usize = 64 << 20;
/// The most bytes that wait for one commit.
pub const BATCH_BYTES_MAX: usize = 256 << 20;
/// The most records of one epoch.
pub const SEGMENT_RECORDS_MAX: u64 = 1 << 22;

/// The limits that a journal appends within; tests take smaller ones.
#[derive(Clone, Copy, Debug)]
pub(crate) struct JournalLimits {
    pub(crate) record_bytes: usize,
    pub(crate) batch_bytes: usize,
    pub(crate) segment_records: u64,
}

impl JournalLimits {
    pub(crate) const STANDARD: Self = Self {
        record_bytes: RECORD_BYTES_MAX,
        batch_bytes: BATCH_BYTES_MAX,
        segment_records: SEGMENT_RECORDS_MAX,
    };
}
