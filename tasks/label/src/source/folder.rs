//! A folder of texts or of images, each a file.

use std::path::Path;

use crate::error::JobError;
use crate::files;
use crate::items::{SourceContent, SourceItem};
use crate::limits::ITEM_BYTES_MAX;

use super::extension;

pub(super) fn read(dir: &Path) -> Result<Vec<SourceItem>, JobError> {
    let mut items = Vec::new();
    for name in files::names(dir)? {
        let path = dir.join(&name);
        if path.is_dir() {
            return Err(JobError::wrong(&path, "a folder of items has no folders in it"));
        }
        let content = match extension(&path).as_str() {
            "txt" | "md" => SourceContent::Text(files::read_text(&path, ITEM_BYTES_MAX)?),
            "png" | "jpg" | "jpeg" => SourceContent::Image(path.clone()),
            _ => {
                return Err(JobError::wrong(
                    &path,
                    "items are .txt, .md, .png or .jpg files; others aren't labelled",
                ));
            }
        };
        items.push(SourceItem { name: super::name(&path, 1, &name)?, content });
    }
    if items.is_empty() {
        return Err(JobError::wrong(dir, "there are no items in it"));
    }
    Ok(items)
}
