//! A running validator's epochs, as far as they are public: each file is read once, beside the validator's own work.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tracing::error;
use weighhouse_journal::{Journal, Segment, segment_name};
use weighhouse_seams::Storage;
use weighhouse_types::{Digest, Epoch};

use super::index::{BundleEntry, BundleIndex};
use super::outcome::{Facts, settled};
use crate::metrics;

/// A file that is over, and so never changes.
struct Closed {
    bytes: u64,
    sha256: Digest,
    root: Digest,
    facts: Facts,
}

/// See the module's text.
pub(super) struct Catalogue {
    journal: Arc<Mutex<Journal>>,
    storage: Arc<dyn Storage>,
    keep_epochs: usize,
    /// By epoch; `None` of one that is no bundle: damaged, or never opened.
    read: Mutex<BTreeMap<Epoch, Option<Closed>>>,
    listed: Mutex<Arc<BundleIndex>>,
}

impl fmt::Debug for Catalogue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Catalogue").field("keep_epochs", &self.keep_epochs).finish_non_exhaustive()
    }
}

impl Catalogue {
    pub(super) fn new(journal: Arc<Mutex<Journal>>, storage: Arc<dyn Storage>, keep_epochs: usize) -> Self {
        let nothing = BundleIndex::new(lock(&journal).identity(), Vec::new());
        let (read, listed) = (Mutex::default(), Mutex::new(Arc::new(nothing)));
        Self { journal, storage, keep_epochs, read, listed }
    }

    pub(super) fn index(&self) -> Arc<BundleIndex> {
        lock(&self.listed).clone()
    }

    pub(super) fn entry(&self, epoch: Epoch) -> Option<BundleEntry> {
        self.index().bundles.iter().find(|entry| entry.epoch == epoch).cloned()
    }

    /// Brings the list up to the journal's state, and reads at most one file for it, the newest first: true where there are more to
    /// read.
    pub(super) fn refresh(&self) -> bool {
        let (epochs, identity, open) = {
            let journal = lock(&self.journal);
            (journal.epochs(), *journal.identity(), Facts::of(journal.records()))
        };
        // Where a crash left the newest file without its opening, which epoch is open shows with the next one.
        let (Some(open), Some((_, past))) = (open, epochs.split_last()) else { return false };
        let past = &past[past.len().saturating_sub(self.keep_epochs)..];
        let mut read = lock(&self.read);
        read.retain(|epoch, _| past.contains(epoch));
        let unread = past.iter().rev().find(|epoch| !read.contains_key(epoch));
        if let Some(epoch) = unread {
            match self.read(*epoch) {
                Ok(closed) => drop(read.insert(*epoch, closed)),
                // Out of descriptors, say: the next block tries again.
                Err(error) => {
                    error!(file = self.storage.describe(&segment_name(*epoch)), %error, "a bundle can't be read");
                    return false;
                }
            }
        }
        let known: Vec<(Epoch, &Closed)> =
            read.iter().filter_map(|(epoch, closed)| Some((*epoch, closed.as_ref()?))).collect();
        let entry = |(at, (epoch, closed)): (usize, &(Epoch, &Closed))| {
            let later = known[at + 1..].iter().map(|(_, closed)| &closed.facts).chain([&open]);
            let (weights, published_at) = settled(*epoch, &closed.facts, later)?;
            let Closed { bytes, sha256, root, .. } = **closed;
            let name = segment_name(*epoch);
            Some(BundleEntry { epoch: *epoch, name, bytes, sha256, root, weights, published_at })
        };
        let bundles: Vec<BundleEntry> = known.iter().enumerate().filter_map(entry).collect();
        metrics::bundles_offered(bundles.len());
        *lock(&self.listed) = Arc::new(BundleIndex::new(&identity, bundles));
        unread.is_some() && past.iter().any(|epoch| !read.contains_key(epoch))
    }

    fn read(&self, epoch: Epoch) -> std::io::Result<Option<Closed>> {
        let name = segment_name(epoch);
        // Gone between the listing and now.
        let Some(bytes) = self.storage.read(&name)? else { return Ok(None) };
        let segment = match Segment::read(&bytes) {
            Ok(segment) => segment,
            Err(error) => {
                error!(file = self.storage.describe(&name), %error, "this epoch is damaged and isn't offered as a bundle");
                return Ok(None);
            }
        };
        // Nobody could work its verdicts out again.
        if segment.removed() > 0 {
            return Ok(None);
        }
        let closed = |facts| Closed {
            bytes: bytes.len() as u64,
            sha256: Digest::of(&bytes),
            root: segment.root(),
            facts,
        };
        Ok(Facts::of(segment.records()).map(closed))
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
