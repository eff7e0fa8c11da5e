//! SQL over the exported tables: questions only, within limits of memory, answer size and time.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use datafusion::common::DataFusionError;
use datafusion::execution::context::SQLOptions;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::prelude::{ParquetReadOptions, SessionConfig, SessionContext};
use futures::StreamExt;
use parquet::errors::ParquetError;
use parquet::file::reader::FileReader;
use parquet::file::serialized_reader::SerializedFileReader;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

use crate::schema::{EXPORT_KEY, FORMAT_KEY, FORMAT_VERSION, TABLE_KEY, Table};

/// The longest query.
pub const SQL_BYTES_MAX: usize = 16 << 10;

/// The engine recurses over what it is asked, at worst once for two bytes; only what is used takes memory.
const STACK_BYTES: usize = 256 << 20;

/// What one query may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueryLimits {
    /// For sorting, joining and grouping. Nothing is spilled to the disk.
    pub memory_bytes: usize,
    /// For the rows of the answer.
    pub answer_bytes: usize,
    /// From the call to the last row.
    pub deadline: Duration,
}

#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    #[error(
        "{}: there is no such table: make the tables with `weighhouse history export`, and name the folder \
         they are in",
        file.display()
    )]
    Missing { file: PathBuf },
    #[error("{}: can't be read: {source}", file.display())]
    Io { file: PathBuf, source: io::Error },
    #[error("{}: can't be read as Parquet ({source}): export the journal again", file.display())]
    Unreadable { file: PathBuf, source: ParquetError },
    #[error(
        "{}: not the table {table} of format {FORMAT_VERSION}, but {found}: export the journal again with this \
         version",
        file.display()
    )]
    Foreign { file: PathBuf, table: &'static str, found: String },
    #[error(
        "{}: is of another export than the tables beside it, so an export was cut short: export the journal again",
        file.display()
    )]
    Mixed { file: PathBuf },
    #[error("the query has {bytes} bytes, {SQL_BYTES_MAX} at most")]
    TooLong { bytes: usize },
    #[error("{what}: only questions are answered here; begin with SELECT")]
    NotAQuestion { what: String },
    #[error("{0}; the tables are epochs, judgements, standings and weights, `DESCRIBE epochs` lists columns")]
    Sql(String),
    #[error(
        "the query needs more than {limit} bytes of memory: ask for fewer rows or groups at a time ({cause})"
    )]
    Memory { limit: usize, cause: String },
    #[error("the answer is over {limit} bytes: add a LIMIT, a condition or an aggregate")]
    Answer { limit: usize },
    #[error("no answer within {deadline:?}: add a condition (WHERE epoch > ...), or allow more time")]
    Deadline { deadline: Duration },
    #[error("the query engine failed: {0}")]
    Engine(String),
}

/// Answers one SELECT over the tables in a folder; at least one batch, so that an empty answer has its columns too.
/// Must be called within a tokio runtime with its clock enabled.
///
/// # Errors
/// Where the tables can't be read or are of different exports, for anything but a question, and over a limit.
pub async fn query(dir: &Path, sql: &str, limits: QueryLimits) -> Result<Vec<RecordBatch>, QueryError> {
    if sql.len() > SQL_BYTES_MAX {
        return Err(QueryError::TooLong { bytes: sql.len() });
    }
    check_tables(dir)?;
    let dir = std::path::absolute(dir).map_err(|source| QueryError::Io { file: dir.to_owned(), source })?;
    let sql = sql.to_owned();
    // On threads of its own the engine neither keeps the deadline waiting nor runs out of stack.
    let engine = Engine::new().map_err(|error| QueryError::Engine(error.to_string()))?;
    let answered = engine.spawn(async move { answer(&dir, &sql, limits).await });
    match tokio::time::timeout(limits.deadline, answered).await {
        Err(_) => Err(QueryError::Deadline { deadline: limits.deadline }),
        Ok(Ok(answered)) => answered,
        Ok(Err(died)) => Err(QueryError::Engine(died.to_string())),
    }
}

/// Leaves its threads to end by themselves, wherever it is dropped.
struct Engine(Option<Runtime>);

impl Engine {
    fn new() -> io::Result<Self> {
        let mut builder = Builder::new_multi_thread();
        let runtime = builder.thread_name("query").thread_stack_size(STACK_BYTES).enable_time().build()?;
        Ok(Self(Some(runtime)))
    }

