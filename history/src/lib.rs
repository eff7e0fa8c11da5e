//! A validator's journal as Parquet tables, partitioned by epoch.
//!
//! [`export`] reads the journal of one validator and writes four tables, which DuckDB, Spark, Polars and every other tool
//! that reads Parquet open as they are (`docs/history.md` has queries). No role needs any of this: the journal stays the
//! truth, and the tables can be made from it anew at any time.
//!
//! # Promises
//! - The journal is only read, and may be in use: a last commit that is not whole yet is left out, and counted.
//! - A file has its name only once everything of its export is whole and synced; a file that exists is not replaced
//!   unless told. An export of further epochs adds to the folder.
//! - The same files, range and version give the same bytes.
//! - Memory is bounded by the largest epoch: one epoch's file is held at a time.
//! - Each file's metadata says `weighhouse.format` (the version of what stands below, 2), `weighhouse.table`, and
//!   `weighhouse.evidence`, the Merkle root over the epoch's records.
//!
//! # The tables, format version 2
//! `TABLE/epoch=N/part.parquet`: an engine that knows this layout (Hive's) adds the column `epoch` by itself.
//! Types go by their names in Arrow; [`TableSchema::columns`] lists the same. Hotkeys are SS58 addresses, digests 64 hexadecimal digits.
//! A `?` marks a column that can be null. Rows are in the journal's order. A time is `Timestamp(us, UTC)`: when the validator first
//! saw the block beside it, by its own clock; null where the journal doesn't say, as before records of version 2. Every
//! table begins with `netuid` (`Int32`) and `validator` (`Utf8`), whose journal it is.
//!
//! `epochs`, one row an epoch:
//!
//! | column | type | meaning |
//! |---|---|---|
//! | `mechanism` | `Int32` | |
//! | `genesis` | `Utf8` | the chain's genesis digest |
//! | `block`, `block_time` | `Int64?`, `Timestamp?` | the block the epoch was opened at; null, like the eight below, where a crash came before |
//! | `tempo` | `Int32?` | blocks an epoch |
//! | `policy_sha256`, `task_sha256` | `Utf8?` | of the policy's and the task's file, as journalled |
//! | `kind`, `judge_version` | `Utf8?`, `Int64?` | the kind of task, and the version of its judge |
//! | `judge_sha256` | `Utf8?` | of the files of a judge out of process |
//! | `miners` | `Int64?` | neurons other than the validator that published an axon or were judged |
//! | `judgements`, `void_rounds` | `Int64` | verdicts, and rounds that failed through the validator's own trouble |
//! | `software` | `Utf8?` | what wrote the journal |
//! | `record_version` | `Int32` | the oldest version among the epoch's records |
//! | `closed_at`, `closed_time` | `Int64?`, `Timestamp?` | the block the epoch was closed at |
//! | `receipts_root` | `Utf8?` | the root over the receipts of its answers |
//! | `decision` | `Utf8` | `published`, `failed`, `missed`, `abstained`; or where the last vector stands: `intended`, `signed`, `included`, `expired`, `sealed`, `committing`, `committed`, `revealing`, `revealed`; or `open`: nothing decided |
//! | `decided_at`, `decided_time` | `Int64?`, `Timestamp?` | the block the vector was included at, or read back at |
//! | `why` | `Utf8?` | why it abstained, failed, or replaced an earlier vector |
//!
//! `judgements`, one row a verdict:
//!
//! | column | type | meaning |
//! |---|---|---|
//! | `kind`, `judge_version` | `Utf8?`, `Int64` | as in `epochs` |
//! | `round` | `Int64` | |
//! | `uid` | `Int32` | |
//! | `hotkey` | `Utf8` | |
//! | `registered_at` | `Int64` | the block of the hotkey's registration: a score belongs to both |
//! | `challenge` | `Utf8` | the challenge's digest |
//! | `asked_in` | `Int64` | the epoch that asked: an earlier one where the truth came later |
//! | `mark_billionths` | `Int64` | the mark, exact: -10^9 to 10^9 |
//! | `mark` | `Float64` | the same in [-1, 1] |
//! | `accepted` | `Boolean` | true where the mark is above 0 |
//! | `answered` | `Boolean` | true where something judgeable came back |
//! | `latency_us` | `Int64?` | microseconds from the first byte sent to the last received |
//! | `failure` | `Utf8?` | why nothing came: `no axon`, `unreachable`, `deadline exceeded`, `grpc status N`, `oversized`, `undecodable`, `bad signature` |
//! | `reasons` | `List<Struct<code: Utf8, words: Utf8>>` | the judge's reasons: `accepted`, `unchecked`, `wrong`, `malformed`, `silent` or `convicted`, and in words |
//!
//! `standings`, one row for each average that an epoch was opened with (what the epochs before left behind):
//!
//! | column | type | meaning |
//! |---|---|---|
//! | `uid` | `Int32?` | null where the registration is gone |
//! | `hotkey`, `registered_at` | `Utf8`, `Int64` | |
//! | `average_billionths`, `average` | `Int64`, `Float64` | exact, and in [-1, 1] |
//! | `attempts` | `Int64` | judgements behind the average |
//! | `judged_in` | `Int64` | the epoch that last judged the registration |
//!
//! `weights`, one row for each entry of each vector that was meant to be published, zeros included:
//!
//! | column | type | meaning |
//! |---|---|---|
//! | `intent` | `Utf8` | the vector's digest |
//! | `uid` | `Int32` | |
//! | `hotkey` | `Utf8?` | whose uid it was when the epoch was opened |
//! | `weight` | `Int32` | 0 to 65535 |
//! | `share` | `Float64` | of the vector's sum |
//! | `state` | `Utf8` | the vector's state, in the words of `decision` |
//! | `superseded` | `Boolean` | true where a later vector of the epoch replaced it |

mod limits;

mod schema;
mod words;

mod columns;
mod partition;
mod rows;
mod source;

mod export;
mod held;
mod output;

mod error;

pub mod weights;

pub use error::ExportError;
pub use export::{ExportProgress, ExportReport, ExportRequest, export};
pub use limits::{HELD_EPOCHS_MAX, SEGMENT_BYTES_MAX};
pub use schema::{CellType, Column, FORMAT_VERSION, TableSchema};
pub use words::state as intent_state;

#[cfg(test)]
mod tests;
