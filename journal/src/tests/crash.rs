use std::io;
use std::sync::Arc;

use proptest::prelude::*;
use weighhouse_seams::Storage as _;
use weighhouse_types::{Digest, Epoch, Record};

use super::disk::{Disk, Failure, SECTOR};
use super::sample::{self, asked, blob, identity, judged, open, opened};
use crate::header::segment_name;
use crate::{Journal, JournalError, verify};

const EPOCH: Epoch = Epoch(1);

/// All records of the last epoch, blobs included, after a restart.
fn reopened(disk: &Disk) -> Vec<Record> {
    let journal = open(disk);
    journal.segment(EPOCH).expect("readable").into_records()
}

/// A disk whose journal has `committed`, and `pending` written but not synced.
fn crashed_in_commit(committed: &[Vec<Record>], pending: &[Record]) -> Disk {
    let disk = Disk::default();
    let mut journal = open(&disk);
    sample::write(&mut journal, EPOCH.0, committed);
    for record in pending {
        journal.append(record.clone()).expect("appended");
    }
    disk.fail_at(1, 0);
    assert!(matches!(journal.commit(), Err(JournalError::Io { .. })), "the sync fails");
    assert!(disk.unsynced(&segment_name(EPOCH)) > 0);
    disk
}

#[test]
fn a_power_cut_at_any_byte_of_a_commit_loses_no_committed_record() {
    let committed = [vec![opened(1)], vec![blob(b"request"), asked(1, 0)]];
    let pending = [blob(b"answer"), judged(1, 0), judged(1, 1)];
    let name = segment_name(EPOCH);
    let crashed = crashed_in_commit(&committed, &pending);
    let whole = crashed.unsynced(&name);
    for kept in 0..=whole {
        let disk = crashed.after_power_cut(kept);
        let written = disk.file(&name).expect("the segment");
        let mut expected = committed.concat();
        if kept == whole {
            expected.extend(pending.clone());
        }
        assert_eq!(reopened(&disk), expected, "{kept} of {whole} bytes kept");

        let is_torn = (1..whole).contains(&kept);
        let side = disk.file(&format!("{name}.torn-0"));
        assert_eq!(side.as_deref(), is_torn.then(|| &written[written.len() - kept..]), "{kept} bytes kept");

        let mut journal = open(&disk);
        journal.append(judged(1, 2)).expect("appended");
        journal.commit().expect("committed");
        expected.push(judged(1, 2));
        assert_eq!(reopened(&disk.after_power_cut(0)), expected, "{kept} bytes kept, then written on");
    }
}

#[test]
fn a_large_commit_whose_seal_is_written_behind_it_is_whole_or_torn() {
    let committed = [vec![opened(1)], vec![asked(1, 0)]];
    let pending: Vec<Record> = (0..40_u8).map(|n| blob(&vec![n; 20_000])).chain([judged(1, 0)]).collect();
    // The body, the seal, the sync.
    for (call, short_write) in [(0, 0), (0, 70_000), (1, 0), (1, 31), (2, 0)] {
        let disk = Disk::default();
        let mut journal = open(&disk);
        sample::write(&mut journal, EPOCH.0, &committed);
        for record in &pending {
            journal.append(record.clone()).expect("appended");
        }
        disk.fail_at(call, short_write);
        assert!(matches!(journal.commit(), Err(JournalError::Io { .. })), "call {call}");
        let unsynced = disk.unsynced(&segment_name(EPOCH));
        for kept in [0, 1, unsynced / 2, unsynced.saturating_sub(1)] {
            let after = disk.after_power_cut(kept.min(unsynced));
            let whole = call == 2 && kept == unsynced;
            assert!(
                !whole && reopened(&after) == committed.concat(),
                "call {call}, {kept} of {unsynced} bytes"
            );
        }
        let read = reopened(&disk.after_kill());
        let expected =
            if call == 2 { [committed.concat(), pending.clone()].concat() } else { committed.concat() };
        assert_eq!(read, expected, "call {call}");
    }
    // Without a failure it is what one write of all would be.
    let disk = Disk::default();
    let mut journal = open(&disk);
    sample::write(&mut journal, EPOCH.0, &[committed.to_vec(), vec![pending.clone()]].concat());
    assert_eq!(reopened(&disk), [committed.concat(), pending].concat());
}

#[test]
fn any_lost_sectors_of_a_commit_lose_no_committed_record() {
    let committed = [vec![opened(1)], vec![blob(b"request"), asked(1, 0)]];
    // Commits of different lengths, so that headers and seals fall on, before and over the edges of sectors.
    for length in (900..900 + SECTOR).step_by(7) {
        let pending = [blob(&vec![0xEE; length]), judged(1, 0)];
        let crashed = crashed_in_commit(&committed, &pending);
        for lost in 0..1_u32 << 4 {
            let disk = crashed.after_lost_sectors(|sector| lost >> sector & 1 == 1);
            let is_whole = disk.file(&segment_name(EPOCH)) == crashed.file(&segment_name(EPOCH));
            let mut expected = committed.concat();
            if is_whole {
                expected.extend(pending.clone());
            }
            assert_eq!(reopened(&disk), expected, "length {length}, lost {lost:04b}");
        }
    }
}

