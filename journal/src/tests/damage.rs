use std::sync::Arc;

use proptest::prelude::*;
use weighhouse_merkle::leaf_hash;
use weighhouse_types::{
    Block, Digest, Epoch, EpochClosed, EpochCounts, Extension, Field, FieldValue, Fields, Hotkey, Record,
};

use super::disk::{Disk, SECTOR};
use super::sample::{self, asked, blob, identity, judged, open, opened};
use crate::format::{self, BATCH_HEADER_BYTES, BatchHeader, Form, HEADER_BYTES, seal};
use crate::header::{SegmentHeader, segment_name};
use crate::{Defect, Identity, Journal, JournalError, Segment, SegmentError, verify};

const EPOCH: Epoch = Epoch(1);

fn bytes_of(commits: &[Vec<Record>]) -> Vec<u8> {
    let disk = Disk::default();
    sample::write(&mut open(&disk), EPOCH.0, commits);
    disk.file(&segment_name(EPOCH)).expect("the segment")
}

/// Opens a folder that holds nothing but these bytes. Whatever comes of it, they must still be there.
fn refusal(bytes: &[u8]) -> Option<JournalError> {
    let disk = Disk::default();
    disk.put(&segment_name(EPOCH), bytes);
    let error = Journal::open(Arc::new(disk.clone()), identity()).err()?;
    assert_eq!(disk.file(&segment_name(EPOCH)).as_deref(), Some(bytes), "a refused file was changed");
    assert_eq!(disk.names().len(), 1, "a refused folder was changed");
    Some(error)
}

fn defect(bytes: &[u8]) -> Option<Defect> {
    match refusal(bytes)? {
        JournalError::Damaged { source, .. } | JournalError::Version { source, .. } => Some(source.cause),
        other => panic!("not a defect: {other}"),
    }
}

#[test]
fn every_flipped_bit_is_refused() {
    let whole = bytes_of(&sample::epoch(1));
    assert_eq!(refusal(&whole).map(|error| error.to_string()), None);
    for bit in 0..whole.len() * 8 {
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(refusal(&bytes).is_some(), "bit {} of byte {}", bit % 8, bit / 8);
        assert!(Segment::read(&bytes).is_err(), "bit {} of byte {}", bit % 8, bit / 8);
    }
}

#[test]
fn a_sector_lost_before_the_last_commit_is_no_torn_end() {
    // Commits of different lengths, so that some headers lie over the edge of a sector.
    for length in (700..700 + SECTOR).step_by(5) {
        let commit = |number: u8| vec![blob(&vec![number + 1; length]), judged(1, u32::from(number))];
        let commits: Vec<Vec<Record>> = (0..4).map(commit).collect();
        let (whole, before_last) = (bytes_of(&commits), bytes_of(&commits[..commits.len() - 1]).len());
        for start in (0..whole.len()).step_by(SECTOR) {
            let mut bytes = whole.clone();
            let end = (start + SECTOR).min(bytes.len());
            bytes[start..end].fill(0);
            let is_refused = refusal(&bytes).is_some();
            assert_eq!(
                is_refused,
                start < before_last,
                "length {length}, sector at {start} of {before_last}"
            );
        }
    }
}

#[test]
fn dropped_doubled_and_swapped_commits_are_refused() {
    let commits = [vec![asked(1, 0)], vec![asked(1, 1)], vec![asked(1, 2)], vec![asked(1, 3)]];
    let whole = bytes_of(&commits);
    let ends: Vec<usize> = (0..=commits.len()).map(|count| bytes_of(&commits[..count]).len()).collect();
    let batch = |number: usize| &whole[ends[number]..ends[number + 1]];
    let header = &whole[..HEADER_BYTES];
    for order in [&[0, 2, 3][..], &[1, 2, 3], &[0, 1, 1, 2, 3], &[0, 2, 1, 3], &[1, 0, 2, 3], &[0, 1, 3, 2]] {
        let batches: Vec<&[u8]> = order.iter().map(|number| batch(*number)).collect();
        let bytes = [header, &batches.concat()].concat();
        assert_eq!(defect(&bytes), Some(Defect::BatchHeader), "{order:?}");
    }
}

