//! The servers behind a miner's models: whether they answer, and what they failed at.
//!
//! **Invariant.** A server that goes away or comes back is told once, at the default level; so is each cause of failed
//! answers, and again only after a while. Callers of a server that hangs are answered when that is noticed, not at their
//! deadline.

mod watch;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch as channel;
use weighhouse_seams::Clock;

use crate::backend::BackendError;
use crate::engine::{Catalogue, Engine, EngineError};
use crate::metrics;
use crate::told::Told;

pub(crate) use watch::watch;

/// The server behind one model, or none.
#[derive(Debug)]
pub(crate) struct Upstream {
    model: String,
    /// Why it doesn't answer, while it doesn't.
    trouble: channel::Sender<Option<BackendError>>,
    /// When it was last heard of, by the monotonic clock.
    heard: channel::Sender<Duration>,
    told: Told<&'static str>,
    clock: Arc<dyn Clock>,
}

/// One for each model.
#[derive(Clone, Debug)]
pub(crate) struct Upstreams(Arc<HashMap<String, Arc<Upstream>>>);

impl Upstreams {
    pub(crate) fn of(models: &Catalogue, clock: &Arc<dyn Clock>) -> Self {
        let one = |engine: &Arc<dyn Engine>| {
            let model = engine.model().name.name.clone();
            (model.clone(), Arc::new(Upstream::new(model, clock.clone())))
        };
        Self(Arc::new(models.engines().iter().map(one).collect()))
    }

    /// The one behind a model that is served.
    pub(crate) fn behind(&self, engine: &dyn Engine) -> Option<&Arc<Upstream>> {
        self.0.get(&engine.model().name.name)
    }

    /// Says no more of the servers that aren't among these.
    pub(crate) fn end(&self, now: &Self) {
        self.0
            .keys()
            .filter(|model| !now.0.contains_key(*model))
            .for_each(|model| metrics::backend_gone(model));
    }

    /// Tells whether every server behind answers.
    pub(crate) fn all_answer(&self) -> bool {
        self.0.values().all(|upstream| upstream.answers())
    }
}

impl Upstream {
    fn new(model: String, clock: Arc<dyn Clock>) -> Self {
        let heard = channel::Sender::new(clock.monotonic());
        Self { model, trouble: channel::Sender::new(None), heard, told: Told::new(clock.clone()), clock }
    }

    pub(crate) fn answers(&self) -> bool {
        self.trouble.borrow().is_none()
    }

    fn is_silent(&self) -> bool {
        *self.trouble.borrow() == Some(BackendError::Silent)
    }

    /// Waits for work, but not on a server that is known to hang.
    pub(crate) async fn guard<T>(
        &self,
        work: impl Future<Output = Result<T, EngineError>>,
    ) -> Result<T, EngineError> {
        let mut trouble = self.trouble.subscribe();
        let hangs = trouble.wait_for(|trouble| *trouble == Some(BackendError::Silent));
        let done = tokio::select! {
            biased;
            done = work => done,
            // The sender lives as long as this does.
            _ = hangs => Err(BackendError::Silent.into()),
        };
        match &done {
            Ok(_) => self.heard(),
            Err(EngineError::Backend(error)) => self.failed(error),
            Err(_) => {}
        }
        done
    }

    /// Takes note of an answer, or of a piece of one.
    fn heard(&self) {
        self.heard.send_replace(self.clock.monotonic());
    }

    fn heard_since(&self, time: Duration) -> bool {
        *self.heard.borrow() > time
    }

    /// Tells why an answer ended early or didn't begin.
    fn failed(&self, error: &BackendError) {
        let cause = error.cause();
        metrics::backend_failure(&self.model, cause);
        if let BackendError::Refused(_) = error {
            // The caller's doing: told to it, and not to be repeated at its will in our log.
            return tracing::debug!(model = self.model, %error, "no answer");
        }
        let is_known =
            !self.answers() && matches!(error, BackendError::Unreachable(_) | BackendError::Silent);
        // What isn't told here doesn't count as told: the same cause may come later from a server that answers looks.
        let due = if is_known { None } else { self.told.is_due(cause) };
        match due {
            Some(unsaid) => tracing::warn!(model = self.model, cause, unsaid, %error, "an answer failed"),
            None => tracing::debug!(model = self.model, %error, "no answer"),
        }
    }

    /// Its name where people are told of it.
    fn state(&self) -> String {
        format!("backend of {}", self.model)
    }

    /// Takes note of whether the server answers; true where it does again after it didn't.
    fn note(&self, trouble: Option<&BackendError>) -> bool {
        let before = self.trouble.send_replace(trouble.cloned());
        metrics::backend_up(&self.model, trouble.is_none());
        match (before.is_some(), trouble) {
            (false, Some(error)) => tracing::warn!(
                state = %self.state(), turned = "bad", model = self.model, %error, "the backend doesn't answer"
            ),
            (true, None) => tracing::info!(
                state = %self.state(), turned = "good", model = self.model, "the backend answers again"
            ),
            (true, Some(error)) => {
                tracing::debug!(model = self.model, %error, "the backend still doesn't answer")
            }
            (false, None) => {}
        }
        before.is_some() && trouble.is_none()
    }
}

#[cfg(test)]
mod tests;
