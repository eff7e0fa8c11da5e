//! `weighhouse history`: a journal as Parquet tables, and SQL over them where the build has it.

use std::ops::ControlFlow;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use tokio_util::sync::CancellationToken;
use weighhouse_history::{ExportError, ExportRequest, Exported, export};
use weighhouse_types::Epoch;

use crate::failure::{Exit, Failure};
use crate::output;

/// Export a validator's journal as Parquet tables, and ask them in SQL.
#[derive(Subcommand, Debug)]
#[command(after_help = AFTER_HELP)]
pub(crate) enum History {
    /// Write a journal's epochs, judgements, standings and weights as Parquet
    Export(Export),
    #[cfg(feature = "sql")]
    /// Answer a SELECT over exported tables
    Query(sql::Query),
    #[cfg(not(feature = "sql"))]
    #[command(hide = true, disable_help_flag = true)]
    Query(Unavailable),
}

#[cfg(feature = "sql")]
const AFTER_HELP: &str = "\
Examples:
  weighhouse history export --journal journal --out tables
  weighhouse history export --journal journal --out tables --from 100 --to 200 --force
  weighhouse history query --dir tables 'SELECT decision, count(*) FROM epochs GROUP BY decision'";

#[cfg(not(feature = "sql"))]
const AFTER_HELP: &str = "\
Examples:
  weighhouse history export --journal journal --out tables
  weighhouse history export --journal journal --out tables --from 100 --to 200 --force

Any tool that reads Parquet opens the tables. SQL over them here, as `weighhouse history query`, is in a binary built
with `cargo build --release --features sql`.";

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  weighhouse history export --journal journal --out tables
  weighhouse history export --journal journal --out tables --from 100 --to 200 --force

Writes epochs.parquet, judgements.parquet, standings.parquet and weights.parquet. The journal is only read, and its
validator may be running. A file has its name only once all four are whole.")]
pub(crate) struct Export {
    /// The validator's journal folder
    #[arg(long, value_name = "DIR")]
    journal: PathBuf,
    /// Where to write the tables; made if need be
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The first epoch; the journal's if not given
    #[arg(long, value_name = "EPOCH")]
    from: Option<Epoch>,
    /// The last epoch; the journal's if not given
    #[arg(long, value_name = "EPOCH")]
    to: Option<Epoch>,
    /// Replace tables that are there already
    #[arg(long)]
    force: bool,
    #[arg(long)]
    json: bool,
}

/// What `query` is in a binary without SQL.
#[cfg(not(feature = "sql"))]
#[derive(Args, Debug)]
pub(crate) struct Unavailable {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    _rest: Vec<std::ffi::OsString>,
}

pub(crate) async fn run(command: History, shutdown: CancellationToken) -> Result<(), Failure> {
    match command {
        History::Export(args) => write_tables(args, &shutdown),
        #[cfg(feature = "sql")]
        History::Query(args) => sql::run(args, shutdown).await,
        #[cfg(not(feature = "sql"))]
        History::Query(_) => Err(Failure::config(
            "this binary was built without SQL: build one with `cargo build --release --features sql`",
        )),
    }
}

