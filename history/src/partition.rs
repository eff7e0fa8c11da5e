//! One table's rows of one epoch: a Parquet file that is written aside and gets its name once the whole export is done.

use std::fs::{File, TryLockError};
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use weighhouse_types::{Digest, Epoch};

use crate::columns::{Cell, TableColumns};
use crate::error::ExportError;
use crate::limits::ROW_GROUP_ROWS;
use crate::schema::{EVIDENCE_KEY, FORMAT_KEY, FORMAT_VERSION, TABLE_KEY, TableSchema};

/// The folder that an export writes into, held by it alone, and what it has finished so far. Dropping it removes what
/// has no name of a table yet.
#[derive(Debug)]
pub(crate) struct Staging {
    out: PathBuf,
    aside: PathBuf,
    finished: Vec<(TableSchema, Epoch)>,
    /// Holds the lock.
    _folder: File,
}

impl Staging {
    pub(crate) fn create(out: &Path) -> Result<Self, ExportError> {
        let fail = |doing| move |source| ExportError::Io { file: out.to_owned(), doing, source };
        std::fs::create_dir_all(out).map_err(fail("make the folder"))?;
        let folder = File::open(out).map_err(fail("open the folder"))?;
        // A lock ends with its process, so that a killed export blocks nobody.
        folder.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => ExportError::Busy { dir: out.to_owned() },
            TryLockError::Error(source) => fail("lock the folder")(source),
        })?;
        // Under the lock, what lies here can only be a dead export's.
        let aside = out.join(".export");
        match std::fs::remove_dir_all(&aside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(fail("clear what another export left")(error));
            }
            _ => {}
        }
        Ok(Self { out: out.to_owned(), aside, finished: Vec::new(), _folder: folder })
    }

    /// Begins the file of one table and epoch.
    pub(crate) fn begin(&self, table: TableSchema, epoch: Epoch) -> Result<PartitionWriter, ExportError> {
        let path = table.partition(&self.aside, epoch);
        let fail = |source| ExportError::Io { file: path.clone(), doing: "create a temporary file", source };
        let folder = path.parent().expect("a partition has its folder");
        std::fs::create_dir_all(folder).map_err(fail)?;
        let file = File::create(&path).map_err(fail)?;
        let writer =
            SerializedFileWriter::new(BufWriter::new(file), table.message_type(), Arc::new(properties()))
                .map_err(|source| ExportError::Parquet { file: path.clone(), source })?;
        Ok(PartitionWriter { table, epoch, path, writer, columns: TableColumns::new(table), rows: 0 })
    }

    /// Gives everything that is finished its name.
    pub(crate) fn publish(mut self) -> Result<(), ExportError> {
        let mut folders: Vec<PathBuf> = vec![self.out.clone()];
        for (table, epoch) in std::mem::take(&mut self.finished) {
            let target = table.partition(&self.out, epoch);
            let fail = |source| ExportError::Io {
                file: target.clone(),
                doing: "give a finished table its name",
                source,
            };
            let folder = target.parent().expect("a partition has its folder").to_owned();
            std::fs::create_dir_all(&folder).map_err(fail)?;
            std::fs::rename(table.partition(&self.aside, epoch), &target).map_err(fail)?;
            folders.push(folder);
        }
        folders.extend(TableSchema::ALL.map(|table| self.out.join(table.name())));
        // Renames and new folders outlast a power failure only once the folders above are synced.
        for folder in folders {
            File::open(&folder).and_then(|folder| folder.sync_all()).map_err(|source| ExportError::Io {
                file: folder.clone(),
                doing: "sync the folder",
                source,
            })?;
        }
        Ok(())
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // What stays is cleared by the next export.
        let _ = std::fs::remove_dir_all(&self.aside);
    }
}

/// A file that is being written.
pub(crate) struct PartitionWriter {
    table: TableSchema,
    epoch: Epoch,
    path: PathBuf,
    writer: SerializedFileWriter<BufWriter<File>>,
    /// Of the next row group.
    columns: TableColumns,
    rows: u64,
}

/// The size of a finished file.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PartitionSize {
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
}

impl PartitionWriter {
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
        written.map_err(|source| parquet_error(&self.path, source))
    }

    /// Completes the file and syncs it. `evidence` is the root over the epoch's records.
    pub(crate) fn finish(
        mut self,
        staging: &mut Staging,
        evidence: &Digest,
    ) -> Result<PartitionSize, ExportError> {
        self.flush()?;
        let Self { table, epoch, path, mut writer, rows, .. } = self;
        let evidence = evidence.to_string();
        let marks = [(FORMAT_KEY, FORMAT_VERSION), (TABLE_KEY, table.name()), (EVIDENCE_KEY, &evidence)];
        for (key, value) in marks {
            writer.append_key_value_metadata(KeyValue::new(key.to_owned(), value.to_owned()));
        }
        let buffered = writer.into_inner().map_err(|source| parquet_error(&path, source))?;
        let fail = |source| ExportError::Io { file: path.clone(), doing: "write a table", source };
        let file = buffered.into_inner().map_err(|error| fail(error.into_error()))?;
        // On the disk before the file gets its final name.
        let bytes = file.sync_all().and_then(|()| file.metadata()).map_err(fail)?.len();
        staging.finished.push((table, epoch));
        Ok(PartitionSize { rows, bytes })
    }
}

fn properties() -> WriterProperties {
    WriterProperties::builder()
        // By default the library names its own version, which would change the bytes without a change of ours.
        .set_created_by(concat!("weighhouse ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(Compression::SNAPPY)
        .build()
}

fn parquet_error(path: &Path, source: ParquetError) -> ExportError {
    ExportError::Parquet { file: path.to_owned(), source }
}
