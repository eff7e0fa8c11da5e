//! The folder of segments: opening and recovering it, appending to the last, reading all.
//!
//! Only the newest segment is ever written. Opening checks every file and keeps in memory where records and blobs are, not what
//! they hold.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use tracing::{info, warn};
use weighhouse_merkle::Frontier;
use weighhouse_seams::Storage;
use weighhouse_types::{Digest, Epoch, Record};

use crate::current::{Current, LoadError};
use crate::error::{JournalError, SegmentError};
use crate::format::Form;
use crate::header::{Identity, SegmentHeader, epoch_of_name, segment_name};
use crate::limits::JournalLimits;
use crate::removed;
use crate::scan;
use crate::segment::Segment;

/// Address of a record: its epoch, and its position among the epoch's records, which is its leaf's index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordIndex {
    pub epoch: Epoch,
    pub index: u64,
}

/// One validator's journal. Appending is for one owner; whoever shares it does so behind a lock.
#[derive(Debug)]
pub struct Journal {
    storage: Arc<dyn Storage>,
    identity: Identity,
    limits: JournalLimits,
    epochs: BTreeSet<Epoch>,
    /// The last epoch's segment; `None` in an empty folder.
    current: Option<Current>,
    /// The file whose write failed, and how.
    poisoned: Option<(String, String)>,
}

impl Journal {
    /// Opens the folder's journal, or an empty one. The last segment is read to its end; earlier ones when asked for.
    ///
    /// # Errors
    /// Where the last segment is damaged, of another version, or another validator's. Nothing is changed then.
    pub fn open(storage: Arc<dyn Storage>, identity: Identity) -> Result<Self, JournalError> {
        Self::with_limits(storage, identity, JournalLimits::STANDARD)
    }

    pub(crate) fn with_limits(
        storage: Arc<dyn Storage>,
        identity: Identity,
        limits: JournalLimits,
    ) -> Result<Self, JournalError> {
        let epochs = list(&*storage)?;
        let current = match epochs.last() {
            Some(epoch) => Some(recover(&*storage, SegmentHeader { epoch: *epoch, identity })?),
            None => None,
        };
        if let Some(current) = &current {
            info!(epoch = current.header.epoch.0, records = current.log.size(), "journal opened");
        }
        Ok(Self { storage, identity, limits, epochs, current, poisoned: None })
    }

    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The folder's name, for messages.
    pub fn folder(&self) -> String {
        self.storage.describe("")
    }

    /// All epochs with a segment, ascending.
    pub fn epochs(&self) -> Vec<Epoch> {
        self.epochs.iter().copied().collect()
    }

    /// The epoch that is appended to.
    pub fn current_epoch(&self) -> Option<Epoch> {
        self.current.as_ref().map(|current| current.header.epoch)
    }

    /// Checks that the file which is appended to is still in its folder: bytes of a file without a name are lost with the process.
    ///
    /// # Errors
    /// Where it is gone, or can't be looked for.
    pub fn check_present(&self) -> Result<(), JournalError> {
        let Some(epoch) = self.current_epoch() else { return Ok(()) };
        let name = segment_name(epoch);
        let file = self.storage.describe(&name);
        match self.storage.open_read(&name) {
            Ok(Some(_)) => Ok(()),
            Ok(None) => Err(JournalError::Vanished { file }),
            Err(source) => Err(JournalError::Io { file, doing: "look for the journal", source }),
        }
    }

    /// Makes an epoch the one that is appended to; going on with the current one changes nothing.
    ///
    /// # Errors
    /// For an epoch before the current one, while records are not committed, or when the file can't be made.
    pub fn begin_epoch(&mut self, epoch: Epoch) -> Result<(), JournalError> {
        self.check_healthy()?;
        if let Some(current) = &self.current {
            let running = current.header.epoch;
            if epoch == running {
                return Ok(());
            }
            if epoch < running {
                return Err(JournalError::EpochOrder { current: running, asked: epoch });
            }
            // The records belong to the epoch that is about to end; in the next file they would be misplaced.
            if current.uncommitted() > 0 {
                return Err(JournalError::Uncommitted { records: current.uncommitted() });
            }
        }
        let name = segment_name(epoch);
        let header = SegmentHeader { epoch, identity: self.identity };
        let bytes = header.to_bytes(Form::Whole);
        let made = self.storage.write_atomic(&name, &bytes).and_then(|()| self.storage.open_append(&name));
        let file = made.map_err(|error| self.poison(epoch, "begin the epoch's file", error))?;
        self.current = Some(Current::fresh(file, header));
        self.epochs.insert(epoch);
        Ok(())
    }

