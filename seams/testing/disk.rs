//! A folder in memory that forgets, tears and fails on demand. The tests of several crates include this file.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use weighhouse_seams::{AppendFile, Storage};

pub(crate) const SECTOR: usize = 512;

/// Clones share one folder.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disk(Arc<Mutex<State>>);

#[derive(Clone, Debug, Default)]
struct State {
    files: BTreeMap<String, Content>,
    /// Calls that reached the disk so far.
    calls: u64,
    fail_at: Option<u64>,
    failure: Failure,
}

/// How a call fails.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Failure {
    pub(crate) kind: io::ErrorKind,
    /// Of the bytes of an append, how many are written all the same.
    pub(crate) short_write: usize,
    /// What isn't an append has its effect, and only its success is not told.
    pub(crate) takes_effect: bool,
    pub(crate) lasts: Lasts,
}

/// Which calls fail after the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lasts {
    Once,
    /// Those that need room.
    Writes,
    /// All: the power is off.
    All,
}

impl Default for Failure {
    fn default() -> Self {
        Self { kind: io::ErrorKind::StorageFull, short_write: 0, takes_effect: false, lasts: Lasts::Once }
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Content {
    bytes: Vec<u8>,
    /// This many of them are durable.
    synced: usize,
}

impl Disk {
    /// Fails call number `call` from now on (from 0), once; a failing append writes `short_write` bytes.
    pub(crate) fn fail_at(&self, call: u64, short_write: usize) {
        self.fail_with(call, Failure { short_write, ..Failure::default() });
    }

    /// As above, in another way.
    pub(crate) fn fail_with(&self, call: u64, failure: Failure) {
        let mut state = self.state();
        state.fail_at = Some(state.calls + call);
        state.failure = failure;
    }

    pub(crate) fn calls(&self) -> u64 {
        self.state().calls
    }

    pub(crate) fn has_failed(&self) -> bool {
        let state = self.state();
        state.fail_at.is_some_and(|call| state.calls > call)
    }

    pub(crate) fn file(&self, name: &str) -> Option<Vec<u8>> {
        Some(self.state().files.get(name)?.bytes.clone())
    }

    pub(crate) fn put(&self, name: &str, bytes: &[u8]) {
        self.state().files.insert(name.to_owned(), Content { bytes: bytes.to_vec(), synced: bytes.len() });
    }

    pub(crate) fn remove(&self, name: &str) {
        self.state().files.remove(name);
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.state().files.keys().cloned().collect()
    }

    pub(crate) fn unsynced(&self, name: &str) -> usize {
        let state = self.state();
        let content = &state.files[name];
        content.bytes.len() - content.synced
    }

    /// The folder after the process died: nothing is lost, nothing more is durable.
    pub(crate) fn after_kill(&self) -> Self {
        self.after(|_| {})
    }

    /// The folder after the power went: of each file's unsynced bytes the first `kept` survive.
    pub(crate) fn after_power_cut(&self, kept: usize) -> Self {
        self.after(|content| {
            let length = content.bytes.len().min(content.synced.saturating_add(kept));
            content.bytes.truncate(length);
            content.synced = length;
        })
    }

    /// As above, but every length survives and the sectors for which `is_lost` says so read as zeros where they hold
    /// unsynced bytes. Sectors are counted from the first with such bytes.
    pub(crate) fn after_lost_sectors(&self, is_lost: impl Fn(usize) -> bool) -> Self {
        self.after(|content| {
            let first = content.synced / SECTOR;
            for at in content.synced..content.bytes.len() {
                if is_lost(at / SECTOR - first) {
                    content.bytes[at] = 0;
                }
            }
            content.synced = content.bytes.len();
        })
    }

    fn after(&self, crash: impl Fn(&mut Content)) -> Self {
        let mut files = self.state().files.clone();
        files.values_mut().for_each(crash);
        Self(Arc::new(Mutex::new(State { files, ..State::default() })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no test panics with the lock held")
    }

    /// Counts a call; the error is the one that is due.
    fn call(&self, does: Does) -> Result<MutexGuard<'_, State>, Refused<'_>> {
        let mut state = self.state();
        let (call, failure) = (state.calls, state.failure);
        state.calls += 1;
        let Some(first) = state.fail_at.filter(|first| call >= *first) else { return Ok(state) };
        let fails = match failure.lasts {
            Lasts::Once => call == first,
            Lasts::Writes => call == first || does == Does::Write,
            Lasts::All => true,
        };
        if !fails {
            return Ok(state);
        }
        let why =
            if failure.kind == io::ErrorKind::StorageFull { "no space left" } else { "input/output error" };
        // Whatever comes after the power went has no effect.
        let is_first = call == first;
        Err(Refused { state, failure, is_first, error: io::Error::new(failure.kind, why) })
    }

    /// A call that has its effect or fails; or, where the failure says so, both.
    fn change<T>(&self, does: Does, act: impl FnOnce(&mut State) -> T) -> io::Result<T> {
        match self.call(does) {
            Ok(mut state) => Ok(act(&mut state)),
            Err(Refused { mut state, failure, is_first, error }) => {
                if is_first && failure.takes_effect {
                    act(&mut state);
                }
                Err(error)
            }
        }
    }
}

/// What a call does to the room on the disk.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Does {
    Read,
    Write,
}

struct Refused<'a> {
    state: MutexGuard<'a, State>,
    failure: Failure,
    is_first: bool,
    error: io::Error,
}

impl Storage for Disk {
    fn describe(&self, name: &str) -> String {
        format!("disk/{name}")
    }

    fn list(&self) -> io::Result<Vec<String>> {
        self.change(Does::Read, |state| state.files.keys().cloned().collect())
    }

    fn open_append(&self, name: &str) -> io::Result<Box<dyn AppendFile>> {
        self.change(Does::Read, |state| {
            state.files.entry(name.to_owned()).or_default();
        })?;
        Ok(Box::new(Open { disk: self.clone(), name: name.to_owned() }))
    }

    fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        self.change(Does::Read, |state| state.files.get(name).map(|content| content.bytes.clone()))
    }

    fn write_atomic(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let content = Content { bytes: bytes.to_vec(), synced: bytes.len() };
        self.change(Does::Write, |state| {
            state.files.insert(name.to_owned(), content);
        })
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.change(Does::Read, |state| {
            state.files.remove(name);
        })
    }
}

#[derive(Debug)]
struct Open {
    disk: Disk,
    name: String,
}

impl Open {
    fn with<T>(&self, state: &mut State, act: impl FnOnce(&mut Content) -> T) -> T {
        act(state.files.get_mut(&self.name).expect("an open file exists"))
    }

    fn change<T>(&self, act: impl FnOnce(&mut Content) -> T) -> io::Result<T> {
        self.disk.change(Does::Read, |state| self.with(state, act))
    }
}

impl AppendFile for Open {
    fn len(&self) -> io::Result<u64> {
        self.change(|content| content.bytes.len() as u64)
    }

    fn read_at(&mut self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        self.change(|content| {
            let start = usize::try_from(offset).expect("small");
            let found = content.bytes.get(start..start + bytes.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
            bytes.copy_from_slice(found);
            Ok(())
        })?
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self.disk.call(Does::Write) {
            Ok(mut state) => self.with(&mut state, |content| content.bytes.extend(bytes)),
            Err(Refused { mut state, failure, is_first, error }) => {
                if is_first {
                    let written = &bytes[..failure.short_write.min(bytes.len())];
                    self.with(&mut state, |content| content.bytes.extend(written));
                }
                return Err(error);
            }
        }
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.change(|content| content.synced = content.bytes.len())
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.change(|content| {
            content.bytes.truncate(usize::try_from(len).expect("small"));
            content.synced = content.bytes.len();
        })
    }
}
