//! One node: a connection that is made when it is needed and anew when it breaks.
//!
//! **Invariant.** Every request has a deadline, and no connection is used before its chain's genesis was compared with
//! the pinned one. A connection that stalled once is not used again. An endpoint that failed is remembered as such (`health`).

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde::de::DeserializeOwned;
use subxt::config::Hasher as _;
use subxt::config::substrate::{BlakeTwo256, H256, SubstrateHeader};
use subxt::ext::codec::Encode as _;
use subxt::rpcs::UserError;
use subxt::rpcs::client::{RawValue, RpcParams, rpc_params};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};
use weighhouse_types::{Block, Digest, Head};

use super::health::{Health, PROBE_DEADLINE};
use super::socket::{Reply, Request, Socket, SocketError};
use crate::ChainError;

/// Tries of one exchange, each on a connection of its own: a node that restarts closes the first.
const TRIES: u32 = 2;

#[derive(Debug)]
pub(super) struct Endpoint {
    url: String,
    deadline: Duration,
    /// Shared with the network's other endpoints; empty until the first connection where none is pinned.
    genesis: Arc<OnceLock<Digest>>,
    /// Taken out for as long as an exchange lasts, and dropped with one that is given up.
    connection: Mutex<Option<Socket>>,
    /// Its last answer about the newest finalised block.
    told: Mutex<Option<NewestBlock>>,
    pub(super) health: Health,
}

/// The newest finalised block, its number checked against its header; and what was asked along with it.
#[derive(Clone, Copy, Debug)]
pub(super) struct NewestBlock {
    pub(super) head: Head,
    /// Of the runtime after that block.
    pub(super) version: Option<Version>,
    /// An earlier block.
    pub(super) before: Option<(Block, Digest)>,
}

/// A runtime's versions.
#[derive(Clone, Copy, Debug, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Version {
    pub(super) spec_version: u32,
    pub(super) transaction_version: u32,
}

/// Questions about a block that go along with the one for its header.
pub(super) type Along<'a> = dyn Fn(Digest) -> Vec<Request<'static>> + Sync + 'a;

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum EndpointFailure {
    /// The node answered with an error.
    Answer(UserError),
    Chain(ChainError),
}

