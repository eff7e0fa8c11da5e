//! `manifest.json`: what became of each item, who labelled, and the digest of every other file.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use weighhouse_types::Digest;

use super::Subject;

/// The version of the data set's files and their meaning.
const FORMAT: &str = "weighhouse-label/1";

/// A file as the manifest lists it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Listed {
    pub(super) path: String,
    pub(super) bytes: u64,
    pub(super) sha256: Digest,
}

impl Listed {
    pub(super) fn of(path: String, bytes: &[u8]) -> Self {
        Self { path, bytes: bytes.len() as u64, sha256: Digest::of(bytes) }
    }
}

/// One line an item, a worker and a file.
pub(super) fn write(subject: &Subject<'_>, files: &[Listed]) -> String {
    let job = subject.job;
    let head = [
        ("format", json!(FORMAT)),
        ("job", json!(job.file.name)),
        ("job_sha256", json!(job.digest)),
        ("classes", json!(job.file.classes)),
        ("aggregation", json!(job.file.method.version())),
    ];
    let mut text = "{\n".to_owned();
    for (key, value) in head {
        let _ = writeln!(text, "  \"{key}\": {value},");
    }
    let items = job.items.list().iter().zip(&subject.outcomes).map(|(item, outcome)| {
        json!({
            "item": item.digest,
            "label": outcome.label().map(|class| &job.file.classes[class]),
            "posterior": outcome.posterior,
            "votes": outcome.votes,
            "unsure": outcome.unsure,
            "skipped": outcome.skipped,
            "gold": outcome.gold.is_some(),
        })
    });
    let workers = subject.labels.workers.iter().zip(&subject.workers).map(|((name, labels), statistics)| {
        json!({
            "worker": name,
            "labels": labels.lines.len(),
            "receipt": labels.head,
            "votes": statistics.votes,
            "gold": {"right": statistics.gold.0, "asked": statistics.gold.1},
            "agreement": {"same": statistics.agreement.0, "of": statistics.agreement.1},
        })
    });
    let files = files.iter().map(|file| json!(file));
    list(&mut text, "items", items.collect());
    text.push_str(",\n");
    list(&mut text, "workers", workers.collect());
    text.push_str(",\n");
    list(&mut text, "files", files.collect());
    text.push_str("\n}\n");
    text
}

fn list(text: &mut String, key: &str, rows: Vec<Value>) {
    let rows: Vec<String> = rows.iter().map(|row| format!("    {row}")).collect();
    let _ = write!(text, "  \"{key}\": [\n{}\n  ]", rows.join(",\n"));
}

/// The part of a manifest by which it is compared.
#[derive(Debug, Deserialize)]
pub(super) struct Manifest {
    pub(super) items: Vec<Value>,
    pub(super) files: Vec<Listed>,
}