#[test]
fn a_batch_of_another_chain_of_seals_is_refused_even_with_a_header_that_fits() {
    let (ours, theirs) = ([vec![asked(1, 0)], vec![asked(1, 2)]], [vec![asked(1, 1)], vec![asked(1, 2)]]);
    let (ours, theirs) = (bytes_of(&ours), bytes_of(&theirs));
    assert_eq!(ours.len(), theirs.len());
    let second = bytes_of(&[vec![asked(1, 0)]]).len();
    assert_eq!(defect(&[&ours[..second], &theirs[second..]].concat()), Some(Defect::Seal));
}

#[test]
fn a_missing_or_foreign_header_is_refused() {
    let whole = bytes_of(&[vec![opened(1)]]);
    for length in 0..HEADER_BYTES {
        assert_eq!(defect(&whole[..length]), Some(Defect::HeaderMissing), "{length} bytes");
    }
    assert_eq!(defect(&[b'x'; 500]), Some(Defect::Magic));
    assert_eq!(defect(&[0; 4096]), Some(Defect::Magic));
    assert_eq!(defect(&whole[..HEADER_BYTES]), None);
}

#[test]
fn a_newer_format_is_refused_with_its_number() {
    let mut bytes = bytes_of(&[vec![opened(1)]]);
    bytes[8..10].copy_from_slice(&3_u16.to_le_bytes());
    let error = refusal(&bytes).expect("refused");
    assert!(matches!(error, JournalError::Version { .. }));
    assert_eq!(
        error.to_string(),
        "disk/epoch-00000000000000000001.wj: format version 3, this program reads 1 and 2 at byte 0; run the version of \
         weighhouse that wrote it or a later one, nothing was changed"
    );
}

/// A well-formed segment around payloads that this program would not write.
fn forged(payloads: &[Vec<u8>]) -> Vec<u8> {
    let header = SegmentHeader { epoch: EPOCH, identity: identity() };
    let first_seal = header.first_seal();
    let body: Vec<u8> = payloads
        .iter()
        .flat_map(|payload| [&(payload.len() as u32).to_le_bytes()[..], payload].concat())
        .collect();
    let batch = BatchHeader {
        offset: HEADER_BYTES as u64,
        length: body.len() as u32,
        records: payloads.len() as u32,
    };
    let batch_header: [u8; BATCH_HEADER_BYTES] = batch.to_bytes(&first_seal);
    let leaves: Vec<Digest> = payloads.iter().map(|payload| leaf_hash(payload)).collect();
    let seal = seal(&first_seal, &batch_header, &leaves);
    [&header.to_bytes(Form::Whole)[..], &batch_header, &body, seal.as_bytes()].concat()
}

#[test]
fn records_that_this_program_does_not_know_are_refused() {
    let good = format::payload(&asked(1, 0));
    assert_eq!(defect(&forged(std::slice::from_ref(&good))), None);
    let newer = [&3_u16.to_le_bytes()[..], &good[2..]].concat();
    let found = defect(&forged(&[good.clone(), newer]));
    assert_eq!(found, Some(Defect::RecordVersion { index: 1, found: 3, supported: 2 }));
    let trailing = [&good[..], &[0]].concat();
    let unknown = [1_u16, 2].map(|version| [&version.to_le_bytes()[..], &[200]].concat());
    for payload in
        [trailing, unknown[0].clone(), unknown[1].clone(), vec![], vec![1], good[..good.len() - 1].to_vec()]
    {
        assert!(matches!(defect(&forged(&[payload])), Some(Defect::Record { index: 0, .. })));
    }
    let foreign = format::payload(&asked(2, 0));
    assert_eq!(defect(&forged(&[good, foreign])), Some(Defect::Misplaced { index: 1 }));
}

