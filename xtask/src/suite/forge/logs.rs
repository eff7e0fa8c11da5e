//! Forgeries of the log that an epoch's records are in, by a keeper who has its key.

use anyhow::{Context, ensure};
use weighhouse_journal::{Segment, SegmentHeader, sealed};
use weighhouse_merkle::{Checkpoint, Frontier, GrownTree, KeyKind, SignedNote, SigningKey};
use weighhouse_types::{CheckpointRecord, EpochContext, Fields, LogOpening, Record};
use weighhouse_validator::audit::{AuditReport, audit_taken_over};

use super::Tally;

/// An epoch as it was written, its log's key, and the files beside it.
pub(super) struct LoggedCase<'a> {
    pub(super) file: &'a [u8],
    pub(super) before: &'a [u8],
    /// The file of the key.
    pub(super) key: &'a str,
}

/// The same file as if it were in no log: what is derived from the records alone is then all that is left to notice by.
pub(super) fn unlogged(file: &[u8]) -> anyhow::Result<(SegmentHeader, Vec<Record>)> {
    let segment = Segment::read(file)?;
    let header = *segment.header();
    let mut records = segment.into_records();
    records.retain(|record| !matches!(record, Record::Checkpoint(_)));
    for record in &mut records {
        if let Record::EpochOpened(context) = record {
            context.fields = rounds_of(context)?;
        }
    }
    Ok((header, records))
}

impl LoggedCase<'_> {
    pub(super) fn check(
        &self,
        tally: &mut Tally,
        audit: impl Fn(&[u8]) -> anyhow::Result<AuditReport>,
    ) -> anyhow::Result<()> {
        let segment = Segment::read(self.file)?;
        let (header, records) = (*segment.header(), segment.records());
        tally.check("the true epoch is witnessed by the others", || {
            let audited = audit(self.file)?;
            let log = audited.log.context("no log")?;
            ensure!(log.wanted > 0 && log.unwitnessed(log.wanted).is_none(), "{log:?}");
            Ok(())
        });
        tally.check("a field that is the keeper's word is changed under its checkpoint", || {
            let mut records = records.to_vec();
            change_time(&mut records)?;
            complains(&audit(&sealed(header, &records))?, "root is not that of the records")
        });
        tally.check("the keeper signs the changed record anew: its witnesses don't", || {
            let forged = self.forked(header, records)?;
            let audited = audit(&forged)?;
            ensure!(audited.problems.is_empty(), "{:?}", audited.problems);
            let log = audited.log.context("no log")?;
            ensure!(log.unwitnessed(log.wanted).is_some(), "{log:?}");
            Ok(())
        });
        tally.check("both records together prove the fork", || {
            let found = audit_taken_over(self.file, &self.forked(header, records)?)?;
            let fork = found.fork.context("no fork")?;
            ensure!(fork.verify()?.is_empty(), "no witness has signed both");
            Ok(())
        });
        tally.check("the checkpoint is left out", || {
            let mut records = records.to_vec();
            records.retain(|record| !matches!(record, Record::Checkpoint(_)));
            let log = audit(&sealed(header, &records))?.log.context("no log")?;
            ensure!(log.unwitnessed(0).is_some(), "{log:?}");
            Ok(())
        });
        tally.check("the log is left out", || {
            let (header, records) = unlogged(self.file)?;
            let found = audit_taken_over(self.before, &sealed(header, &records))?;
            ensure!(found.problems.iter().any(|problem| problem.contains("are in none")), "{found:?}");
            Ok(())
        });
        tally.check("the log goes on from another past", || {
            let mut records = records.to_vec();
            let mut log = opening(&mut records)?.fields.log().context("no log")?;
            log.subtrees[0].0[0] ^= 1;
            set_log(&mut records, &log)?;
            let found = audit_taken_over(self.before, &sealed(header, &records))?;
            ensure!(found.problems.iter().any(|problem| problem.contains("does not go on")), "{found:?}");
            Ok(())
        });
        tally.check("a policy that no closing record named is called unanchored", || {
            let mut records = records.to_vec();
            opening(&mut records)?.policy.push(b'\n');
            let found = audit_taken_over(self.before, &sealed(header, &records))?;
            ensure!(found.changed.iter().any(|what| what.contains("unanchored: the policy")), "{found:?}");
            Ok(())
        });
        Ok(())
    }

    /// The epoch with another record in it, and a checkpoint of it that the log's key has signed.
    fn forked(&self, header: SegmentHeader, records: &[Record]) -> anyhow::Result<Vec<u8>> {
        let mut records = records.to_vec();
        records.retain(|record| !matches!(record, Record::Checkpoint(_)));
        change_time(&mut records)?;
        let log = opening(&mut records)?.fields.log().context("no log")?;
        let segment = Segment::read(&sealed(header, &records))?;
        let frontier = Frontier::from_parts(log.size, log.subtrees.clone()).context("a frontier")?;
        let tree = GrownTree::new(frontier, segment.leaves().to_vec());
        let true_note = Segment::read(self.file)?;
        let origin = true_note.records().iter().find_map(|record| match record {
            Record::Checkpoint(record) => Checkpoint::of(&SignedNote::parse(&record.note).ok()?).ok(),
            _ => None,
        });
        let origin = origin.context("no checkpoint")?.origin;
        let seed = self.key.lines().nth(2).context("no seed")?;
        let seed = (0..32).map(|at| u8::from_str_radix(&seed[2 * at..2 * at + 2], 16));
        let seed: Vec<u8> = seed.collect::<Result<_, _>>()?;
        let key = SigningKey::from_seed(&origin, KeyKind::Log, seed[..].try_into()?).context("a key")?;
        let (size, root) = (tree.size(), tree.root_at(tree.size()).context("a root")?);
        let mut note = Checkpoint { origin, size, root }.unsigned();
        note.add(key.sign(&note, 0));
        let (note, witnesses, fields) = (note.to_string(), Vec::new(), Fields::default());
        records.push(Record::Checkpoint(CheckpointRecord { epoch: header.epoch, note, witnesses, fields }));
        Ok(sealed(header, &records))
    }
}

