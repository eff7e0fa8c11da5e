//! A real node's state under as many blocks as one likes: headers are made here, everything else is asked of the node once
//! and said again at each further block.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use blake2::digest::consts::U32;
use blake2::{Blake2b, Digest as _};
use parity_scale_codec::{Compact, Encode};
use serde_json::{Value, json};
use soketto::handshake::Server;
use soketto::handshake::server::Response;
use tokio::io::{BufReader, BufWriter};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::compat::TokioAsyncReadCompatExt as _;
use weighhouse_chain::Chain as _;
use weighhouse_chain::subtensor::Development;

pub(super) struct StretchedMetagraph {
    node: Development,
    /// The block whose state is told.
    real: String,
    genesis: String,
    first: u64,
    /// Of the blocks from `first` on.
    hashes: Vec<[u8; 32]>,
    numbers: HashMap<String, u64>,
    newest: AtomicUsize,
    said: Mutex<HashMap<String, Value>>,
    messages: AtomicU64,
    urls: Mutex<Vec<String>>,
}

impl StretchedMetagraph {
    /// Two endpoints of one node, whose chain can grow by a number of blocks.
    pub(super) async fn start(node: Development, blocks: usize) -> anyhow::Result<Arc<Self>> {
        let head = node.head().await?;
        let mut hashes = vec![head.hash.0];
        for _ in 0..=blocks {
            let number = head.number.0 + hashes.len() as u64;
            let parent = hashes.last().context("a parent")?;
            hashes.push(hash(parent, number)?);
        }
        let numbers = hashes.iter().zip(head.number.0..).map(|(hash, number)| (hex(hash), number)).collect();
        let stretched = Arc::new(Self {
            real: hex(&head.hash.0),
            genesis: hex(&node.chain.genesis().0),
            first: head.number.0,
            node,
            hashes,
            numbers,
            newest: AtomicUsize::new(1),
            said: Mutex::default(),
            messages: AtomicU64::new(0),
            urls: Mutex::default(),
        });
        for _ in 0..2 {
            let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
            let url = format!("ws://{}", listener.local_addr()?);
            stretched.urls.lock().unwrap_or_else(PoisonError::into_inner).push(url);
            let shared = Arc::clone(&stretched);
            tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(serve(stream, Arc::clone(&shared)));
                }
            });
        }
        Ok(stretched)
    }

    pub(super) fn urls(&self) -> Vec<String> {
        self.urls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn next_block(&self) {
        self.newest.fetch_add(1, Ordering::Relaxed);
    }

    /// That came so far, to both endpoints.
    pub(super) fn messages(&self) -> u64 {
        self.messages.load(Ordering::Relaxed)
    }

    async fn answer(&self, request: &Value) -> Result<Value, String> {
        let method = request["method"].as_str().unwrap_or_default();
        let params = request["params"].as_array().cloned().unwrap_or_default();
        let newest = self.newest.load(Ordering::Relaxed);
        match method {
            "chain_getFinalizedHead" | "chain_getHead" => Ok(hex(&self.hashes[newest]).into()),
            "chain_getBlockHash" => Ok(match params.first().and_then(number) {
                None => hex(&self.hashes[newest]).into(),
                // Clients tell a network by its block 0, so this one has to be the real network's.
                Some(0) => self.genesis.clone().into(),
                Some(number) => {
                    let at = usize::try_from(number.saturating_sub(self.first)).unwrap_or(usize::MAX);
                    self.hashes.get(at).filter(|_| at <= newest).map_or(Value::Null, |hash| hex(hash).into())
                }
            }),
            "chain_getHeader" => {
                let asked = params.first().and_then(Value::as_str).map(str::to_owned);
                let asked = asked.unwrap_or_else(|| hex(&self.hashes[newest]));
                let number = *self.numbers.get(&asked).ok_or("no such block")?;
                Ok(self.header(number))
            }
            method => self.of_node(method, params).await,
        }
    }

    fn header(&self, number: u64) -> Value {
        let at = usize::try_from(number - self.first).unwrap_or(0);
        let parent = at.checked_sub(1).map_or([0; 32], |before| self.hashes[before]);
        let nothing = hex(&[0; 32]);
        json!({
            "parentHash": hex(&parent), "number": format!("{number:#x}"), "stateRoot": nothing,
            "extrinsicsRoot": nothing, "digest": { "logs": [] },
        })
    }

    /// The node's word on its own newest block.
    async fn of_node(&self, method: &str, params: Vec<Value>) -> Result<Value, String> {
        let real = |param: Value| match param.as_str() {
            Some(text) if self.numbers.contains_key(text) => self.real.clone().into(),
            _ => param,
        };
        let params: Vec<Value> = params.into_iter().map(real).collect();
        let key = format!("{method} {}", Value::from(params.clone()));
        let known = self.said.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let said = self.node.request(method, params).await.map_err(|error| error.to_string())?;
        self.said.lock().unwrap_or_else(PoisonError::into_inner).insert(key, said.clone());
        Ok(said)
    }
}

fn number(value: &Value) -> Option<u64> {
    let text = || u64::from_str_radix(value.as_str()?.strip_prefix("0x")?, 16).ok();
    value.as_u64().or_else(text)
}

/// Of a header that names its parent and its number, and nothing else.
fn hash(parent: &[u8; 32], number: u64) -> anyhow::Result<[u8; 32]> {
    let number = Compact(u32::try_from(number)?);
    let header = (parent, number, [0_u8; 32], [0_u8; 32], Compact(0_u32)).encode();
    Ok(Blake2b::<U32>::digest(header).into())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold("0x".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

async fn serve(stream: TcpStream, stretched: Arc<StretchedMetagraph>) {
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let mut server = Server::new(BufWriter::new(BufReader::new(stream)).compat());
    let Ok(request) = server.receive_request().await else { return };
    let key = request.key();
    if server.send_response(&Response::Accept { key, protocol: None }).await.is_err() {
        return;
    }
    let (mut sender, mut receiver) = server.into_builder().finish();
    let mut message = Vec::new();
    while receiver.receive_data(&mut message).await.is_ok() {
        let Ok(request) = serde_json::from_slice::<Value>(&message) else { return };
        message.clear();
        stretched.messages.fetch_add(1, Ordering::Relaxed);
        let answer = match &request {
            Value::Array(requests) => {
                let mut answers = Vec::new();
                for request in requests {
                    answers.push(one(&stretched, request).await);
                }
                Value::from(answers)
            }
            request => one(&stretched, request).await,
        };
        if sender.send_text(answer.to_string()).await.is_err() || sender.flush().await.is_err() {
            return;
        }
    }
}

async fn one(stretched: &StretchedMetagraph, request: &Value) -> Value {
    let mut answer = json!({ "jsonrpc": "2.0", "id": request["id"] });
    match stretched.answer(request).await {
        Ok(result) => answer["result"] = result,
        // JSON-RPC's code of an unknown method.
        Err(message) => answer["error"] = json!({ "code": -32601, "message": message }),
    }
    answer
}
