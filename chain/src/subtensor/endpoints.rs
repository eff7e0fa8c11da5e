//! The endpoints of a network, and the finalised block they agree on.
//!
//! **Invariant.** The head never goes back, and never names a block that an endpoint which can be reached contradicts. An
//! endpoint that is away or stands still (`health`) is not waited for while another answers.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde::de::DeserializeOwned;
use subxt::ext::futures::future::join_all;
use subxt::rpcs::client::{RawValue, RpcParams};
use tokio::sync::Mutex;
use weighhouse_types::{Block, Digest, Head};

use super::Network;
use super::endpoint::{Along, Endpoint, EndpointFailure, NewestBlock, Version, is_discarded};
use super::socket::Request;
use crate::ChainError;

/// Blocks that one endpoint may be behind another before it is worth a warning.
const LAG_BLOCKS: u64 = 20;

/// Of endpoints to the same requests.
pub(super) type EndpointAnswers<'a> = Vec<(&'a Endpoint, Vec<Box<RawValue>>)>;

#[derive(Debug)]
pub(super) struct Endpoints {
    pub(super) all: Vec<Endpoint>,
    /// The one that answered last.
    pub(super) preferred: AtomicUsize,
    genesis: Arc<OnceLock<Digest>>,
    newest: Mutex<Option<NewestBlock>>,
    /// Whether the endpoints were said to be behind what they had shown.
    is_behind: AtomicBool,
    pub(super) stuck_after: Duration,
}

impl Endpoints {
    pub(super) fn new(network: &Network) -> Self {
        let genesis = Arc::new(network.genesis.map_or_else(OnceLock::new, OnceLock::from));
        let endpoint = |url: &String| Endpoint::new(url.clone(), network.deadline, Arc::clone(&genesis));
        Self {
            all: network.endpoints.iter().map(endpoint).collect(),
            preferred: AtomicUsize::new(0),
            genesis,
            newest: Mutex::default(),
            is_behind: AtomicBool::new(false),
            stuck_after: network.stuck_after,
        }
    }

    /// Known once a connection was made.
    pub(super) fn genesis(&self) -> Option<Digest> {
        self.genesis.get().copied()
    }

    /// Asks the endpoints in turn until one answers. What a node answers with an error is an answer.
    pub(super) async fn request<T: DeserializeOwned>(
        &self,
        method: &str,
        params: &RpcParams,
    ) -> Result<T, (&Endpoint, EndpointFailure)> {
        let mut last = None;
        for index in self.in_turn() {
            let endpoint = &self.all[index];
            match endpoint.request(method, params.clone()).await {
                Ok(answer) => {
                    self.preferred.store(index, Ordering::Relaxed);
                    return Ok(answer);
                }
                // Another node may keep what this one has dropped.
                Err(EndpointFailure::Answer(error)) if is_discarded(&error) => {
                    last = Some((endpoint, EndpointFailure::Answer(error)));
                }
                // An error in answer to a call is the chain's word; another node would say the same.
                Err(failed @ EndpointFailure::Answer(_)) => return Err((endpoint, failed)),
                Err(failed) => last = Some((endpoint, failed)),
            }
        }
        Err(last.expect("a network has an endpoint"))
    }

    /// Like [`Self::request`], but a JSON-RPC error from the node is returned as a [`ChainError`].
    pub(super) async fn ask<T: DeserializeOwned>(
        &self,
        method: &str,
        params: &RpcParams,
    ) -> Result<T, ChainError> {
        self.request(method, params).await.map_err(|(endpoint, failed)| endpoint.failed(failed))
    }

    /// As [`Self::ask`], of every endpoint: those that can be reached must give the same answer.
    pub(super) async fn agreed<T: DeserializeOwned + PartialEq>(
        &self,
        method: &str,
        params: RpcParams,
    ) -> Result<T, ChainError> {
        let request = Request::new(method, params);
        self.all_agreed(&[request], |endpoint, answers| endpoint.read(method, &answers[0])).await
    }

