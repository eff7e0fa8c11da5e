//! Ctrl-C, SIGTERM and a terminal that closes end a process in order; a second one ends it at once. SIGHUP without that has a
//! role read its configuration again, where the role can.

use std::sync::Arc;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// What signals ask for.
#[derive(Clone, Debug)]
pub(crate) struct Signals {
    /// Cancelled by the first that ends the process.
    pub(crate) shutdown: CancellationToken,
    /// Notified by SIGHUP; those that come while one is followed are one more.
    pub(crate) reload: Arc<Notify>,
}

impl Signals {
    /// Listens from here on. Where nothing can be `reloaded`, SIGHUP ends the process.
    pub(crate) fn listen(reloaded: bool) -> std::io::Result<Self> {
        let signals = Self { shutdown: CancellationToken::new(), reload: Arc::default() };
        let mut source = Source {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            // Its own effect would be an end without a word to anybody; `nohup` has it ignored, and means it.
            hangup: if ignores_hangup() { None } else { Some(signal(SignalKind::hangup())?) },
            had_terminal: has_terminal(),
            reload: reloaded.then(|| signals.reload.clone()),
        };
        if reloaded && source.hangup.is_none() {
            tracing::info!("SIGHUP was ignored when this process started (nohup): it reloads nothing");
        }
        let shutdown = signals.shutdown.clone();
        tokio::spawn(async move {
            source.end().await;
            tracing::info!("told to stop");
            shutdown.cancel();
            source.end().await;
            // 128 and the number of SIGINT, as shells tell it.
            std::process::exit(130);
        });
        Ok(signals)
    }
}

struct Source {
    interrupt: Signal,
    terminate: Signal,
    hangup: Option<Signal>,
    had_terminal: bool,
    reload: Option<Arc<Notify>>,
}

impl Source {
    /// Waits for a signal that ends the process.
    async fn end(&mut self) {
        loop {
            tokio::select! {
                _ = self.interrupt.recv() => return,
                _ = self.terminate.recv() => return,
                () = received(&mut self.hangup) => match &self.reload {
                    Some(reload) if !self.had_terminal || has_terminal() => reload.notify_one(),
                    // Nobody is left to see or end it.
                    _ => return,
                },
            }
        }
    }
}

async fn received(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}

/// Whether the process has a terminal that is still there: it can't be opened once it is closed.
fn has_terminal() -> bool {
    std::fs::File::open("/dev/tty").is_ok()
}

/// Whether the process was started with SIGHUP ignored, as Linux tells it.
fn ignores_hangup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    // A bit for each signal, of which SIGHUP is the first.
    ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
}
