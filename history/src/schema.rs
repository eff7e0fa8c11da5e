//! The four tables: their columns, names and marks. The tables in the crate's documentation are these.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::basic::{LogicalType, Repetition, TimeUnit, Type as Physical};
use parquet::schema::types::{Type, TypePtr};
use weighhouse_types::Epoch;

/// The version of the tables' columns and meanings, written into every file. A reader refuses any other.
pub const FORMAT_VERSION: &str = "2";

/// Keys in each file's metadata.
pub(crate) const FORMAT_KEY: &str = "weighhouse.format";
pub(crate) const TABLE_KEY: &str = "weighhouse.table";
/// The Merkle root over the epoch's records that the rows come from.
pub(crate) const EVIDENCE_KEY: &str = "weighhouse.evidence";

/// One of the exported tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TableSchema {
    /// One row an epoch.
    Epochs,
    /// One row a verdict.
    Judgements,
    /// One row for each average that an epoch was opened with.
    Standings,
    /// One row for each entry of each vector that the validator meant to publish.
    Weights,
}

/// A column's type, by its name in Arrow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CellType {
    Boolean,
    Int32,
    Int64,
    Float64,
    Utf8,
    /// Microseconds since the Unix epoch, in UTC.
    Timestamp,
    /// A list of structs of two texts, `code` and `words`.
    Reasons,
}

/// One column of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    pub name: &'static str,
    pub kind: CellType,
    pub nullable: bool,
}

const fn always(name: &'static str, kind: CellType) -> Column {
    Column { name, kind, nullable: false }
}

const fn maybe(name: &'static str, kind: CellType) -> Column {
    Column { name, kind, nullable: true }
}

const EPOCHS: [Column; 24] = [
    always("netuid", CellType::Int32),
    always("validator", CellType::Utf8),
    always("mechanism", CellType::Int32),
    always("genesis", CellType::Utf8),
    maybe("block", CellType::Int64),
    maybe("block_time", CellType::Timestamp),
    maybe("tempo", CellType::Int32),
    maybe("policy_sha256", CellType::Utf8),
    maybe("task_sha256", CellType::Utf8),
    maybe("kind", CellType::Utf8),
    maybe("judge_version", CellType::Int64),
    maybe("judge_sha256", CellType::Utf8),
    maybe("miners", CellType::Int64),
    always("judgements", CellType::Int64),
    always("void_rounds", CellType::Int64),
    maybe("software", CellType::Utf8),
    always("record_version", CellType::Int32),
    maybe("closed_at", CellType::Int64),
    maybe("closed_time", CellType::Timestamp),
    maybe("receipts_root", CellType::Utf8),
    always("decision", CellType::Utf8),
    maybe("decided_at", CellType::Int64),
    maybe("decided_time", CellType::Timestamp),
    maybe("why", CellType::Utf8),
];

const JUDGEMENTS: [Column; 17] = [
    always("netuid", CellType::Int32),
    always("validator", CellType::Utf8),
    maybe("kind", CellType::Utf8),
    always("judge_version", CellType::Int64),
    always("round", CellType::Int64),
    always("uid", CellType::Int32),
    always("hotkey", CellType::Utf8),
    always("registered_at", CellType::Int64),
    always("challenge", CellType::Utf8),
    always("asked_in", CellType::Int64),
    always("mark_billionths", CellType::Int64),
    always("mark", CellType::Float64),
    always("accepted", CellType::Boolean),
    always("answered", CellType::Boolean),
    maybe("latency_us", CellType::Int64),
    maybe("failure", CellType::Utf8),
    always("reasons", CellType::Reasons),
];

const STANDINGS: [Column; 9] = [
    always("netuid", CellType::Int32),
    always("validator", CellType::Utf8),
    maybe("uid", CellType::Int32),
    always("hotkey", CellType::Utf8),
    always("registered_at", CellType::Int64),
    always("average_billionths", CellType::Int64),
    always("average", CellType::Float64),
    always("attempts", CellType::Int64),
    always("judged_in", CellType::Int64),
];

const WEIGHTS: [Column; 9] = [
    always("netuid", CellType::Int32),
    always("validator", CellType::Utf8),
    always("intent", CellType::Utf8),
    always("uid", CellType::Int32),
    maybe("hotkey", CellType::Utf8),
    always("weight", CellType::Int32),
    always("share", CellType::Float64),
    always("state", CellType::Utf8),
    always("superseded", CellType::Boolean),
];

impl TableSchema {
    pub const ALL: [Self; 4] = [Self::Epochs, Self::Judgements, Self::Standings, Self::Weights];

    /// The table's name, and its folder's.
    pub fn name(self) -> &'static str {
        match self {
            Self::Epochs => "epochs",
            Self::Judgements => "judgements",
            Self::Standings => "standings",
            Self::Weights => "weights",
        }
    }

    /// The file of one epoch's rows, in the folder layout that engines read as a partition by `epoch`.
    pub fn partition(self, dir: &Path, epoch: Epoch) -> PathBuf {
        dir.join(self.name()).join(format!("epoch={epoch}")).join("part.parquet")
    }

    /// The columns in order; `epoch` is in the folder's name and comes last where an engine reads it from there.
    pub fn columns(self) -> &'static [Column] {
        match self {
            Self::Epochs => &EPOCHS,
            Self::Judgements => &JUDGEMENTS,
            Self::Standings => &STANDINGS,
            Self::Weights => &WEIGHTS,
        }
    }

    pub(crate) fn message_type(self) -> TypePtr {
        let fields = self.columns().iter().map(|column| Arc::new(column.parquet())).collect();
        let message = Type::group_type_builder(self.name()).with_fields(fields).build();
        Arc::new(message.expect("a group of columns is a message type"))
    }
}

impl Column {
    fn parquet(&self) -> Type {
        let (physical, logical) = match self.kind {
            CellType::Boolean => (Physical::BOOLEAN, None),
            CellType::Int32 => (Physical::INT32, None),
            CellType::Int64 => (Physical::INT64, None),
            CellType::Float64 => (Physical::DOUBLE, None),
            CellType::Utf8 => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
            CellType::Timestamp => (Physical::INT64, Some(LogicalType::timestamp(true, TimeUnit::MICROS))),
            CellType::Reasons => return reasons(self.name),
        };
        let repetition = if self.nullable { Repetition::OPTIONAL } else { Repetition::REQUIRED };
        Type::primitive_type_builder(self.name, physical)
            .with_repetition(repetition)
            .with_logical_type(logical)
            .build()
            .expect("the logical type fits the physical one")
    }
}

/// A list in the three levels that the Parquet format prescribes.
fn reasons(name: &str) -> Type {
    let text = |name| {
        let text = Type::primitive_type_builder(name, Physical::BYTE_ARRAY)
            .with_repetition(Repetition::REQUIRED)
            .with_logical_type(Some(LogicalType::String));
        Arc::new(text.build().expect("a text is bytes"))
    };
    let group = |name, repetition, logical, fields| {
        let group = Type::group_type_builder(name).with_repetition(repetition).with_logical_type(logical);
        group.with_fields(fields).build().expect("a group of fields")
    };
    let element = group("element", Repetition::REQUIRED, None, vec![text("code"), text("words")]);
    let list = group("list", Repetition::REPEATED, None, vec![Arc::new(element)]);
    group(name, Repetition::REQUIRED, Some(LogicalType::List), vec![Arc::new(list)])
}
