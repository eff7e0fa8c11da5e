//! A folder in memory that forgets, tears and fails on demand.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use weighhouse_seams::{AppendFile, Storage};

pub(super) const SECTOR: usize = 512;

/// Clones share one folder.
#[derive(Clone, Debug, Default)]
pub(super) struct Disk(Arc<Mutex<State>>);

#[derive(Clone, Debug, Default)]
struct State {
    files: BTreeMap<String, Content>,
    /// Calls that reached the disk so far.
    calls: u64,
    fail_at: Option<u64>,
    /// Of the bytes of an append that fails, how many are written all the same.
    short_write: usize,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Content {
    bytes: Vec<u8>,
    /// This many of them are durable.
    synced: usize,
}

impl Disk {
    /// Fails call number `call` from now on (from 0), once; a failing append writes `short_write` bytes.
    pub(super) fn fail_at(&self, call: u64, short_write: usize) {
        let mut state = self.state();
        state.fail_at = Some(state.calls + call);
        state.short_write = short_write;
    }

    pub(super) fn has_failed(&self) -> bool {
        let state = self.state();
        state.fail_at.is_some_and(|call| state.calls > call)
    }

    pub(super) fn file(&self, name: &str) -> Option<Vec<u8>> {
        Some(self.state().files.get(name)?.bytes.clone())
    }

    pub(super) fn put(&self, name: &str, bytes: &[u8]) {
        self.state().files.insert(name.to_owned(), Content { bytes: bytes.to_vec(), synced: bytes.len() });
    }

    pub(super) fn remove(&self, name: &str) {
        self.state().files.remove(name);
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.state().files.keys().cloned().collect()
    }

    pub(super) fn unsynced(&self, name: &str) -> usize {
        let state = self.state();
        let content = &state.files[name];
        content.bytes.len() - content.synced
    }

    /// The folder after the process died: nothing is lost, nothing more is durable.
    pub(super) fn after_kill(&self) -> Self {
        self.after(|_| {})
    }

    /// The folder after the power went: of each file's unsynced bytes the first `kept` survive.
    pub(super) fn after_power_cut(&self, kept: usize) -> Self {
        self.after(|content| {
            let length = content.bytes.len().min(content.synced.saturating_add(kept));
            content.bytes.truncate(length);
            content.synced = length;
        })
    }

    /// As above, but every length survives and the sectors for which `is_lost` says so read as zeros where they hold
    /// unsynced bytes. Sectors are counted from the first with such bytes.
    pub(super) fn after_lost_sectors(&self, is_lost: impl Fn(usize) -> bool) -> Self {
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
    fn call(&self) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.state();
        state.calls += 1;
        if state.fail_at == Some(state.calls - 1) {
            return Err(io::Error::new(io::ErrorKind::StorageFull, "no space left"));
        }
        Ok(state)
    }
}

impl Storage for Disk {
    fn describe(&self, name: &str) -> String {
        format!("disk/{name}")
    }

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.call()?.files.keys().cloned().collect())
    }

    fn open_append(&self, name: &str) -> io::Result<Box<dyn AppendFile>> {
        self.call()?.files.entry(name.to_owned()).or_default();
        Ok(Box::new(Open { disk: self.clone(), name: name.to_owned() }))
    }

    fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        Ok(self.call()?.files.get(name).map(|content| content.bytes.clone()))
    }

    fn write_atomic(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let content = Content { bytes: bytes.to_vec(), synced: bytes.len() };
        self.call()?.files.insert(name.to_owned(), content);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.call()?.files.remove(name);
        Ok(())
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
}

impl AppendFile for Open {
    fn len(&self) -> io::Result<u64> {
        Ok(self.with(&mut *self.disk.call()?, |content| content.bytes.len() as u64))
    }

    fn read_at(&mut self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        self.with(&mut *self.disk.call()?, |content| {
            let start = usize::try_from(offset).expect("small");
            let found = content.bytes.get(start..start + bytes.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
            bytes.copy_from_slice(found);
            Ok(())
        })
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self.disk.call() {
            Ok(mut state) => self.with(&mut state, |content| content.bytes.extend(bytes)),
            Err(error) => {
                let mut state = self.disk.state();
                let written = &bytes[..state.short_write.min(bytes.len())];
                self.with(&mut state, |content| content.bytes.extend(written));
                return Err(error);
            }
        }
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.with(&mut *self.disk.call()?, |content| content.synced = content.bytes.len());
        Ok(())
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.with(&mut *self.disk.call()?, |content| {
            content.bytes.truncate(usize::try_from(len).expect("small"));
            content.synced = content.bytes.len();
        });
        Ok(())
    }
}
