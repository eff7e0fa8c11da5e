//! The four tables: their columns, names and marks. The tables in the crate's documentation are these.

use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use arrow_schema::{DataType, Field, Schema, SchemaRef};

/// The version of the tables' columns and meanings, written into every file. A reader refuses any other.
pub const FORMAT_VERSION: &str = "1";

/// Keys in each file's metadata.
pub(crate) const FORMAT_KEY: &str = "weighhouse.format";
pub(crate) const TABLE_KEY: &str = "weighhouse.table";
/// Which export a file is of: tables of different exports are never read together.
pub(crate) const EXPORT_KEY: &str = "weighhouse.export";

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

impl Table {
    pub const ALL: [Self; 4] = [Self::Epochs, Self::Judgements, Self::Standings, Self::Weights];

    /// The table's name in SQL.
    pub fn name(self) -> &'static str {
        match self {
            Self::Epochs => "epochs",
            Self::Judgements => "judgements",
            Self::Standings => "standings",
            Self::Weights => "weights",
        }
    }

    pub fn path(self, dir: &Path) -> PathBuf {
        dir.join(format!("{}.parquet", self.name()))
    }

    /// The columns in order.
    pub fn schema(self) -> SchemaRef {
        static SCHEMAS: LazyLock<[SchemaRef; 4]> =
            LazyLock::new(|| Table::ALL.map(|table| Arc::new(Schema::new(table.fields()))));
        Arc::clone(&SCHEMAS[self as usize])
    }

    fn fields(self) -> Vec<Field> {
        use DataType::{Boolean, Float64, Int32, Int64, Utf8};
        let always = |name: &str, kind: DataType| Field::new(name, kind, false);
        let maybe = |name: &str, kind: DataType| Field::new(name, kind, true);
        match self {
            Self::Epochs => vec![
                always("epoch", Int64),
                always("netuid", Int32),
                always("mechanism", Int32),
                always("genesis", Utf8),
                always("validator", Utf8),
                maybe("block", Int64),
                maybe("tempo", Int32),
                maybe("policy_sha256", Utf8),
                maybe("task_sha256", Utf8),
                maybe("miners", Int64),
                always("judgements", Int64),
                maybe("software", Utf8),
                always("decision", Utf8),
                maybe("decided_at", Int64),
                maybe("why", Utf8),
            ],
            Self::Judgements => vec![
                always("epoch", Int64),
                always("round", Int64),
                always("uid", Int32),
                always("hotkey", Utf8),
                always("registered_at", Int64),
                always("challenge", Utf8),
                always("mark_billionths", Int64),
                always("mark", Float64),
                always("accepted", Boolean),
                always("answered", Boolean),
                maybe("latency_us", Int64),
                maybe("failure", Utf8),
                always("reasons", Utf8),
            ],
            Self::Standings => vec![
                always("epoch", Int64),
                maybe("uid", Int32),
                always("hotkey", Utf8),
                always("registered_at", Int64),
                always("average_billionths", Int64),
                always("average", Float64),
                always("attempts", Int64),
                always("judged_in", Int64),
            ],
            Self::Weights => vec![
                always("epoch", Int64),
                always("intent", Utf8),
                always("uid", Int32),
                maybe("hotkey", Utf8),
                always("weight", Int32),
                always("share", Float64),
                always("state", Utf8),
                always("superseded", Boolean),
            ],
        }
    }
}
