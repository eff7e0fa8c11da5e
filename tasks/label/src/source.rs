//! What a customer gives: a folder of files, or a table with a column of texts.

mod folder;
mod label_studio;
mod tables;

use std::path::{Path, PathBuf};

use crate::error::JobError;
use crate::items::SourceItem;
use crate::limits::NAME_BYTES_MAX;

/// Where items are read from.
#[derive(Clone, Debug)]
pub struct Source {
    /// A folder, or a table: CSV, JSONL, Parquet, or Label Studio's tasks as JSON.
    pub path: PathBuf,
    /// The table's column of texts.
    pub text: String,
    /// The table's column of names; without one, rows are called by their number.
    pub id: Option<String>,
}

/// Reads all items of a source.
///
/// # Errors
/// A form that isn't labelled, or a table without the columns.
pub fn read_source(source: &Source) -> Result<Vec<SourceItem>, JobError> {
    let path = source.path.as_path();
    if path.is_dir() {
        return folder::read(path);
    }
    let items = match extension(path).as_str() {
        "csv" => tables::read_csv(source),
        "jsonl" | "ndjson" => tables::read_jsonl(source),
        "parquet" => tables::read_parquet(source),
        "json" => label_studio::read(source),
        other => Err(JobError::wrong(
            path,
            format!(
                "items are a folder, or a file .csv, .jsonl, .parquet or .json (Label Studio's tasks); not .{other}"
            ),
        )),
    }?;
    if items.is_empty() {
        return Err(JobError::wrong(path, "there are no items in it"));
    }
    Ok(items)
}

fn extension(path: &Path) -> String {
    path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase()
}

/// Checks a name of an item.
fn name(path: &Path, line: usize, name: &str) -> Result<String, JobError> {
    let name = name.trim();
    if name.is_empty() || name.len() > NAME_BYTES_MAX || name.chars().any(char::is_control) {
        return Err(JobError::line(path, line, format!("{name:?} can't name an item")));
    }
    Ok(name.to_owned())
}
