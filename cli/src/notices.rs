//! `[notify]`: what turns bad is posted once, and once more when it is good again.
//!
//! A line of the log that has the fields `state` (of what) and `turned` (`bad` or `good`) is a notice. What turns bad and good
//! again within [`SETTLE`] isn't posted: a server that was started anew is nobody's alarm.
//!
//! **Invariant.** No role waits for a post: notices pass through a bounded queue, and beyond it they are lost and counted.

mod post;

use std::collections::BTreeMap;
use std::fmt::{Debug, Write as _};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use metrics::{counter, describe_counter};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use weighhouse_types::notify::NotifySection;

use crate::failure::{Context as _, Exit, Failure};

pub(crate) use post::Hook;

const POSTS: &str = "weighhouse_notices_total";
/// Notices that wait for the one before.
const WAITING_MAX: usize = 256;
/// For which a state has to last.
const SETTLE: Duration = Duration::from_secs(60);
/// Characters of one.
const TEXT_MAX: usize = 1_000;

/// A state that turned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Notice {
    pub(crate) state: String,
    pub(crate) is_bad: bool,
    pub(crate) text: String,
}

/// Collects notices from the log's lines.
pub(crate) struct Notices(mpsc::Sender<Notice>);

/// Those of this process, until somebody follows them: the log begins before a configuration is read.
static COLLECTED: Mutex<Option<mpsc::Receiver<Notice>>> = Mutex::new(None);

impl Notices {
    fn new() -> (Self, mpsc::Receiver<Notice>) {
        let (sender, receiver) = mpsc::channel(WAITING_MAX);
        (Self(sender), receiver)
    }

    /// The process's own, for its log.
    pub(crate) fn of_process() -> Self {
        let (notices, receiver) = Self::new();
        *COLLECTED.lock().unwrap_or_else(PoisonError::into_inner) = Some(receiver);
        notices
    }
}

impl<S: Subscriber> Layer<S> for Notices {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event.metadata().fields().field("turned").is_none() || self.0.is_closed() {
            return;
        }
        let mut read = Read::default();
        event.record(&mut read);
        let is_bad = match read.turned.as_str() {
            "bad" => true,
            "good" => false,
            _ => return,
        };
        let text = format!("{}{}", read.message, read.fields);
        let notice = Notice { state: read.state, is_bad, text: text.chars().take(TEXT_MAX).collect() };
        if self.0.try_send(notice).is_err() {
            counter!(POSTS, "outcome" => "lost").increment(1);
        }
    }
}

#[derive(Default)]
struct Read {
    state: String,
    turned: String,
    message: String,
    fields: String,
}

impl Visit for Read {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "turned" => value.clone_into(&mut self.turned),
            "state" => value.clone_into(&mut self.state),
            _ => self.record_debug(field, &value),
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        // Writing to a text can't fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            "state" => write!(self.state, "{value:?}"),
            name => write!(self.fields, "; {name} {value:?}"),
        };
    }
}

pub(crate) fn describe() {
    describe_counter!(POSTS, "Notices of states that turned bad or good again, by what became of them.");
}

/// Where posts go, if anywhere; `who` tells a role from others of one machine.
pub(crate) fn hook(section: &NotifySection, who: &str) -> Result<Option<Hook>, Failure> {
    let url = section.url.as_deref();
    url.map(|url| Hook::new(url, section.format, who)).transpose().exit(Exit::Config, "notify.url")
}

/// Posts from here on until `shutdown`, where an address is configured.
pub(crate) fn follow(section: &NotifySection, who: &str, shutdown: CancellationToken) -> Result<(), Failure> {
    let notices = COLLECTED.lock().unwrap_or_else(PoisonError::into_inner).take();
    let (Some(notices), Some(hook)) = (notices, hook(section, who)?) else { return Ok(()) };
    tokio::spawn(async move {
        tokio::select! {
            () = post_all(notices, hook) => {}
            () = shutdown.cancelled() => {}
        }
    });
    Ok(())
}

/// States that are bad, and since when; those that haven't been told of yet with what is to be told.
type Bad = BTreeMap<String, (Instant, Option<Notice>)>;

async fn post_all(mut notices: mpsc::Receiver<Notice>, hook: Hook) {
    let mut bad = Bad::new();
    loop {
        let due = bad.values().filter(|(_, untold)| untold.is_some()).map(|(since, _)| *since + SETTLE).min();
        tokio::select! {
            notice = notices.recv() => {
                let Some(notice) = notice else { return };
                if let Some(good) = take(&mut bad, notice, Instant::now()) {
                    hook.post(&good).await;
                }
            }
            () = at(due) => {
                for notice in settled(&mut bad, Instant::now()) {
                    hook.post(&notice).await;
                }
            }
        }
    }
}

/// Takes note; gives what is to be told at once: that a state is good again of which it was told that it was bad.
fn take(bad: &mut Bad, notice: Notice, now: Instant) -> Option<Notice> {
    if notice.is_bad {
        // The first word is the one to tell: it has the cause.
        bad.entry(notice.state.clone()).or_insert_with(|| (now, Some(notice)));
        return None;
    }
    let (_, untold) = bad.remove(&notice.state)?;
    untold.is_none().then_some(notice)
}

/// States that have been bad for long enough to be told.
fn settled(bad: &mut Bad, now: Instant) -> Vec<Notice> {
    let lasting = bad.values_mut().filter(|(since, _)| now.saturating_duration_since(*since) >= SETTLE);
    lasting.filter_map(|(_, untold)| untold.take()).collect()
}

async fn at(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