#[test]
fn what_a_restart_has_read_is_durable_even_if_no_sync_ever_reached_it() {
    let crashed = crashed_in_commit(&[vec![opened(1)]], &[asked(1, 0)]);
    let restarted = crashed.after_kill();
    let read = reopened(&restarted);
    assert_eq!(read, [opened(1), asked(1, 0)]);
    assert_eq!(reopened(&restarted.after_power_cut(0)), read);
}

#[test]
fn each_torn_end_is_kept_in_a_file_of_its_own() {
    let name = segment_name(EPOCH);
    let disk = crashed_in_commit(&[vec![opened(1)]], &[asked(1, 0)]).after_power_cut(30);
    disk.put(&format!("{name}.torn-0"), b"an earlier one");
    open(&disk);
    assert_eq!(disk.file(&format!("{name}.torn-0")).expect("kept"), b"an earlier one");
    assert_eq!(disk.file(&format!("{name}.torn-1")).expect("kept").len(), 30);
}

#[test]
fn after_a_failed_write_nothing_more_is_promised_and_the_reason_is_named() {
    let disk = Disk::default();
    let mut journal = open(&disk);
    sample::write(&mut journal, 1, &[vec![opened(1)]]);
    journal.append(asked(1, 0)).expect("appended");
    disk.fail_at(0, 10);
    let failed = journal.commit().expect_err("the disk is full").to_string();
    let file = format!("disk/{}", segment_name(EPOCH));
    assert_eq!(failed, format!("{file}: can't commit records: no space left"));

    let is_poisoned = |error: JournalError| {
        assert!(
            matches!(&error, JournalError::Poisoned { cause, .. } if cause == "no space left"),
            "{error}"
        );
    };
    is_poisoned(journal.commit().expect_err("poisoned"));
    is_poisoned(journal.append(asked(1, 1)).expect_err("poisoned"));
    is_poisoned(journal.append(blob(b"x")).expect_err("poisoned"));
    is_poisoned(journal.begin_epoch(Epoch(2)).expect_err("poisoned"));
    is_poisoned(journal.read_epoch(EPOCH).expect_err("poisoned"));
    is_poisoned(journal.blob(EPOCH, &Digest::of(b"x")).expect_err("poisoned"));
    is_poisoned(journal.segment(EPOCH).expect_err("poisoned"));
    assert_eq!(journal.records(), [opened(1)]);
}

/// Progress of a run before its first error.
#[derive(Default)]
struct Run {
    /// Appended, whether committed or not.
    attempted: Vec<Record>,
    /// Number of them that were acknowledged.
    acknowledged: usize,
}

impl Run {
    fn go(&mut self, disk: &Disk) -> Result<(), JournalError> {
        let mut journal = Journal::open(Arc::new(disk.clone()), identity())?;
        let result = self.write(&mut journal);
        if result.is_err() {
            assert!(matches!(journal.commit(), Err(JournalError::Poisoned { .. })));
            assert!(matches!(journal.begin_epoch(Epoch(9)), Err(JournalError::Poisoned { .. })));
        }
        result
    }

    fn write(&mut self, journal: &mut Journal) -> Result<(), JournalError> {
        for epoch in 1..=2 {
            journal.begin_epoch(Epoch(epoch))?;
            for records in sample::epoch(epoch) {
                for record in records {
                    self.attempted.push(record.clone());
                    journal.append(record)?;
                }
                journal.commit()?;
                self.acknowledged = self.attempted.len();
            }
        }
        Ok(())
    }
}

#[test]
fn an_error_at_any_call_to_the_disk_loses_nothing_acknowledged() {
    let mut failures = 0;
    loop {
        for (short_write, kept) in [(0, 0), (33, 0), (33, 33), (usize::MAX, 100), (usize::MAX, usize::MAX)] {
            let disk = Disk::default();
            disk.fail_at(failures, short_write);
            let mut run = Run::default();
            if run.go(&disk).is_ok() {
                assert!(!disk.has_failed(), "a failed call was not reported");
                assert!(failures > 20, "only {failures} calls to the disk");
                return;
            }
            let disk = disk.after_power_cut(kept);
            let journal = open(&disk);
            let segments =
                journal.epochs().into_iter().map(|epoch| journal.segment(epoch).expect("readable"));
            let found: Vec<Record> = segments.flat_map(|segment| segment.into_records()).collect();
            assert!(found.len() >= run.acknowledged, "call {failures}: acknowledged records are lost");
            assert!(run.attempted.starts_with(&found), "call {failures}: records nobody wrote");
        }
        failures += 1;
    }
}

