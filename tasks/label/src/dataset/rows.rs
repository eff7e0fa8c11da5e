//! Rows of a table that isn't what it should be, as far as it can be read at all.

use std::panic;
use std::sync::Once;
use std::thread;

use bytes::Bytes;
use parquet::file::reader::{FileReader as _, SerializedFileReader};

use super::TABLE_FILE;
use super::verify::Difference;

const READER: &str = "reads a foreign table";

type Rows = Vec<Vec<(String, String)>>;

/// Rows that differ from those that follow; none where the table can't be read.
pub(super) fn differing(found: Vec<u8>, expected: &[u8]) -> Vec<Difference> {
    let (Some(found), Some(expected)) = (read_foreign(found), read(expected.to_vec())) else {
        return Vec::new();
    };
    let mut differences = Vec::new();
    for (at, expected) in expected.iter().enumerate() {
        let item = expected.first().and_then(|(_, item)| item.trim_matches('"').parse().ok());
        for (name, value) in expected {
            let row = found.get(at).map(Vec::as_slice).unwrap_or_default();
            let other = row.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
            if other != Some(value) {
                let other = other.unwrap_or("nothing");
                let what = format!("its {name} is {other} in the table; {value} follows from the labels");
                differences.push(Difference { file: TABLE_FILE.to_owned(), item, what });
            }
        }
    }
    differences
}

fn read(file: Vec<u8>) -> Option<Rows> {
    let reader = SerializedFileReader::new(Bytes::from(file)).ok()?;
    let rows = reader.get_row_iter(None).ok()?;
    let cells = |row: parquet::record::Row| {
        row.get_column_iter().map(|(name, field)| (name.clone(), field.to_string())).collect()
    };
    rows.map(|row| row.ok().map(cells)).collect()
}

/// The library panics at some damaged pages; on a thread of its own that is a table that can't be read.
fn read_foreign(file: Vec<u8>) -> Option<Rows> {
    static QUIET: Once = Once::new();
    QUIET.call_once(|| {
        let others = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if thread::current().name() != Some(READER) {
                others(panic);
            }
        }));
    });
    thread::Builder::new().name(READER.to_owned()).spawn(move || read(file)).ok()?.join().ok()?
}