    /// Removes the file of an epoch that is over, and says how many bytes it had. What it held is gone for good: whoever calls
    /// this knows that nobody needs it any more.
    ///
    /// # Errors
    /// For an epoch that isn't here, for the newest two, and where the file can't be removed; the journal stays usable.
    pub fn remove_epoch(&mut self, epoch: Epoch) -> Result<u64, JournalError> {
        self.check_removable(epoch)?;
        let name = segment_name(epoch);
        let remove = || {
            let bytes = self.storage.open_read(&name)?.map_or(Ok(0), |file| file.size())?;
            self.storage.remove(&name).map(|()| bytes)
        };
        let bytes = remove().map_err(|source| JournalError::Io {
            file: self.storage.describe(&name),
            doing: "remove an old epoch",
            source,
        })?;
        self.epochs.remove(&epoch);
        Ok(bytes)
    }

    /// Removes the blobs of an epoch that is over, and says by how many bytes its file became smaller: none where that was done
    /// before. Records, seals and the log stay as they are; what the blobs showed can't be shown any more.
    ///
    /// # Errors
    /// For an epoch that isn't here, for the newest two, and where the file is damaged or can't be written; the journal stays
    /// usable, and the file whole.
    pub fn remove_blobs(&mut self, epoch: Epoch) -> Result<u64, JournalError> {
        self.check_removable(epoch)?;
        let name = segment_name(epoch);
        let file = || self.storage.describe(&name);
        let io = |doing| move |source| JournalError::Io { file: file(), doing, source };
        let bytes = self.storage.read(&name).map_err(io("read an old epoch"))?;
        let bytes = bytes.ok_or(JournalError::UnknownEpoch { epoch })?;
        let left = removed::without_blobs(&bytes).map_err(|source| JournalError::segment(file(), source))?;
        let Some(left) = left else { return Ok(0) };
        self.storage.write_atomic(&name, &left).map_err(io("remove an old epoch's blobs"))?;
        Ok((bytes.len() as u64).saturating_sub(left.len() as u64))
    }

    /// Nothing is removed of the newest two: the newest is written, and goes on from the one before.
    fn check_removable(&self, epoch: Epoch) -> Result<(), JournalError> {
        self.check_healthy()?;
        if !self.epochs.contains(&epoch) {
            return Err(JournalError::UnknownEpoch { epoch });
        }
        match self.epochs.iter().rev().take(2).any(|kept| *kept == epoch) {
            true => Err(JournalError::Needed { epoch }),
            false => Ok(()),
        }
    }

    /// Adds a record to the next commit. Until then nothing of it is durable or visible. A blob that the epoch has already
    /// keeps the place it has.
    ///
    /// # Errors
    /// For a record of another epoch (news of an earlier intent excepted), or over a limit; the journal stays usable.
    pub fn append(&mut self, record: Record) -> Result<RecordIndex, JournalError> {
        self.check_healthy()?;
        let limits = self.limits;
        let current = self.current.as_mut().ok_or(JournalError::NoEpoch)?;
        let index = current.append(record, &limits)?;
        Ok(RecordIndex { epoch: current.header.epoch, index })
    }

    /// Makes everything appended since the last commit durable, then visible: one write, one sync, all or nothing.
    ///
    /// # Errors
    /// When the write or the sync fails; the journal then refuses everything until it is opened anew.
    pub fn commit(&mut self) -> Result<(), JournalError> {
        self.check_healthy()?;
        let Some(current) = &mut self.current else {
            return Ok(());
        };
        let epoch = current.header.epoch;
        current.commit().map_err(|error| self.poison(epoch, "commit records", error))
    }

    /// The committed records of the current epoch, without its blobs.
    pub fn records(&self) -> &[Record] {
        self.current.as_ref().map_or(&[], |current| &current.records)
    }

