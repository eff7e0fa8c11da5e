//! A nonce is accepted once: across restarts, in bounded memory, without a disk write per request.
//!
//! **Within a run** every accepted (hotkey, nonce) is remembered until it is too old to be fresh. At its caps the
//! guard refuses instead of forgetting. **Across runs** a leased high-water time is on disk before any nonce up to it
//! is accepted; after a restart everything at or below it is refused. A lease lasts [`LEASE`], so there is one durable
//! write in that time however many requests come, and after a crash callers are refused for at most
//! [`LEASE`] + [`MAX_AHEAD`] (after [`ReplayGuard::release`], not at all).
//!
//! Deleting the file gives up protection for the requests of the last [`crate::btauth::MAX_AGE`]; an unreadable one
//! stops the role.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use weighhouse_seams::{Clock, Storage, UnixNanos};
use weighhouse_types::Hotkey;

use crate::btauth::MAX_AHEAD;

/// Time by which a durable high-water mark reaches beyond the nonce that asked for it.
pub const LEASE: Duration = Duration::from_secs(3);
/// Time for which an accepted nonce is remembered: a whole freshness window, and time to read a slow body after it.
pub const RETENTION: Duration = Duration::from_secs(20);

const FILE: &str = "replay-high-water";
const FILE_HEAD: &str = "weighhouse-replay 1 ";

/// Caps on what is remembered. An entry takes about 60 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplayLimits {
    /// All callers together.
    pub total: usize,
    /// One caller; well below `total`, so that one cannot crowd out the rest.
    pub per_hotkey: usize,
}

impl ReplayLimits {
    /// 13,000 requests a second from everybody, 800 from one.
    pub const STANDARD: Self = Self { total: 262_144, per_hotkey: 16_384 };

    /// A quarter of a gigabyte.
    pub const MOST: Self = Self { total: 4 << 20, per_hotkey: 2 << 20 };

    /// Enough that a caller meets its quota first, and that seven who use theirs up leave room for the others; within
    /// [`Self::MOST`], which very large quotas reach.
    pub fn of_quota(per_second: u32, burst: u32) -> Self {
        let remembered = u64::from(per_second) * RETENTION.as_secs() + u64::from(burst);
        // Twice, because requests over the quota use nonces too.
        let per_hotkey = usize::try_from(remembered * 2).unwrap_or(usize::MAX);
        let per_hotkey = per_hotkey.clamp(Self::STANDARD.per_hotkey, Self::MOST.per_hotkey);
        let total = per_hotkey.saturating_mul(8).clamp(Self::STANDARD.total, Self::MOST.total);
        Self { total, per_hotkey }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum ReplayOpenError {
    #[error("{path}: {source}")]
    Io { path: String, source: io::Error },
    #[error(
        "{path}: not a high-water mark of the replay guard; once no request of the last seconds can matter, delete it"
    )]
    Unreadable { path: String },
}

/// Why a nonce is not accepted.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    #[error("the nonce was used before")]
    Seen,
    #[error(
        "the nonce is at or below the high-water mark of an earlier run; {ready_in:?} until fresh nonces pass"
    )]
    BelowMark { ready_in: Duration },
    #[error("the nonce lies beyond the freshness window")]
    Ahead,
    #[error("{0} has used as many nonces as are remembered for one caller")]
    CallerFull(Hotkey),
    #[error("as many nonces as are remembered at all have been used")]
    Full,
    #[error("the high-water mark can't be stored in {path}: {source}")]
    Storage { path: String, source: io::Error },
}

/// See the module's text. Shared by reference; one per role and storage folder.
#[derive(Debug)]
pub struct ReplayGuard {
    storage: Arc<dyn Storage>,
    clock: Arc<dyn Clock>,
    state: Mutex<ReplayState>,
    /// Whether the last write of the mark worked.
    stores: AtomicBool,
}

#[derive(Debug)]
struct ReplayState {
    limits: ReplayLimits,
    /// At or below this nothing is accepted: an earlier run's lease, then the newest nonce forgotten.
    floor: u64,
    /// On disk: at or below this nonces may be accepted.
    lease: u64,
    highest: u64,
    /// Oldest first, so that forgetting starts at the front.
    seen: BTreeSet<(u64, Hotkey)>,
    per_hotkey: HashMap<Hotkey, usize>,
}

