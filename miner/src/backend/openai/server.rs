//! The server behind a backend, and what is known of it.

use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::Mutex;
use tokio::time::Instant;
use weighhouse_ask::completions::{CompletionError, CompletionRoute, CompletionServer};
use weighhouse_models::language::LanguageTokens;

use super::abilities::Abilities;
use super::limits::{MODELS_BYTES_MAX, REFUSAL_BYTES_MAX};
use super::probe::probe;
use super::refusal::Refusal;
use crate::backend::error::{BackendError, shortened};

/// Least time between two probes for a server that answers differently than before; one that was away is probed at once.
const PROBE_INTERVAL: Duration = Duration::from_secs(30);

/// Names of a server's models that are told, and the wait for them.
const MODELS_SHOWN_MAX: usize = 8;
const MODELS_TIMEOUT: Duration = Duration::from_secs(5);

/// A server with what it can do, which is found out before its first use and again when it changes.
#[derive(Debug)]
pub(super) struct ProbedServer {
    pub(super) server: CompletionServer,
    /// The tokenizer of its model, if its folder lies here.
    pub(super) tokenizer: Option<LanguageTokens>,
    /// `None` until it is found out, and after the server was away.
    known: RwLock<Option<Arc<Abilities>>>,
    /// The server's name for its model when it was first asked: what the digest stands for.
    model: OnceLock<String>,
    /// Held while the server is probed.
    history: Mutex<History>,
}

/// Earlier probes.
#[derive(Debug, Default)]
struct History {
    /// What was told last.
    told: Option<Arc<Abilities>>,
    failed: Option<(Instant, BackendError)>,
    probed: Option<Instant>,
    /// When a refusal last led to one.
    refused: Option<Instant>,
}

impl ProbedServer {
    pub(super) fn new(server: CompletionServer, tokenizer: Option<LanguageTokens>) -> Self {
        Self {
            server,
            tokenizer,
            known: RwLock::default(),
            model: OnceLock::new(),
            history: Mutex::default(),
        }
    }

    pub(super) fn known(&self) -> Option<Arc<Abilities>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes what is known for outdated, an earlier failure too: the next use probes.
    pub(super) async fn forget(&self) {
        self.history.lock().await.failed = None;
        self.set(None);
    }

    /// As [`Self::forget`], for a refusal of what stands beside a prompt. False where another one led to it a moment ago: a
    /// wish that is always refused would have the server probed each time that a caller has it.
    pub(super) async fn forget_refused(&self) -> bool {
        let mut history = self.history.lock().await;
        if history.refused.is_some_and(|at| at.elapsed() < PROBE_INTERVAL) {
            return false;
        }
        (history.refused, history.failed) = (Some(Instant::now()), None);
        self.set(None);
        true
    }

    pub(super) fn set(&self, abilities: Option<Arc<Abilities>>) {
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = abilities;
    }

    /// As [`Self::forget`], unless the server was probed a moment ago.
    pub(super) async fn doubt(&self) {
        let probed = self.history.lock().await.probed;
        if probed.is_none_or(|at| at.elapsed() >= PROBE_INTERVAL) {
            self.set(None);
        }
    }

    /// What a request may ask for: what the server showed, or what most servers can do where it showed nothing, so that
    /// its answer to the request itself tells what is wrong.
    ///
    /// # Errors
    /// A server that can't be reached.
    pub(super) async fn abilities(self: &Arc<Self>) -> Result<Arc<Abilities>, BackendError> {
        match self.learn().await {
            Err(error) if !is_away(&error) => {
                Ok(Arc::new(Abilities { model: self.model.get().cloned(), ..Abilities::assumed() }))
            }
            learnt => learnt,
        }
    }

    /// What the server can do; probes it where that isn't known.
    ///
    /// # Errors
    /// A server that can't be reached, or gives no completions.
    pub(super) async fn learn(self: &Arc<Self>) -> Result<Arc<Abilities>, BackendError> {
        if let Some(known) = self.known() {
            return Ok(known);
        }
        // A task of its own: a caller whose time is up would take the probe with it, and the next one would begin anew.
        let (server, asked) = (self.clone(), Instant::now());
        let learning = tokio::spawn(async move { server.find_out(asked).await });
        learning.await.unwrap_or_else(|error| Err(BackendError::Failed(error.to_string())))
    }

