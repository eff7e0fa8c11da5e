//! The journal's folder as a reader sees it who must not disturb its owner: nothing is locked, repaired or written. Figures
//! of epochs are kept for as long as their files stay as they are.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use weighhouse_journal::{Segment, segments};
use weighhouse_types::Epoch;

use crate::brief::Brief;
use crate::error::ConsoleError;
use crate::limits::{BRIEFS_KEPT, FILE_BYTES_MAX, SEGMENT_BYTES_KEPT, SEGMENTS_KEPT};

/// A file by what tells whether it is still the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) bytes: u64,
    changed: Option<SystemTime>,
}

/// One epoch's file.
#[derive(Clone, Debug)]
pub(crate) struct EpochFile {
    pub(crate) epoch: Epoch,
    path: PathBuf,
    pub(crate) stamp: Stamp,
    /// Its owner may still be writing it.
    is_newest: bool,
}

/// An epoch's whole commits.
#[derive(Debug)]
pub(crate) struct Records {
    pub(crate) segment: Segment,
    /// Bytes of a last commit that was not whole when they were read.
    pub(crate) unfinished_bytes: u64,
}

type Kept<T> = (Stamp, Result<Arc<T>, Arc<ConsoleError>>);

#[derive(Debug)]
pub(crate) struct Folder {
    dir: PathBuf,
    briefs: Mutex<BTreeMap<Epoch, Kept<Brief>>>,
    records: Mutex<VecDeque<(Epoch, Stamp, Arc<Records>)>>,
}

impl Folder {
    pub(crate) fn new(dir: PathBuf) -> Self {
        Self { dir, briefs: Mutex::default(), records: Mutex::default() }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.dir
    }

    /// The files, ascending by epoch.
    pub(crate) fn list(&self) -> Result<Vec<EpochFile>, ConsoleError> {
        let listed = segments(&self.dir).map_err(ConsoleError::Folder)?;
        let newest = listed.last().map(|(epoch, _)| *epoch);
        let mut files = Vec::with_capacity(listed.len());
        for (epoch, path) in listed {
            // One that was just taken away isn't there, and nothing but a file is read.
            let Some(found) = std::fs::metadata(&path).ok().filter(std::fs::Metadata::is_file) else {
                continue;
            };
            let stamp = Stamp { bytes: found.len(), changed: found.modified().ok() };
            files.push(EpochFile { epoch, path, stamp, is_newest: Some(epoch) == newest });
        }
        Ok(files)
    }

    pub(crate) fn file(&self, epoch: Epoch) -> Result<EpochFile, ConsoleError> {
        self.list()?.into_iter().find(|file| file.epoch == epoch).ok_or(ConsoleError::NoEpoch(epoch))
    }

    /// The figures of an epoch; what was found out once stays found out until the file changes.
    pub(crate) fn brief(&self, file: &EpochFile) -> Result<Arc<Brief>, Arc<ConsoleError>> {
        if let Some(known) = self.known_brief(file) {
            return known;
        }
        let brief = self.records(file).map(|records| Arc::new(Brief::of(&records))).map_err(Arc::new);
        let mut briefs = self.briefs.lock().unwrap_or_else(PoisonError::into_inner);
        briefs.insert(file.epoch, (file.stamp, brief.clone()));
        // The newest are asked for again and again.
        while briefs.len() > BRIEFS_KEPT {
            briefs.pop_first();
        }
        brief
    }

    /// As [`Folder::brief`], where no file has to be read for it.
    pub(crate) fn known_brief(&self, file: &EpochFile) -> Option<Result<Arc<Brief>, Arc<ConsoleError>>> {
        let briefs = self.briefs.lock().unwrap_or_else(PoisonError::into_inner);
        briefs.get(&file.epoch).filter(|(stamp, _)| *stamp == file.stamp).map(|(_, brief)| brief.clone())
    }

    /// The records of an epoch, with all bytes that they name.
    pub(crate) fn records(&self, file: &EpochFile) -> Result<Arc<Records>, ConsoleError> {
        let kept = || self.records.lock().unwrap_or_else(PoisonError::into_inner);
        let known =
            |(epoch, stamp, _): &&(Epoch, Stamp, Arc<Records>)| *epoch == file.epoch && *stamp == file.stamp;
        if let Some((.., records)) = kept().iter().find(known) {
            return Ok(records.clone());
        }
        let records = Arc::new(read(file)?);
        let mut kept = kept();
        kept.retain(|(epoch, ..)| *epoch != file.epoch);
        kept.push_back((file.epoch, file.stamp, records.clone()));
        let bytes =
            |kept: &VecDeque<(Epoch, Stamp, _)>| kept.iter().map(|(_, stamp, _)| stamp.bytes).sum::<u64>();
        while kept.len() > SEGMENTS_KEPT || bytes(&kept) > SEGMENT_BYTES_KEPT && !kept.is_empty() {
            kept.pop_front();
        }
        Ok(records)
    }
}

fn read(file: &EpochFile) -> Result<Records, ConsoleError> {
    let epoch = file.epoch;
    let fail = |source| ConsoleError::Read { epoch, source };
    let mut bytes = Vec::new();
    let opened = File::open(&file.path).map_err(fail)?;
    // One byte more than the limit tells a file that is too large from one that just fits.
    opened.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(fail)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(ConsoleError::TooLarge(epoch));
    }
    let read = if file.is_newest {
        Segment::read_whole_commits(&bytes)
    } else {
        Segment::read(&bytes).map(|segment| (segment, 0))
    };
    let (segment, unfinished_bytes) = read.map_err(|source| ConsoleError::Damaged { epoch, source })?;
    Ok(Records { segment, unfinished_bytes })
}
