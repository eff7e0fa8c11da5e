use std::fs::File;
use std::ops::ControlFlow;

use parquet::basic::{LogicalType, Repetition, Type};
use parquet::file::reader::FileReader;
use parquet::file::serialized_reader::SerializedFileReader;
use weighhouse_types::Epoch;

use super::sample::{plain, request, write};
use crate::{FORMAT_VERSION, Table, export};

/// Columns as the crate's documentation lists them. A change here is a new format version.
const COLUMNS: [(Table, &str); 4] = [
    (
        Table::Epochs,
        "epoch Int64, netuid Int32, mechanism Int32, genesis Utf8, validator Utf8, block Int64?, tempo Int32?, \
         policy_sha256 Utf8?, task_sha256 Utf8?, miners Int64?, judgements Int64, software Utf8?, \
         decision Utf8, decided_at Int64?, why Utf8?",
    ),
    (
        Table::Judgements,
        "epoch Int64, round Int64, uid Int32, hotkey Utf8, registered_at Int64, challenge Utf8, \
         mark_billionths Int64, mark Float64, accepted Boolean, answered Boolean, latency_us Int64?, \
         failure Utf8?, reasons Utf8",
    ),
    (
        Table::Standings,
        "epoch Int64, uid Int32?, hotkey Utf8, registered_at Int64, average_billionths Int64, average Float64, \
         attempts Int64, judged_in Int64",
    ),
    (
        Table::Weights,
        "epoch Int64, intent Utf8, uid Int32, hotkey Utf8?, weight Int32, share Float64, state Utf8, \
         superseded Boolean",
    ),
];

#[test]
fn the_files_have_the_documented_columns_and_marks() {
    assert_eq!(FORMAT_VERSION, "1");
    let dir = tempfile::tempdir().unwrap();
    let request = request(dir.path());
    write(&request.journal, &[(4, plain(4))]);
    let exported = export(&request, &mut |_| ControlFlow::Continue(())).unwrap();
    assert_eq!((exported.first, exported.last), (Epoch(4), Epoch(4)));
    for (table, expected) in COLUMNS {
        let file = File::open(table.path(&request.out)).unwrap();
        let reader = SerializedFileReader::new(file).unwrap();
        let metadata = reader.metadata().file_metadata();
        let columns = metadata.schema_descr().columns().iter().map(|column| {
            let kind = match (column.physical_type(), column.logical_type_ref()) {
                (Type::BOOLEAN, None) => "Boolean",
                (Type::INT32, None) => "Int32",
                (Type::INT64, None) => "Int64",
                (Type::DOUBLE, None) => "Float64",
                (Type::BYTE_ARRAY, Some(LogicalType::String)) => "Utf8",
                other => panic!("{other:?} is of no type that the tables have"),
            };
            let nullable = column.self_type().get_basic_info().repetition() == Repetition::OPTIONAL;
            format!("{} {kind}{}", column.name(), if nullable { "?" } else { "" })
        });
        assert_eq!(columns.collect::<Vec<_>>().join(", "), expected);
        let marks = metadata.key_value_metadata().unwrap();
        let mark = |key: &str| marks.iter().find(|pair| pair.key == key).and_then(|pair| pair.value.clone());
        assert_eq!(mark("weighhouse.format").as_deref(), Some("1"));
        assert_eq!(mark("weighhouse.table").as_deref(), Some(table.name()));
        assert_eq!(mark("weighhouse.export"), Some(exported.export.to_string()));
    }
}
