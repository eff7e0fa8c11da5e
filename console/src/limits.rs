//! Limits of the console.

use std::time::Duration;

/// Connections served at once; more wait.
pub(crate) const CONNECTIONS_MAX: usize = 64;
/// Streams of events at once; more are refused.
pub(crate) const STREAMS_MAX: usize = 16;
/// Requests that read files at once; more wait.
pub(crate) const READS_MAX: usize = 2;
/// Time for a request's headers; a connection on which none come for so long is closed.
pub(crate) const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes of a request's headers.
pub(crate) const HEADER_BYTES_MAX: usize = 16 << 10;
/// Longest life of a connection; a browser comes again by itself.
pub(crate) const CONNECTION_AGE_MAX: Duration = Duration::from_secs(60 * 60);
/// Between two signs of life on a stream on which nothing happens.
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(15);
/// Between two looks at the folder, and the least between two events of a stream.
pub(crate) const LOOK: Duration = Duration::from_millis(500);
/// For one read of the chain.
pub(crate) const CHAIN_TIMEOUT: Duration = Duration::from_secs(30);
/// Rest after a read of the chain that failed.
pub(crate) const CHAIN_REST: Duration = Duration::from_secs(5);
/// Validators whose weights are read from the chain, those with the most stake first.
pub(crate) const VALIDATORS_MAX: usize = 128;

/// The largest epoch's file that is read.
pub(crate) const FILE_BYTES_MAX: u64 = 512 << 20;
/// Bytes of files that one request reads; what is left out is read by the next ones.
pub(crate) const REQUEST_BYTES_MAX: u64 = 256 << 20;
/// Epochs whose figures are kept.
pub(crate) const BRIEFS_KEPT: usize = 256;
/// Epochs whose records are kept, with their answers, and the bytes of their files.
pub(crate) const SEGMENTS_KEPT: usize = 4;
pub(crate) const SEGMENT_BYTES_KEPT: u64 = 128 << 20;
/// Epochs in one list.
pub(crate) const EPOCHS_LISTED: usize = 60;
/// Files in the list of the folder.
pub(crate) const FILES_LISTED: usize = 200;
/// Verdicts on one miner in one epoch that are listed.
pub(crate) const VERDICTS_LISTED: usize = 1_000;
/// Newest marks that a miner's row shows.
pub(crate) const MARKS_SHOWN: usize = 24;
/// Values of one tensor that are shown.
pub(crate) const VALUES_SHOWN: usize = 1_024;
/// Tensors of one message that are shown.
pub(crate) const TENSORS_SHOWN: usize = 16;
/// Bytes of a text, and of bytes that are none, that are shown.
pub(crate) const TEXT_BYTES_SHOWN: usize = 4 << 10;
pub(crate) const HEX_BYTES_SHOWN: usize = 256;
/// Epochs of a running economy that are kept.
pub(crate) const ECONOMY_EPOCHS_KEPT: usize = 256;
