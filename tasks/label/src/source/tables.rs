//! Tables with a column of texts.

use bytes::Bytes;
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::record::Field;
use serde_json::{Map, Value};

use crate::error::JobError;
use crate::files;
use crate::items::{SourceContent, SourceItem};
use crate::limits::{ITEM_BYTES_MAX, TABLE_BYTES_MAX};

use super::{Source, name};

pub(super) fn read_csv(source: &Source) -> Result<Vec<SourceItem>, JobError> {
    let path = source.path.as_path();
    let bytes = files::read(path, TABLE_BYTES_MAX)?;
    let mut reader = csv::Reader::from_reader(bytes.as_slice());
    let wrong = |error: csv::Error| JobError::wrong(path, error.to_string());
    let headers: Vec<String> =
        reader.headers().map_err(wrong)?.iter().map(|name| name.trim().to_owned()).collect();
    let column = |name: &str| {
        let at = headers.iter().position(|known| known == name);
        at.ok_or_else(|| missing(source, name, &headers))
    };
    let text_at = column(&source.text)?;
    let id_at = source.id.as_deref().map(column).transpose()?;
    let mut items = Vec::new();
    for (row, record) in reader.records().enumerate() {
        let record = record.map_err(wrong)?;
        let cell = |at: usize| record.get(at).unwrap_or_default().to_owned();
        items.push(item(source, row, id_at.map(cell), cell(text_at))?);
    }
    Ok(items)
}

pub(super) fn read_jsonl(source: &Source) -> Result<Vec<SourceItem>, JobError> {
    let path = source.path.as_path();
    let mut items = Vec::new();
    for (row, line) in files::read_text(path, TABLE_BYTES_MAX)?.lines().enumerate() {
        let object: Map<String, Value> =
            serde_json::from_str(line).map_err(|error| JobError::line(path, row + 1, error))?;
        let cell = |name: &str| {
            let known = || object.keys().cloned().collect::<Vec<_>>();
            let text = object.get(name).and_then(text_of);
            text.ok_or_else(|| missing(source, name, &known()))
        };
        let id = source.id.as_deref().map(cell).transpose()?;
        items.push(item(source, row, id, cell(&source.text)?)?);
    }
    Ok(items)
}

pub(super) fn read_parquet(source: &Source) -> Result<Vec<SourceItem>, JobError> {
    let path = source.path.as_path();
    let wrong = |error: parquet::errors::ParquetError| JobError::wrong(path, error.to_string());
    let reader =
        SerializedFileReader::new(Bytes::from(files::read(path, TABLE_BYTES_MAX)?)).map_err(wrong)?;
    let mut items = Vec::new();
    for (row, cells) in reader.get_row_iter(None).map_err(wrong)?.enumerate() {
        let cells = cells.map_err(wrong)?;
        let cell = |name: &str| {
            let known = || cells.get_column_iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
            let found = cells.get_column_iter().find(|(known, _)| *known == name);
            found.and_then(|(_, field)| field_text(field)).ok_or_else(|| missing(source, name, &known()))
        };
        let id = source.id.as_deref().map(cell).transpose()?;
        items.push(item(source, row, id, cell(&source.text)?)?);
    }
    Ok(items)
}

fn item(source: &Source, row: usize, id: Option<String>, text: String) -> Result<SourceItem, JobError> {
    let line = row + 1;
    if text.len() as u64 > ITEM_BYTES_MAX {
        return Err(JobError::line(
            &source.path,
            line,
            format!("a text of more than {ITEM_BYTES_MAX} bytes"),
        ));
    }
    let called = id.unwrap_or_else(|| line.to_string());
    Ok(SourceItem { name: name(&source.path, line, &called)?, content: SourceContent::Text(text) })
}

fn missing(source: &Source, name: &str, known: &[String]) -> JobError {
    let known = known.join(", ");
    JobError::wrong(
        &source.path,
        format!("no column `{name}` of texts; it has: {known} (say which with --text or --id)"),
    )
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn field_text(field: &Field) -> Option<String> {
    Some(match field {
        Field::Str(text) => text.clone(),
        Field::Bytes(bytes) => String::from_utf8(bytes.data().to_vec()).ok()?,
        Field::Byte(_)
        | Field::Short(_)
        | Field::Int(_)
        | Field::Long(_)
        | Field::UByte(_)
        | Field::UShort(_)
        | Field::UInt(_)
        | Field::ULong(_) => field.to_string(),
        _ => return None,
    })
}
