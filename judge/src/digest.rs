//! The digest that a task file pins: SHA-256 over a judge's files, as Python's `weighhouse.judge --digest` works it out.

use std::io;
use std::path::Path;

use weighhouse_types::{Digest, Hasher};

const DOMAIN: &str = "weighhouse/judge/v1";
/// Left out besides names that begin with a dot.
const CACHE: &str = "__pycache__";
/// Files of one judge, and their bytes, at most.
const FILES_MAX: usize = 10_000;
const BYTES_MAX: usize = 1 << 30;

/// Hashes a judge: one file, or a folder with everything below it but hidden names and `__pycache__`.
///
/// Domain, names and contents are hashed in the order of the names, each behind its length in eight little-endian bytes.
///
/// # Errors
/// A file that can't be read or whose name is no text, and a folder that is no judge's for its size.
pub fn judge_digest(path: &Path) -> io::Result<Digest> {
    let mut files = Vec::new();
    if path.is_dir() {
        collect(path, "", &mut files)?;
    } else {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        files.push((name, path.to_owned()));
    }
    // A folder's entries come in the file system's order, which differs from machine to machine.
    files.sort();
    let mut bytes = 0;
    let mut hasher = Hasher::new(DOMAIN);
    for (name, file) in files {
        let contents = std::fs::read(&file).map_err(|error| named(&file, &error))?;
        bytes += contents.len();
        if bytes > BYTES_MAX {
            return Err(too_large(path));
        }
        hasher = hasher.part(name.as_bytes()).part(&contents);
    }
    Ok(hasher.finish())
}

fn collect(folder: &Path, prefix: &str, files: &mut Vec<(String, std::path::PathBuf)>) -> io::Result<()> {
    for entry in std::fs::read_dir(folder).map_err(|error| named(folder, &error))? {
        let path = entry?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            return Err(named(&path, &io::Error::other("its name is no UTF-8")));
        };
        if name.starts_with('.') || name == CACHE {
            continue;
        }
        let name = format!("{prefix}{name}");
        // A link to a folder is not followed, as Python doesn't.
        if path.is_dir() && !path.is_symlink() {
            collect(&path, &format!("{name}/"), files)?;
        } else if path.is_file() {
            files.push((name, path));
        }
        if files.len() > FILES_MAX {
            return Err(too_large(folder));
        }
    }
    Ok(())
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

fn too_large(path: &Path) -> io::Error {
    let limits = format!("{FILES_MAX} files or {BYTES_MAX} bytes");
    io::Error::other(format!("{} has over {limits}: is that a judge's folder?", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(folder: &Path, name: &str, text: &str) {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        let file = std::fs::File::create(path).expect("created");
        io::Write::write_all(&mut &file, text.as_bytes()).expect("written");
    }

    #[test]
    fn the_digest_is_the_one_that_python_gives() {
        let folder = tempfile::tempdir().expect("a folder");
        write(folder.path(), "judge.py", "one\n");
        let file = judge_digest(&folder.path().join("judge.py")).expect("readable");
        assert_eq!(file.to_string(), "0b8dbf3da29494eda525e2bfdfd0ac744d39ebe37c326a5c419293e4b827dadc");
        write(folder.path(), "a/b.txt", "two\n");
        write(folder.path(), "a.txt", "three\n");
        write(folder.path(), ".target/built", "not hashed");
        write(folder.path(), "a/__pycache__/b.pyc", "not hashed");
        let whole = judge_digest(folder.path()).expect("readable");
        assert_eq!(whole.to_string(), "c376d241c6fbc9b6b09477f642b46665359f51bfd0c6925c7e48b8ebfac252ef");
    }

    #[test]
    fn what_is_not_there_is_named() {
        let error = judge_digest(Path::new("/no/such/judge.py")).expect_err("missing").to_string();
        assert!(error.starts_with("/no/such/judge.py: "), "{error}");
    }
}
