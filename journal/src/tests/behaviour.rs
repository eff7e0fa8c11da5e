use std::sync::Arc;

use weighhouse_merkle::{verify_consistency, verify_inclusion};
use weighhouse_seams::DirStorage;
use weighhouse_types::{Digest, Epoch, Record};

use super::disk::Disk;
use super::sample::{self, asked, blob, identity, judged, open, opened};
use crate::header::segment_name;
use crate::limits::JournalLimits;
use crate::{Journal, JournalError, RecordIndex, Segment, verify};

/// Written by the last version of the software that wrote records of version 1.
const VERSION_1: &[u8] = include_bytes!("../../testdata/v1.wj");
const VERSION_2: &[u8] = include_bytes!("../../testdata/v2.wj");

#[test]
fn a_segment_of_record_version_1_still_reads() {
    let segment = Segment::read(VERSION_1).expect("the old segment reads");
    assert_eq!(segment.records(), sample::version_1(42));
    assert_eq!(segment.oldest_record_version(), 1);
    assert_eq!(
        segment.root().to_string(),
        "110d442f862e2ce90bccd621fdb4d382fb3053d9ec73633f57d74e0ca202cff2"
    );
}

#[test]
fn an_epoch_that_version_1_left_open_goes_on_in_version_2() {
    let disk = Disk::default();
    disk.put(&segment_name(Epoch(42)), VERSION_1);
    let mut journal = open(&disk);
    let old = sample::version_1(42);
    assert_eq!(journal.records(), without_blobs(std::slice::from_ref(&old)));
    journal.append(asked(42, 7)).expect("it is appended");
    journal.commit().expect("it is committed");

    let bytes = disk.file(&segment_name(Epoch(42))).expect("a file");
    assert!(bytes.starts_with(VERSION_1));
    let segment = Segment::read(&bytes).expect("both versions read");
    assert_eq!(segment.records(), [&old[..], &[asked(42, 7)]].concat());
    assert_eq!(segment.oldest_record_version(), 1);
    assert_eq!(open(&disk).records(), without_blobs(&[segment.into_records()]));
}

#[test]
fn a_segment_of_record_version_2_still_reads_and_is_still_written_byte_for_byte() {
    let commits = sample::epoch(42);
    let segment = Segment::read(VERSION_2).expect("the golden segment reads");
    assert_eq!(segment.records(), commits.concat());
    assert_eq!(segment.oldest_record_version(), 2);
    assert_eq!(segment.header().epoch, Epoch(42));
    assert_eq!(segment.header().identity, identity());
    assert_eq!(segment.blob(&Digest::of(b"answer")), Some(&b"answer"[..]));

    let disk = Disk::default();
    sample::write(&mut open(&disk), 42, &commits);
    assert!(
        disk.file(&segment_name(Epoch(42))).as_deref() == Some(VERSION_2),
        "other bytes than the golden file's"
    );

    let disk = Disk::default();
    disk.put(&segment_name(Epoch(42)), VERSION_2);
    assert_eq!(open(&disk).current_epoch(), Some(Epoch(42)));
}

fn without_blobs(commits: &[Vec<Record>]) -> Vec<Record> {
    commits.concat().into_iter().filter(|record| !matches!(record, Record::Blob(_))).collect()
}

#[test]
fn what_was_committed_is_there_after_reopening() {
    let disk = Disk::default();
    let (first, second) = (sample::epoch(5), sample::epoch(6));
    let mut journal = open(&disk);
    assert_eq!((journal.current_epoch(), journal.epochs()), (None, vec![]));
    sample::write(&mut journal, 5, &first);
    sample::write(&mut journal, 6, &second);
    let log = journal.log().cloned();
    assert_eq!(journal.records(), without_blobs(&second));
    drop(journal);

    let mut journal = open(&disk);
    assert_eq!(journal.epochs(), [Epoch(5), Epoch(6)]);
    assert_eq!(journal.records(), without_blobs(&second));
    assert_eq!(journal.read_epoch(Epoch(5)).expect("an epoch"), without_blobs(&first));
    assert_eq!(journal.read_epoch(Epoch(6)).expect("an epoch"), without_blobs(&second));
    assert_eq!(journal.log().cloned(), log);
    for epoch in [Epoch(5), Epoch(6)] {
        let digest = Digest::of(b"request");
        assert_eq!(journal.blob(epoch, &digest).expect("a blob of each epoch"), b"request");
        let absent = Digest::of(b"never written");
        assert!(matches!(journal.blob(epoch, &absent), Err(JournalError::UnknownBlob { .. })));
    }
    assert!(matches!(journal.read_epoch(Epoch(7)), Err(JournalError::UnknownEpoch { epoch: Epoch(7) })));
}

