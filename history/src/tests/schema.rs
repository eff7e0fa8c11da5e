use std::fs::File;
use std::ops::ControlFlow;

use parquet::basic::{LogicalType, Repetition, TimeUnit, Type};
use parquet::file::reader::FileReader;
use parquet::file::serialized_reader::SerializedFileReader;
use weighhouse_types::Epoch;

use super::sample::{plain, request, write};
use crate::{FORMAT_VERSION, TableSchema, export};

/// Columns as the crate's documentation lists them. A change here is a new format version.
const COLUMNS: [(TableSchema, &str); 4] = [
    (
        TableSchema::Epochs,
        "netuid Int32, validator Utf8, mechanism Int32, genesis Utf8, block Int64?, block_time \
         Timestamp?, tempo Int32?, policy_sha256 Utf8?, task_sha256 Utf8?, kind Utf8?, judge_version \
         Int64?, judge_sha256 Utf8?, miners Int64?, judgements Int64, void_rounds Int64, software Utf8?, \
         record_version Int32, closed_at Int64?, closed_time Timestamp?, receipts_root Utf8?, decision \
         Utf8, decided_at Int64?, decided_time Timestamp?, why Utf8?",
    ),
    (
        TableSchema::Judgements,
        "netuid Int32, validator Utf8, kind Utf8?, judge_version Int64, round Int64, uid Int32, hotkey \
         Utf8, registered_at Int64, challenge Utf8, asked_in Int64, mark_billionths Int64, mark Float64, \
         accepted Boolean, answered Boolean, latency_us Int64?, failure Utf8?, code Utf8, words Utf8",
    ),
    (
        TableSchema::Standings,
        "netuid Int32, validator Utf8, uid Int32?, hotkey Utf8, registered_at Int64, average_billionths \
         Int64, average Float64, attempts Int64, judged_in Int64",
    ),
    (
        TableSchema::Weights,
        "netuid Int32, validator Utf8, intent Utf8, uid Int32, hotkey Utf8?, weight Int32, share \
         Float64, state Utf8, superseded Boolean",
    ),
];

#[test]
fn the_files_have_the_documented_columns_and_marks() {
    assert_eq!(FORMAT_VERSION, "2");
    let dir = tempfile::tempdir().unwrap();
    let request = request(dir.path());
    write(&request.journal, &[(4, plain(4))]);
    let exported = export(&request, &mut |_| ControlFlow::Continue(())).unwrap();
    assert_eq!((exported.first, exported.last), (Epoch(4), Epoch(4)));
    for (table, expected) in COLUMNS {
        let file = File::open(table.partition(&request.out, Epoch(4))).unwrap();
        let reader = SerializedFileReader::new(file).unwrap();
        let metadata = reader.metadata().file_metadata();
        let columns = metadata.schema_descr().columns().iter().map(|column| {
            let kind = match (column.physical_type(), column.logical_type_ref()) {
                (Type::BOOLEAN, None) => "Boolean",
                (Type::INT32, None) => "Int32",
                (Type::INT64, None) => "Int64",
                (Type::DOUBLE, None) => "Float64",
                (Type::BYTE_ARRAY, Some(LogicalType::String)) => "Utf8",
                (Type::INT64, Some(time)) if *time == LogicalType::timestamp(true, TimeUnit::MICROS) => {
                    "Timestamp"
                }
                other => panic!("{other:?} is of no type that the tables have"),
            };
            let nullable = column.self_type().get_basic_info().repetition() == Repetition::OPTIONAL;
            format!("{} {kind}{}", column.name(), if nullable { "?" } else { "" })
        });
        assert_eq!(columns.collect::<Vec<_>>().join(", "), expected);
        let marks = metadata.key_value_metadata().unwrap();
        let mark = |key: &str| marks.iter().find(|pair| pair.key == key).and_then(|pair| pair.value.clone());
        assert_eq!(mark("weighhouse.format").as_deref(), Some("2"));
        assert_eq!(mark("weighhouse.table").as_deref(), Some(table.name()));
        assert!(mark("weighhouse.evidence").is_some_and(|root| root.len() == 64));
    }
}
