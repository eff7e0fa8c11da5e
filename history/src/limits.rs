//! Limits of an export.

/// The largest epoch file that is read into memory.
pub const SEGMENT_BYTES_MAX: u64 = 4 << 30;
/// The most epochs whose rows wait for news of their vector.
pub const HELD_EPOCHS_MAX: usize = 1024;
/// Rows of one row group, which is held in memory.
pub(crate) const ROW_GROUP_ROWS: usize = 1 << 16;
/// Hotkeys whose text is remembered.
pub(crate) const HOTKEYS_MAX: usize = 1 << 14;