    /// As [`Self::agreed`], of some requests at once; `read` makes what is compared out of an answer to each.
    pub(super) async fn all_agreed<T: PartialEq>(
        &self,
        requests: &[Request<'_>],
        read: impl Fn(&Endpoint, &[Box<RawValue>]) -> Result<T, EndpointFailure>,
    ) -> Result<T, ChainError> {
        let mut asked = self.awake();
        // One that is stuck lacks the newest blocks, and what it answers is an error.
        if asked.iter().any(|endpoint| !endpoint.health.is_stuck()) {
            asked.retain(|endpoint| !endpoint.health.is_stuck());
        }
        let answers = join_all(asked.iter().map(|endpoint| endpoint.all(requests))).await;
        let mut told = Vec::with_capacity(asked.len());
        let mut failure = None;
        for (endpoint, answers) in asked.into_iter().zip(answers) {
            match answers {
                Ok(answers) => told.push((endpoint, answers)),
                Err(failed) => failure = Some(endpoint.failed(failed)),
            }
        }
        let what: Vec<_> = requests.iter().map(|request| request.method).collect();
        agree(told, failure, &what.join(", "), read)
    }

    /// The newest finalised block that every reachable endpoint has.
    pub(super) async fn head(&self) -> Result<Head, ChainError> {
        Ok(self.head_along(&|_| Vec::new()).await?.0)
    }

    /// As [`Self::head`]; and what every reachable endpoint said of that block, if it is new to all.
    pub(super) async fn head_along(
        &self,
        along: &Along<'_>,
    ) -> Result<(Head, Option<EndpointAnswers<'_>>), ChainError> {
        let before = self.newest.lock().await.map(|newest| newest.head.number);
        let asked = self.awake();
        let mut told = Vec::with_capacity(asked.len());
        let mut failure = None;
        let mut answers = Vec::with_capacity(asked.len());
        let finalized = asked.iter().map(|endpoint| endpoint.finalized(before, along));
        let said = join_all(finalized).await;
        for (endpoint, answer) in asked.into_iter().zip(said) {
            match answer.map_err(|failed| endpoint.failed(failed)) {
                Ok((said, answer)) => {
                    told.push((endpoint, said));
                    answers.extend(answer.map(|answer| (endpoint, answer)));
                }
                // An endpoint of another chain is no slow one: going on without it would hide a wrong configuration.
                Err(error @ ChainError::WrongGenesis { .. }) => return Err(error),
                Err(error) => failure = Some(error),
            }
        }
        let out = self.leave_out(&mut told, before).await?;
        answers.retain(|(endpoint, _): &(&Endpoint, _)| !out.contains(&endpoint.url()));
        // The lowest head is the only one that all of them can be asked about.
        let Some((slowest, said)) = told.iter().min_by_key(|(_, said)| said.head.number).copied() else {
            return Err(failure.expect("no endpoint answered"));
        };
        let lowest = said.head;
        if let Some(error) = failure.filter(|_| self.all.len() > 1) {
            tracing::warn!(%error, "an endpoint of the chain is left out");
        }
        for (endpoint, NewestBlock { head, .. }) in &told {
            if head.number.saturating_since(lowest.number) > LAG_BLOCKS {
                let (behind, ahead) = (slowest.url(), endpoint.url());
                tracing::warn!(behind, ahead, blocks = head.number.0 - lowest.number.0, "an endpoint lags");
            }
            let hash = match head.number == lowest.number {
                true => head.hash,
                false => hash_at(endpoint, lowest.number).await?,
            };
            if hash != lowest.hash {
                return Err(disagree(lowest, slowest, hash, endpoint));
            }
        }
        let is_of_all = answers.len() == told.len() && told.iter().all(|(_, said)| said.head == lowest);
        let head = self.advance(said, slowest).await?;
        Ok((head, Some(answers).filter(|_| is_of_all && head == lowest)))
    }

    /// The runtime's version at the newest block, if that is this one.
    pub(super) async fn version(&self, at: Digest) -> Option<Version> {
        self.newest.lock().await.filter(|newest| newest.head.hash == at)?.version
    }

    /// Takes the head as the newest unless it goes back; the one before must still be part of the chain.
    async fn advance(&self, said: NewestBlock, endpoint: &Endpoint) -> Result<Head, ChainError> {
        let head = said.head;
        // Held over the question below: of two heads at once, the later must be compared with the earlier.
        let mut newest = self.newest.lock().await;
        let Some(before) = newest.map(|newest| newest.head) else {
            *newest = Some(said);
            return Ok(head);
        };
        // A node that was restored may be behind: the head never goes back for our callers.
        if head.number < before.number {
            let blocks = before.number.0 - head.number.0;
            if blocks > LAG_BLOCKS && !self.is_behind.swap(true, Ordering::Relaxed) {
                tracing::warn!(
                    endpoint = endpoint.url(), head = %head.number, shown = %before.number, blocks,
                    "the chain's endpoints are behind a block that they had called final: nothing is new until they are past it"
                );
            }
            return Ok(before);
        }
        self.is_behind.store(false, Ordering::Relaxed);
        let still = match said.before {
            _ if head.number == before.number => head.hash,
            Some((block, hash)) if block == before.number => hash,
            _ => hash_at(endpoint, before.number).await?,
        };
        // Finality that is taken back is an attack or a broken node; nothing read since can be trusted.
        if still != before.hash {
            return Err(ChainError::FinalityBroken { block: before.number, was: before.hash, is: still });
        }
        *newest = Some(said);
        Ok(head)
    }

    /// The hash of a finalised block.
    pub(super) async fn block_hash(&self, block: Block) -> Result<Digest, ChainError> {
        // Not held while a head is asked for, which takes it too.
        let newest = *self.newest.lock().await;
        let head = match newest {
            Some(newest) if newest.head.number >= block => newest.head,
            _ => self.head().await?,
        };
        if block > head.number {
            return Err(ChainError::NoBlock { block, head: head.number });
        }
        if block == head.number {
            return Ok(head.hash);
        }
        hash_at(&self.all[self.in_turn()[0]], block).await
    }
}

/// The answer that all give; `failure` if there is none.
pub(super) fn agree<T: PartialEq>(
    mut told: EndpointAnswers<'_>,
    mut failure: Option<ChainError>,
    what: &str,
    read: impl Fn(&Endpoint, &[Box<RawValue>]) -> Result<T, EndpointFailure>,
) -> Result<T, ChainError> {
    // Mostly they agree to the letter.
    if told.windows(2).all(|pair| is_same(&pair[0].1, &pair[1].1)) {
        told.truncate(1);
    }
    let mut agreed: Option<(&Endpoint, T)> = None;
    for (endpoint, answers) in told {
        match (read(endpoint, &answers), &agreed) {
            (Err(failed), _) => failure = Some(endpoint.failed(failed)),
            (Ok(answer), None) => agreed = Some((endpoint, answer)),
            (Ok(answer), Some((_, first))) if answer == *first => {}
            (Ok(_), Some((first, _))) => {
                let (one, other) = (first.url().to_owned(), endpoint.url().to_owned());
                return Err(ChainError::AnswersDisagree { what: what.to_owned(), one, other });
            }
        }
    }
    agreed.map(|(_, answer)| answer).ok_or_else(|| failure.expect("a network has an endpoint"))
}

fn is_same(one: &[Box<RawValue>], other: &[Box<RawValue>]) -> bool {
    one.iter().map(|answer| answer.get()).eq(other.iter().map(|answer| answer.get()))
}

pub(super) async fn hash_at(endpoint: &Endpoint, block: Block) -> Result<Digest, ChainError> {
    let hash = endpoint.block_hash(block).await.map_err(|failed| endpoint.failed(failed))?;
    hash.ok_or_else(|| ChainError::Undecodable(format!("{} has no hash of block {block}", endpoint.url())))
}

pub(super) fn disagree(lowest: Head, slowest: &Endpoint, hash: Digest, endpoint: &Endpoint) -> ChainError {
    ChainError::EndpointsDisagree {
        block: lowest.number,
        one: format!("{} for {}", lowest.hash, slowest.url()),
        other: format!("{hash} for {}", endpoint.url()),
    }
}
