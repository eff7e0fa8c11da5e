//! What a service manager is told (`Type=notify`): that the role serves, what it does, that it is alive, and that it stops.
//!
//! **Invariant:** a sign of life needs the runtime's timers, by which it is sent, and the role's own loop, whose turns are
//! watched. Without `NOTIFY_SOCKET` nothing is sent.

use std::future::Future;
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How a role's loop is followed.
pub(crate) struct Followed<T> {
    /// Sent to at each turn of the loop; the first one says that the role serves.
    pub(crate) turns: watch::Receiver<T>,
    /// Time without a turn after which it is asked whether the role hangs.
    pub(crate) patience: Duration,
    /// The longest time from a stop to the end, for which the manager waits.
    pub(crate) stop_time: Duration,
}

impl<T: Clone + Send + Sync + 'static> Followed<T> {
    /// Tells until `shutdown` or the role's end: `status` in a line, and life while it turns or `hangs` says no.
    pub(crate) async fn tell<H: Future<Output = bool>>(
        self,
        status: impl Fn(&T) -> String,
        hangs: impl Fn(T) -> H,
        shutdown: CancellationToken,
    ) {
        // Twice as often as has to be.
        let beat = sd_notify::watchdog_enabled().map(|longest| longest / 2);
        self.follow((status, hangs), (beat, send), shutdown).await;
    }

    /// As [`Self::tell`], with signs of life so far apart.
    async fn follow<H: Future<Output = bool>>(
        mut self,
        (status, hangs): (impl Fn(&T) -> String, impl Fn(T) -> H),
        (beat, send): (Option<Duration>, impl Fn(&[NotifyState<'_>])),
        shutdown: CancellationToken,
    ) {
        let first = tokio::select! {
            turned = self.turns.changed() => turned,
            () = shutdown.cancelled() => return send(&[NotifyState::Stopping]),
        };
        if first.is_err() {
            return;
        }
        let mut told = status(&self.turns.borrow_and_update());
        send(&[NotifyState::Ready, NotifyState::Status(&told)]);
        let (mut turned, mut due) = (Instant::now(), Instant::now());
        loop {
            tokio::select! {
                changed = self.turns.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    turned = Instant::now();
                    let now = status(&self.turns.borrow_and_update());
                    if now != told {
                        send(&[NotifyState::Status(&now)]);
                        told = now;
                    }
                }
                () = at(beat.map(|_| due)) => {
                    let is_late = turned.elapsed() > self.patience;
                    let newest = self.turns.borrow().clone();
                    if is_late && hangs(newest).await {
                        tracing::error!("the role's loop hangs: the service manager gets no sign of life");
                    } else {
                        send(&[NotifyState::Watchdog]);
                    }
                    due = Instant::now() + beat.unwrap_or_default();
                }
                () = shutdown.cancelled() => break,
            }
        }
        let longest = u32::try_from(self.stop_time.as_micros()).unwrap_or(u32::MAX);
        // The unit's own time to stop knows nothing of the configuration's.
        send(&[
            NotifyState::Stopping,
            NotifyState::Status("stopping"),
            NotifyState::ExtendTimeoutUsec(longest),
        ]);
    }
}

/// Tells that a reload begins; the manager waits for [`reloaded`].
pub(crate) fn reloads() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => send(&[NotifyState::Reloading, now]),
        Err(error) => tracing::debug!(%error, "the service manager can't be told of a reload"),
    }
}

/// Tells that a reload has ended, however it did.
pub(crate) fn reloaded() {
    send(&[NotifyState::Ready]);
}

async fn at(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}

fn send(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "the service manager can't be told");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use tokio::sync::mpsc;

    use super::*;

    const BEAT: Duration = Duration::from_millis(1);

    /// What the manager of a role is told that hangs until it was asked so often.
    fn told(
        turns: watch::Receiver<u32>,
        hangs_until: u32,
        shutdown: CancellationToken,
    ) -> mpsc::UnboundedReceiver<String> {
        let (sender, receiver) = mpsc::unbounded_channel();
        let send = move |states: &[NotifyState<'_>]| {
            let lines: Vec<String> = states.iter().map(ToString::to_string).collect();
            // The test may have heard enough.
            let _ = sender.send(lines.join(" "));
        };
        let followed = Followed { turns, patience: Duration::ZERO, stop_time: Duration::from_secs(3) };
        let asked = AtomicU32::new(0);
        let hangs = move |_| std::future::ready(asked.fetch_add(1, Ordering::Relaxed) < hangs_until);
        let status = |turn: &u32| format!("turn {turn}");
        tokio::spawn(followed.follow((status, hangs), (Some(BEAT), send), shutdown));
        receiver
    }

    #[tokio::test]
    async fn a_role_is_ready_with_its_first_turn_and_alive_while_it_turns() {
        let (turns, shutdown) = (watch::Sender::new(0), CancellationToken::new());
        let mut told = told(turns.subscribe(), 0, shutdown.clone());
        turns.send_replace(1);
        assert_eq!(told.recv().await.as_deref(), Some("READY=1 STATUS=turn 1"));
        assert_eq!(told.recv().await.as_deref(), Some("WATCHDOG=1"));
        shutdown.cancel();
        let last = loop {
            match told.recv().await.expect("it says that it stops") {
                alive if alive == "WATCHDOG=1" => {}
                last => break last,
            }
        };
        assert_eq!(last, "STOPPING=1 STATUS=stopping EXTEND_TIMEOUT_USEC=3000000");
        assert_eq!(told.recv().await, None);
    }

    #[tokio::test]
    async fn a_loop_that_hangs_gives_no_sign_of_life() {
        let (turns, shutdown) = (watch::Sender::new(0), CancellationToken::new());
        let mut told = told(turns.subscribe(), u32::MAX, shutdown);
        turns.send_replace(1);
        assert_eq!(told.recv().await.as_deref(), Some("READY=1 STATUS=turn 1"));
        let silent = tokio::time::timeout(BEAT * 50, told.recv()).await;
        assert!(silent.is_err(), "{silent:?}");
        // A turn is told of all the same, and ends nothing else.
        turns.send_replace(2);
        assert_eq!(told.recv().await.as_deref(), Some("STATUS=turn 2"));
    }

    #[tokio::test]
    async fn a_role_that_ends_before_it_serves_was_never_ready() {
        let (turns, shutdown) = (watch::Sender::new(0), CancellationToken::new());
        let mut told = told(turns.subscribe(), 0, shutdown.clone());
        drop(turns);
        assert_eq!(told.recv().await, None);
    }
}