    /// The Merkle tree over the committed records of the current epoch, blobs included.
    pub fn log(&self) -> Option<&Frontier> {
        self.current.as_ref().map(|current| &current.log)
    }

    /// The committed records of the current epoch, without its blobs, and the leaves of all of them.
    pub(crate) fn current_leaves(&self) -> Option<(&[Record], &[Digest])> {
        self.current.as_ref().map(|current| (&current.records[..], &current.leaves[..]))
    }

    /// An epoch's committed records, without its blobs.
    ///
    /// # Errors
    /// Where there is no such epoch, or its file is damaged.
    pub fn read_epoch(&self, epoch: Epoch) -> Result<Vec<Record>, JournalError> {
        if self.current_epoch() == Some(epoch) {
            self.check_healthy()?;
            return Ok(self.records().to_vec());
        }
        let mut records = self.segment(epoch)?.into_records();
        records.retain(|record| !matches!(record, Record::Blob(_)));
        Ok(records)
    }

    /// A committed blob's bytes. Reads a whole file for any epoch but the current: for many blobs of one, take its
    /// [`segment`](Self::segment).
    ///
    /// # Errors
    /// Where there is no such epoch or blob, or the file is damaged.
    pub fn blob(&mut self, epoch: Epoch, digest: &Digest) -> Result<Vec<u8>, JournalError> {
        self.check_healthy()?;
        let bytes = match &mut self.current {
            Some(current) if current.header.epoch == epoch => {
                let header = current.header;
                current.blob(digest).map_err(|error| load_error(&*self.storage, header, error))?
            }
            _ => self.segment(epoch)?.blob(digest).map(<[u8]>::to_vec),
        };
        bytes.ok_or(JournalError::UnknownBlob { epoch, digest: *digest })
    }

    /// An epoch's whole segment, read from its file.
    ///
    /// # Errors
    /// Where there is no such epoch, or its file is damaged or another validator's.
    pub fn segment(&self, epoch: Epoch) -> Result<Segment, JournalError> {
        self.check_healthy()?;
        if !self.epochs.contains(&epoch) {
            return Err(JournalError::UnknownEpoch { epoch });
        }
        let expected = SegmentHeader { epoch, identity: self.identity };
        let fail = |error| load_error(&*self.storage, expected, error);
        let bytes = self.storage.read(&segment_name(epoch)).map_err(|error| fail(LoadError::Io(error)))?;
        let bytes = bytes.ok_or(JournalError::UnknownEpoch { epoch })?;
        let segment = Segment::read(&bytes).map_err(|error| fail(LoadError::Segment(error)))?;
        if *segment.header() != expected {
            return Err(fail(LoadError::OtherOwner(*segment.header())));
        }
        Ok(segment)
    }

    fn check_healthy(&self) -> Result<(), JournalError> {
        match &self.poisoned {
            None => Ok(()),
            Some((file, cause)) => Err(JournalError::Poisoned { file: file.clone(), cause: cause.clone() }),
        }
    }

    fn poison(&mut self, epoch: Epoch, doing: &'static str, source: io::Error) -> JournalError {
        let file = self.storage.describe(&segment_name(epoch));
        // A failed sync says nothing about which bytes are on the disk, so no later write may build on them.
        self.poisoned = Some((file.clone(), source.to_string()));
        JournalError::Io { file, doing, source }
    }
}

fn list(storage: &dyn Storage) -> Result<BTreeSet<Epoch>, JournalError> {
    let names = storage.list().map_err(|source| JournalError::Io {
        file: storage.describe(""),
        doing: "list the journal's folder",
        source,
    })?;
    Ok(names.iter().filter_map(|name| epoch_of_name(name)).collect())
}

fn load_error(storage: &dyn Storage, expected: SegmentHeader, error: LoadError) -> JournalError {
    let file = storage.describe(&segment_name(expected.epoch));
    match error {
        LoadError::Io(source) => JournalError::Io { file, doing: "read the journal", source },
        LoadError::Segment(source) => JournalError::segment(file, source),
        LoadError::OtherOwner(found) => {
            JournalError::OtherOwner { file, expected: Box::new(expected), found: Box::new(found) }
        }
    }
}