impl Endpoint {
    pub(super) fn new(url: String, deadline: Duration, genesis: Arc<OnceLock<Digest>>) -> Self {
        let health = Health::default();
        Self { url, deadline, genesis, connection: Mutex::default(), told: Mutex::default(), health }
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// One request within the deadline, connecting included.
    pub(super) async fn request<T: DeserializeOwned>(
        &self,
        method: &str,
        params: RpcParams,
    ) -> Result<T, EndpointFailure> {
        let request = Request::new(method, params);
        self.read(method, &self.all(&[request]).await?[0])
    }

    /// Some requests at once; an error in answer to one is one of all.
    pub(super) async fn all(&self, requests: &[Request<'_>]) -> Result<Vec<Box<RawValue>>, EndpointFailure> {
        self.each(requests).await?.into_iter().map(|reply| reply.map_err(EndpointFailure::Answer)).collect()
    }

    async fn each(&self, requests: &[Request<'_>]) -> Result<Vec<Reply>, EndpointFailure> {
        let deadline = match self.health.is_failing() {
            true => self.deadline.min(PROBE_DEADLINE),
            false => self.deadline,
        };
        let answered = timeout(deadline, self.attempts(requests)).await;
        let answered = answered.unwrap_or_else(|_| Err(self.timed_out(deadline)));
        match &answered {
            Ok(_) if self.health.answered() => {
                tracing::info!(endpoint = self.url, "an endpoint of the chain answers again");
            }
            // Of another chain it is no slow one, and to pass over it would hide that.
            Ok(_) | Err(ChainError::WrongGenesis { .. }) => {}
            Err(_) => self.health.failed(Instant::now()),
        }
        answered.map_err(EndpointFailure::Chain)
    }

    /// Decodes an answer.
    pub(super) fn read<T: DeserializeOwned>(
        &self,
        method: &str,
        answer: &RawValue,
    ) -> Result<T, EndpointFailure> {
        serde_json::from_str(answer.get()).map_err(|error| self.lies(format!("{method}: {error}")))
    }

    async fn attempts(&self, requests: &[Request<'_>]) -> Result<Vec<Reply>, ChainError> {
        let mut tried = 0;
        loop {
            tried += 1;
            // Held for the whole exchange: answers on one connection are matched to their questions.
            let mut connection = self.connection.lock().await;
            // Taken out, so that an exchange that is given up drops its connection with the answers still to come.
            let mut socket = match connection.take() {
                Some(socket) => socket,
                None => self.open().await?,
            };
            match socket.exchange(requests).await {
                Ok(replies) => {
                    *connection = Some(socket);
                    return Ok(replies);
                }
                Err(broken) if tried == TRIES => return Err(self.unreachable(&broken)),
                Err(_) => {}
            }
        }
    }

    async fn open(&self) -> Result<Socket, ChainError> {
        let mut socket = Socket::open(&self.url).await.map_err(|broken| self.unreachable(&broken))?;
        // The genesis of each new connection: behind one address there may be several nodes.
        let request = Request::new("chain_getBlockHash", rpc_params![0]);
        let replies = socket.exchange(&[request]).await.map_err(|broken| self.unreachable(&broken))?;
        let actual = match replies.into_iter().next() {
            Some(Ok(hash)) => self.read::<H256>("chain_getBlockHash", &hash),
            Some(Err(error)) => Err(EndpointFailure::Answer(error)),
            None => Err(self.lies("no answer".to_owned())),
        };
        let actual = Digest(actual.map_err(|failed| self.failed(failed))?.0);
        let expected = *self.genesis.get_or_init(|| actual);
        if expected != actual {
            return Err(ChainError::WrongGenesis { endpoint: self.url.clone(), expected, actual });
        }
        Ok(socket)
    }

    /// The newest block it calls finalised; with it the hash of the block `before`. What is asked along with a block
    /// that is new is answered if nothing went wrong.
    pub(super) async fn finalized(
        &self,
        before: Option<Block>,
        along: &Along<'_>,
    ) -> Result<(NewestBlock, Option<Vec<Box<RawValue>>>), EndpointFailure> {
        let hash: H256 = self.request("chain_getFinalizedHead", rpc_params![]).await?;
        // Held over the questions: whoever asks meanwhile waits here and finds the answers.
        let mut told = self.told.lock().await;
        if let Some(known) = told.filter(|known| known.head.hash.0 == hash.0) {
            return Ok((known, None));
        }
        // One round trip for all that a new block is asked about.
        let mut requests = vec![
            Request::new("chain_getHeader", rpc_params![hash]),
            Request::new("state_getRuntimeVersion", rpc_params![hash]),
            // Block 0 keeps the place where none is asked about; `zip` drops its answer below.
            Request::new("chain_getBlockHash", rpc_params![before.unwrap_or_default().0]),
        ];
        requests.extend(along(Digest(hash.0)));
        let mut replies = self.each(&requests).await?.into_iter();
        let [Some(header), Some(version), Some(earlier)] = [replies.next(), replies.next(), replies.next()]
        else {
            return Err(self.lies("no answer".to_owned()));
        };
        let head = self.header(hash, &header.map_err(EndpointFailure::Answer)?)?;
        let version = version.ok().and_then(|version| serde_json::from_str(version.get()).ok());
        let earlier = earlier.ok().and_then(|hash| serde_json::from_str::<H256>(hash.get()).ok());
        let before = before.zip(earlier.map(|hash| Digest(hash.0)));
        let answers = replies.collect::<Result<Vec<_>, _>>().ok().filter(|answers| !answers.is_empty());
        Ok((*told.insert(NewestBlock { head, version, before }), answers))
    }

    /// A block's number, from a header that has this hash.
    fn header(&self, hash: H256, answer: &RawValue) -> Result<Head, EndpointFailure> {
        let header: Option<SubstrateHeader<H256>> = self.read("chain_getHeader", answer)?;
        let Some(header) = header else {
            return Err(self.lies(format!("no header for block {hash:?}")));
        };
        // The number is only as good as the header, and the header must hash to the block's name.
        if BlakeTwo256.hash(&header.encode()) != hash {
            return Err(self.lies(format!("the header of block {hash:?} has another hash")));
        }
        Ok(Head { number: Block(header.number), hash: Digest(hash.0) })
    }

    /// The hash of a block by its number; `None` where the node doesn't have it.
    pub(super) async fn block_hash(&self, block: Block) -> Result<Option<Digest>, EndpointFailure> {
        let hash: Option<H256> = self.request("chain_getBlockHash", rpc_params![block.0]).await?;
        Ok(hash.map(|hash| Digest(hash.0)))
    }

    fn lies(&self, what: String) -> EndpointFailure {
        EndpointFailure::Chain(ChainError::Undecodable(format!("{}: {what}", self.url)))
    }

    fn timed_out(&self, deadline: Duration) -> ChainError {
        ChainError::TimedOut { endpoint: self.url.clone(), seconds: deadline.as_secs() }
    }

    fn unreachable(&self, error: &SocketError) -> ChainError {
        ChainError::Unreachable { endpoint: self.url.clone(), why: error.to_string() }
    }

    /// An answer that is an error where none was expected.
    pub(super) fn failed(&self, failed: EndpointFailure) -> ChainError {
        match failed {
            EndpointFailure::Chain(error) => error,
            EndpointFailure::Answer(error) if is_discarded(&error) => {
                ChainError::Discarded { endpoint: self.url.clone() }
            }
            EndpointFailure::Answer(error) => {
                ChainError::Unreachable { endpoint: self.url.clone(), why: error.to_string() }
            }
        }
    }
}

/// A pruning node keeps the states of the newest 256 blocks, and says this of older ones.
pub(super) fn is_discarded(error: &UserError) -> bool {
    let detail = error.data.as_ref().map_or("", |data| data.get());
    [error.message.as_str(), detail].iter().any(|text| text.contains("State already discarded"))
}
