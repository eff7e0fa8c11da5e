//! A journal's epochs in order, while threads read and check the next ones.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, sync_channel};

use weighhouse_types::{Epoch, Record};

use crate::error::ReadError;
use crate::segment::Segment;

/// Epochs read ahead of the one that is handed over.
const AHEAD: usize = 4;

/// Records of one segment, whose checksums and seals are checked.
///
/// # Errors
/// Where the file can't be read, or is no whole segment.
pub fn read_segment(file: &Path) -> Result<Vec<Record>, ReadError> {
    let bytes = std::fs::read(file).map_err(|source| ReadError::Io { file: file.to_owned(), source })?;
    let segment = Segment::read(&bytes);
    let segment = segment.map_err(|source| ReadError::Damaged { file: file.to_owned(), source })?;
    Ok(segment.into_records())
}

/// Hands the records of each file of [`segments`](crate::segments) over in order, with the file's position. A file in which
/// a crash left nothing opened is passed over.
///
/// # Errors
/// The first of a file, or of `take`.
pub fn read_in_order<E: From<ReadError>>(
    files: &[(Epoch, PathBuf)],
    mut take: impl FnMut(usize, &[Record]) -> Result<(), E>,
) -> Result<(), E> {
    // Reading is bound by checksums, so segments are checked in parallel and handed over in order.
    let threads = std::thread::available_parallelism().map_or(2, usize::from).min(AHEAD);
    std::thread::scope(|scope| {
        let lanes: Vec<Receiver<_>> = (0..threads)
            .map(|lane| {
                // Bounded, so that a slow reader doesn't fill the memory with segments.
                let (sender, receiver) = sync_channel(AHEAD / threads + 1);
                let mine = files.iter().skip(lane).step_by(threads);
                scope.spawn(move || {
                    for (_, file) in mine {
                        // The receiver is gone once `take` has refused.
                        if sender.send(read_segment(file)).is_err() {
                            return;
                        }
                    }
                });
                receiver
            })
            .collect();
        for at in 0..files.len() {
            let records =
                lanes[at % threads].recv().expect("a lane sends one result for each of its files")?;
            if records.iter().any(|record| matches!(record, Record::EpochOpened(_))) {
                take(at, &records)?;
            }
        }
        Ok(())
    })
}