    fn spawn<T: Send + 'static>(&self, task: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
        self.0.as_ref().expect("only dropping takes the runtime").spawn(task)
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.0.take().into_iter().for_each(Runtime::shutdown_background);
    }
}

async fn answer(dir: &Path, sql: &str, limits: QueryLimits) -> Result<Vec<RecordBatch>, QueryError> {
    let fail = |error| engine_error(error, limits);
    let session = session(limits).map_err(fail)?;
    for table in Table::ALL {
        let url = file_url(&table.path(dir))?;
        session.register_parquet(table.name(), url, ParquetReadOptions::default()).await.map_err(fail)?;
    }
    let plan = session.state().create_logical_plan(sql).await.map_err(fail)?;
    let questions =
        SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
    questions.verify_plan(&plan).map_err(|error| QueryError::NotAQuestion { what: plain(&error) })?;
    let frame = session.execute_logical_plan(plan).await.map_err(fail)?;
    let mut stream = frame.execute_stream().await.map_err(fail)?;
    let mut batches = Vec::new();
    let mut held = 0_usize;
    while let Some(batch) = stream.next().await {
        let batch = batch.map_err(fail)?;
        held = held.saturating_add(batch.get_array_memory_size());
        if held > limits.answer_bytes {
            return Err(QueryError::Answer { limit: limits.answer_bytes });
        }
        batches.push(batch);
    }
    if batches.is_empty() {
        batches.push(RecordBatch::new_empty(stream.schema()));
    }
    Ok(batches)
}

fn session(limits: QueryLimits) -> Result<SessionContext, DataFusionError> {
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(FairSpillPool::new(limits.memory_bytes)))
        .with_disk_manager_builder(DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled))
        .build_arc()?;
    let config = SessionConfig::new().with_information_schema(true);
    Ok(SessionContext::new_with_config_rt(config, runtime))
}

/// Every table is there, of this format, and of one and the same export.
fn check_tables(dir: &Path) -> Result<(), QueryError> {
    let mut first = None;
    for table in Table::ALL {
        let file = table.path(dir);
        let export = export_of(table, &file)?;
        if *first.get_or_insert_with(|| export.clone()) != export {
            return Err(QueryError::Mixed { file });
        }
    }
    Ok(())
}

fn export_of(table: Table, file: &Path) -> Result<String, QueryError> {
    let opened = File::open(file).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => QueryError::Missing { file: file.to_owned() },
        _ => QueryError::Io { file: file.to_owned(), source },
    })?;
    let reader = SerializedFileReader::new(opened)
        .map_err(|source| QueryError::Unreadable { file: file.to_owned(), source })?;
    let pairs = reader.metadata().file_metadata().key_value_metadata();
    let value = |key: &str| {
        let pair = pairs?.iter().find(|pair| pair.key == key)?;
        pair.value.clone()
    };
    let foreign = |found| QueryError::Foreign { file: file.to_owned(), table: table.name(), found };
    match (value(FORMAT_KEY), value(TABLE_KEY), value(EXPORT_KEY)) {
        (Some(format), Some(name), Some(export)) if format == FORMAT_VERSION && name == table.name() => {
            Ok(export)
        }
        (Some(format), Some(name), Some(_)) => Err(foreign(format!("{name} of format {format}"))),
        _ => Err(foreign("a file that weighhouse didn't export".to_owned())),
    }
}

/// A path as the engine's URL, in which no character is a pattern.
fn file_url(path: &Path) -> Result<String, QueryError> {
    let text = path.to_str().ok_or_else(|| QueryError::Io {
        file: path.to_owned(),
        source: io::Error::new(io::ErrorKind::InvalidInput, "the path is not UTF-8: move the tables"),
    })?;
    let mut url = "file://".to_owned();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => url.push(char::from(byte)),
            _ => url.push_str(&format!("%{byte:02X}")),
        }
    }
    Ok(url)
}

fn engine_error(error: DataFusionError, limits: QueryLimits) -> QueryError {
    match error.find_root() {
        DataFusionError::ResourcesExhausted(cause) => {
            let cause = cause.lines().next().unwrap_or_default().to_owned();
            QueryError::Memory { limit: limits.memory_bytes, cause }
        }
        DataFusionError::Internal(_) | DataFusionError::ExecutionJoin(_) => QueryError::Engine(plain(&error)),
        _ => QueryError::Sql(plain(&error)),
    }
}

fn plain(error: &DataFusionError) -> String {
    error.strip_backtrace()
}
