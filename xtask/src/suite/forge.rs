//! Forged journals before the audit: epochs of a real localnet, changed and sealed anew as their keeper could.

mod changes;
mod forgeries;
mod logs;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, bail, ensure};
use parity_scale_codec::{DecodeAll as _, Encode as _};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};
use weighhouse_journal::{SegmentHeader, sealed};
use weighhouse_models::Builtin;
use weighhouse_types::{Epoch, Hasher, Record};
use weighhouse_validator::audit::{
    AuditError, AuditReport, audit, audit_receipts, audit_taken_over, audit_with,
};
use weighhouse_wallet::keypair::Keypair;

use self::changes::changed;
use self::forgeries::Forgery;
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
    /// The epoch and the one before it as they were written, in their log, and the file of the log's key.
    logged: (Vec<u8>, Vec<u8>, String),
    /// What the true epoch has on trust.
    on_trust: Vec<String>,
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
    let keypair = keeper()?;
    // Without its neighbours, which a keeper may rewrite as well.
    let case = &cases[0];
    for Forgery { name, complaint, forge } in forgeries::ALL {
        tally.check(name, || {
            let mut records = case.records.clone();
            forge(&mut records);
            ensure!(records != case.records, "nothing was forged");
            forgeries::fit(&mut records, &keypair);
            let problems = case.problems(&sealed(case.header, &records));
            ensure!(problems.iter().any(|problem| problem.contains(complaint)), "{problems:?}");
            Ok(())
        });
    }
    let (file, before, key) = &case.logged;
    let audited = |file: &[u8]| Ok(case.audited(file)?);
    logs::LoggedCase { file, before, key }.check(&mut tally, audited)?;
    tally.check("a miner's receipts show that it was rewritten as silent", || case.silenced(&keypair));
    tally.check("an epoch is missing between two", || {
        let found = audit_taken_over(&case.before, &case.after)?;
        ensure!(!found.changed.is_empty() && !found.problems.is_empty(), "{found:?}");
        Ok(())
    });
    let mut unnoticed = BTreeMap::new();
    let share = flips.div_ceil(u32::try_from(cases.len())?);
    for case in &cases {
        for (what, count) in case.flip(share)? {
            *unnoticed.entry(what).or_insert(0) += count;
        }
    }
    for (what, count) in unnoticed {
        let word = changes::KEEPERS_WORD.iter().any(|field| what.starts_with(field));
        if word {
            say(&format!("on trust {count:>5} {what}"));
            continue;
        }
        tally.check(&format!("{count} changes of {what} are noticed"), || bail!("no audit noticed"));
    }
    tally.finish_with(&[("flips".to_owned(), flips.into())])
}

/// The validator's key, as the localnet makes it of its seed.
fn keeper() -> anyhow::Result<Keypair> {
    let seed: u64 = SEED.parse()?;
    let key = Hasher::new("weighhouse/localnet/v1")
        .part(&seed.to_le_bytes())
        .part(VALIDATOR.as_bytes())
        .part(b"hotkey")
        .finish();
    Ok(Keypair::from_seed(key.as_bytes()))
}

impl Case {
    /// A whole record of silence that nothing in the file contradicts, against the receipts that the miner holds.
    fn silenced(&self, keypair: &Keypair) -> anyhow::Result<()> {
        ensure!(
            self.header.identity.validator == keypair.hotkey(),
            "the localnet makes its keys in another way"
        );
        let mut records = self.records.clone();
        let victim = forgeries::silence(&mut records).context("nobody is paid")?;
        forgeries::fit(&mut records, keypair);
        let forged = sealed(self.header, &records);
        let held = forgeries::held(&self.records, victim);
        ensure!(!held.is_empty(), "the miner holds no receipts");
        let (compared, proven) = audit_receipts(&forged, &held)?;
        ensure!(compared == held.len() && proven.len() == held.len(), "{compared} compared, {proven:?}");
        let (_, none) = audit_receipts(&sealed(self.header, &self.records), &held)?;
        ensure!(none.is_empty(), "against the true epoch: {none:?}");
        Ok(())
    }

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
        // A checkpoint finds any change. What the rest finds is seen without one.
        let alone = |epoch| {
            let (header, records) = logs::unlogged(&file(epoch)?)?;
            Ok::<_, anyhow::Error>((header, records))
        };
        let (header, records) = alone(FORGED)?;
        let [before, after] = [FORGED - 1, FORGED + 1].map(alone);
        let ((of_before, before), (of_after, after)) = (before?, after?);
        let (before, after) = (sealed(of_before, &before), sealed(of_after, &after));
        let path = dir.join("validators").join(VALIDATOR).join("log-key");
        let key = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let logged = (file(FORGED)?, file(FORGED - 1)?, key);
        let mut case = Self { task, before, header, records, after, logged, on_trust: Vec::new() };
        case.on_trust = case.audited(&sealed(case.header, &case.records))?.on_trust;
        Ok(case)
    }

    fn audited(&self, file: &[u8]) -> Result<AuditReport, AuditError> {
        // The model of digits is everybody's.
        let weights = Builtin::Reference.bytes();
        match self.task.contains("--mode") {
            true => audit_with(file, &weights),
            false => audit(file),
        }
    }

    /// Everything wrong with an epoch of these records by itself.
    fn problems(&self, file: &[u8]) -> Vec<String> {
        let audited = self.audited(file);
        // What is newly on trust is told as well.
        let told = |audited: AuditReport| {
            let new = audited.on_trust.into_iter().filter(|what| !self.on_trust.contains(what));
            audited.problems.into_iter().chain(new).collect()
        };
        audited.map_or_else(|error| vec![error.to_string()], told)
    }

    /// The first thing that an audit finds wrong with an epoch of these records between its neighbours.
    fn problem(&self, records: &[Record]) -> Option<String> {
        let file = sealed(self.header, records);
        let own = self.problems(&file).into_iter().next();
        let beside = |before: &[u8], after: &[u8]| match audit_taken_over(before, after) {
            Ok(found) => found.problems.into_iter().chain(found.changed).next(),
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
