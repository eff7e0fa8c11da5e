//! Works a data set out again from what it was made of, and names what differs.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;
use serde_json::Value;
use weighhouse_types::Digest;

use crate::error::JobError;
use crate::files;
use crate::items::{IMAGES_FOLDER, ITEMS_FILE};
use crate::job::{Job, LABELS_FOLDER};
use crate::labels::Labels;
use crate::limits::TABLE_BYTES_MAX;

use super::manifest::{Listed, Manifest};
use super::{MANIFEST_FILE, Subject, TABLE_FILE, manifest, rows};

/// One thing that isn't as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    pub file: String,
    /// The item that it is about, where one can be named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item: Option<Digest>,
    pub what: String,
}

/// A data set that was worked out again.
#[derive(Clone, Debug, Serialize)]
pub struct Verified {
    /// The digest of the manifest as it stands.
    pub digest: Digest,
    pub items: usize,
    pub labels: usize,
    pub workers: usize,
    /// Empty where everything is as it should be.
    pub differences: Vec<Difference>,
}

/// Verifies a folder that `build` made.
///
/// # Errors
/// A folder without a manifest. Whatever else is wrong is a difference.
pub fn verify(dir: &Path) -> Result<Verified, JobError> {
    let bytes = files::read(&dir.join(MANIFEST_FILE), TABLE_BYTES_MAX)?;
    let mut found =
        Verified { digest: Digest::of(&bytes), items: 0, labels: 0, workers: 0, differences: Vec::new() };
    let differences = &mut found.differences;
    let stated: Option<Manifest> = match serde_json::from_slice(&bytes) {
        Ok(manifest) => Some(manifest),
        Err(error) => {
            differences.push(difference(MANIFEST_FILE, format!("it can't be read: {error}")));
            None
        }
    };
    let present = present(dir)?;
    if let Some(manifest) = &stated {
        compare_files(manifest, &present, differences);
    }
    let job = match Job::open(dir).and_then(|job| Labels::open(&job).map(|labels| (job, labels))) {
        Ok((job, labels)) => Some((job, labels)),
        Err(error) => {
            differences.push(named(dir, &error));
            None
        }
    };
    check_items(dir, differences);
    // Without items and labels nothing can be worked out.
    let Some((job, labels)) = job else { return Ok(found) };
    let subject = Subject::new(&job, &labels);
    (found.items, found.workers) = (subject.outcomes.len(), subject.workers.len());
    found.labels = labels.workers.values().map(|labels| labels.lines.len()).sum();
    compare(&subject, dir, &bytes, stated.as_ref(), differences)?;
    Ok(found)
}

fn difference(file: &str, what: impl Into<String>) -> Difference {
    Difference { file: file.to_owned(), item: None, what: what.into() }
}

/// All files of the folder but the manifest, with their digests.
fn present(dir: &Path) -> Result<Vec<Listed>, JobError> {
    let mut present = Vec::new();
    let mut add = |path: String| {
        let bytes = files::read(&dir.join(&path), TABLE_BYTES_MAX)?;
        present.push(Listed::of(path, &bytes));
        Ok::<_, JobError>(())
    };
    for name in files::names(dir)? {
        if name == LABELS_FOLDER || name == IMAGES_FOLDER {
            files::names(&dir.join(&name))?.into_iter().try_for_each(|file| add(format!("{name}/{file}")))?;
        } else if name != MANIFEST_FILE {
            add(name)?;
        }
    }
    present.sort();
    Ok(present)
}

fn compare_files(manifest: &Manifest, present: &[Listed], differences: &mut Vec<Difference>) {
    let by_path = |list: &[Listed]| -> BTreeMap<String, Listed> {
        list.iter().map(|file| (file.path.clone(), file.clone())).collect()
    };
    let (stated, present) = (by_path(&manifest.files), by_path(present));
    for (path, file) in &stated {
        match present.get(path) {
            None => differences.push(difference(path, "it is missing")),
            Some(found) if found != file => {
                let what = format!("its SHA-256 is {}; the manifest says {}", found.sha256, file.sha256);
                differences.push(difference(path, what));
            }
            Some(_) => {}
        }
    }
    for path in present.keys().filter(|path| !stated.contains_key(*path)) {
        differences.push(difference(path, "the manifest doesn't list it"));
    }
}