#[test]
fn a_record_of_later_date_is_refused_by_the_name_of_what_is_new_in_it() {
    let fields = [Field { name: "dispute".to_owned(), value: FieldValue::Text("open".to_owned()) }];
    let closed = EpochClosed {
        epoch: EPOCH,
        block: Block(9),
        counts: EpochCounts::default(),
        receipts: Digest::of(b""),
        fields: fields.into_iter().collect(),
    };
    let found = defect(&forged(&[format::payload(&Record::EpochClosed(closed))]));
    assert_eq!(found, Some(Defect::UnknownField { index: 0, name: "dispute (text)".to_owned() }));
    let extension = Extension { name: "escrow".to_owned(), epoch: EPOCH, fields: Fields::default() };
    let error = refusal(&forged(&[format::payload(&Record::Extension(extension))])).expect("refused");
    assert_eq!(
        error.to_string(),
        "disk/epoch-00000000000000000001.wj: record 0 carries `escrow`, which this program doesn't know at byte \
         141; run the version of weighhouse that wrote it or a later one, nothing was changed"
    );
}

#[test]
fn the_journal_of_another_validator_chain_or_subnet_is_refused() {
    let bytes = bytes_of(&[vec![opened(1)]]);
    let disk = Disk::default();
    disk.put(&segment_name(EPOCH), &bytes);
    let ours = identity();
    let others = [
        Identity { validator: Hotkey([1; 32]), ..ours },
        Identity { genesis: Digest::of(b"another chain"), ..ours },
        Identity { netuid: weighhouse_types::Netuid(8), ..ours },
        Identity { mechanism: weighhouse_types::MechId(1), ..ours },
    ];
    for other in others {
        let error = Journal::open(Arc::new(disk.clone()), other).expect_err("refused");
        assert!(matches!(error, JournalError::OtherOwner { .. }), "{error}");
        assert!(error.to_string().contains(&ours.validator.to_string()), "{error}");
    }
    assert_eq!(disk.file(&segment_name(EPOCH)), Some(bytes));
}

#[test]
fn a_renamed_segment_is_refused() {
    let disk = Disk::default();
    disk.put(&segment_name(Epoch(2)), &bytes_of(&[vec![opened(1)]]));
    let error = Journal::open(Arc::new(disk), identity()).expect_err("refused");
    assert!(matches!(error, JournalError::OtherOwner { .. }), "{error}");
}

#[test]
fn a_refusal_names_file_place_cause_and_remedy() {
    let mut bytes = bytes_of(&[vec![opened(1)], vec![asked(1, 0)]]);
    bytes[HEADER_BYTES + 100] ^= 1;
    assert_eq!(
        refusal(&bytes).expect("refused").to_string(),
        "disk/epoch-00000000000000000001.wj: a batch's seal is wrong: its bytes were changed, lost or moved at byte \
         117; nothing was changed: `weighhouse audit` says which epochs are readable, then restore this \
         file from a copy, or move it out of the folder knowing that its epoch's records are lost"
    );
}

