//! Rows gathered column by column until they make a row group.

use std::fs::File;
use std::io::BufWriter;

use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, DoubleType, Int32Type, Int64Type};
use parquet::errors::Result;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter, SerializedRowGroupWriter};

use crate::schema::{CellType, TableSchema};

/// One value of a row.
#[derive(Clone, Debug)]
pub(crate) enum Cell {
    Null,
    Boolean(bool),
    Int32(i32),
    Int64(i64),
    Float64(f64),
    /// Cheap to copy: the bytes are shared.
    Utf8(ByteArray),
    /// A code and words for each.
    Reasons(Vec<(&'static str, String)>),
}

impl Cell {
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::Utf8(ByteArray::from(text.into().into_bytes()))
    }

    pub(crate) fn or_null(cell: Option<Self>) -> Self {
        cell.unwrap_or(Self::Null)
    }
}

/// The values of one column; nulls have none.
enum Values {
    Boolean(Vec<bool>),
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    Float64(Vec<f64>),
    Utf8(Vec<ByteArray>),
    Reasons(Reasons),
}

/// A column of lists: two columns of texts, and where each list begins.
#[derive(Default)]
struct Reasons {
    codes: Vec<ByteArray>,
    words: Vec<ByteArray>,
    /// 1 for each element; 0 for a list without any.
    defined: Vec<i16>,
    /// 0 where a list begins, 1 where it goes on.
    repeated: Vec<i16>,
}

impl Reasons {
    fn push(&mut self, reasons: Vec<(&'static str, String)>) {
        // Parquet marks an empty list with levels of its own and no value.
        if reasons.is_empty() {
            self.defined.push(0);
            self.repeated.push(0);
        }
        for (at, (code, words)) in reasons.into_iter().enumerate() {
            self.codes.push(code.into());
            self.words.push(words.into_bytes().into());
            self.defined.push(1);
            self.repeated.push(i16::from(at > 0));
        }
    }

    fn write(&mut self, group: &mut RowGroup<'_>) -> Result<()> {
        // Both texts are required fields of one struct, so that they share their levels.
        for values in [&mut self.codes, &mut self.words] {
            let mut writer = next(group)?;
            let (defined, repeated) = (Some(&self.defined[..]), Some(&self.repeated[..]));
            writer.typed::<ByteArrayType>().write_batch(values, defined, repeated)?;
            writer.close()?;
            values.clear();
        }
        self.defined.clear();
        self.repeated.clear();
        Ok(())
    }
}

type RowGroup<'a> = SerializedRowGroupWriter<'a, BufWriter<File>>;

fn next<'a>(group: &'a mut RowGroup<'_>) -> Result<SerializedColumnWriter<'a>> {
    Ok(group.next_column()?.expect("the row group has the table's columns"))
}

struct GatheredColumns {
    values: Values,
    /// 1 where a row has a value, 0 where it has none; `None` for a column without nulls.
    defined: Option<Vec<i16>>,
}

pub(crate) struct TableColumns {
    columns: Vec<GatheredColumns>,
    rows: usize,
}

impl TableColumns {
    pub(crate) fn new(table: TableSchema) -> Self {
        let columns = table.columns().iter().map(|column| GatheredColumns {
            values: match column.kind {
                CellType::Boolean => Values::Boolean(Vec::new()),
                CellType::Int32 => Values::Int32(Vec::new()),
                CellType::Int64 | CellType::Timestamp => Values::Int64(Vec::new()),
                CellType::Float64 => Values::Float64(Vec::new()),
                CellType::Utf8 => Values::Utf8(Vec::new()),
                CellType::Reasons => Values::Reasons(Reasons::default()),
            },
            defined: column.nullable.then(Vec::new),
        });
        Self { columns: columns.collect(), rows: 0 }
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// # Panics
    /// Where the cells are not the table's columns: rows are made in one place per table, in its order.
    pub(crate) fn push<const N: usize>(&mut self, row: [Cell; N]) {
        assert_eq!(N, self.columns.len(), "a cell for each column");
        for (column, cell) in self.columns.iter_mut().zip(row) {
            column.push(cell);
        }
        self.rows += 1;
    }

    /// Writes what was gathered as a row group, if there is any, and begins the next.
    pub(crate) fn write(&mut self, writer: &mut SerializedFileWriter<BufWriter<File>>) -> Result<()> {
        if self.rows == 0 {
            return Ok(());
        }
        self.rows = 0;
        let mut group = writer.next_row_group()?;
        for column in &mut self.columns {
            column.write(&mut group)?;
        }
        group.close().map(drop)
    }
}

impl GatheredColumns {
    fn push(&mut self, cell: Cell) {
        if let Some(defined) = &mut self.defined {
            let null = matches!(cell, Cell::Null);
            defined.push(i16::from(!null));
            if null {
                return;
            }
        }
        match (&mut self.values, cell) {
            (Values::Boolean(values), Cell::Boolean(value)) => values.push(value),
            (Values::Int32(values), Cell::Int32(value)) => values.push(value),
            (Values::Int64(values), Cell::Int64(value)) => values.push(value),
            (Values::Float64(values), Cell::Float64(value)) => values.push(value),
            (Values::Utf8(values), Cell::Utf8(value)) => values.push(value),
            (Values::Reasons(values), Cell::Reasons(value)) => values.push(value),
            (_, cell) => unreachable!("{cell:?} is not of its column's type"),
        }
    }

    fn write(&mut self, group: &mut RowGroup<'_>) -> Result<()> {
        if let Values::Reasons(reasons) = &mut self.values {
            return reasons.write(group);
        }
        let mut writer = next(group)?;
        let defined = self.defined.as_deref();
        match &mut self.values {
            Values::Boolean(values) => write::<BoolType>(&mut writer, values, defined)?,
            Values::Int32(values) => write::<Int32Type>(&mut writer, values, defined)?,
            Values::Int64(values) => write::<Int64Type>(&mut writer, values, defined)?,
            Values::Float64(values) => write::<DoubleType>(&mut writer, values, defined)?,
            Values::Utf8(values) => write::<ByteArrayType>(&mut writer, values, defined)?,
            Values::Reasons(_) => unreachable!("written above"),
        }
        if let Some(defined) = &mut self.defined {
            defined.clear();
        }
        writer.close()
    }
}

fn write<T: DataType>(
    writer: &mut SerializedColumnWriter<'_>,
    values: &mut Vec<T::T>,
    defined: Option<&[i16]>,
) -> Result<()> {
    writer.typed::<T>().write_batch(values, defined, None)?;
    values.clear();
    Ok(())
}