impl ReplayGuard {
    pub fn open(
        storage: Arc<dyn Storage>,
        clock: Arc<dyn Clock>,
        limits: ReplayLimits,
    ) -> Result<Self, ReplayOpenError> {
        let path = storage.describe(FILE);
        let floor = match storage.read(FILE) {
            Ok(None) => 0,
            Ok(Some(bytes)) => parse(&bytes).ok_or(ReplayOpenError::Unreadable { path })?,
            Err(source) => return Err(ReplayOpenError::Io { path, source }),
        };
        let wait = Duration::from_nanos(floor.saturating_sub(clock.now().0));
        // Up to this much is the lease of a run that ended without a clean stop.
        if wait > LEASE + MAX_AHEAD {
            tracing::warn!(
                ?wait,
                "the clock is behind an earlier run's; requests are refused until it catches up"
            );
        }
        let state = ReplayState {
            limits,
            floor,
            // Nothing above the old mark is covered yet, so the first nonce writes a lease.
            lease: floor,
            // A run that accepts nothing must not lower the mark when it gives its lease back.
            highest: floor,
            seen: BTreeSet::new(),
            per_hotkey: HashMap::new(),
        };
        Ok(Self { storage, clock, state: Mutex::new(state), stores: AtomicBool::new(true) })
    }

    /// Accepts a nonce whose signature was verified, at most once. Blocks for a durable write about once per
    /// [`LEASE`], so call it off the reactor.
    pub fn accept(&self, hotkey: &Hotkey, nonce: u64) -> Result<(), ReplayError> {
        let now = self.clock.now();
        let mut state = self.lock();
        // First, so that a caller's old nonces don't count against its limit.
        state.forget_before(now.saturating_sub(RETENTION).0);
        if nonce <= state.floor {
            return Err(ReplayError::BelowMark {
                ready_in: Duration::from_nanos(state.floor.saturating_sub(now.0)),
            });
        }
        if nonce > now.saturating_add(MAX_AHEAD).0 {
            return Err(ReplayError::Ahead);
        }
        if state.seen.contains(&(nonce, *hotkey)) {
            return Err(ReplayError::Seen);
        }
        if state.per_hotkey.get(hotkey).is_some_and(|count| *count >= state.limits.per_hotkey) {
            return Err(ReplayError::CallerFull(*hotkey));
        }
        if state.seen.len() >= state.limits.total {
            return Err(ReplayError::Full);
        }
        // The mark is durable before the nonce is accepted: a crash right after may forget it, but refuses all it
        // covers.
        if nonce > state.lease {
            let lease = UnixNanos(nonce).saturating_add(LEASE).0;
            // Written under the lock: of all callers that find the lease used up,
            // one writes and the rest find it extended.
            self.store(lease)
                .map_err(|source| ReplayError::Storage { path: self.storage.describe(FILE), source })?;
            state.lease = lease;
        }
        state.remember(nonce, *hotkey);
        Ok(())
    }

    /// Remembers so much from here on. What is remembered already stays so.
    pub fn limit(&self, limits: ReplayLimits) {
        self.lock().limits = limits;
    }

    /// Time until a fresh nonce passes: zero, except after a run that did not [`release`](Self::release).
    pub fn ready_in(&self) -> Duration {
        Duration::from_nanos(self.lock().floor.saturating_sub(self.clock.now().0))
    }

    /// Gives back what is left of the lease, at a clean stop: the next run accepts every newer nonce at once.
    pub fn release(&self) -> io::Result<()> {
        let mut state = self.lock();
        if state.lease > state.highest {
            self.store(state.highest)?;
            state.lease = state.highest;
        }
        Ok(())
    }

    /// Writes the mark again; while that fails no request passes. Blocks.
    pub fn try_storage(&self) -> io::Result<()> {
        let state = self.lock();
        self.store(state.lease)
    }

    /// Whether the mark could be written when it last had to be.
    pub fn stores(&self) -> bool {
        self.stores.load(Ordering::Relaxed)
    }

    fn store(&self, mark: u64) -> io::Result<()> {
        let stored = self.storage.write_atomic(FILE, format!("{FILE_HEAD}{mark}\n").as_bytes());
        self.stores.store(stored.is_ok(), Ordering::Relaxed);
        stored
    }

    fn lock(&self) -> MutexGuard<'_, ReplayState> {
        // Nothing panics between two changes of the state, so a poisoned one is whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ReplayState {
    fn remember(&mut self, nonce: u64, hotkey: Hotkey) {
        self.seen.insert((nonce, hotkey));
        *self.per_hotkey.entry(hotkey).or_default() += 1;
        self.highest = self.highest.max(nonce);
    }

    /// Forgetting a nonce raises the floor, so a clock that steps back does not bring it to life again.
    fn forget_before(&mut self, oldest: u64) {
        while let Some((nonce, hotkey)) = self.seen.first().copied().filter(|(nonce, _)| *nonce < oldest) {
            self.seen.pop_first();
            self.floor = self.floor.max(nonce);
            if let Some(count) = self.per_hotkey.get_mut(&hotkey) {
                *count -= 1;
                if *count == 0 {
                    self.per_hotkey.remove(&hotkey);
                }
            }
        }
    }
}

fn parse(bytes: &[u8]) -> Option<u64> {
    std::str::from_utf8(bytes).ok()?.strip_prefix(FILE_HEAD)?.strip_suffix('\n')?.parse().ok()
}

#[cfg(test)]
mod tests;