/// The time at which a block was seen: nothing can show that it was another.
fn change_time(records: &mut [Record]) -> anyhow::Result<()> {
    let closed = records.iter().position(|record| matches!(record, Record::EpochClosed(_)));
    let before = &mut records[..closed.context("no end")?];
    let seen = before.iter_mut().find_map(|record| match record {
        Record::BlockSeen { unix_us, .. } => Some(unix_us),
        _ => None,
    });
    *seen.context("no block was seen")? += 1;
    Ok(())
}

fn opening(records: &mut [Record]) -> anyhow::Result<&mut EpochContext> {
    let opened = records.iter_mut().find_map(|record| match record {
        Record::EpochOpened(context) => Some(&mut **context),
        _ => None,
    });
    opened.context("no opening")
}

fn set_log(records: &mut [Record], log: &LogOpening) -> anyhow::Result<()> {
    let context = opening(records)?;
    context.fields = rounds_of(context)?.with_log(log);
    Ok(())
}

/// What an opening says of its epoch's rounds and requests, without the log.
fn rounds_of(context: &EpochContext) -> anyhow::Result<Fields> {
    let rounds = context.fields.rounds().context("the opening has no rounds")?;
    let fields = Fields::default().with_rounds(rounds);
    Ok(if context.fields.have_derived_requests() { fields.with_derived_requests() } else { fields })
}

fn complains(audited: &AuditReport, complaint: &str) -> anyhow::Result<()> {
    let problems = &audited.problems;
    ensure!(problems.iter().any(|problem| problem.contains(complaint)), "{problems:?}");
    Ok(())
}
