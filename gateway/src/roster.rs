//! What the miners serve, by their own descriptions, and which of them to ask for a model.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt as _;
use http::StatusCode;
use weighhouse_ask::{Asker, Miners, Target, call, frame, unframe};
use weighhouse_proto::method::DESCRIBE;
use weighhouse_proto::{Description, ModelKind, v1};
use weighhouse_types::Hotkey;

use crate::error::ApiError;
use crate::limits::{CallLimits, MINERS_ASKED_MAX, SET_ASIDE};
use crate::metrics;

/// Time between two rounds of descriptions.
pub(crate) const PERIOD: Duration = Duration::from_secs(15);
/// Rest between rounds that requests for unknown models ask for.
const REST: Duration = Duration::from_secs(1);
/// Miners that are described, the first ones by weight.
const MEMBERS_MAX: usize = 64;
/// Descriptions under way at once.
const AT_ONCE: usize = MEMBERS_MAX;
const DESCRIPTION: CallLimits = CallLimits { deadline: Duration::from_secs(5), body_bytes_max: 256 << 10 };

/// A miner that described itself.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) target: Target,
    description: Arc<Description>,
}

impl Member {
    /// Most texts of one request for embeddings.
    pub(crate) fn texts_max(&self) -> usize {
        usize::try_from(self.description.limits.items_max).unwrap_or(usize::MAX).max(1)
    }

    /// The samplers of a model that it serves; a miner that doesn't say what kind it is may have any.
    fn samplers(&self, model: &str, kind: ModelKind) -> Option<&[String]> {
        let models = self.description.models.iter();
        let mut found =
            models.filter(|known| known.name == model && known.kind.is_none_or(|known| known == kind));
        found.next().map(|known| known.samplers.as_slice())
    }
}

/// A model to be asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'a> {
    pub(crate) model: &'a str,
    pub(crate) kind: ModelKind,
    /// `None` where nothing is sampled.
    pub(crate) sampler: Option<&'static str>,
}

/// The miners that can be asked.
#[derive(Debug)]
pub(crate) struct Roster {
    asker: Asker,
    miners: Miners,
    /// The heaviest first, and the time of the round.
    members: Mutex<(Arc<[Member]>, Option<Duration>)>,
    /// Miners that failed, and until when they are asked last.
    aside: Mutex<HashMap<Hotkey, Duration>>,
    /// Held during a round, so that there is one at a time.
    round: tokio::sync::Mutex<()>,
}

impl Roster {
    pub(crate) fn new(asker: Asker, miners: Miners) -> Self {
        let members = Mutex::new(([].into(), None));
        Self { asker, miners, members, aside: Mutex::default(), round: tokio::sync::Mutex::default() }
    }

    /// Asks all miners what they serve, for as long as it is polled.
    pub(crate) async fn keep(&self) {
        let (mut miners, clock) = (self.miners.clone(), self.asker.clock.clone());
        loop {
            miners.mark_unchanged();
            self.describe(Duration::ZERO).await;
            tokio::select! {
                () = clock.sleep(PERIOD) => {}
                Ok(()) = miners.changed() => {}
            }
        }
    }

