//! One node: a connection that is made when it is needed and anew when it breaks.
//!
//! **Invariant.** Every request has a deadline, and no connection is used before its chain's genesis was compared with
//! the pinned one. A connection that stalled once is not used again.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde::de::DeserializeOwned;
use subxt::config::Hasher as _;
use subxt::config::substrate::{BlakeTwo256, H256, SubstrateHeader};
use subxt::ext::codec::Encode as _;
use subxt::rpcs::client::{RawValue, RpcClient, RpcParams, rpc_params};
use subxt::rpcs::{Error as RpcError, UserError};
use tokio::sync::Mutex;
use tokio::time::timeout;
use weighhouse_types::{Block, Digest, Head};

use crate::ChainError;

/// Tries of one request, each on a connection of its own: a node that restarts closes the first.
const TRIES: u32 = 2;

#[derive(Debug)]
pub(super) struct Endpoint {
    url: String,
    deadline: Duration,
    /// Shared with the network's other endpoints; empty until the first connection where none is pinned.
    genesis: Arc<OnceLock<Digest>>,
    connection: Mutex<Option<Arc<RpcClient>>>,
    /// The newest finalised block it told, checked against its header.
    told: Mutex<Option<Head>>,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Failed {
    /// The node answered with an error.
    Answer(UserError),
    Chain(ChainError),
}

impl Endpoint {
    pub(super) fn new(url: String, deadline: Duration, genesis: Arc<OnceLock<Digest>>) -> Self {
        Self { url, deadline, genesis, connection: Mutex::default(), told: Mutex::default() }
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// One request within the deadline, connecting included.
    pub(super) async fn request<T: DeserializeOwned>(
        &self,
        method: &str,
        params: &RpcParams,
    ) -> Result<T, Failed> {
        self.read(method, &self.raw(method, params).await?)
    }

    /// As [`Self::request`], and not read yet.
    pub(super) async fn raw(&self, method: &str, params: &RpcParams) -> Result<Box<RawValue>, Failed> {
        let answer = timeout(self.deadline, self.attempts(method, params)).await;
        match answer {
            Ok(answer) => answer,
            Err(_) => {
                self.hang_up().await;
                Err(Failed::Chain(self.timed_out()))
            }
        }
    }

    /// What an answer says.
    pub(super) fn read<T: DeserializeOwned>(&self, method: &str, answer: &RawValue) -> Result<T, Failed> {
        let undecodable = |error| ChainError::Undecodable(format!("{}: {method}: {error}", self.url));
        serde_json::from_str(answer.get()).map_err(|error| Failed::Chain(undecodable(error)))
    }

    async fn attempts(&self, method: &str, params: &RpcParams) -> Result<Box<RawValue>, Failed> {
        let mut tried = 0;
        loop {
            tried += 1;
            let client = self.client().await.map_err(Failed::Chain)?;
            match client.request_raw(method, params.clone().build()).await {
                Ok(answer) => return Ok(answer),
                Err(RpcError::User(error)) => return Err(Failed::Answer(error)),
                Err(error) => {
                    self.forget(&client).await;
                    if tried == TRIES {
                        return Err(Failed::Chain(self.unreachable(&error)));
                    }
                }
            }
        }
    }

    async fn client(&self) -> Result<Arc<RpcClient>, ChainError> {
        let mut connection = self.connection.lock().await;
        if let Some(client) = &*connection {
            return Ok(Arc::clone(client));
        }
        let client =
            RpcClient::from_insecure_url(&self.url).await.map_err(|error| self.unreachable(&error))?;
        let actual: H256 = client
            .request("chain_getBlockHash", rpc_params![0])
            .await
            .map_err(|error| self.unreachable(&error))?;
        let actual = Digest(actual.0);
        let expected = *self.genesis.get_or_init(|| actual);
        if expected != actual {
            return Err(ChainError::WrongGenesis { endpoint: self.url.clone(), expected, actual });
        }
        let client = Arc::new(client);
        *connection = Some(Arc::clone(&client));
        Ok(client)
    }

    async fn forget(&self, broken: &Arc<RpcClient>) {
        let mut connection = self.connection.lock().await;
        if connection.as_ref().is_some_and(|current| Arc::ptr_eq(current, broken)) {
            *connection = None;
        }
    }

    async fn hang_up(&self) {
        *self.connection.lock().await = None;
    }

    /// The newest block it calls finalised. The number is read from a header that has the hash it named.
    pub(super) async fn finalized(&self) -> Result<Head, Failed> {
        let hash: H256 = self.request("chain_getFinalizedHead", &rpc_params![]).await?;
        let mut told = self.told.lock().await;
        if let Some(known) = told.filter(|known| known.hash.0 == hash.0) {
            return Ok(known);
        }
        let head = self.header(Digest(hash.0)).await?;
        *told = Some(head);
        Ok(head)
    }

    /// A block's number, from a header that has this hash.
    pub(super) async fn header(&self, hash: Digest) -> Result<Head, Failed> {
        let params = rpc_params![H256(hash.0)];
        let header: Option<SubstrateHeader<H256>> = self.request("chain_getHeader", &params).await?;
        let Some(header) = header else {
            return Err(self.lies(format!("no header for block {hash}")));
        };
        if BlakeTwo256.hash(&header.encode()).0 != hash.0 {
            return Err(self.lies(format!("the header of block {hash} has another hash")));
        }
        Ok(Head { number: Block(header.number), hash })
    }

    /// The hash of a block by its number; `None` where the node doesn't have it.
    pub(super) async fn block_hash(&self, block: Block) -> Result<Option<Digest>, Failed> {
        let hash: Option<H256> = self.request("chain_getBlockHash", &rpc_params![block.0]).await?;
        Ok(hash.map(|hash| Digest(hash.0)))
    }

    fn lies(&self, what: String) -> Failed {
        Failed::Chain(ChainError::Undecodable(format!("{}: {what}", self.url)))
    }

    fn timed_out(&self) -> ChainError {
        ChainError::TimedOut { endpoint: self.url.clone(), seconds: self.deadline.as_secs() }
    }

    fn unreachable(&self, error: &RpcError) -> ChainError {
        ChainError::Unreachable { endpoint: self.url.clone(), why: error.to_string() }
    }

    /// An answer that is an error where none was expected.
    pub(super) fn failed(&self, failed: Failed) -> ChainError {
        match failed {
            Failed::Chain(error) => error,
            Failed::Answer(error) => {
                ChainError::Unreachable { endpoint: self.url.clone(), why: error.to_string() }
            }
        }
    }
}
