use std::path::{Path, PathBuf};
use std::sync::Arc;

use weighhouse_seams::DirStorage;
use weighhouse_types::{Epoch, Record};

use super::sample;
use crate::{Journal, ReadError, read_in_order, segments};

const EPOCHS: u64 = 9;

fn journal(dir: &Path) -> Vec<(Epoch, PathBuf)> {
    let storage = DirStorage::open(dir).expect("the folder opens");
    let mut journal = Journal::open(Arc::new(storage), sample::identity()).expect("the journal opens");
    for epoch in 1..=EPOCHS {
        let commits =
            if epoch == 2 { vec![vec![sample::blob(b"early")]] } else { vec![vec![sample::opened(epoch)]] };
        sample::write(&mut journal, epoch, &commits);
    }
    segments(dir).expect("listed")
}

fn read(files: &[(Epoch, PathBuf)]) -> (Vec<Epoch>, Result<(), ReadError>) {
    let mut seen = Vec::new();
    let result = read_in_order(files, |at, records| {
        let opened =
            |record: &Record| matches!(record, Record::EpochOpened(opened) if opened.epoch == files[at].0);
        assert!(records.iter().any(opened), "the records are those of the file at {at}");
        seen.push(files[at].0);
        Ok(())
    });
    (seen, result)
}

#[test]
fn epochs_come_in_order_and_those_that_were_never_opened_are_passed_over() {
    let dir = tempfile::tempdir().expect("a folder");
    let (seen, result) = read(&journal(dir.path()));
    result.expect("read");
    assert_eq!(seen, [1, 3, 4, 5, 6, 7, 8, 9].map(Epoch));
}

#[test]
fn a_damaged_file_ends_the_reading_after_those_before_it() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut files = journal(dir.path());
    let other = dir.path().join("damaged");
    let bytes = std::fs::read(&files[4].1).expect("read");
    std::io::Write::write_all(&mut std::fs::File::create(&other).expect("a file"), &bytes[..bytes.len() - 1])
        .expect("written");
    files[4].1 = other;
    let (seen, result) = read(&files);
    assert_eq!(seen, [1, 3, 4].map(Epoch));
    assert!(matches!(result, Err(ReadError::Damaged { .. })));
}