    /// Probes for a caller that asked then, if nobody did since.
    async fn find_out(&self, asked: Instant) -> Result<Arc<Abilities>, BackendError> {
        let mut history = self.history.lock().await;
        // Another caller may have probed meanwhile.
        if let Some(known) = self.known() {
            return Ok(known);
        }
        match &history.failed {
            // What is away is dialled each time, which costs as much as asking it, but not once for each who waits here.
            Some((at, error)) if *at >= asked || at.elapsed() < PROBE_INTERVAL && !is_away(error) => {
                return Err(error.clone());
            }
            _ => {}
        }
        let found = match probe(&self.server).await {
            Ok(found) => self.check_model(found),
            Err(BackendError::Misconfigured(why)) => {
                Err(BackendError::Misconfigured(self.with_models(why).await))
            }
            Err(error) => Err(error),
        };
        history.probed = Some(Instant::now());
        match found {
            Ok(found) => {
                let found = Arc::new(found);
                self.tell(&found, history.told.as_deref());
                (history.told, history.failed) = (Some(found.clone()), None);
                self.set(Some(found.clone()));
                Ok(found)
            }
            Err(error) => {
                history.failed = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
    }

    /// Adds which models the server has, where the configured one isn't among them.
    async fn with_models(&self, why: String) -> String {
        let asking = async {
            let response = self.server.call(CompletionRoute::Models, &Value::Null).await.ok()?;
            let body = response.collect(MODELS_BYTES_MAX).await.ok()?;
            serde_json::from_slice::<Value>(&body).ok()
        };
        let listed = tokio::time::timeout(MODELS_TIMEOUT, asking).await.ok().flatten().unwrap_or_default();
        let models = listed["data"].as_array().into_iter().flatten();
        let names: Vec<_> = models.filter_map(|model| model["id"].as_str()).take(MODELS_SHOWN_MAX).collect();
        if names.is_empty() || names.contains(&self.server.model.as_str()) {
            return why;
        }
        format!("{why}; its models are {}: check `model`", shortened(&names.join(", ")))
    }

    /// A server that now has another model would be signed for as if it had the first.
    fn check_model(&self, found: Abilities) -> Result<Abilities, BackendError> {
        let Some(now) = &found.model else { return Ok(found) };
        let first = self.model.get_or_init(|| now.clone());
        if first == now {
            return Ok(found);
        }
        Err(BackendError::Misconfigured(format!(
            "it calls its model {now:?} now, and called it {first:?}; restart the miner if that is meant"
        )))
    }

    fn tell(&self, found: &Abilities, before: Option<&Abilities>) {
        let CompletionServer { url, model, .. } = &self.server;
        match before {
            Some(before) if before == found => {
                tracing::debug!(%url, model, "the backend can do what it could")
            }
            Some(_) => tracing::warn!(%url, model, "the backend changed: now it {found}"),
            None => tracing::info!(%url, model, "the backend {found}"),
        }
    }

    /// Asks whether the server answers at all, at the cost of no completion.
    pub(super) async fn look(&self) -> Result<(), BackendError> {
        let response = self.server.call(CompletionRoute::Models, &Value::Null).await?;
        let status = response.status();
        if status.is_server_error() && status.as_u16() != 501 {
            let body = response.refusal(REFUSAL_BYTES_MAX).await;
            return match Refusal::of_status(status, &body).into_error() {
                // A server may fail at this question alone; one that loads its model says so.
                BackendError::Unreachable(why) => Err(BackendError::Unreachable(why)),
                _ => Ok(()),
            };
        }
        // Read to its end, so that a server that stops midway is seen to.
        match response.collect(MODELS_BYTES_MAX).await {
            // A long list is an answer too.
            Ok(_) | Err(CompletionError::Oversized(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

fn is_away(error: &BackendError) -> bool {
    matches!(error, BackendError::Unreachable(_) | BackendError::Disconnected | BackendError::Busy)
}
