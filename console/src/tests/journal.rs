//! A journal of two epochs of a localnet, made once.

#![expect(clippy::disallowed_methods, reason = "test folders need not survive a crash")]

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use weighhouse_localnet::{DIGITS, EpochReport, Localnet, Observer, Options};
use weighhouse_models::Builtin;
use weighhouse_tasks::DIGITS_CONFORMANCE;
use weighhouse_types::{Block, Epoch, MechId};

use crate::ChainSource;

pub(super) struct Journal {
    pub(super) dir: PathBuf,
    pub(super) source: ChainSource,
    _root: TempDir,
}

struct Quiet;

impl Observer for Quiet {
    fn block(&mut self, _: Epoch, _: Block, _: Block) {}

    fn epoch_closed(&mut self, _: &EpochReport) -> io::Result<()> {
        Ok(())
    }
}

pub(super) fn journal() -> &'static Journal {
    static JOURNAL: OnceLock<Journal> = OnceLock::new();
    // A thread of its own: a runtime can't be waited for within another.
    JOURNAL.get_or_init(|| std::thread::spawn(made).join().expect("a localnet runs"))
}

fn made() -> Journal {
    let root = tempfile::tempdir().expect("a folder");
    let options = Options {
        task: DIGITS.to_owned(),
        task_file: DIGITS_CONFORMANCE.to_owned(),
        commit_reveal: false,
        seed: Some(7),
        epochs: Some(2),
        rounds: None,
        pretending: Vec::new(),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let weights = Arc::new(Builtin::Reference.bytes());
        let localnet = Localnet::open(root.path(), &options, weights).expect("opened");
        let (dir, (chain, netuid)) = (localnet.journal(), localnet.chain());
        let account = localnet.run(&mut Quiet, CancellationToken::new()).await.expect("it runs");
        assert!(account.is_some());
        Journal { dir, source: ChainSource { chain, netuid, mechanism: MechId(0) }, _root: root }
    })
}

/// A copy of the folder, and its files by epoch.
pub(super) fn copied() -> (TempDir, Vec<PathBuf>) {
    let dir = tempfile::tempdir().expect("a folder");
    let mut files = Vec::new();
    for (_, file) in weighhouse_journal::segments(&journal().dir).expect("listed") {
        let copy = dir.path().join(file.file_name().expect("a name"));
        std::fs::copy(&file, &copy).expect("copied");
        files.push(copy);
    }
    assert!(files.len() > 1, "{files:?}");
    (dir, files)
}

/// Flips a bit in the middle.
pub(super) fn damage(file: &Path) {
    let mut bytes = std::fs::read(file).expect("read");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(file, bytes).expect("written");
}

/// Takes the last byte, as a crash would.
pub(super) fn cut(file: &Path) {
    let opened = std::fs::OpenOptions::new().write(true).open(file).expect("opened");
    let bytes = opened.metadata().expect("a file").len();
    opened.set_len(bytes - 1).expect("cut");
}

/// Adds a byte: the beginning of a commit.
pub(super) fn grow(file: &Path) {
    let mut opened = std::fs::OpenOptions::new().append(true).open(file).expect("opened");
    opened.write_all(b"w").expect("written");
}
