//! Reading and writing small private files: whole or not at all, for the owner alone, never over another by accident.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

/// No keyfile is near this size; a larger file is something else.
pub(crate) const KEYFILE_BYTES_MAX: u64 = 64 * 1024;

const FILE_MODE: u32 = 0o600;
const DIR_MODE: u32 = 0o700;

/// Permission of a write to replace a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overwrite {
    Never,
    Replace,
}

pub(crate) fn read(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    if length > KEYFILE_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "too large for a keyfile"));
    }
    // Reserved up front: growing would leave copies of a secret behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(length).unwrap_or(0) + 1));
    // Limited here as well: the file may have grown since its length was asked for.
    file.take(KEYFILE_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Reads a secret and warns where others may read it too.
pub(crate) fn read_secret(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    let mode = fs::metadata(path)?.mode() & 0o777;
    if mode & 0o077 != 0 {
        tracing::warn!(
            path = %path.display(),
            mode = format_args!("{mode:03o}"),
            "other users may read this secret key; run chmod 600 on it"
        );
    }
    read(path)
}

pub(crate) fn create_dir(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(DIR_MODE).create(path)
}

/// After this the file holds all the bytes, durably; on failure what was there before. Fails with `AlreadyExists`
/// where a file stands that may not be replaced, even one that appeared a moment ago.
pub(crate) fn write(path: &Path, bytes: &[u8], overwrite: Overwrite) -> io::Result<()> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    create_dir(dir)?;
    let temporary = temporary(path);
    let written = write_temporary(&temporary, bytes).and_then(|()| match overwrite {
        Overwrite::Replace => fs::rename(&temporary, path),
        // A link, unlike a rename, fails where the name is taken.
        Overwrite::Never => fs::hard_link(&temporary, path),
    });
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => written.and(Err(error))?,
        _ => written?,
    }
    // The rename is in the folder's data; without this a crash could undo it.
    File::open(dir)?.sync_all()
}

fn write_temporary(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(FILE_MODE).open(path)?;
    // The mode above is for a new file only; a leftover keeps its own.
    file.set_permissions(fs::Permissions::from_mode(FILE_MODE))?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn temporary(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    // The process's id, so that two commands never write into one temporary file.
    path.with_file_name(format!(".{name}.{}.tmp", std::process::id()))
}
