use weighhouse_merkle::{verify_consistency, verify_inclusion};
use weighhouse_types::{Digest, Epoch, Record};

use super::disk::Disk;
use super::sample::{self, open};
use crate::error::Defect;
use crate::header::segment_name;
use crate::{Journal, JournalError, Segment, read_header};

/// An epoch with an answer of some length.
fn commits(epoch: u64) -> Vec<Vec<Record>> {
    [sample::epoch(epoch), vec![vec![sample::blob(&[7; 4096])]]].concat()
}

/// Four epochs, of which the first has lost its blobs; its file before and after.
fn removed() -> (Disk, Journal, Vec<u8>, Vec<u8>) {
    let disk = Disk::default();
    let mut journal = open(&disk);
    for epoch in 42..46 {
        sample::write(&mut journal, epoch, &commits(epoch));
    }
    let file = || disk.file(&segment_name(Epoch(42))).expect("a file");
    let before = file();
    let freed = journal.remove_blobs(Epoch(42)).expect("removed");
    let after = file();
    assert_eq!(freed, before.len() as u64 - after.len() as u64);
    (disk, journal, before, after)
}

#[test]
fn without_its_blobs_a_file_has_the_same_records_seals_and_proofs() {
    let (disk, mut journal, before, after) = removed();
    assert!(after.len() < before.len(), "{} of {}", after.len(), before.len());
    let (whole, left) = (Segment::read(&before).expect("whole"), Segment::read(&after).expect("left"));
    let kept: Vec<_> =
        whole.records().iter().filter(|record| !matches!(record, Record::Blob(_))).cloned().collect();
    assert_eq!(left.records(), kept);
    assert_eq!((left.root(), left.leaves()), (whole.root(), whole.leaves()));
    assert_eq!(left.removed(), whole.records().len() - kept.len());
    assert_eq!((whole.removed(), left.blob(&Digest::of(b"answer"))), (0, None));
    assert_eq!(read_header(&after), read_header(&before));
    let size = left.leaves().len() as u64;
    for (at, record) in left.records().iter().enumerate() {
        let index = left.leaf_index(at) as u64;
        let path = left.inclusion_proof(index).expect("a proof");
        verify_inclusion(&Segment::leaf(record), index, size, &path, &left.root()).expect("included");
    }
    let path = left.consistency_proof(2).expect("a proof");
    let first = weighhouse_merkle::root(&left.leaves()[..2]);
    verify_consistency(2, size, &first, &left.root(), &path).expect("grown");
    // Opened again it reads as before, and there is nothing left to remove.
    assert_eq!(journal.remove_blobs(Epoch(42)).expect("again"), 0);
    let again = open(&disk);
    assert_eq!(again.read_epoch(Epoch(42)).expect("read"), kept);
    let report = crate::verify(&disk).expect("listed").swap_remove(0);
    assert_eq!((report.defect, report.records, report.root), (None, size, left.root()));
    // The form on disk is for years.
    assert_eq!(
        Digest::of(&after).to_string(),
        "a2f600ce2a8873d6c026bc406c00dc413cbc4fb911908c7343b5a26c02006b2e"
    );
}

#[test]
fn every_flipped_bit_and_every_cut_of_it_is_refused() {
    let (.., after) = removed();
    for bit in 0..after.len() * 8 {
        let mut bytes = after.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(Segment::read(&bytes).is_err(), "bit {bit}");
    }
    // A file may end behind its header and behind each commit.
    let ends = (0..after.len()).filter(|length| Segment::read(&after[..*length]).is_ok());
    assert_eq!(ends.count(), commits(42).len());
}

#[test]
fn the_newest_two_keep_their_blobs() {
    let (disk, mut journal, ..) = removed();
    for epoch in [44, 45] {
        let error = journal.remove_blobs(Epoch(epoch)).expect_err("needed");
        assert!(matches!(error, JournalError::Needed { .. }), "{error}");
    }
    assert!(matches!(journal.remove_blobs(Epoch(7)), Err(JournalError::UnknownEpoch { .. })));
    // A folder whose later files are gone doesn't go on in a file that lost its blobs.
    for epoch in 43..46 {
        disk.remove(&segment_name(Epoch(epoch)));
    }
    let refused = Journal::open(std::sync::Arc::new(disk), sample::identity()).expect_err("refused");
    assert!(
        matches!(&refused, JournalError::Damaged { source, .. } if source.cause == Defect::BlobsRemoved),
        "{refused}"
    );
}

#[test]
fn a_file_that_cannot_be_written_stays_whole() {
    let disk = Disk::default();
    let mut journal = open(&disk);
    for epoch in 42..45 {
        sample::write(&mut journal, epoch, &sample::epoch(epoch));
    }
    let name = segment_name(Epoch(42));
    let mut damaged = disk.file(&name).expect("a file");
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    disk.put(&name, &damaged);
    let error = journal.remove_blobs(Epoch(42)).expect_err("damaged");
    assert!(matches!(error, JournalError::Damaged { .. }), "{error}");
    assert_eq!(disk.file(&name).expect("a file"), damaged);
    // The journal goes on.
    sample::write(&mut journal, 45, &sample::epoch(45));
}
