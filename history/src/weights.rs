//! Weights that other programs wrote as Parquet: a column `uid` or `hotkey`, and a column `weight`.

use bytes::Bytes;
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::record::{Field, Row};

/// First bytes of every Parquet file.
pub const PARQUET_MAGIC: [u8; 4] = *b"PAR1";
/// More than any subnet has uids.
const ROWS_MAX: usize = 4_096;

#[derive(Debug, thiserror::Error)]
pub enum WeightsError {
    #[error("it can't be read as Parquet: {0}")]
    Parquet(#[from] ParquetError),
    #[error("row {row}: {why}")]
    Row { row: usize, why: String },
    #[error("it has more rows than the {ROWS_MAX} that a subnet can have")]
    TooMany,
}

/// Reads names (a uid's digits, or a hotkey's address) and weights, row by row.
///
/// # Errors
/// A file that is none, or a row without the two columns.
pub fn read_parquet(file: Vec<u8>) -> Result<Vec<(String, f64)>, WeightsError> {
    let reader = SerializedFileReader::new(Bytes::from(file))?;
    let mut read = Vec::new();
    for row in reader.get_row_iter(None)? {
        if read.len() == ROWS_MAX {
            return Err(WeightsError::TooMany);
        }
        let at = read.len() + 1;
        read.push(cells(&row?).map_err(|why| WeightsError::Row { row: at, why })?);
    }
    Ok(read)
}

fn cells(row: &Row) -> Result<(String, f64), String> {
    let (mut whose, mut weight) = (None, None);
    for (name, field) in row.get_column_iter() {
        match name.as_str() {
            "uid" | "hotkey" if whose.is_some() => return Err("both uid and hotkey".to_owned()),
            "uid" | "hotkey" => whose = Some(whose_of(field).ok_or_else(|| format!("{name} is {field}"))?),
            "weight" => weight = Some(weight_of(field).ok_or_else(|| format!("weight is {field}"))?),
            _ => {}
        }
    }
    match (whose, weight) {
        (Some(whose), Some(weight)) => Ok((whose, weight)),
        (None, _) => Err("it has no column uid or hotkey".to_owned()),
        (_, None) => Err("it has no column weight".to_owned()),
    }
}

fn whose_of(field: &Field) -> Option<String> {
    Some(match field {
        Field::Str(text) => text.clone(),
        Field::Byte(uid) => uid.to_string(),
        Field::Short(uid) => uid.to_string(),
        Field::Int(uid) => uid.to_string(),
        Field::Long(uid) => uid.to_string(),
        Field::UByte(uid) => uid.to_string(),
        Field::UShort(uid) => uid.to_string(),
        Field::UInt(uid) => uid.to_string(),
        Field::ULong(uid) => uid.to_string(),
        _ => return None,
    })
}

fn weight_of(field: &Field) -> Option<f64> {
    Some(match field {
        Field::Float(weight) => f64::from(*weight),
        Field::Double(weight) => *weight,
        Field::Byte(weight) => f64::from(*weight),
        Field::Short(weight) => f64::from(*weight),
        Field::Int(weight) => f64::from(*weight),
        Field::UByte(weight) => f64::from(*weight),
        Field::UShort(weight) => f64::from(*weight),
        Field::UInt(weight) => f64::from(*weight),
        Field::Long(weight) => *weight as f64,
        Field::ULong(weight) => *weight as f64,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int32Type};
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::parser::parse_message_type;

    use super::*;

    fn file(schema: &str, write: impl FnOnce(&mut SerializedFileWriter<Vec<u8>>)) -> Vec<u8> {
        let schema = Arc::new(parse_message_type(schema).expect("a schema"));
        let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::default()).expect("a writer");
        write(&mut writer);
        writer.into_inner().expect("a file")
    }

    #[test]
    fn uids_and_hotkeys_are_read_with_their_weights() {
        let of_uids = file("message w { required int32 uid; required double weight; }", |writer| {
            let mut group = writer.next_row_group().expect("a group");
            let mut uids = group.next_column().expect("read").expect("uids");
            uids.typed::<Int32Type>().write_batch(&[3, 70], None, None).expect("written");
            uids.close().expect("closed");
            let mut weights = group.next_column().expect("read").expect("weights");
            weights.typed::<DoubleType>().write_batch(&[0.25, 2.0], None, None).expect("written");
            weights.close().expect("closed");
            group.close().expect("closed");
        });
        let expected = vec![("3".to_owned(), 0.25), ("70".to_owned(), 2.0)];
        assert_eq!(read_parquet(of_uids.clone()).expect("read"), expected);
        assert!(of_uids.starts_with(&PARQUET_MAGIC));
        let of_hotkeys =
            file("message w { required binary hotkey (UTF8); required int32 weight; }", |writer| {
                let mut group = writer.next_row_group().expect("a group");
                let mut names = group.next_column().expect("read").expect("names");
                names
                    .typed::<ByteArrayType>()
                    .write_batch(&[ByteArray::from("5F")], None, None)
                    .expect("written");
                names.close().expect("closed");
                let mut weights = group.next_column().expect("read").expect("weights");
                weights.typed::<Int32Type>().write_batch(&[7], None, None).expect("written");
                weights.close().expect("closed");
                group.close().expect("closed");
            });
        assert_eq!(read_parquet(of_hotkeys).expect("read"), [("5F".to_owned(), 7.0)]);
    }

    #[test]
    fn what_is_no_table_of_weights_is_refused() {
        let other = file("message w { required int32 uid; }", |writer| {
            let mut group = writer.next_row_group().expect("a group");
            let mut uids = group.next_column().expect("read").expect("uids");
            uids.typed::<Int32Type>().write_batch(&[3], None, None).expect("written");
            uids.close().expect("closed");
            group.close().expect("closed");
        });
        let error = read_parquet(other.clone()).expect_err("refused").to_string();
        assert_eq!(error, "row 1: it has no column weight");
        assert!(matches!(read_parquet(b"PAR1".to_vec()), Err(WeightsError::Parquet(_))));
        let half = other[..other.len() / 2].to_vec();
        assert!(matches!(read_parquet(half), Err(WeightsError::Parquet(_))));
    }
}
