//! `weighhouse history`: a journal as Parquet tables.

use std::ops::ControlFlow;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use tokio_util::sync::CancellationToken;
use weighhouse_history::{ExportError, ExportReport, ExportRequest, export};
use weighhouse_types::Epoch;

use crate::failure::{Exit, Failure};
use crate::output;

/// Export a validator's journal as Parquet tables.
#[derive(Subcommand, Debug)]
#[command(after_help = AFTER_HELP)]
pub(crate) enum History {
    /// Write a journal's epochs, judgements, standings and weights as Parquet
    Export(Export),
}

const AFTER_HELP: &str = "\
Examples:
  weighhouse history export --journal journal --out tables
  weighhouse history export --journal journal --out tables --from 100 --to 200 --force
  duckdb -c \"SELECT decision, count(*) FROM 'tables/epochs/*/*.parquet' GROUP BY decision\"

Any tool that reads Parquet opens the tables: docs/history.md has queries.";

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  weighhouse history export --journal journal --out tables
  weighhouse history export --journal journal --out tables --from 100 --to 200 --force

Writes the folders epochs, judgements, standings and weights, in each a folder `epoch=N` for every epoch. The journal is
only read, and its validator may be running. A file has its name only once all are whole. An export of further epochs
adds to the folder.")]
pub(crate) struct Export {
    /// The validator's journal folder
    #[arg(long, value_name = "DIR")]
    journal: PathBuf,
    /// Folder to write the tables to; made if need be
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The first epoch; the journal's if not given
    #[arg(long, value_name = "EPOCH")]
    from: Option<Epoch>,
    /// The last epoch; the journal's if not given
    #[arg(long, value_name = "EPOCH")]
    to: Option<Epoch>,
    /// Replace files that are there already
    #[arg(long)]
    force: bool,
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(command: History, shutdown: &CancellationToken) -> Result<(), Failure> {
    match command {
        History::Export(args) => write_tables(args, shutdown),
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

fn describe(request: &ExportRequest, exported: &ExportReport) -> Result<(), Failure> {
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
