//! Forged journals before the audit: epochs of a real localnet, changed and sealed anew as their keeper could.

mod changes;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};
use parity_scale_codec::{DecodeAll as _, Encode as _};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};
use weighhouse_journal::{Segment, SegmentHeader, sealed};
use weighhouse_types::{Epoch, Record};
use weighhouse_validator::audit::{audit, audit_taken_over};

use self::changes::changed;
use super::{Tally, weighhouse};
use crate::say;

/// Tasks whose epochs are forged.
const TASKS: [&[&str]; 3] = [&["--mode", "conformance"], &["--mode", "quality"], &["--task", "generate"]];
const EPOCHS: &str = "4";
const SEED: &str = "11";
const VALIDATOR: &str = "honest-a";
/// The epoch that is changed; those before and after it stay.
const FORGED: u64 = 1;

/// One epoch and its neighbours.
struct Case {
    task: String,
    before: Vec<u8>,
    header: SegmentHeader,
    records: Vec<Record>,
    after: Vec<u8>,
}

pub(crate) fn run(flips: u32) -> anyhow::Result<()> {
    let mut tally = Tally::new("forge");
    let binary = weighhouse()?;
    let scratch = tempfile::tempdir()?;
    let mut cases = Vec::new();
    for (nth, task) in TASKS.iter().enumerate() {
        cases.push(Case::of(&binary, &scratch.path().join(nth.to_string()), task)?);
    }
    for case in &cases {
        tally.check(&format!("{}: the true epoch is sound", case.task), || {
            let problem = case.problem(&case.records);
            ensure!(problem.is_none(), "{problem:?}");
            Ok(())
        });
    }
    let mut unnoticed = BTreeMap::new();
    let share = flips.div_ceil(u32::try_from(cases.len())?);
    for case in &cases {
        for (what, count) in case.flip(share)? {
            *unnoticed.entry(what).or_insert(0) += count;
        }
    }
    for (what, count) in &unnoticed {
        say(&format!("unnoticed {count:>6} {what}"));
    }
    tally.finish_with(&[("flips".to_owned(), flips.into())])
}

impl Case {
    fn of(binary: &Path, dir: &Path, task: &[&str]) -> anyhow::Result<Self> {
        let task = task.join(" ");
        say(&format!("a localnet: {task}"));
        let ran = Command::new(binary)
            .args(["localnet", "--epochs", EPOCHS, "--seed", SEED, "--dir"])
            .arg(dir)
            .args(task.split(' '))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()?;
        ensure!(ran.success(), "localnet {task} ended with {ran}");
        let file = |epoch: u64| {
            let name = weighhouse_journal::segment_name(Epoch(epoch));
            let path = dir.join("validators").join(VALIDATOR).join(name);
            std::fs::read(&path).with_context(|| path.display().to_string())
        };
        let segment = Segment::read(&file(FORGED)?)?;
        let header = *segment.header();
        let (before, after) = (file(FORGED - 1)?, file(FORGED + 1)?);
        Ok(Self { task, before, header, records: segment.into_records(), after })
    }

    /// The first thing that an audit finds wrong with an epoch of these records between its neighbours.
    fn problem(&self, records: &[Record]) -> Option<String> {
        let file = sealed(self.header, records);
        let own = match audit(&file) {
            Ok(audited) => audited.problems.into_iter().next(),
            Err(error) => Some(error.to_string()),
        };
        let beside = |before: &[u8], after: &[u8]| match audit_taken_over(before, after) {
            Ok(problems) => problems.into_iter().next(),
            Err(error) => Some(error.to_string()),
        };
        own.or_else(|| beside(&self.before, &file)).or_else(|| beside(&file, &self.after))
    }

    /// Changes a bit at a time; gives what no audit noticed, by field.
    fn flip(&self, flips: u32) -> anyhow::Result<BTreeMap<String, u32>> {
        let mut by_kind: BTreeMap<u8, Vec<usize>> = BTreeMap::new();
        for (at, record) in self.records.iter().enumerate() {
            // The index of its variant comes first.
            by_kind.entry(record.encode()[0]).or_default().push(at);
        }
        let kinds: Vec<_> = by_kind.into_values().collect();
        let mut draw = ChaCha8Rng::seed_from_u64(1);
        let mut below = |end: usize| (draw.next_u64() % end.max(1) as u64) as usize;
        let mut unnoticed = BTreeMap::new();
        let mut records = self.records.clone();
        for _ in 0..flips {
            // Kinds are drawn alike: most bytes are blobs.
            let kind = &kinds[below(kinds.len())];
            let at = kind[below(kind.len())];
            let mut bytes = self.records[at].encode();
            let bit = below(bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
            let Ok(forged) = Record::decode_all(&mut &bytes[..]) else { continue };
            if forged == self.records[at] {
                continue;
            }
            records[at] = forged;
            if self.problem(&records).is_none() {
                *unnoticed.entry(changed(&self.records[at], &records[at])?).or_insert(0) += 1;
            }
            records[at] = self.records[at].clone();
        }
        Ok(unnoticed)
    }
}
