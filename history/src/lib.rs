//! A validator's journal as Parquet tables, and SQL over them.
//!
//! [`export`] reads the journal of one validator and writes four files, which any tool that reads Parquet opens. With
//! the feature `sql`, `query` answers `SELECT`s over them with DataFusion. No role needs any of this: the journal
//! stays the truth, and the tables can be made from it anew at any time.
//!
//! # What is promised
//! - The journal is only read, and may be in use: a last commit that is not whole yet is left out, and counted.
//! - A file has its table's name only once it is whole and synced; a table that exists is not replaced unless told.
//! - The same files, range and version give the same bytes.
//! - Memory is bounded by the largest epoch: one epoch's file is held at a time.
//! - Each file's metadata says `weighhouse.format` (the version of what stands below, 1), `weighhouse.table`, and
//!   `weighhouse.export`, a digest of range and evidence, by which tables of different exports are told apart.
//!
//! # The tables, format version 1
//! Types go by their names in Arrow; [`Table::columns`] lists the same. Hotkeys are SS58 addresses, digests 64 hexadecimal digits.
//! A `?` marks a column that can be null. Rows are in the order of epochs, and within one in the journal's.
//!
//! `epochs.parquet`, one row an epoch:
//!
//! | column | type | what |
//! |---|---|---|
//! | `epoch` | `Int64` | |
//! | `netuid`, `mechanism` | `Int32` | |
//! | `genesis` | `Utf8` | the chain's genesis digest |
//! | `validator` | `Utf8` | whose journal it is |
//! | `block` | `Int64?` | the block the epoch was opened at; null, like the five below, where a crash came before |
//! | `tempo` | `Int32?` | blocks an epoch |
//! | `policy_sha256`, `task_sha256` | `Utf8?` | of the policy's and the task's file, as journalled |
//! | `miners` | `Int64?` | neurons other than the validator that published an axon or were judged |
//! | `judgements` | `Int64` | rows of the epoch in `judgements` |
//! | `software` | `Utf8?` | what wrote the journal |
//! | `decision` | `Utf8` | `published`, `failed`, `abstained`; or where the last vector stands: `intended`, `signed`, `included`, `expired`; or `open`: nothing decided |
//! | `decided_at` | `Int64?` | the block the vector was included at, or read back at |
//! | `why` | `Utf8?` | why it abstained, failed, or replaced an earlier vector |
//!
//! `judgements.parquet`, one row a verdict:
//!
//! | column | type | what |
//! |---|---|---|
//! | `epoch`, `round` | `Int64` | |
//! | `uid` | `Int32` | |
//! | `hotkey` | `Utf8` | |
//! | `registered_at` | `Int64` | the block of the hotkey's registration: a score belongs to both |
//! | `challenge` | `Utf8` | the challenge's digest |
//! | `mark_billionths` | `Int64` | the mark, exact: -10^9 to 10^9 |
//! | `mark` | `Float64` | the same in [-1, 1] |
//! | `accepted` | `Boolean` | whether the mark is above 0 |
//! | `answered` | `Boolean` | whether something judgeable came back |
//! | `latency_us` | `Int64?` | microseconds from the first byte sent to the last received |
//! | `failure` | `Utf8?` | why nothing came: `no axon`, `unreachable`, `deadline exceeded`, `grpc status N`, `oversized`, `undecodable`, `bad signature` |
//! | `reasons` | `Utf8` | the judge's reasons in words, joined by `; ` |
//!
//! `standings.parquet`, one row for each average that an epoch was opened with (what the epochs before left behind):
//!
//! | column | type | what |
//! |---|---|---|
//! | `epoch` | `Int64` | the epoch that was opened with it |
//! | `uid` | `Int32?` | null where the registration is gone |
//! | `hotkey`, `registered_at` | `Utf8`, `Int64` | |
//! | `average_billionths`, `average` | `Int64`, `Float64` | exact, and in [-1, 1] |
//! | `attempts` | `Int64` | judgements behind the average |
//! | `judged_in` | `Int64` | the epoch that last judged the registration |
//!
//! `weights.parquet`, one row for each entry of each vector that was meant to be published, zeros included:
//!
//! | column | type | what |
//! |---|---|---|
//! | `epoch` | `Int64` | |
//! | `intent` | `Utf8` | the vector's digest |
//! | `uid` | `Int32` | |
//! | `hotkey` | `Utf8?` | whose uid it was when the epoch was opened |
//! | `weight` | `Int32` | 0 to 65535 |
//! | `share` | `Float64` | of the vector's sum |
//! | `state` | `Utf8` | the vector's state, in the words of `decision` |
//! | `superseded` | `Boolean` | whether a later vector of the epoch replaced it |

mod schema;
mod words;

mod columns;
mod rows;
mod source;
mod table;

mod export;
mod held;

mod error;

#[cfg(feature = "sql")]
mod query;
#[cfg(feature = "sql")]
mod render;

pub use error::ExportError;
pub use export::{ExportProgress, ExportRequest, Exported, HELD_EPOCHS_MAX, SEGMENT_BYTES_MAX, export};
#[cfg(feature = "sql")]
pub use query::{QueryError, QueryLimits, SQL_BYTES_MAX, query};
#[cfg(feature = "sql")]
pub use render::{Format, render};
pub use schema::{Column, FORMAT_VERSION, Kind, Table};

#[cfg(test)]
mod tests;