/// An error of opening, with its file within the data set and its item.
fn named(dir: &Path, error: &JobError) -> Difference {
    let file = match error {
        JobError::Io { path, .. } | JobError::Large { path, .. } | JobError::Wrong { path, .. } => Some(path),
        JobError::Busy { path, .. } | JobError::Receipt { path, .. } => Some(path),
        JobError::Config(_) | JobError::Item { .. } => None,
    };
    let item = match error {
        JobError::Item { item, .. } | JobError::Receipt { item, .. } => Some(*item),
        _ => None,
    };
    let within = file.and_then(|path| path.strip_prefix(dir).ok()).map(|path| path.display().to_string());
    let whole = without_item(error);
    let what = whole.strip_prefix(&format!("{}/", dir.display())).unwrap_or(&whole);
    Difference { file: within.unwrap_or_else(|| ITEMS_FILE.to_owned()), item, what: what.to_owned() }
}

/// An error in words; the item of a difference stands beside them already.
fn without_item(error: &JobError) -> String {
    match error {
        JobError::Item { found, .. } => format!("its content has the digest {found}"),
        error => error.to_string(),
    }
}

/// Checks each item's content against its digest, whatever else is wrong.
fn check_items(dir: &Path, differences: &mut Vec<Difference>) {
    let Ok(text) = files::read_text(&dir.join(ITEMS_FILE), TABLE_BYTES_MAX) else { return };
    for (at, line) in text.lines().enumerate() {
        match serde_json::from_str::<crate::Item>(line) {
            Err(error) => differences.push(difference(ITEMS_FILE, format!("line {}: {error}", at + 1))),
            Ok(item) => {
                if let Err(error) = item.check(dir) {
                    let file = item.file().unwrap_or_else(|| ITEMS_FILE.to_owned());
                    differences.push(Difference {
                        file,
                        item: Some(item.digest),
                        what: without_item(&error),
                    });
                }
            }
        }
    }
}

/// Compares every file that follows from others, and the manifest, with what follows.
fn compare(
    subject: &Subject<'_>,
    dir: &Path,
    manifest_bytes: &[u8],
    stated: Option<&Manifest>,
    differences: &mut Vec<Difference>,
) -> Result<(), JobError> {
    let (sources, derived) = (subject.sources(), subject.derived()?);
    let mut listed = Vec::new();
    for (path, expected) in sources.iter().chain(&derived) {
        listed.push(Listed::of(path.clone(), expected));
        let found = files::read_if_any(&dir.join(path), TABLE_BYTES_MAX)?;
        if found.as_deref() == Some(expected) {
            continue;
        }
        if path == TABLE_FILE {
            differences.extend(rows::differing(found.unwrap_or_default(), expected));
        }
        differences.push(difference(path, "it isn't what follows from the items and labels"));
    }
    for item in subject.job.items.list() {
        if let Some(path) = item.file()
            && let Ok(bytes) = files::read(&dir.join(&path), TABLE_BYTES_MAX)
        {
            listed.push(Listed::of(path, &bytes));
        }
    }
    listed.sort();
    let expected = manifest::write(subject, &listed);
    if expected.as_bytes() != manifest_bytes {
        if let (Some(stated), Ok(expected)) = (stated, serde_json::from_str::<Manifest>(&expected)) {
            differences.extend(entries(&stated.items, &expected.items));
        }
        differences.push(difference(MANIFEST_FILE, "it isn't what follows from the items and labels"));
    }
    Ok(())
}

/// Entries of items that differ from those that follow.
fn entries(stated: &[Value], expected: &[Value]) -> Vec<Difference> {
    let mut differences = Vec::new();
    for (at, expected) in expected.iter().enumerate() {
        let item = expected["item"].as_str().and_then(|item| item.parse().ok());
        let Some(stated) = stated.get(at) else {
            differences.push(Difference {
                file: MANIFEST_FILE.to_owned(),
                item,
                what: "it is missing".to_owned(),
            });
            continue;
        };
        for (key, expected) in expected.as_object().into_iter().flatten() {
            if stated[key] != *expected {
                let what =
                    format!("its {key} is stated as {}; {expected} follows from the labels", stated[key]);
                differences.push(Difference { file: MANIFEST_FILE.to_owned(), item, what });
            }
        }
    }
    differences
}
