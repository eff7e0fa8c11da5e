//! A journal's folder as a reader sees it who must not disturb its owner: nothing is locked, repaired or written.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use weighhouse_journal::{Segment, SegmentHeader, segment_name, segments};
use weighhouse_types::Epoch;

use crate::error::ExportError;
use crate::limits::SEGMENT_BYTES_MAX;

/// The files of one validator's journal.
#[derive(Debug)]
pub(crate) struct JournalSource {
    dir: PathBuf,
    /// Ascending.
    pub(crate) epochs: Vec<Epoch>,
    /// The owner that the first file read names.
    first: Option<SegmentHeader>,
}

/// An epoch's whole commits.
#[derive(Debug)]
pub(crate) struct EpochFile {
    pub(crate) segment: Segment,
    /// Bytes of a last commit that was not whole when they were read.
    pub(crate) unfinished_bytes: u64,
}

impl JournalSource {
    pub(crate) fn open(dir: &Path) -> Result<Self, ExportError> {
        let segments = segments(dir).map_err(|source| ExportError::Io {
            file: dir.to_owned(),
            doing: "list the journal's folder",
            source,
        })?;
        let epochs: Vec<Epoch> = segments.into_iter().map(|(epoch, _)| epoch).collect();
        if epochs.is_empty() {
            return Err(ExportError::NoJournal { dir: dir.to_owned() });
        }
        Ok(Self { dir: dir.to_owned(), epochs, first: None })
    }

    pub(crate) fn read(&mut self, epoch: Epoch) -> Result<EpochFile, ExportError> {
        let file = self.dir.join(segment_name(epoch));
        let bytes = self.bytes(&file)?;
        // The owner may be in the midst of a commit, or have been killed in it: only the last file can be so.
        let read = if self.epochs.last() == Some(&epoch) {
            Segment::read_whole_commits(&bytes)
        } else {
            Segment::read(&bytes).map(|segment| (segment, 0))
        };
        let read = read.map(|(segment, unfinished_bytes)| EpochFile { segment, unfinished_bytes });
        let read = read.map_err(|source| ExportError::Damaged { file: file.clone(), source })?;
        let found = *read.segment.header();
        // A folder does not say whose journal it holds, so the first file does.
        let first = *self.first.get_or_insert(found);
        let expected = SegmentHeader { epoch, ..first };
        if found != expected {
            let (expected, found) = (Box::new(expected), Box::new(found));
            return Err(ExportError::OtherOwner { file, expected, found });
        }
        Ok(read)
    }

    fn bytes(&self, file: &Path) -> Result<Vec<u8>, ExportError> {
        let fail = |source| ExportError::Io { file: file.to_owned(), doing: "read the journal", source };
        let mut bytes = Vec::new();
        let opened = File::open(file).map_err(fail)?;
        // One byte more than the limit tells a file that is too large from one that just fits.
        opened.take(SEGMENT_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(fail)?;
        if bytes.len() as u64 > SEGMENT_BYTES_MAX {
            return Err(ExportError::TooLarge { file: file.to_owned() });
        }
        Ok(bytes)
    }
}
