//! Reading a folder's files, with what is well known to stand in their place told apart.

use std::fs::File;
use std::io::{self, Read as _, Seek as _};
use std::path::Path;

use sha2::Digest as _;
use weighhouse_types::Digest;

use super::error::FolderError;

/// Bytes by which a file is told that isn't what its name says.
const HEAD_BYTES: u64 = 64;
const POINTER: &[u8] = b"version https://git-lfs.github.com/spec/";
/// What git-annex leaves of an unlocked file that isn't here.
const ANNEXED: &[u8] = b"/annex/objects/";
const PAGES: [&[u8]; 2] = [b"<!doctype html", b"<html"];

/// A file up to its limit.
pub(super) fn small(root: &Path, name: &str, limit: u64) -> Result<Vec<u8>, FolderError> {
    let path = root.join(name);
    let file = open(&path)?;
    let mut bytes = Vec::new();
    // One byte more than the limit shows a file that is too long.
    match file.take(limit + 1).read_to_end(&mut bytes) {
        Err(error) => Err(FolderError::Read { path, error }),
        Ok(_) if bytes.len() as u64 > limit => {
            Err(FolderError::TooLong { path, bytes: bytes.len() as u64, limit })
        }
        Ok(_) => Ok(bytes),
    }
}

/// Opens a file that isn't empty, a pointer of Git LFS or git-annex, or a web page.
pub(super) fn open(path: &Path) -> Result<File, FolderError> {
    let read = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound if path.is_symlink() => {
            let what = "is a link to a file that isn't there: download it again (git-annex: `git annex get`)";
            FolderError::Wrong { path: path.to_owned(), what: what.to_owned() }
        }
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
            FolderError::Missing { path: path.to_owned() }
        }
        _ => FolderError::Read { path: path.to_owned(), error },
    };
    let mut file = File::open(path).map_err(read)?;
    let mut head = Vec::new();
    file.by_ref().take(HEAD_BYTES).read_to_end(&mut head).map_err(read)?;
    file.rewind().map_err(read)?;
    match what_instead(&head) {
        None => Ok(file),
        Some(what) => Err(FolderError::Wrong { path: path.to_owned(), what: what.to_owned() }),
    }
}

fn what_instead(head: &[u8]) -> Option<&'static str> {
    let lower = head.to_ascii_lowercase();
    if head.is_empty() {
        Some("is empty: download it again")
    } else if head.starts_with(POINTER) {
        Some("is a Git LFS pointer that stands for the file: run `git lfs pull` in its folder")
    } else if head.starts_with(ANNEXED) {
        Some("is a git-annex pointer that stands for the file: run `git annex get` in its folder")
    } else if PAGES.iter().any(|page| lower.trim_ascii_start().starts_with(page)) {
        Some("is a web page: download the file itself")
    } else {
        None
    }
}

/// Tells whether a folder has this name: a link to nothing is there, and told when it is opened.
pub(super) fn is_there(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

pub(super) fn hash(mut file: &File) -> io::Result<Digest> {
    let mut hasher = sha2::Sha256::new();
    // In pieces: weights may be larger than the memory.
    let mut piece = vec![0; 1 << 20];
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(Digest(hasher.finalize().into())),
            read => hasher.update(&piece[..read]),
        }
    }
}