#[test]
fn nothing_is_visible_before_its_commit() {
    let disk = Disk::default();
    let mut journal = open(&disk);
    journal.begin_epoch(Epoch(1)).expect("begun");
    assert_eq!(journal.append(opened(1)).expect("appended"), RecordIndex { epoch: Epoch(1), index: 0 });
    journal.append(blob(b"bytes")).expect("appended");
    let digest = Digest::of(b"bytes");
    assert!(journal.records().is_empty());
    assert!(journal.read_epoch(Epoch(1)).expect("read").is_empty());
    assert!(matches!(journal.blob(Epoch(1), &digest), Err(JournalError::UnknownBlob { .. })));
    assert!(open(&disk.after_kill()).records().is_empty());
    journal.commit().expect("committed");
    assert_eq!(journal.records(), [opened(1)]);
    assert_eq!(journal.blob(Epoch(1), &digest).expect("a blob"), b"bytes");
}

#[test]
fn a_commit_of_nothing_does_not_touch_the_disk() {
    let disk = Disk::default();
    let mut journal = open(&disk);
    journal.begin_epoch(Epoch(1)).expect("begun");
    disk.fail_at(0, 0);
    journal.commit().expect("nothing to do");
    assert!(!disk.has_failed());
}

#[test]
fn a_blob_is_kept_once_an_epoch_and_in_every_epoch() {
    let disk = Disk::default();
    let mut journal = open(&disk);
    for epoch in [1, 2] {
        journal.begin_epoch(Epoch(epoch)).expect("begun");
        let first = journal.append(blob(b"shared")).expect("appended");
        assert_eq!(journal.append(blob(b"shared")).expect("pending already"), first);
        journal.commit().expect("committed");
        assert_eq!(journal.append(blob(b"shared")).expect("there already"), first);
        assert_eq!(first, RecordIndex { epoch: Epoch(epoch), index: 0 });
        journal.commit().expect("committed");
        let file = disk.file(&segment_name(Epoch(epoch))).expect("the epoch's file");
        let segment = Segment::read(&file).expect("the file alone is enough");
        assert_eq!(segment.records(), [sample::blob(b"shared")]);
    }
}

#[test]
fn every_record_is_provably_in_the_log_and_the_log_only_grows() {
    let disk = Disk::default();
    let mut journal = open(&disk);
    journal.begin_epoch(Epoch(1)).expect("begun");
    let mut earlier = Vec::new();
    for records in sample::epoch(1) {
        for record in records {
            journal.append(record).expect("appended");
        }
        journal.commit().expect("committed");
        let log = journal.log().expect("an epoch");
        earlier.push((log.size(), log.root()));
    }
    let segment = journal.segment(Epoch(1)).expect("readable");
    let size = segment.records().len() as u64;
    assert_eq!(earlier.last(), Some(&(size, segment.root())));
    for (index, record) in (0..).zip(segment.records()) {
        let path = segment.inclusion_proof(index).expect("a record");
        let leaf = Segment::leaf(record);
        assert_eq!(verify_inclusion(&leaf, index, size, &path, &segment.root()), Ok(()));
    }
    assert_eq!(segment.inclusion_proof(size), None);
    for (size1, root1) in earlier {
        let proof = segment.consistency_proof(size1).expect("a prefix");
        assert_eq!(verify_consistency(size1, size, &root1, &segment.root(), &proof), Ok(()));
    }
}

#[test]
fn epochs_only_go_forward_and_leave_nothing_uncommitted() {
    let mut journal = open(&Disk::default());
    assert!(matches!(journal.append(opened(4)), Err(JournalError::NoEpoch)));
    assert!(matches!(journal.append(blob(b"")), Err(JournalError::NoEpoch)));
    journal.begin_epoch(Epoch(4)).expect("begun");
    journal.append(opened(4)).expect("appended");
    journal.begin_epoch(Epoch(4)).expect("going on is no beginning");
    assert!(matches!(journal.begin_epoch(Epoch(5)), Err(JournalError::Uncommitted { records: 1 })));
    journal.commit().expect("committed");
    journal.begin_epoch(Epoch(9)).expect("gaps are allowed");
    assert!(matches!(journal.begin_epoch(Epoch(5)), Err(JournalError::EpochOrder { .. })));
    assert_eq!(journal.epochs(), [Epoch(4), Epoch(9)]);
}

