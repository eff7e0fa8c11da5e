//! The disk of a state folder: room, and how long a write takes to be durable.

use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::commands::checks::Checks;
use crate::failure::{Context as _, Exit, Failure};

/// Syncs that the median is taken of.
const SYNCS: usize = 9;
const BLOCK: [u8; 4096] = [0; 4096];
/// A validator's rounds and a miner's lease wait for several.
const SLOW: Duration = Duration::from_millis(100);
const ROOM_MIN: u64 = 2 << 30;

pub(super) fn check(checks: &mut Checks, folder: &Path) -> Result<(), Failure> {
    let shown = folder.display();
    let doing = format!("can't write into {shown} (--dir names another folder)");
    let Some(sync) = checks
        .note("disk", median_sync(folder).map(|sync| (sync, said(sync))).exit(Exit::Unavailable, doing))?
    else {
        return Ok(());
    };
    if sync > SLOW {
        checks.warn(
            "sync",
            format!("{}: journals want a local disk, or one that keeps writes over a power cut", said(sync)),
        )?;
    }
    let Ok(disk) = rustix::fs::statvfs(folder) else {
        return checks.unsure("room", format!("{shown}: its file system doesn't tell"));
    };
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    let detail = format!("{:.1} GiB are free in {shown}", free as f64 / f64::from(1 << 30));
    if free < ROOM_MIN {
        return checks.warn("room", format!("{detail}: a validator's journal grows with each epoch"));
    }
    checks.note("room", Ok(((), detail))).map(drop)
}

fn said(sync: Duration) -> String {
    format!("a write is durable after {:.1} ms", sync.as_secs_f64() * 1e3)
}

fn median_sync(folder: &Path) -> std::io::Result<Duration> {
    let mut file = tempfile::tempfile_in(folder)?;
    let mut took = Vec::with_capacity(SYNCS);
    for _ in 0..SYNCS {
        let begun = Instant::now();
        file.write_all(&BLOCK)?;
        file.sync_data()?;
        took.push(begun.elapsed());
    }
    took.sort_unstable();
    Ok(took[SYNCS / 2])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_cannot_be_written_fails_with_its_name() {
        let mut checks = Checks::new(true);
        check(&mut checks, Path::new("/proc/nothing/here")).expect("printed");
        let failed = checks.finish().expect_err("not writable");
        assert_eq!(failed.exit, Exit::Unavailable);
        let scratch = tempfile::tempdir().expect("a folder");
        let mut checks = Checks::new(true);
        check(&mut checks, scratch.path()).expect("printed");
        checks.finish().expect("writable");
    }
}