#[test]
fn an_error_at_any_call_of_a_recovery_changes_nothing_for_the_next() {
    let crashed = crashed_in_commit(&[vec![opened(1)]], &[asked(1, 0)]).after_power_cut(40);
    let mut call = 0;
    loop {
        let disk = crashed.after_kill();
        disk.fail_with(call, Failure { kind: io::ErrorKind::Other, ..Failure::default() });
        let recovered = Journal::open(Arc::new(disk.clone()), identity());
        let disk = disk.after_kill();
        assert_eq!(reopened(&disk), [opened(1)], "call {call}");
        assert_eq!(disk.names().len(), 2, "call {call}: one segment, one torn end: {:?}", disk.names());
        if recovered.is_ok() {
            break;
        }
        call += 1;
    }
    assert!(call > 5, "only {call} calls to the disk");
}

#[test]
fn a_full_disk_keeps_no_torn_end_from_being_cut() {
    let crashed = crashed_in_commit(&[vec![opened(1)]], &[asked(1, 0)]).after_power_cut(40);
    let opened_without_room = (0..20).filter(|call| {
        let disk = crashed.after_kill();
        disk.fail_with(*call, Failure { kind: io::ErrorKind::StorageFull, ..Failure::default() });
        let recovered = Journal::open(Arc::new(disk.clone()), identity()).is_ok();
        let disk = disk.after_kill();
        let is_alone = disk.names().len() == 1;
        assert_eq!(reopened(&disk), [opened(1)], "call {call}");
        recovered && is_alone
    });
    assert_eq!(opened_without_room.count(), 1, "the write of what was torn");
}

#[test]
fn an_epoch_whose_beginning_crashed_is_begun_anew() {
    let disk = Disk::default();
    let mut journal = open(&disk);
    sample::write(&mut journal, 1, &[vec![opened(1)]]);
    disk.fail_at(0, 0);
    assert!(matches!(journal.begin_epoch(Epoch(2)), Err(JournalError::Io { .. })));
    let mut journal = open(&disk.after_power_cut(0));
    assert_eq!(journal.current_epoch(), Some(EPOCH));
    journal.begin_epoch(Epoch(2)).expect("begun");
    assert!(journal.records().is_empty());
}

#[derive(Clone, Debug)]
enum Step {
    Blob(Vec<u8>),
    Judged(u32),
    Commit,
    NextEpoch,
    Kill,
    PowerCut(usize),
    /// The next commit's sync fails, and the power goes.
    TornCommit(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..1500).prop_map(Step::Blob),
        any::<u32>().prop_map(Step::Judged),
        Just(Step::Commit),
        Just(Step::NextEpoch),
        Just(Step::Kill),
        (0_usize..4000).prop_map(Step::PowerCut),
        (0_usize..4000).prop_map(Step::TornCommit),
    ]
}

/// A journal beside a list of what it ought to hold.
struct Model {
    disk: Disk,
    journal: Journal,
    epoch: u64,
    committed: Vec<Record>,
    pending: Vec<Record>,
}

impl Model {
    fn new() -> Self {
        let disk = Disk::default();
        let mut journal = open(&disk);
        journal.begin_epoch(EPOCH).expect("begun");
        Self { disk, journal, epoch: EPOCH.0, committed: Vec::new(), pending: Vec::new() }
    }

    fn append(&mut self, record: Record) {
        self.journal.append(record.clone()).expect("appended");
        let is_known_blob = matches!(record, Record::Blob(_))
            && (self.committed.contains(&record) || self.pending.contains(&record));
        if !is_known_blob {
            self.pending.push(record);
        }
    }

    fn commit(&mut self) {
        self.journal.commit().expect("committed");
        self.committed.append(&mut self.pending);
    }

    fn restart(&mut self, disk: Disk) {
        self.disk = disk;
        self.journal = open(&self.disk);
    }

    fn found(&self) -> Vec<Record> {
        self.journal.segment(Epoch(self.epoch)).expect("readable").into_records()
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Blob(bytes) => self.append(blob(&bytes)),
            Step::Judged(round) => self.append(judged(self.epoch, round)),
            Step::Commit => self.commit(),
            Step::NextEpoch => {
                self.commit();
                self.epoch += 1;
                self.committed.clear();
                self.journal.begin_epoch(Epoch(self.epoch)).expect("begun");
            }
            Step::Kill => {
                self.restart(self.disk.after_kill());
                self.pending.clear();
            }
            Step::PowerCut(kept) => {
                self.restart(self.disk.after_power_cut(kept));
                self.pending.clear();
            }
            Step::TornCommit(kept) => {
                if self.pending.is_empty() {
                    return;
                }
                self.disk.fail_at(1, 0);
                assert!(self.journal.commit().is_err());
                self.restart(self.disk.after_power_cut(kept));
                let survived = self.found().len() > self.committed.len();
                self.committed.extend(self.pending.drain(..).filter(|_| survived));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn no_sequence_of_commits_and_crashes_loses_or_invents_a_record(
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let mut model = Model::new();
        for step in steps {
            model.take(step);
            prop_assert_eq!(model.found(), model.committed.clone());
        }
        for report in verify(&model.disk).expect("readable") {
            prop_assert_eq!(report.defect, None);
        }
        prop_assert!(model.disk.list().is_ok());
    }
}