    /// Does a round, unless the last one is younger than `rest`.
    async fn describe(&self, rest: Duration) {
        let _one_at_a_time = self.round.lock().await;
        let last = self.members.lock().unwrap_or_else(PoisonError::into_inner).1;
        if last.is_some_and(|last| self.asker.clock.monotonic().saturating_sub(last) < rest) {
            return;
        }
        let targets = self.miners.borrow().clone();
        let rounds: Vec<_> =
            targets.iter().take(MEMBERS_MAX).map(|target| self.description(*target)).collect();
        let found: Vec<Option<Member>> = futures::stream::iter(rounds).buffered(AT_ONCE).collect().await;
        let found: Arc<[Member]> = found.into_iter().flatten().collect();
        metrics::miners(found.len());
        let now = self.asker.clock.monotonic();
        self.aside.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, until| *until > now);
        let mut members = self.members.lock().unwrap_or_else(PoisonError::into_inner);
        let models = models(&found);
        if last.is_none() || models != self::models(&members.0) || found.is_empty() != members.0.is_empty() {
            tracing::info!(miners = found.len(), models = models.join(", "), "miners that can be asked");
        }
        if found.is_empty() && (last.is_none() || !members.0.is_empty()) {
            tracing::warn!(
                listed = targets.len(),
                "no miner describes itself: is there one with an axon and weight?"
            );
        }
        *members = (found, Some(now));
    }

    async fn description(&self, target: Target) -> Option<Member> {
        let asked = frame(&v1::DescribeRequest {});
        let answer = call::call(&self.asker, target, DESCRIBE, asked, DESCRIPTION).await;
        let read = answer.map_err(|error| error.to_string()).and_then(|framed| {
            let message: v1::DescribeResponse = unframe(&framed).map_err(|failure| failure.code())?;
            Description::try_from(message).map_err(|error| error.to_string())
        });
        match read {
            Ok(description) => Some(Member { target, description: Arc::new(description) }),
            Err(error) => {
                tracing::debug!(miner = %target.hotkey, address = %target.address, error, "not described");
                None
            }
        }
    }

    fn members(&self) -> Arc<[Member]> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner).0.clone()
    }

    /// Names of all models that continue or embed texts.
    pub(crate) async fn models(&self) -> Vec<String> {
        self.describe(PERIOD).await;
        models(&self.members())
    }

    /// Lists the miners to ask for a model, in order; at least one.
    pub(crate) async fn candidates(&self, wanted: Wanted<'_>) -> Result<Vec<Member>, ApiError> {
        let mut found = self.serving(wanted.model, wanted.kind);
        if found.is_empty() {
            self.describe(REST).await;
            found = self.serving(wanted.model, wanted.kind);
        }
        if found.is_empty() {
            return Err(match self.members().is_empty() {
                true => ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "no miner can be asked now"),
                false => ApiError::no_model(wanted.model),
            });
        }
        if let Some(sampler) = wanted.sampler {
            found.retain(|member| {
                member.samplers(wanted.model, wanted.kind).is_some_and(|samplers| offers(samplers, sampler))
            });
            if found.is_empty() {
                let message = format!(
                    "no miner samples {:?} as asked ({sampler}): `temperature` must be 0",
                    wanted.model
                );
                return Err(ApiError::param("temperature", message));
            }
        }
        let (now, aside) =
            (self.asker.clock.monotonic(), self.aside.lock().unwrap_or_else(PoisonError::into_inner));
        // Stable: otherwise by weight.
        found.sort_by_key(|member| aside.get(&member.target.hotkey).is_some_and(|until| *until > now));
        found.truncate(MINERS_ASKED_MAX);
        Ok(found)
    }

    fn serving(&self, model: &str, kind: ModelKind) -> Vec<Member> {
        self.members().iter().filter(|member| member.samplers(model, kind).is_some()).cloned().collect()
    }

    /// Has a miner that failed asked after all others for a while.
    pub(crate) fn set_aside(&self, target: Target) {
        let until = self.asker.clock.monotonic() + SET_ASIDE;
        self.aside.lock().unwrap_or_else(PoisonError::into_inner).insert(target.hotkey, until);
    }
}

/// A miner that names no samplers may have any.
fn offers(samplers: &[String], sampler: &str) -> bool {
    samplers.is_empty() || samplers.iter().any(|name| name == sampler)
}

fn models(members: &[Member]) -> Vec<String> {
    let all = members.iter().flat_map(|member| &member.description.models);
    let texts = all.filter(|model| model.kind != Some(ModelKind::Classifier));
    let mut names: Vec<String> = texts.map(|model| model.name.clone()).collect();
    names.sort();
    names.dedup();
    names
}