#[test]
fn a_damaged_earlier_epoch_is_refused_when_it_is_read_and_found_by_verify() {
    let disk = Disk::default();
    let mut journal = open(&disk);
    for epoch in 1..=3 {
        sample::write(&mut journal, epoch, &sample::epoch(epoch));
    }
    let name = segment_name(Epoch(2));
    let mut bytes = disk.file(&name).expect("the segment");
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    disk.put(&name, &bytes);

    let mut journal = open(&disk);
    let damaged = |error: JournalError| assert!(matches!(error, JournalError::Damaged { .. }), "{error}");
    damaged(journal.read_epoch(Epoch(2)).expect_err("damaged"));
    damaged(journal.blob(Epoch(2), &Digest::of(b"answer")).expect_err("damaged"));
    journal.read_epoch(Epoch(1)).expect("the others are not");

    let reports = verify(&disk).expect("readable");
    let defects: Vec<bool> = reports.iter().map(|report| report.defect.is_some()).collect();
    assert_eq!(defects, [false, true, false]);
    let commits = sample::epoch(2);
    let readable = commits[..commits.len() - 1].concat().len();
    assert_eq!((reports[1].records, reports[1].torn), (readable as u64, false));
    assert_eq!(reports[0].root, journal.segment(Epoch(1)).expect("readable").root());
    assert_eq!(reports[0].header.map(|header| header.identity), Some(identity()));
    assert_eq!(disk.file(&name), Some(bytes));
    assert_eq!(disk.names().len(), 3);
}

#[test]
fn a_torn_end_of_an_earlier_epoch_is_no_longer_a_crash() {
    let disk = Disk::default();
    let mut journal = open(&disk);
    sample::write(&mut journal, 1, &sample::epoch(1));
    sample::write(&mut journal, 2, &sample::epoch(2));
    let bytes = disk.file(&segment_name(EPOCH)).expect("the segment");
    disk.put(&segment_name(EPOCH), &bytes[..bytes.len() - 1]);
    let error = open(&disk).read_epoch(EPOCH).expect_err("refused");
    assert!(matches!(
        error,
        JournalError::Damaged { source: SegmentError { cause: Defect::BatchCutShort, .. }, .. }
    ));
}

#[test]
fn a_blob_that_rots_while_the_journal_is_open_is_never_handed_out() {
    let disk = Disk::default();
    let mut journal = open(&disk);
    journal.begin_epoch(EPOCH).expect("begun");
    journal.append(sample::blob(b"request")).expect("appended");
    let digest = Digest::of(b"request");
    journal.commit().expect("committed");
    let mut bytes = disk.file(&segment_name(EPOCH)).expect("the segment");
    let at = bytes.windows(7).position(|window| window == b"request").expect("the blob's bytes");
    bytes[at] ^= 1;
    disk.put(&segment_name(EPOCH), &bytes);
    assert!(matches!(journal.blob(EPOCH, &digest), Err(JournalError::Damaged { .. })));
}

#[test]
fn other_files_in_the_folder_are_left_alone() {
    let disk = Disk::default();
    for name in ["LOCK", "epoch-1.wj", "epoch-00000000000000000001.wj.bad", "epoch-0000000000000000000x.wj"] {
        disk.put(name, b"not ours");
    }
    assert_eq!(open(&disk).epochs(), []);
    assert_eq!(disk.names().len(), 4);
    disk.put(&segment_name(EPOCH), b"not ours");
    assert!(Journal::open(Arc::new(disk.clone()), identity()).is_err());
    disk.remove(&segment_name(EPOCH));
    assert_eq!(open(&disk).epochs(), []);
}

proptest! {
    #[test]
    fn foreign_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        let header = SegmentHeader { epoch: EPOCH, identity: identity() }.to_bytes(Form::Whole);
        prop_assert!(Segment::read(&bytes).is_err());
        prop_assert!(Segment::read(&[header, bytes.clone()].concat()).is_err() || bytes.is_empty());
        // Some bytes are a record by chance.
        let _ = Segment::read(&forged(&[bytes]));
    }

    #[test]
    fn edited_segments_give_an_error_or_a_prefix_of_what_was_written(
        start in any::<prop::sample::Index>(),
        removed in 0_usize..600,
        inserted in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let commits = sample::epoch(1);
        let mut bytes = bytes_of(&commits);
        let start = start.index(bytes.len());
        let end = bytes.len().min(start + removed);
        bytes.splice(start..end, inserted);
        if let Ok(segment) = Segment::read(&bytes) {
            prop_assert!(commits.concat().starts_with(segment.records()));
        }
    }
}
