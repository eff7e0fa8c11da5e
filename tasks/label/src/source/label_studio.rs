//! The texts of Label Studio's tasks.

use serde_json::Value;

use crate::error::JobError;
use crate::files;
use crate::items::{SourceContent, SourceItem};
use crate::limits::TABLE_BYTES_MAX;

use super::{Source, name};

pub(super) fn read(source: &Source) -> Result<Vec<SourceItem>, JobError> {
    let path = source.path.as_path();
    let tasks: Vec<Value> = serde_json::from_slice(&files::read(path, TABLE_BYTES_MAX)?)
        .map_err(|error| JobError::wrong(path, format!("these are no tasks of Label Studio: {error}")))?;
    let mut items = Vec::new();
    for (at, task) in tasks.iter().enumerate() {
        let data = &task["data"];
        let text = data[&source.text].as_str();
        let text = text.ok_or_else(|| {
            JobError::wrong(path, format!("task {}: its data has no text `{}`", at + 1, source.text))
        })?;
        let id = source.id.as_deref().and_then(|id| data[id].as_str().map(str::to_owned));
        let id =
            id.or_else(|| Some(task["id"].as_u64()?.to_string())).unwrap_or_else(|| (at + 1).to_string());
        items.push(SourceItem {
            name: name(path, at + 1, &id)?,
            content: SourceContent::Text(text.to_owned()),
        });
    }
    Ok(items)
}
