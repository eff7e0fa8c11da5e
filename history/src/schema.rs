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
pub enum Table {
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
pub enum Kind {
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
    pub kind: Kind,
    pub nullable: bool,
}

const fn always(name: &'static str, kind: Kind) -> Column {
    Column { name, kind, nullable: false }
}

const fn maybe(name: &'static str, kind: Kind) -> Column {
    Column { name, kind, nullable: true }
}

const EPOCHS: [Column; 24] = [
    always("netuid", Kind::Int32),
    always("validator", Kind::Utf8),
    always("mechanism", Kind::Int32),
    always("genesis", Kind::Utf8),
    maybe("block", Kind::Int64),
    maybe("block_time", Kind::Timestamp),
    maybe("tempo", Kind::Int32),
    maybe("policy_sha256", Kind::Utf8),
    maybe("task_sha256", Kind::Utf8),
    maybe("kind", Kind::Utf8),
    maybe("judge_version", Kind::Int64),
    maybe("judge_sha256", Kind::Utf8),
    maybe("miners", Kind::Int64),
    always("judgements", Kind::Int64),
    always("void_rounds", Kind::Int64),
    maybe("software", Kind::Utf8),
    always("record_version", Kind::Int32),
    maybe("closed_at", Kind::Int64),
    maybe("closed_time", Kind::Timestamp),
    maybe("receipts_root", Kind::Utf8),
    always("decision", Kind::Utf8),
    maybe("decided_at", Kind::Int64),
    maybe("decided_time", Kind::Timestamp),
    maybe("why", Kind::Utf8),
];

const JUDGEMENTS: [Column; 17] = [
    always("netuid", Kind::Int32),
    always("validator", Kind::Utf8),
    maybe("kind", Kind::Utf8),
    always("judge_version", Kind::Int64),
    always("round", Kind::Int64),
    always("uid", Kind::Int32),
    always("hotkey", Kind::Utf8),
    always("registered_at", Kind::Int64),
    always("challenge", Kind::Utf8),
    always("asked_in", Kind::Int64),
    always("mark_billionths", Kind::Int64),
    always("mark", Kind::Float64),
    always("accepted", Kind::Boolean),
    always("answered", Kind::Boolean),
    maybe("latency_us", Kind::Int64),
    maybe("failure", Kind::Utf8),
    always("reasons", Kind::Reasons),
];

const STANDINGS: [Column; 9] = [
    always("netuid", Kind::Int32),
    always("validator", Kind::Utf8),
    maybe("uid", Kind::Int32),
    always("hotkey", Kind::Utf8),
    always("registered_at", Kind::Int64),
    always("average_billionths", Kind::Int64),
    always("average", Kind::Float64),
    always("attempts", Kind::Int64),
    always("judged_in", Kind::Int64),
];

const WEIGHTS: [Column; 9] = [
    always("netuid", Kind::Int32),
    always("validator", Kind::Utf8),
    always("intent", Kind::Utf8),
    always("uid", Kind::Int32),
    maybe("hotkey", Kind::Utf8),
    always("weight", Kind::Int32),
    always("share", Kind::Float64),
    always("state", Kind::Utf8),
    always("superseded", Kind::Boolean),
];

impl Table {
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
            Kind::Boolean => (Physical::BOOLEAN, None),
            Kind::Int32 => (Physical::INT32, None),
            Kind::Int64 => (Physical::INT64, None),
            Kind::Float64 => (Physical::DOUBLE, None),
            Kind::Utf8 => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
            Kind::Timestamp => (Physical::INT64, Some(LogicalType::timestamp(true, TimeUnit::MICROS))),
            Kind::Reasons => return reasons(self.name),
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
