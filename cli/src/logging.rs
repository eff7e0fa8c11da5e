//! Log lines: written by a thread of their own, so that a full disk or a reader that stopped holds up no request, and
//! each place in the code held to so many a minute, so that nobody outside can fill a disk.

use std::collections::HashMap;
use std::io::{IsTerminal as _, stderr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing::callsite::Identifier;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer, fmt};

use crate::notices::Notices;
use crate::tree::LogFormat;

/// Lines that wait for a slow reader of the log; more are lost.
const WAITING_MAX: usize = 8_192;
const MINUTE: Duration = Duration::from_secs(60);
/// Lines a minute of one place in the code.
const LINES_MAX: u32 = 60;
/// The same for those that are for finding faults, which nobody leaves on.
const FINE_LINES_MAX: u32 = 6_000;
/// The lines that say what was left out.
const LEFT_OUT: &str = "weighhouse::log";

/// Logs from here on, to standard error; what waits is written when the guard goes.
pub(crate) fn init(format: LogFormat, default: &str) -> std::io::Result<LogGuard> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    // Whatever is asked for, what was left out of it is said.
    let told = format!("{LEFT_OUT}=warn").parse().map_err(std::io::Error::other)?;
    let filter = filter.add_directive(told);
    let (writer, guard) =
        NonBlockingBuilder::default().lossy(true).buffered_lines_limit(WAITING_MAX).finish(stderr());
    let guard = LogGuard { worker: Some(guard), lost: writer.error_counter() };
    let lost = writer.error_counter();
    // Its own complaints would go to a standard error that can't be written, and end the process.
    let lines = fmt::layer().with_writer(writer).log_internal_errors(false);
    let lines = match format {
        // Colours only where somebody looks: journald and files would keep the escape codes.
        LogFormat::Text => lines.with_ansi(stderr().is_terminal()).boxed(),
        LogFormat::Json => lines.json().boxed(),
    };
    let repeats = Repeats::default();
    tracing_subscriber::registry()
        .with(filter)
        .with(repeats.clone())
        .with(lines)
        .with(Notices::of_process())
        .init();
    // The usual hook writes to standard error itself, and hangs where nobody reads it.
    std::panic::set_hook(Box::new(|panic| {
        let at = panic.location().map(ToString::to_string);
        tracing::error!(at, "panic: {}", panic.payload_as_str().unwrap_or("of another kind"));
    }));
    let mut lost_before = 0;
    let tell = move || {
        loop {
            std::thread::sleep(MINUTE);
            for (place, lines) in repeats.left_out() {
                let at = place.file().unwrap_or(place.target());
                tracing::warn!(target: LEFT_OUT, lines, at, line = place.line(), "lines like one above were left out");
            }
            let lost = lost.dropped_lines();
            if lost > lost_before {
                let lines = lost - lost_before;
                tracing::warn!(target: LEFT_OUT, lines, "lines were lost: standard error takes them too slowly");
                lost_before = lost;
            }
        }
    };
    std::thread::Builder::new().name("log".into()).spawn(tell)?;
    Ok(guard)
}

/// Writes what waits when it goes, for a second at most.
#[derive(Debug)]
pub(crate) struct LogGuard {
    worker: Option<WorkerGuard>,
    lost: ErrorCounter,
}

impl Drop for LogGuard {
    fn drop(&mut self) {
        // A reader that stopped takes no farewell either, about which the worker would complain on standard output.
        if self.lost.dropped_lines() > 0 {
            std::mem::forget(self.worker.take());
        }
    }
}

/// Lines of one place in its current minute.
#[derive(Debug)]
struct Minute {
    begun: Instant,
    lines: u32,
    left_out: u64,
    place: &'static Metadata<'static>,
}

/// Leaves out what one place repeats too often.
#[derive(Clone, Debug, Default)]
struct Repeats(Arc<Mutex<HashMap<Identifier, Minute>>>);

impl Repeats {
    fn admits(&self, place: &'static Metadata<'static>, now: Instant) -> bool {
        let most = if *place.level() <= Level::INFO { LINES_MAX } else { FINE_LINES_MAX };
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = Minute { begun: now, lines: 0, left_out: 0, place };
        let minute = places.entry(place.callsite()).or_insert(fresh);
        if now.saturating_duration_since(minute.begun) >= MINUTE {
            (minute.begun, minute.lines) = (now, 0);
        }
        let admits = minute.lines < most;
        minute.lines = minute.lines.saturating_add(1);
        minute.left_out += u64::from(!admits);
        admits
    }

    /// Places and how many of their lines were left out since this was asked before.
    fn left_out(&self) -> Vec<(&'static Metadata<'static>, u64)> {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let left_out = places.values_mut().filter(|minute| minute.left_out > 0);
        left_out.map(|minute| (minute.place, std::mem::take(&mut minute.left_out))).collect()
    }
}

impl<S: Subscriber> Layer<S> for Repeats {
    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        event.metadata().target() == LEFT_OUT || self.admits(event.metadata(), Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use tracing::Callsite as _;

    use super::*;

    #[test]
    fn a_place_has_so_many_lines_a_minute_and_the_rest_is_counted() {
        let repeats = Repeats::default();
        let place = tracing::callsite! {
            name: "a line", kind: tracing::metadata::Kind::EVENT, target: "weighhouse", level: Level::WARN, fields:
        };
        let begun = Instant::now();
        let count = |at: Duration| (0..100).filter(|_| repeats.admits(place.metadata(), begun + at)).count();
        assert_eq!(count(Duration::ZERO), LINES_MAX as usize);
        assert_eq!(count(Duration::from_secs(59)), 0);
        assert_eq!(count(MINUTE), LINES_MAX as usize);
        let counts: Vec<u64> = repeats.left_out().into_iter().map(|(_, lines)| lines).collect();
        assert_eq!(counts, [180]);
        assert!(repeats.left_out().is_empty(), "told once");
    }
}
