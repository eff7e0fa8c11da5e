//! A folder that one process owns: files that grow, and small files that are replaced whole.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// A file that grows at its end. Nothing is durable before `sync` returns.
pub trait AppendFile: Send + std::fmt::Debug {
    fn len(&self) -> io::Result<u64>;
    fn read_at(&mut self, offset: u64, bytes: &mut [u8]) -> io::Result<()>;
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
    fn sync(&mut self) -> io::Result<()>;
    /// Cuts the file; used only to drop a torn last record.
    fn truncate(&mut self, len: u64) -> io::Result<()>;

    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }
}

/// A file that is only read, to its end even where it is removed meanwhile.
pub trait ReadFile: Send + std::fmt::Debug {
    fn size(&self) -> io::Result<u64>;
    fn read_at(&mut self, offset: u64, bytes: &mut [u8]) -> io::Result<()>;
}

/// Names are plain file names within the folder.
pub trait Storage: Send + Sync + std::fmt::Debug {
    /// Full name of a file, for messages.
    fn describe(&self, name: &str) -> String;
    fn list(&self) -> io::Result<Vec<String>>;
    fn open_append(&self, name: &str) -> io::Result<Box<dyn AppendFile>>;
    /// `None` where there is no such file.
    fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>>;

    /// Opens a file for reading alone, piece by piece; `None` where there is no such file.
    fn open_read(&self, name: &str) -> io::Result<Option<Box<dyn ReadFile>>> {
        Ok(self.read(name)?.map(|bytes| Box::new(InMemory(bytes)) as Box<dyn ReadFile>))
    }

    /// Bytes that may still be written; `None` where that can't be told.
    fn free_bytes(&self) -> io::Result<Option<u64>> {
        Ok(None)
    }

    /// Replaces the file whole: after a crash it holds the old bytes or the new ones.
    fn write_atomic(&self, name: &str, bytes: &[u8]) -> io::Result<()>;

    /// As [`Self::write_atomic`], for nobody else's eyes.
    fn write_secret(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.write_atomic(name, bytes)
    }

    /// Removes the file, where there is one.
    fn remove(&self, name: &str) -> io::Result<()>;
}

/// A real folder, locked for as long as this lives.
#[derive(Debug)]
pub struct DirStorage {
    dir: PathBuf,
    _locks: [File; 2],
}

impl DirStorage {
    /// Creates the folder if need be. Fails with `WouldBlock` when another process holds it.
    pub fn open(dir: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(dir)?;
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(dir.join("LOCK"))?;
        // Two processes that append to one journal would each write over the other's end. The folder too, since a file can be removed.
        let locks = [lock, File::open(dir)?];
        for lock in &locks {
            lock.try_lock().map_err(|error| match error {
                TryLockError::WouldBlock => io::Error::new(
                    io::ErrorKind::WouldBlock,
                    format!("{} is in use by another process", dir.display()),
                ),
                TryLockError::Error(error) => error,
            })?;
        }
        Ok(Self { dir: dir.to_owned(), _locks: locks })
    }

    fn path(&self, name: &str) -> io::Result<PathBuf> {
        // Names come from epochs and roles, never from peers; this keeps it so.
        if name.is_empty() || name.starts_with('.') || name.contains(['/', '\\']) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("not a plain file name: {name:?}"),
            ));
        }
        Ok(self.dir.join(name))
    }

    fn replace(&self, name: &str, bytes: &[u8], options: &mut OpenOptions) -> io::Result<()> {
        let target = self.path(name)?;
        // One name is enough: the folder is locked to this process,
        // and a leftover of a crash is written over.
        let temporary = self.dir.join(format!(".{name}.tmp"));
        let mut file = options.create(true).truncate(true).write(true).open(&temporary)?;
        file.write_all(bytes)?;
        // Before the rename, or a crash could leave the new name on bytes that were never written.
        file.sync_all()?;
        std::fs::rename(&temporary, &target)?;
        self.sync_dir()
    }

    fn sync_dir(&self) -> io::Result<()> {
        File::open(&self.dir)?.sync_all()
    }
}

impl Storage for DirStorage {
    fn describe(&self, name: &str) -> String {
        self.dir.join(name).display().to_string()
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&self.dir)? {
            if let Ok(name) = entry?.file_name().into_string() {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    fn open_append(&self, name: &str) -> io::Result<Box<dyn AppendFile>> {
        let path = self.path(name)?;
        let file = OpenOptions::new().create(true).read(true).append(true).open(&path)?;
        // A new file is in its folder's data, which a crash could lose although the file was synced.
        self.sync_dir()?;
        Ok(Box::new(OsFile(file)))
    }

    fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        match std::fs::read(self.path(name)?) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn open_read(&self, name: &str) -> io::Result<Option<Box<dyn ReadFile>>> {
        match File::open(self.path(name)?) {
            Ok(file) => Ok(Some(Box::new(OsFile(file)))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn free_bytes(&self) -> io::Result<Option<u64>> {
        let disk = rustix::fs::statvfs(&self.dir)?;
        Ok(Some(disk.f_bavail.saturating_mul(disk.f_frsize)))
    }

    fn write_atomic(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.replace(name, bytes, &mut OpenOptions::new())
    }

    fn write_secret(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut options = OpenOptions::new();
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        self.replace(name, bytes, &mut options)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        match std::fs::remove_file(self.path(name)?) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => self.sync_dir(),
        }
    }
}

#[derive(Debug)]
struct InMemory(Vec<u8>);

impl ReadFile for InMemory {
    fn size(&self) -> io::Result<u64> {
        Ok(self.0.len() as u64)
    }

    fn read_at(&mut self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        let from = usize::try_from(offset).ok().and_then(|from| self.0.get(from..));
        let found = from.and_then(|rest| rest.get(..bytes.len())).ok_or(io::ErrorKind::UnexpectedEof)?;
        bytes.copy_from_slice(found);
        Ok(())
    }
}

#[derive(Debug)]
struct OsFile(File);

impl ReadFile for OsFile {
    fn size(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read_at(&mut self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        self.0.seek(SeekFrom::Start(offset))?;
        self.0.read_exact(bytes)
    }
}

impl AppendFile for OsFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read_at(&mut self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        ReadFile::read_at(self, offset, bytes)
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        // `fdatasync` covers the file's new length as well, and leaves out its times.
        self.0.sync_data()
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.0.set_len(len)?;
        // A torn end that comes back after a crash would be read as damage.
        self.0.sync_data()
    }
}