fn write_tables(args: Export, shutdown: &CancellationToken) -> Result<(), Failure> {
    let Export { journal, out, from, to, force, json } = args;
    let request = ExportRequest {
        journal: super::expand(&journal),
        out: super::expand(&out),
        from,
        to,
        overwrite: force,
    };
    let exported = export(&request, &mut |at| {
        output::live(format_args!(
            "epoch {}: {} of {} epochs, {} judgements",
            at.epoch, at.done, at.epochs, at.judgements
        ));
        if shutdown.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    output::live("");
    let exported = exported.map_err(export_failure)?;
    if json {
        return Ok(output::json(&exported)?);
    }
    describe(&request, &exported)
}

fn describe(request: &ExportRequest, exported: &Exported) -> Result<(), Failure> {
    output::line(format!(
        "epochs {} to {}: {} epochs, {} judgements, {} standings and {} weights in {} ({} bytes)",
        exported.first,
        exported.last,
        exported.epochs,
        exported.judgements,
        exported.standings,
        exported.weights,
        request.out.display(),
        exported.bytes
    ))?;
    if exported.unsettled > 0 {
        output::note(format!("{} epochs have a vector that is not settled yet", exported.unsettled));
    }
    if exported.unfinished_bytes > 0 {
        output::note(format!(
            "{} bytes at the journal's end are not a whole commit yet and were left out",
            exported.unfinished_bytes
        ));
    }
    Ok(())
}

fn export_failure(error: ExportError) -> Failure {
    let exit = match &error {
        ExportError::NoJournal { .. } => Exit::Missing,
        ExportError::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound => Exit::Missing,
        ExportError::Damaged { .. }
        | ExportError::TooLarge { .. }
        | ExportError::OtherOwner { .. }
        | ExportError::OutOfRange { .. } => Exit::Data,
        ExportError::NoEpoch { .. } | ExportError::LateNews { .. } | ExportError::Exists { .. } => {
            Exit::Config
        }
        ExportError::Busy { .. } | ExportError::Stopped { .. } => Exit::Unavailable,
        ExportError::Io { .. } | ExportError::Parquet { .. } => Exit::Internal,
    };
    Failure::new(exit, error)
}

#[cfg(feature = "sql")]
mod sql {
    use std::path::PathBuf;
    use std::time::Duration;

    use clap::Args;
    use tokio_util::sync::CancellationToken;
    use weighhouse_history::{Format, QueryError, QueryLimits, query, render};

    use crate::failure::{Context, Exit, Failure};
    use crate::output;

    /// The most that the rows of an answer take.
    const ANSWER_BYTES_MAX: usize = 256 << 20;

    #[derive(Args, Debug)]
    #[command(after_help = "\
Examples:
  weighhouse history query --dir tables 'DESCRIBE judgements'
  weighhouse history query --dir tables \\
      'SELECT uid, avg(mark) AS mark, count(*) AS verdicts FROM judgements GROUP BY uid ORDER BY mark DESC'
  weighhouse history query --dir tables --csv \\
      'SELECT epoch, uid, share FROM weights WHERE NOT superseded ORDER BY epoch, uid'

The tables are epochs, judgements, standings and weights, as `weighhouse history export` writes them. Only questions
are answered: nothing can be created, changed or copied.")]
    pub(crate) struct Query {
        /// The folder with the tables
        #[arg(long, value_name = "DIR")]
        dir: PathBuf,
        /// One SELECT (or DESCRIBE, SHOW COLUMNS, EXPLAIN)
        sql: String,
        /// An object a row
        #[arg(long, conflicts_with = "csv")]
        json: bool,
        /// Comma-separated, with a heading
        #[arg(long)]
        csv: bool,
        /// Longest wait for the answer, in seconds
        #[arg(long, default_value_t = 60, value_name = "S", value_parser = clap::value_parser!(u64).range(1..))]
        deadline: u64,
        /// Memory for sorting, joining and grouping, in MiB
        #[arg(long, default_value_t = 1024, value_name = "MIB", value_parser = clap::value_parser!(u32).range(1..))]
        memory: u32,
    }

    pub(super) async fn run(args: Query, shutdown: CancellationToken) -> Result<(), Failure> {
        let limits = QueryLimits {
            memory_bytes: usize::try_from(u64::from(args.memory) << 20).unwrap_or(usize::MAX),
            answer_bytes: ANSWER_BYTES_MAX,
            deadline: Duration::from_secs(args.deadline),
        };
        let dir = crate::commands::expand(&args.dir);
        let answered = tokio::select! {
            answered = query(&dir, &args.sql, limits) => answered,
            () = shutdown.cancelled() => return Err(Failure::new(Exit::Unavailable, "stopped before the answer")),
        };
        let format = match (args.json, args.csv) {
            (true, _) => Format::JsonLines,
            (_, true) => Format::Csv,
            _ => Format::Table,
        };
        let text =
            render(&answered.map_err(query_failure)?, format).exit(Exit::Internal, "writing the answer")?;
        text.lines().try_for_each(output::line)?;
        Ok(())
    }

    fn query_failure(error: QueryError) -> Failure {
        let exit = match &error {
            QueryError::Missing { .. } => Exit::Missing,
            QueryError::Unreadable { .. } | QueryError::Foreign { .. } | QueryError::Mixed { .. } => {
                Exit::Data
            }
            QueryError::TooLong { .. }
            | QueryError::NotAQuestion { .. }
            | QueryError::Sql(_)
            | QueryError::Memory { .. }
            | QueryError::Answer { .. }
            | QueryError::Deadline { .. } => Exit::Config,
            QueryError::Io { .. } | QueryError::Engine(_) => Exit::Internal,
        };
        Failure::new(exit, error)
    }
}
