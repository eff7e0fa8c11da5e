//! `items.parquet`: a row for each name of each item, with its label and a column of the posterior for each class.

use std::sync::Arc;

use parquet::basic::{Compression, LogicalType, Repetition, Type as Physical};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, DoubleType, Int32Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::Type;

use crate::aggregate::Outcome;
use crate::error::JobError;
use crate::items::{Content, Item};

use super::{Subject, TABLE_FILE};

/// Rows of one row group.
const GROUP_ROWS: usize = 1 << 16;

struct Row<'a> {
    item: &'a Item,
    name: &'a str,
    outcome: &'a Outcome,
}

pub(super) fn write(subject: &Subject<'_>) -> Result<Vec<u8>, JobError> {
    write_table(subject)
        .map_err(|error| JobError::wrong(&subject.job.dir.join(TABLE_FILE), error.to_string()))
}

fn write_table(subject: &Subject<'_>) -> Result<Vec<u8>, ParquetError> {
    let items = subject.job.items.list().iter().zip(&subject.outcomes);
    let rows: Vec<Row<'_>> = items
        .flat_map(|(item, outcome)| item.names.iter().map(move |name| Row { item, name, outcome }))
        .collect();
    let properties = WriterProperties::builder()
        // By default the library names its own version, which would change the bytes without a change of ours.
        .set_created_by("weighhouse label 1".to_owned())
        .set_compression(Compression::SNAPPY)
        .build();
    let schema = Arc::new(schema(subject)?);
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties))?;
    for rows in rows.chunks(GROUP_ROWS) {
        let mut group = writer.next_row_group()?;
        write_group(subject, rows, &mut group)?;
        group.close()?;
    }
    writer.into_inner()
}

fn schema(subject: &Subject<'_>) -> Result<Type, ParquetError> {
    let text = Some(LogicalType::String);
    let is_image =
        matches!(subject.job.items.list().first().map(|item| &item.content), Some(Content::Image(_)));
    let content = if is_image { "file" } else { "text" };
    let mut columns = vec![
        ("item".to_owned(), Physical::BYTE_ARRAY, text.clone(), Repetition::REQUIRED),
        ("name".to_owned(), Physical::BYTE_ARRAY, text.clone(), Repetition::REQUIRED),
        (content.to_owned(), Physical::BYTE_ARRAY, text.clone(), Repetition::REQUIRED),
        ("label".to_owned(), Physical::BYTE_ARRAY, text, Repetition::OPTIONAL),
        ("gold".to_owned(), Physical::BOOLEAN, None, Repetition::REQUIRED),
        ("votes".to_owned(), Physical::INT32, None, Repetition::REQUIRED),
        ("unsure".to_owned(), Physical::INT32, None, Repetition::REQUIRED),
    ];
    for class in &subject.job.file.classes {
        columns.push((format!("p_{class}"), Physical::DOUBLE, None, Repetition::REQUIRED));
    }
    let fields = columns.into_iter().map(|(name, physical, logical, repetition)| {
        let column = Type::primitive_type_builder(&name, physical);
        Ok(Arc::new(column.with_repetition(repetition).with_logical_type(logical).build()?))
    });
    Type::group_type_builder("items").with_fields(fields.collect::<Result<_, ParquetError>>()?).build()
}

fn write_group(
    subject: &Subject<'_>,
    rows: &[Row<'_>],
    group: &mut SerializedRowGroupWriter<'_, Vec<u8>>,
) -> Result<(), ParquetError> {
    let text = |of: &dyn Fn(&Row<'_>) -> String| -> Vec<ByteArray> {
        rows.iter().map(|row| ByteArray::from(of(row).into_bytes())).collect()
    };
    let count = |count: usize| i32::try_from(count).unwrap_or(i32::MAX);
    let content = |row: &Row<'_>| match &row.item.content {
        Content::Text(text) => text.clone(),
        Content::Image(_) => row.item.file().unwrap_or_default(),
    };
    let classes = &subject.job.file.classes;
    let labels: Vec<Option<usize>> = rows.iter().map(|row| row.outcome.label()).collect();
    let given: Vec<ByteArray> =
        labels.iter().flatten().map(|class| ByteArray::from(classes[*class].as_str())).collect();
    let levels: Vec<i16> = labels.iter().map(|label| i16::from(label.is_some())).collect();
    column::<ByteArrayType>(group, &text(&|row| row.item.digest.to_string()), None)?;
    column::<ByteArrayType>(group, &text(&|row| row.name.to_owned()), None)?;
    column::<ByteArrayType>(group, &text(&content), None)?;
    column::<ByteArrayType>(group, &given, Some(&levels))?;
    let gold: Vec<bool> = rows.iter().map(|row| row.outcome.gold.is_some()).collect();
    column::<BoolType>(group, &gold, None)?;
    let votes: Vec<i32> = rows.iter().map(|row| count(row.outcome.vote_count())).collect();
    column::<Int32Type>(group, &votes, None)?;
    let unsure: Vec<i32> = rows.iter().map(|row| count(row.outcome.unsure)).collect();
    column::<Int32Type>(group, &unsure, None)?;
    for class in 0..classes.len() {
        let posterior: Vec<f64> = rows.iter().map(|row| row.outcome.posterior[class]).collect();
        column::<DoubleType>(group, &posterior, None)?;
    }
    Ok(())
}

fn column<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, Vec<u8>>,
    values: &[T::T],
    levels: Option<&[i16]>,
) -> Result<(), ParquetError> {
    let wrong = || ParquetError::General("fewer columns than the schema has".to_owned());
    let mut column = group.next_column()?.ok_or_else(wrong)?;
    column.typed::<T>().write_batch(values, levels, None)?;
    column.close()
}
