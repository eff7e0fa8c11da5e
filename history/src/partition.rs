//! One Parquet file: written under a temporary name, and only a whole one gets the table's name.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;

use crate::columns::{Cell, Columns};
use crate::error::ExportError;
use crate::schema::{EXPORT_KEY, FORMAT_KEY, FORMAT_VERSION, TABLE_KEY, Table};

/// Rows of one row group, which is what is held in memory.
const ROW_GROUP_ROWS: usize = 1 << 16;

/// A table that is being written. Dropping it removes what was written.
pub(crate) struct TableWriter {
    table: Table,
    writer: SerializedFileWriter<BufWriter<File>>,
    /// Of the next row group.
    columns: Columns,
    pub(crate) rows: u64,
    temporary: Temporary,
}

/// A whole table, on the disk under its temporary name.
#[derive(Debug)]
pub(crate) struct Finished {
    temporary: Temporary,
    target: PathBuf,
    /// Keeps the lock: without it another export would write into this one's temporary file.
    _file: File,
    pub(crate) bytes: u64,
}

#[derive(Debug)]
struct Temporary {
    path: PathBuf,
    /// Whether there is nothing to remove any more.
    kept: bool,
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.kept {
            // A file that stays is overwritten by the next export.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

impl TableWriter {
    pub(crate) fn create(dir: &Path, table: Table) -> Result<Self, ExportError> {
        let path = dir.join(format!(".{}.parquet.tmp", table.name()));
        let fail = |source| ExportError::Io { file: path.clone(), doing: "create a temporary file", source };
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(fail)?;
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => ExportError::Busy { dir: dir.to_owned() },
            TryLockError::Error(source) => fail(source),
        })?;
        file.set_len(0).map_err(fail)?;
        let temporary = Temporary { path, kept: false };
        let writer =
            SerializedFileWriter::new(BufWriter::new(file), table.message_type(), Arc::new(properties()))
                .map_err(|source| parquet_error(&temporary, source))?;
        Ok(Self { table, writer, columns: Columns::new(table), rows: 0, temporary })
    }

    /// Adds a row: a cell for each column, in the table's order.
    pub(crate) fn push<const N: usize>(&mut self, row: [Cell; N]) -> Result<(), ExportError> {
        self.columns.push(row);
        self.rows += 1;
        if self.columns.rows() < ROW_GROUP_ROWS {
            return Ok(());
        }
        self.flush()
    }

    fn flush(&mut self) -> Result<(), ExportError> {
        let written = self.columns.write(&mut self.writer);
        written.map_err(|source| parquet_error(&self.temporary, source))
    }

    /// Completes the file and syncs it; it has its temporary name still.
    pub(crate) fn finish(mut self, dir: &Path, export: &str) -> Result<Finished, ExportError> {
        self.flush()?;
        let Self { table, mut writer, temporary, .. } = self;
        for (key, value) in [(FORMAT_KEY, FORMAT_VERSION), (TABLE_KEY, table.name()), (EXPORT_KEY, export)] {
            writer.append_key_value_metadata(KeyValue::new(key.to_owned(), value.to_owned()));
        }
        let buffered = writer.into_inner().map_err(|source| parquet_error(&temporary, source))?;
        let fail = |source| ExportError::Io { file: temporary.path.clone(), doing: "write a table", source };
        let file = buffered.into_inner().map_err(|error| fail(error.into_error()))?;
        let bytes = file.sync_all().and_then(|()| file.metadata()).map_err(fail)?.len();
        Ok(Finished { temporary, target: table.path(dir), _file: file, bytes })
    }
}

impl Finished {
    /// Gives the file the table's name.
    pub(crate) fn publish(mut self) -> Result<(), ExportError> {
        let renamed = std::fs::rename(&self.temporary.path, &self.target);
        renamed.map_err(|source| ExportError::Io {
            file: self.target.clone(),
            doing: "give a finished table its name",
            source,
        })?;
        self.temporary.kept = true;
        Ok(())
    }
}

/// Makes the names in a folder durable.
pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

fn properties() -> WriterProperties {
    WriterProperties::builder()
        .set_created_by(concat!("weighhouse ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(Compression::SNAPPY)
        .build()
}

fn parquet_error(temporary: &Temporary, source: ParquetError) -> ExportError {
    ExportError::Parquet { file: temporary.path.clone(), source }
}
