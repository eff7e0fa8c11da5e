//! What was found out about a server's model: asked at the start, kept, and asked again when it may have changed.

use std::fmt;
use std::sync::Arc;

use tokio::sync::Mutex;
use weighhouse_seams::{Clock, ClockExt as _};
use weighhouse_types::text::{TextAnswer, TextRequest};

use super::call::Call;
use super::plan::Plan;
use crate::backend::error::{BackendError, Stage};
use crate::remote::signature::Signature;
use crate::remote::{Configuration, Remote, Upstream};

/// The prompt of the question that shows what answers have; nothing that a model would say of itself.
const PROBE: &str = "The seven grey geese of Quillfeather lane";

/// A server, and what is known of its model.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) remote: Remote,
    /// Locked while asking, so that one caller asks and the others wait.
    known: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    known: Option<Arc<Known>>,
    /// Something came that contradicts it.
    doubted: bool,
}

/// A model as it was found.
#[derive(Debug, PartialEq)]
pub(super) struct Known {
    signature: Option<Arc<Signature>>,
    configuration: Option<Configuration>,
    pub(super) plan: Arc<Plan>,
    pub(super) tells_ids: bool,
    tells_log_probs: bool,
    /// It answers with the prompt before its continuation.
    pub(super) echoes: bool,
}

impl Server {
    /// Must be called within a tokio runtime.
    pub(super) fn new(upstream: Upstream, clock: Arc<dyn Clock>) -> Self {
        Self { remote: Remote::new(upstream, clock), known: Mutex::default() }
    }

    /// What is known, or else is found out now.
    pub(super) async fn known(&self) -> Result<Arc<Known>, BackendError> {
        let mut state = self.known.lock().await;
        match &state.known {
            Some(known) if !state.doubted => Ok(known.clone()),
            _ => self.learn(&mut state).await,
        }
    }

    /// Finds it out anew.
    pub(super) async fn ask(&self) -> Result<Arc<Known>, BackendError> {
        self.learn(&mut *self.known.lock().await).await
    }

    /// Asks for metadata alone; where it isn't what it was, the rest is asked again before the next request.
    pub(super) async fn look(&self) -> Result<(), BackendError> {
        let told = self.remote.learn().await?;
        // Whoever holds it finds out the same now. A look that waited for a slow first token would seem unanswered.
        let Ok(mut state) = self.known.try_lock() else { return Ok(()) };
        state.doubted |= state.known.as_ref().is_some_and(|known| known.signature != told);
        Ok(())
    }

    /// Whether nothing of an answer comes before the rest, as far as is known.
    pub(super) fn answers_whole(&self) -> bool {
        let state = self.known.try_lock();
        let whole = |known: &Arc<Known>| known.plan.decoupled == Some(false);
        state.is_ok_and(|state| state.known.as_ref().is_some_and(whole))
    }

    /// Has the server asked again before the next request whether its model is still the same.
    pub(super) async fn doubt(&self) {
        self.known.lock().await.doubted = true;
    }

    /// Has everything found out anew before the next request.
    pub(super) async fn forget(&self) {
        *self.known.lock().await = State::default();
    }

    async fn learn(&self, state: &mut State) -> Result<Arc<Known>, BackendError> {
        let signature = self.remote.learn().await?;
        let configuration = self.remote.configuration().await;
        if let Some(known) = &state.known {
            // The probe costs the model a token: what says the same of itself isn't asked for one again.
            if known.signature == signature && known.configuration == configuration {
                state.doubted = false;
                return Ok(known.clone());
            }
        }
        let Upstream { model, url, .. } = &self.remote.upstream;
        let plan = Arc::new(Plan::of(model, signature.as_deref(), configuration.as_ref())?);
        let answer = self.probe(&plan).await?;
        let known = Arc::new(Known {
            signature,
            configuration,
            plan,
            tells_ids: !answer.tokens.is_empty(),
            tells_log_probs: !answer.log_probs.is_empty(),
            echoes: answer.text.starts_with(PROBE),
        });
        if known.tells_ids {
            tracing::info!(%url, model, "the backend's model {known}");
        } else {
            tracing::warn!(%url, model, "the backend's model {known}");
        }
        *state = State { known: Some(known.clone()), doubted: false };
        Ok(known)
    }

    /// Asks for one token, and looks at the first that comes.
    async fn probe(&self, plan: &Arc<Plan>) -> Result<TextAnswer, BackendError> {
        let request = TextRequest { log_probs: true, ..TextRequest::greedy(PROBE, 1) };
        let mut call = Call::new(self.remote.client(), plan.clone(), request, false);
        let asking = async {
            let mut begun = TextAnswer::default();
            while begun.text.is_empty() && begun.tokens.is_empty() {
                let Some(piece) = call.next().await? else { break };
                begun.append(piece);
            }
            Ok(begun)
        };
        let asked = self.remote.clock.timeout(self.remote.upstream.paces.first, asking).await;
        let answer = asked.map_err(|_| BackendError::Slow(Stage::First))?;
        // A prompt of ours that it refuses is nobody else's fault.
        answer.map_err(|error| match error {
            BackendError::Refused(why) => BackendError::Misconfigured(format!("asked for one token: {why}")),
            other => other,
        })
    }
}

/// For people, behind "the model".
impl fmt::Display for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let form = match self.plan.decoupled {
            Some(true) => "in pieces",
            Some(false) => "whole",
            None => "in pieces if it can",
        };
        write!(f, "is asked with {} and answers {form}", self.plan.names())?;
        if self.echoes {
            f.write_str(", its prompt first, which is cut off")?;
        }
        if !self.plan.goes_on() {
            f.write_str("; it ends at its end token whatever a task says")?;
        }
        match (self.tells_ids, self.tells_log_probs) {
            (true, true) => f.write_str("; it tells token ids and log-probabilities"),
            (true, false) => f.write_str(
                "; it tells token ids, but no log-probabilities: it can't earn on tasks that need them",
            ),
            (false, _) => f.write_str("; it tells no token ids: it can't earn on tasks that need them"),
        }
    }
}

/// Whether a failure may mean that the server's model is no longer what is known of it.
pub(super) fn doubts(error: &BackendError) -> bool {
    use BackendError::{Disconnected, Malformed, Misconfigured, Unreachable};
    // One that was away may come back with another model.
    matches!(error, Misconfigured(_) | Malformed(_) | Unreachable(_) | Disconnected)
}
