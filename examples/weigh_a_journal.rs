//! Derives the weights of every epoch in a validator's journal, as anyone can who has the files: `weigh_a_journal [FOLDER]`.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, ensure};
use weighhouse_journal::{Segment, segments};
use weighhouse_scoring::{Decision, weigh};
use weighhouse_types::Record;

fn main() -> anyhow::Result<()> {
    let folder = std::env::args_os().nth(1).map(PathBuf::from);
    let folder = folder
        .unwrap_or_else(|| [env!("CARGO_MANIFEST_DIR"), "../python/tests/data/journal"].iter().collect());
    let mut out = std::io::stdout().lock();
    let mut weighed = 0;
    for (epoch, file) in segments(&folder).with_context(|| folder.display().to_string())? {
        let segment = Segment::read(&std::fs::read(&file)?).with_context(|| file.display().to_string())?;
        // A crash may leave an epoch's file before the record that opens the epoch.
        if !segment.records().iter().any(|record| matches!(record, Record::EpochOpened(_))) {
            continue;
        }
        match weigh(segment.records())? {
            Decision::Weights { vector, .. } => {
                let shares: Vec<_> =
                    vector.entries().iter().map(|(uid, weight)| format!("{uid}:{weight}")).collect();
                writeln!(out, "epoch {epoch}: {}", shares.join(" "))?;
            }
            Decision::Abstain { why, .. } => writeln!(out, "epoch {epoch}: no weights, {why}")?,
        }
        weighed += 1;
    }
    ensure!(weighed > 0, "{}: no epoch to weigh", folder.display());
    Ok(())
}