#[test]
fn records_of_another_epoch_or_validator_are_refused() {
    let mut journal = open(&Disk::default());
    journal.begin_epoch(Epoch(4)).expect("begun");
    let Record::EpochOpened(mut context) = opened(4) else { unreachable!("the record of an opened epoch") };
    context.validator.0[0] ^= 1;
    let late = sample::intent(5, 1);
    let state = weighhouse_types::IntentState::Expired;
    for record in
        [opened(3), Record::EpochOpened(context), asked(5, 0), judged(3, 0), sample::update(&late, state)]
    {
        assert!(matches!(journal.append(record), Err(JournalError::Misplaced { epoch: Epoch(4) })));
    }
    let earlier = sample::intent(3, 1);
    journal
        .append(sample::update(&earlier, weighhouse_types::IntentState::Expired))
        .expect("late news are welcome");
}

#[test]
fn every_limit_refuses_and_leaves_the_journal_usable() {
    let limits = JournalLimits { record_bytes: 100, batch_bytes: 200, segment_records: 3 };
    let disk = Disk::default();
    let mut journal = Journal::with_limits(Arc::new(disk.clone()), identity(), limits).expect("opens");
    journal.begin_epoch(Epoch(1)).expect("begun");
    let too_large = journal.append(blob(&[1; 98]));
    assert!(
        matches!(too_large, Err(JournalError::RecordTooLarge { bytes: 103, limit: 100 })),
        "{too_large:?}"
    );
    journal.append(blob(&[1; 90])).expect("within the limit");
    assert!(matches!(journal.append(blob(&[2; 90])), Err(JournalError::BatchFull { limit: 200 })));
    journal.commit().expect("committed");
    journal.append(blob(&[2; 90])).expect("a new batch has room");
    journal.append(blob(&[3; 10])).expect("the last");
    assert!(matches!(journal.append(blob(&[4; 10])), Err(JournalError::SegmentFull { limit: 3, .. })));
    journal.commit().expect("committed");
    assert_eq!(open(&disk).segment(Epoch(1)).expect("readable").records().len(), 3);
}

#[test]
fn a_real_folder_works_and_a_torn_end_is_kept_beside() {
    let folder = tempfile::tempdir().expect("a folder");
    let open = || {
        let storage = DirStorage::open(folder.path()).expect("the folder opens");
        Journal::open(Arc::new(storage), identity()).expect("the journal opens")
    };
    sample::write(&mut open(), 3, &sample::epoch(3));
    let path = folder.path().join(segment_name(Epoch(3)));
    let whole = std::fs::read(&path).expect("the file");
    let file = std::fs::OpenOptions::new().write(true).open(&path).expect("the file");
    file.set_len(whole.len() as u64 - 1).expect("cut");

    let journal = open();
    let commits = sample::epoch(3);
    assert_eq!(journal.records(), without_blobs(&commits[..commits.len() - 1]));
    let side = std::fs::read(path.with_extension("wj.torn-0")).expect("the torn end");
    assert!(side.len() > 60 && whole[..whole.len() - 1].ends_with(&side));
    drop(journal);
    let reports = verify(&DirStorage::open(folder.path()).expect("the folder opens")).expect("readable");
    assert_eq!(reports.len(), 1);
    assert_eq!(reports[0].defect, None);
}

#[test]
fn old_epochs_can_be_removed_and_the_newest_two_cannot() {
    let disk = Disk::default();
    let mut journal = open(&disk);
    for epoch in 1..=4 {
        journal.begin_epoch(Epoch(epoch)).expect("begun");
        journal.append(opened(epoch)).expect("appended");
        journal.commit().expect("committed");
    }
    let size = disk.file(&segment_name(Epoch(1))).expect("a file").len() as u64;
    assert_eq!(journal.remove_epoch(Epoch(1)).expect("removed"), size);
    assert!(disk.file(&segment_name(Epoch(1))).is_none());
    assert_eq!(journal.epochs(), [2, 3, 4].map(Epoch));
    assert!(matches!(journal.remove_epoch(Epoch(1)), Err(JournalError::UnknownEpoch { .. })));
    for kept in [3, 4] {
        assert!(matches!(journal.remove_epoch(Epoch(kept)), Err(JournalError::Needed { .. })));
    }
    journal.commit().expect("it is usable");
    assert_eq!(open(&disk).epochs(), [2, 3, 4].map(Epoch));
}
