//! Points at which a life may end: before and after each durable step, and in the middle of it.

use std::collections::BTreeSet;
use std::io;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha20Rng;
use weighhouse_journal::{epoch_of_name, read_record};
use weighhouse_seams::{AppendFile, DirStorage, ReadFile, Storage};
use weighhouse_types::{IntentState, Record};

use super::{Told, tell};

/// Of the times that a point is reached at which it may end, one in so many ends it.
const ENDS_ONE_IN: u32 = 2;

#[derive(Debug)]
pub(super) struct Points(Mutex<State>);

#[derive(Debug)]
struct State {
    ends_at: Vec<String>,
    rng: ChaCha20Rng,
    reached: BTreeSet<String>,
}

impl Points {
    pub(super) fn new(ends_at: Vec<String>, seed: u64) -> Self {
        Self(Mutex::new(State { ends_at, rng: ChaCha20Rng::seed_from_u64(seed), reached: BTreeSet::new() }))
    }

    /// Doesn't return where the life ends here.
    pub(super) fn at(&self, point: &str) {
        if self.ends(point) {
            wait_for_the_end(point);
        }
    }

    fn ends(&self, point: &str) -> bool {
        let mut state = self.0.lock().expect("no test panics with it");
        if state.reached.insert(point.to_owned()) {
            tell(&Told::Point(point.to_owned()));
        }
        let may = state.ends_at.iter().any(|end| end == point);
        may && state.rng.random_range(0..ENDS_ONE_IN) == 0
    }
}

fn wait_for_the_end(point: &str) -> ! {
    tell(&Told::Waits(point.to_owned()));
    loop {
        std::thread::park();
    }
}

/// A folder whose every change is a point.
#[derive(Debug)]
pub(super) struct Noted {
    folder: DirStorage,
    path: PathBuf,
    points: Arc<Points>,
}

impl Noted {
    pub(super) fn new(folder: DirStorage, path: PathBuf, points: Arc<Points>) -> Self {
        Self { folder, path, points }
    }

    fn replace(&self, name: &str, bytes: &[u8], write: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        let what = kind_of_file(name);
        self.points.at(&format!("{what}: before"));
        if self.points.ends(&format!("{what}: half")) {
            // As far as the replacement would be: its new bytes lie beside it.
            let mut half = std::fs::File::create(self.path.join(format!(".{name}.tmp")))?;
            half.write_all(&bytes[..bytes.len() / 2])?;
            wait_for_the_end(&format!("{what}: half"));
        }
        write()?;
        self.points.at(&format!("{what}: after"));
        Ok(())
    }
}

/// The name without what differs from one validator, epoch or life to the next.
fn kind_of_file(name: &str) -> &str {
    match epoch_of_name(name) {
        Some(_) => "epoch's file",
        None => {
            let kind = name.split(|c: char| !c.is_ascii_lowercase() && c != '-').next();
            kind.unwrap_or(name).trim_end_matches('-')
        }
    }
}

impl Storage for Noted {
    fn describe(&self, name: &str) -> String {
        self.folder.describe(name)
    }
    fn list(&self) -> io::Result<Vec<String>> {
        self.folder.list()
    }
    fn open_append(&self, name: &str) -> io::Result<Box<dyn AppendFile>> {
        let file = self.folder.open_append(name)?;
        Ok(Box::new(NotedFile { file, points: self.points.clone(), appended: String::new() }))
    }
    fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        self.folder.read(name)
    }
    fn open_read(&self, name: &str) -> io::Result<Option<Box<dyn ReadFile>>> {
        self.folder.open_read(name)
    }
    fn free_bytes(&self) -> io::Result<Option<u64>> {
        self.folder.free_bytes()
    }
    fn write_atomic(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.replace(name, bytes, || self.folder.write_atomic(name, bytes))
    }
    fn write_secret(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.replace(name, bytes, || self.folder.write_secret(name, bytes))
    }
    fn remove(&self, name: &str) -> io::Result<()> {
        self.points.at("removal: before");
        self.folder.remove(name)?;
        self.points.at("removal: after");
        Ok(())
    }
}

#[derive(Debug)]
struct NotedFile {
    file: Box<dyn AppendFile>,
    points: Arc<Points>,
    /// What was appended last.
    appended: String,
}

impl AppendFile for NotedFile {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }
    fn read_at(&mut self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        self.file.read_at(offset, bytes)
    }
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.appended = commit_name(bytes).to_owned();
        self.points.at(&format!("{}: before", self.appended));
        let half = format!("{}: half", self.appended);
        if self.points.ends(&half) {
            self.file.append(&bytes[..bytes.len() / 2])?;
            wait_for_the_end(&half);
        }
        self.file.append(bytes)?;
        self.points.at(&format!("{}: written", self.appended));
        Ok(())
    }
    fn sync(&mut self) -> io::Result<()> {
        self.file.sync()?;
        if !self.appended.is_empty() {
            self.points.at(&format!("{}: durable", self.appended));
        }
        Ok(())
    }
    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.points.at("torn commit: before the cut");
        self.file.truncate(len)?;
        self.points.at("torn commit: cut");
        Ok(())
    }
}

/// Bytes of a commit before its records.
const BATCH_HEADER: usize = 20;

/// The name of a commit by what weighs most in it.
fn commit_name(batch: &[u8]) -> &'static str {
    let mut rest = batch.get(BATCH_HEADER..).unwrap_or_default();
    let mut name = (0, "other");
    while let Some((length, after)) = rest.split_first_chunk() {
        let length = u32::from_le_bytes(*length) as usize;
        let Some(record) = after.get(..length).and_then(|payload| read_record(payload).ok()) else { break };
        name = name.max(record_name(&record));
        rest = &after[length..];
    }
    name.1
}

/// Its weight among those of a commit, and its name.
fn record_name(record: &Record) -> (u8, &'static str) {
    match record {
        Record::EpochOpened(_) => (9, "opening"),
        Record::Intent(_) => (8, "intent"),
        Record::EpochClosed(_) => (7, "closing"),
        Record::IntentUpdate(update) => (6, state_name(&update.state)),
        Record::Checkpoint(_) => (5, "checkpoint"),
        Record::Judged(_) => (4, "verdicts"),
        Record::Asked(_) => (3, "asked"),
        Record::Abstained { .. } | Record::VoidRound(_) => (2, "nothing"),
        _ => (1, "other"),
    }
}

fn state_name(state: &IntentState) -> &'static str {
    match state {
        IntentState::Signed { .. } => "signed",
        IntentState::Sealed { .. } => "sealed",
        IntentState::Committing { .. } => "commit signed",
        IntentState::Committed { .. } => "committed",
        IntentState::Revealing { .. } => "reveal signed",
        IntentState::Revealed { .. } => "revealed",
        IntentState::Included { .. } => "included",
        IntentState::Published { .. } => "published",
        _ => "ended",
    }
}