/// Opens the last segment for appending, setting a torn last batch aside.
fn recover(storage: &dyn Storage, expected: SegmentHeader) -> Result<Current, JournalError> {
    let name = segment_name(expected.epoch);
    let io_error = |doing| {
        let file = storage.describe(&name);
        move |source| JournalError::Io { file, doing, source }
    };
    let file = storage.open_append(&name).map_err(io_error("open the journal"))?;
    let (mut current, torn) =
        Current::load(file, expected).map_err(|error| load_error(storage, expected, error))?;
    if let Some(stop) = torn {
        let tail = current.tail().map_err(io_error("read the torn end"))?;
        // Kept before it is cut off: a crash in between loses nothing.
        let side = set_aside(storage, &name, &tail).map_err(io_error("set the torn end aside"))?;
        current.cut_tail().map_err(io_error("cut the torn end off"))?;
        warn!(
            file = storage.describe(&name),
            kept_in = storage.describe(&side),
            offset = stop.error.offset,
            bytes = tail.len(),
            cause = %stop.error.cause,
            "the last commit was torn by a crash and never acknowledged; it was cut off"
        );
    }
    // A process that was killed may leave whole batches that never reached the disk.
    current.sync().map_err(io_error("sync the journal"))?;
    Ok(current)
}

/// Keeps torn bytes in a file of their own, whose name it gives back.
fn set_aside(storage: &dyn Storage, name: &str, tail: &[u8]) -> io::Result<String> {
    let mut number = 0_u64;
    loop {
        let side = format!("{name}.torn-{number}");
        match storage.read(&side)? {
            None => {
                return match storage.write_atomic(&side, tail) {
                    // Nobody was told of what it holds, and a full disk keeps no validator from starting.
                    Err(error) if error.kind() == io::ErrorKind::StorageFull => {
                        Ok(format!("nowhere: {error}"))
                    }
                    written => written.map(|()| side),
                };
            }
            // A crash came between setting aside and cutting off.
            Some(kept) if kept == tail => return Ok(side),
            Some(_) => number += 1,
        }
    }
}

/// The readable part of one segment.
#[derive(Clone, Debug)]
pub struct SegmentReport {
    /// As the file's name says.
    pub epoch: Epoch,
    pub file: String,
    /// As the file says, where its header can be read.
    pub header: Option<SegmentHeader>,
    /// Records before the defect.
    pub records: u64,
    /// The Merkle root over them.
    pub root: Digest,
    pub defect: Option<SegmentError>,
    /// True if the defect is a torn last commit, which opening the journal cuts off, given that this is its last file.
    pub torn: bool,
}

/// Reads every segment of a folder, whoever's, and changes nothing.
///
/// # Errors
/// Where the folder or a file can't be read at all.
pub fn verify(storage: &dyn Storage) -> Result<Vec<SegmentReport>, JournalError> {
    list(storage)?.into_iter().map(|epoch| verify_segment(storage, epoch)).collect()
}

fn verify_segment(storage: &dyn Storage, epoch: Epoch) -> Result<SegmentReport, JournalError> {
    let file = storage.describe(&segment_name(epoch));
    let bytes = storage.read(&segment_name(epoch)).map_err(|source| JournalError::Io {
        file: file.clone(),
        doing: "read the journal",
        source,
    })?;
    // A file that vanished since the listing is reported like one without a header.
    let mut bytes = bytes.as_deref().unwrap_or_default();
    let root = Frontier::new().root();
    let mut report = SegmentReport { epoch, file, header: None, records: 0, root, defect: None, torn: false };
    let Ok(header) = scan::read_header(&mut bytes);
    let start = match header {
        Ok(start) => start,
        Err(defect) => return Ok(SegmentReport { defect: Some(defect), ..report }),
    };
    let Ok(scanned) = scan::scan(&mut bytes, &start, drop);
    report.header = Some(start.header);
    report.records = scanned.log.size();
    report.root = scanned.log.root();
    report.torn = scanned.stop.as_ref().is_some_and(|stop| stop.torn);
    report.defect = scanned.stop.map(|stop| stop.error);
    Ok(report)
}
