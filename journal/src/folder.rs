//! A journal's folder as its readers see it: which files are segments, and of which epochs.

use std::io;
use std::path::{Path, PathBuf};

use weighhouse_types::Epoch;

use crate::header::epoch_of_name;

/// The segments in a folder with their epochs, ascending; other files are passed over.
///
/// # Errors
/// Where the folder can't be listed.
pub fn segments(dir: &Path) -> io::Result<Vec<(Epoch, PathBuf)>> {
    let mut segments = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        let epoch = path.file_name().and_then(|name| name.to_str()).and_then(epoch_of_name);
        segments.extend(epoch.map(|epoch| (epoch, path)));
    }
    segments.sort_unstable();
    Ok(segments)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::segment_name;

    #[test]
    fn only_segments_are_listed_in_the_order_of_their_epochs() {
        let dir = tempfile::tempdir().expect("a folder");
        let names = [segment_name(Epoch(12)), segment_name(Epoch(3))];
        for name in names.iter().map(String::as_str).chain(["epoch-3.wj", "epoch-x.wj", "LOCK"]) {
            std::fs::File::create(dir.path().join(name)).expect("a file");
        }
        let listed = segments(dir.path()).expect("listed");
        let expected = [(Epoch(3), dir.path().join(&names[1])), (Epoch(12), dir.path().join(&names[0]))];
        assert_eq!(listed, expected);
        assert!(segments(&dir.path().join("absent")).is_err());
    }
}
