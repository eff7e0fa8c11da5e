//! Reasons for which bytes are no weights file, and the limits that one must keep.

use std::io;

/// Longest file that is read whole.
pub const FILE_BYTES_MAX: usize = 8 << 20;
/// Most dimensions of a tensor.
pub const DIMENSIONS_MAX: usize = 4;

/// Limits of a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShardLimits {
    pub header_bytes_max: usize,
    pub tensors_max: usize,
}

impl ShardLimits {
    /// For files as models are published in.
    pub const STANDARD: Self = Self { header_bytes_max: 16 << 20, tensors_max: 16_384 };
    /// For files that are read whole.
    pub const SMALL: Self = Self { header_bytes_max: 64 << 10, tensors_max: 64 };
}

/// Why bytes are no weights file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    #[error("the file has {bytes} bytes, over the limit of {FILE_BYTES_MAX}")]
    FileTooLong { bytes: usize },
    #[error("the file ends within its header: is the download complete?")]
    HeaderCut,
    #[error("the header claims {bytes} bytes, over the limit of {limit}")]
    HeaderTooLong { bytes: u64, limit: usize },
    #[error("the header can't be used: {what}")]
    Header { what: String },
    #[error("the file has {count} tensors, over the limit of {limit}")]
    TooManyTensors { count: usize, limit: usize },
    #[error("tensor {name:?} is of datatype {datatype:?}; {read} is read: convert the file first")]
    Datatype { name: String, datatype: String, read: &'static str },
    #[error("tensor {name:?} has {dimensions} dimensions, over the limit of {DIMENSIONS_MAX}")]
    TooManyDimensions { name: String, dimensions: usize },
    #[error(
        "the header describes {expected} bytes of data, the file has {actual}: is the download complete?"
    )]
    DataLength { expected: u64, actual: u64 },
}

/// Why a weights file can't be opened, or a tensor of it read.
#[derive(Debug, thiserror::Error)]
pub enum ShardError {
    #[error(transparent)]
    Format(#[from] FormatError),
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("tensor {name:?} holds no floating-point numbers; F32, F16 and BF16 are read")]
    NoFloats { name: String },
    #[error("tensor {name:?} holds a number that is not finite, at {index}")]
    NotFinite { name: String, index: usize },
}
