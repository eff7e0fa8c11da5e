//! Files: read up to a limit, written whole.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use crate::error::JobError;

/// Reads a file of at most so many bytes.
pub(crate) fn read(path: &Path, bytes_max: u64) -> Result<Vec<u8>, JobError> {
    let fail = |source| JobError::Io { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(bytes_max + 1).read_to_end(&mut bytes)).map_err(fail)?;
    if bytes.len() as u64 > bytes_max {
        return Err(JobError::Large { path: path.to_owned(), bytes_max });
    }
    Ok(bytes)
}

/// As [`read`]; `None` where there is no such file.
pub(crate) fn read_if_any(path: &Path, bytes_max: u64) -> Result<Option<Vec<u8>>, JobError> {
    match read(path, bytes_max) {
        Err(JobError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
        other => other.map(Some),
    }
}

pub(crate) fn read_text(path: &Path, bytes_max: u64) -> Result<String, JobError> {
    text(path, read(path, bytes_max)?)
}

pub(crate) fn text(path: &Path, bytes: Vec<u8>) -> Result<String, JobError> {
    String::from_utf8(bytes).map_err(|_| JobError::wrong(path, "it isn't UTF-8"))
}

/// Writes a file whole: whoever looks at it finds the old bytes or the new ones.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), JobError> {
    let fail = |source| JobError::Io { path: path.to_owned(), source };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = folder.join(format!(".{name}.tmp"));
    let writing = || {
        let mut file = File::create(&temporary)?;
        file.write_all(bytes)?;
        // Before the rename, or a crash could leave the new name on bytes that were never written.
        file.sync_all()?;
        fs::rename(&temporary, path)?;
        File::open(folder)?.sync_all()
    };
    writing().map_err(fail)
}

/// Makes a folder; one that holds anything is refused.
pub(crate) fn make_empty(dir: &Path) -> Result<(), JobError> {
    let fail = |source| JobError::Io { path: dir.to_owned(), source };
    fs::create_dir_all(dir).map_err(fail)?;
    if fs::read_dir(dir).map_err(fail)?.next().is_some() {
        return Err(JobError::wrong(dir, "there are files in it already; name another folder"));
    }
    Ok(())
}

/// The names in a folder, sorted; hidden ones aside.
pub(crate) fn names(dir: &Path) -> Result<Vec<String>, JobError> {
    let fail = |source| JobError::Io { path: dir.to_owned(), source };
    let mut names = Vec::new();
    for entry in fs::read_dir(dir).map_err(fail)? {
        let name = entry.map_err(fail)?.file_name().into_string();
        let name = name.map_err(|_| JobError::wrong(dir, "it has a file whose name isn't UTF-8"))?;
        if !name.starts_with('.') {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}
