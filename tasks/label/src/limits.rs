//! Limits of a job.

/// Bytes of one item.
pub(crate) const ITEM_BYTES_MAX: u64 = 16 << 20;
/// Items of a job.
pub(crate) const ITEMS_MAX: usize = 1 << 20;
/// Bytes of a table of items, of labels or of gold.
pub(crate) const TABLE_BYTES_MAX: u64 = 4 << 30;
/// Bytes of the guidelines.
pub(crate) const GUIDELINES_BYTES_MAX: u64 = 1 << 20;
pub(crate) const CLASSES_MAX: usize = 1000;
/// Bytes of a class's, a worker's or an item's name.
pub(crate) const NAME_BYTES_MAX: usize = 200;
