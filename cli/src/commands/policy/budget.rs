//! Searches that can be watched, stopped and taken up again: their time, their log, their progress.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use tokio_util::sync::CancellationToken;
use weighhouse_lab::search::{LegProgress, Log, Watch};

use crate::failure::{Context, Exit, Failure};
use crate::output;

/// A log above this size is no log of ours.
const LOG_BYTES_MAX: u64 = 4 << 30;

/// Limits of a search, and the log that it can be taken up from.
#[derive(Args, Clone, Debug)]
pub(crate) struct Budget {
    /// End the search after this time, such as 90s or 2h, and report what was found
    #[arg(long, value_name = "TIME", value_parser = duration)]
    time: Option<Duration>,
    /// Write every evaluation down here; the same command takes the search up where the file ends
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
}

fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) =
        text.split_at(text.find(|digit: char| !digit.is_ascii_digit()).unwrap_or(text.len()));
    let seconds = match unit {
        "s" | "" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return Err("a number and s, m or h, such as 90s".to_owned()),
    };
    let number: u64 = number.parse().map_err(|_| "a number and s, m or h, such as 90s".to_owned())?;
    Ok(Duration::from_secs(number.saturating_mul(seconds)))
}

/// Shows progress, writes the log, and ends a search when its time is up or somebody interrupts it.
pub(super) struct Watcher<'a> {
    began: Instant,
    time: Option<Duration>,
    evaluations: u64,
    shutdown: &'a CancellationToken,
    log: Option<(PathBuf, File)>,
    /// Whole bytes and evaluations of a log that this search, once it has proved to be its own, goes on from.
    taken_up: Option<(u64, u64)>,
    failed: Option<std::io::Error>,
    sign: f64,
}

impl Watch for Watcher<'_> {
    fn go_on(&mut self, progress: &LegProgress) -> bool {
        self.take_up();
        let elapsed = self.began.elapsed();
        if elapsed.as_secs() >= 2 {
            output::live(format_args!(
                "{} of {} evaluations, best {:.4}, {} s",
                progress.evaluations,
                self.evaluations,
                self.sign * progress.best,
                elapsed.as_secs()
            ));
        }
        self.failed.is_none() && !self.shutdown.is_cancelled() && self.time.is_none_or(|time| elapsed < time)
    }

    fn line(&mut self, line: &str) {
        self.take_up();
        if let Some((_, file)) = &mut self.log
            && let Err(error) = file.write_all(line.as_bytes())
        {
            self.failed = Some(error);
        }
    }
}

impl Watcher<'_> {
    /// Cuts off a line that a crash cut short, which is written again. Not before the search has taken the log as its own.
    fn take_up(&mut self) {
        let (Some((whole, evaluations)), Some((_, file))) = (self.taken_up.take(), &self.log) else { return };
        output::note(format!("taken up after {evaluations} evaluations"));
        self.failed = file.set_len(whole).err();
    }

    pub(super) fn finish(mut self) -> Result<(), Failure> {
        output::live("");
        if let (Some(error), Some((path, _))) = (self.failed.take(), &self.log) {
            return Err(Failure::new(Exit::Unavailable, format!("can't write {}: {error}", path.display())));
        }
        if self.shutdown.is_cancelled() {
            output::note("interrupted: this is what was found so far");
        }
        Ok(())
    }
}

impl Budget {
    pub(super) fn watch<'a>(
        &self,
        evaluations: u64,
        sign: f64,
        shutdown: &'a CancellationToken,
    ) -> Result<(Option<Log>, Watcher<'a>), Failure> {
        let mut watcher = Watcher {
            began: Instant::now(),
            time: self.time,
            evaluations,
            shutdown,
            log: None,
            taken_up: None,
            failed: None,
            sign,
        };
        let Some(path) = &self.log else { return Ok((None, watcher)) };
        let bytes = match std::fs::metadata(path) {
            Ok(found) if found.len() > LOG_BYTES_MAX => {
                return Err(Failure::new(Exit::Data, format!("{}: too large for a log", path.display())));
            }
            Ok(_) => std::fs::read(path).exit(Exit::Missing, path.display())?,
            Err(_) => Vec::new(),
        };
        let log =
            if bytes.is_empty() { None } else { Some(Log::parse(&bytes).exit(Exit::Data, path.display())?) };
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .exit(Exit::Unavailable, path.display())?;
        watcher.taken_up = log.as_ref().map(|log| (log.whole_bytes() as u64, log.evaluations()));
        watcher.log = Some((path.clone(), file));
        Ok((log, watcher))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_cut_only_once_the_search_has_taken_it() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("search.log");
        let head =
            format!("{{\"log\":\"weighhouse search\",\"version\":1,\"problem\":\"{}\"}}\n", "0".repeat(64));
        crate::commands::write_file(&path, format!("{head}{{\"gener").as_bytes()).expect("written");
        let shutdown = CancellationToken::new();
        let budget = Budget { time: None, log: Some(path.clone()) };
        let (log, watcher) = budget.watch(10, 1.0, &shutdown).expect("a log");
        assert_eq!(log.map(|log| log.whole_bytes()), Some(head.len()));
        // A search that refuses the log asks for nothing more.
        watcher.finish().expect("nothing failed");
        assert!(std::fs::read_to_string(&path).expect("read").ends_with("{\"gener"));
        let (_, mut watcher) = budget.watch(10, 1.0, &shutdown).expect("a log");
        watcher.line("next\n");
        assert_eq!(std::fs::read_to_string(&path).expect("read"), format!("{head}next\n"));
    }
}
