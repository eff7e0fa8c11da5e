//! Answers as text: an aligned table for a person, JSON lines and CSV for programs.

use arrow::array::RecordBatch;
use arrow::csv;
use arrow::error::ArrowError;
use arrow::json;
use arrow::json::writer::LineDelimited;
use arrow::util::display::{ArrayFormatter, FormatOptions};

/// How an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Columns padded to their widest cell, numbers to the right; a null is an empty cell.
    Table,
    /// An object a row, nulls included.
    JsonLines,
    /// With a heading; a null is an empty field.
    Csv,
}

/// Writes an answer's batches, each line ended.
///
/// # Errors
/// For a column whose type the format can't hold.
pub fn render(batches: &[RecordBatch], format: Format) -> Result<String, ArrowError> {
    let mut bytes = Vec::new();
    match format {
        Format::Table => return table(batches),
        Format::JsonLines => {
            let builder = json::WriterBuilder::new().with_explicit_nulls(true);
            let mut writer = builder.build::<_, LineDelimited>(&mut bytes);
            batches.iter().try_for_each(|batch| writer.write(batch))?;
            writer.finish()?;
        }
        Format::Csv => {
            let mut writer = csv::WriterBuilder::new().with_header(true).build(&mut bytes);
            batches.iter().try_for_each(|batch| writer.write(batch))?;
        }
    }
    String::from_utf8(bytes).map_err(|error| ArrowError::ParseError(error.to_string()))
}

fn table(batches: &[RecordBatch]) -> Result<String, ArrowError> {
    let Some(first) = batches.first() else { return Ok(String::new()) };
    let schema = first.schema();
    let fields = schema.fields();
    let mut rows: Vec<Vec<String>> = vec![fields.iter().map(|field| visible(field.name())).collect()];
    let options = FormatOptions::default().with_display_error(true);
    for batch in batches {
        let columns = batch.columns().iter().map(|column| ArrayFormatter::try_new(column.as_ref(), &options));
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        for row in 0..batch.num_rows() {
            rows.push(columns.iter().map(|column| visible(&column.value(row).to_string())).collect());
        }
    }
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..fields.len()).map(width).collect();
    let mut text = String::new();
    for row in &rows {
        let mut line = String::new();
        for ((cell, width), field) in row.iter().zip(&widths).zip(fields) {
            line.push_str("  ");
            if field.data_type().is_numeric() {
                line.push_str(&format!("{cell:>width$}"));
            } else {
                line.push_str(&format!("{cell:<width$}"));
            }
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    Ok(text)
}

/// Recorded text may hold what a miner sent: nothing in it moves the cursor or breaks the line.
fn visible(text: &str) -> String {
    text.chars()
        .flat_map(|c| {
            let escaped = c.is_control().then(|| c.escape_default());
            let plain = escaped.is_none().then_some(c);
            plain.into_iter().chain(escaped.into_iter().flatten())
        })
        .collect()
}
