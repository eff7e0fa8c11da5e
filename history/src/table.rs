//! One Parquet file: written under a temporary name, and only a whole one gets the table's name.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;

use crate::error::ExportError;
use crate::schema::{EXPORT_KEY, FORMAT_KEY, FORMAT_VERSION, TABLE_KEY, Table};

/// Rows of one row group, which is what the writer holds in memory.
const ROW_GROUP_ROWS: usize = 1 << 17;

/// A table that is being written. Dropping it removes what was written.
#[derive(Debug)]
pub(crate) struct TableWriter {
    table: Table,
    writer: ArrowWriter<File>,
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
        let writer = ArrowWriter::try_new(file, table.schema(), Some(properties()))
            .map_err(|source| parquet_error(&temporary, source))?;
        Ok(Self { table, writer, temporary })
    }

    pub(crate) fn write(&mut self, rows: &RecordBatch) -> Result<(), ExportError> {
        self.writer.write(rows).map_err(|source| parquet_error(&self.temporary, source))
    }

    /// Completes the file and syncs it; it has its temporary name still.
    pub(crate) fn finish(self, dir: &Path, export: &str) -> Result<Finished, ExportError> {
        let Self { table, mut writer, temporary } = self;
        for (key, value) in [(FORMAT_KEY, FORMAT_VERSION), (TABLE_KEY, table.name()), (EXPORT_KEY, export)] {
            writer.append_key_value_metadata(KeyValue::new(key.to_owned(), value.to_owned()));
        }
        let file = writer.into_inner().map_err(|source| parquet_error(&temporary, source))?;
        let synced = file.sync_all().and_then(|()| file.metadata());
        let bytes = synced
            .map_err(|source| ExportError::Io {
                file: temporary.path.clone(),
                doing: "sync a table",
                source,
            })?
            .len();
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
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .build()
}

fn parquet_error(temporary: &Temporary, source: ParquetError) -> ExportError {
    ExportError::Parquet { file: temporary.path.clone(), source }
}
