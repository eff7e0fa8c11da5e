//! A node made of answers: a chain of headers, a runtime version, and every fault a node can have.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use soketto::handshake::Server;
use soketto::handshake::server::Response;
use subxt::config::Hasher as _;
use subxt::config::substrate::{BlakeTwo256, Digest as Logs, H256, SubstrateHeader};
use subxt::ext::codec::{Decode as _, Encode as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::compat::TokioAsyncReadCompatExt as _;

type Header = SubstrateHeader<H256>;

/// Behaviour of the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    Honest,
    /// Takes requests and never answers.
    Silent,
    /// Closes the connection instead of answering.
    Closing,
    /// Gives the header of another block.
    Lying,
    /// Says again what it said before, then answers in another order than it was asked in.
    Reordering,
    /// Takes one request at a time.
    Unbatched,
}

#[derive(Debug)]
pub(super) struct Script {
    pub(super) manner: Manner,
    headers: Vec<Header>,
    /// The number of the newest finalised block.
    pub(super) finalized: u64,
    pub(super) spec: u32,
    /// Whether it has dropped every state that it is asked for by a call.
    pub(super) discards: bool,
    pub(super) metadata: BTreeMap<u32, Vec<u8>>,
    /// Its answers to other methods.
    pub(super) answers: BTreeMap<&'static str, Value>,
    /// Values by their keys, as hexadecimal digits.
    pub(super) stored: BTreeMap<String, String>,
    pub(super) requests: Vec<String>,
    pub(super) connections: usize,
}

pub(super) struct Node {
    pub(super) address: SocketAddr,
    script: Arc<Mutex<Script>>,
    _tasks: JoinSet<()>,
}

pub(super) fn hash(header: &Header) -> H256 {
    BlakeTwo256.hash(&header.encode())
}

/// Blocks 0 to `length`, those from `fork` on told apart by `branch`.
pub(super) fn chain(length: u64, fork: u64, branch: u8) -> Vec<Header> {
    let mut headers: Vec<Header> = Vec::new();
    for number in 0..=length {
        let parent_hash = headers.last().map_or(H256::zero(), hash);
        let state_root = H256([if number >= fork { branch } else { 0 }; 32]);
        let digest = Logs { logs: Vec::new() };
        headers.push(Header { parent_hash, number, state_root, extrinsics_root: H256::zero(), digest });
    }
    headers
}

impl Node {
    pub(super) async fn start(headers: Vec<Header>) -> Self {
        let finalized = u64::try_from(headers.len()).expect("fits") - 1;
        let script = Arc::new(Mutex::new(Script {
            manner: Manner::Honest,
            headers,
            finalized,
            spec: 0,
            discards: false,
            metadata: BTreeMap::new(),
            answers: BTreeMap::new(),
            stored: BTreeMap::new(),
            requests: Vec::new(),
            connections: 0,
        }));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let mut tasks = JoinSet::new();
        let shared = Arc::clone(&script);
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream, Arc::clone(&shared)));
            }
        });
        Self { address, script, _tasks: tasks }
    }

    pub(super) fn url(&self) -> String {
        format!("ws://{}", self.address)
    }

    pub(super) fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn replace(&self, headers: Vec<Header>, finalized: u64) {
        let mut script = self.script();
        script.headers = headers;
        script.finalized = finalized;
    }
}

async fn serve(stream: TcpStream, script: Arc<Mutex<Script>>) -> () {
    let mut server = Server::new(stream.compat());
    let Ok(request) = server.receive_request().await else { return };
    let key = request.key();
    if server.send_response(&Response::Accept { key, protocol: None }).await.is_err() {
        return;
    }
    script.lock().unwrap_or_else(PoisonError::into_inner).connections += 1;
    let (mut sender, mut receiver) = server.into_builder().finish();
    let mut message = Vec::new();
    let mut before = String::new();
    while receiver.receive_data(&mut message).await.is_ok() {
        let asked: Value = serde_json::from_slice(&message).expect("JSON");
        message.clear();
        let (mut ready, manner) = {
            let mut script = script.lock().unwrap_or_else(PoisonError::into_inner);
            match script.manner {
                Manner::Silent => continue,
                Manner::Closing => return,
                manner => (vec![script.reply(&asked).to_string()], manner),
            }
        };
        let said = std::mem::replace(&mut before, ready[0].clone());
        if manner == Manner::Reordering && !said.is_empty() {
            ready.insert(0, said);
        }
        for text in ready {
            if sender.send_text(text).await.is_err() || sender.flush().await.is_err() {
                return;
            }
        }
    }
}

impl Script {
    fn reply(&mut self, asked: &Value) -> Value {
        let Value::Array(requests) = asked else {
            let mut reply = json!({ "jsonrpc": "2.0", "id": asked["id"] });
            match self.answer(asked) {
                Ok(result) => reply["result"] = result,
                Err(message) => reply["error"] = json!({ "code": -32601, "message": message }),
            }
            return reply;
        };
        if self.manner == Manner::Unbatched {
            let error = json!({ "code": -32005, "message": "Batched requests are not supported" });
            return json!({ "jsonrpc": "2.0", "id": null, "error": error });
        }
        let mut replies: Vec<Value> = requests.iter().map(|request| self.reply(request)).collect();
        if self.manner == Manner::Reordering {
            replies.reverse();
        }
        replies.into()
    }

    fn answer(&mut self, request: &Value) -> Result<Value, String> {
        let method = request["method"].as_str().expect("a method");
        self.requests.push(method.to_owned());
        let first = &request["params"][0];
        match method {
            "chain_getBlockHash" => {
                let number = first.as_u64().expect("a number");
                let header = self.headers.get(usize::try_from(number).expect("fits"));
                Ok(header.map_or(Value::Null, |header| json!(hash(header))))
            }
            "chain_getFinalizedHead" => Ok(json!(hash(&self.headers[self.finalized as usize]))),
            "chain_getHeader" => {
                let found = self.headers.iter().position(|header| json!(hash(header)) == *first);
                let shift = usize::from(self.manner == Manner::Lying);
                let header = found.map(|at| &self.headers[at - shift]);
                Ok(header.map_or(Value::Null, |header| json!(header)))
            }
            "state_getRuntimeVersion" => Ok(json!({ "specVersion": self.spec, "transactionVersion": 1 })),
            "state_call" if self.discards => {
                Err("Client error: UnknownBlock: State already discarded for 0x00".to_owned())
            }
            "state_call" if first == "Metadata_metadata_at_version" => {
                let asked = request["params"][1].as_str().expect("bytes");
                let asked =
                    u32::decode(&mut &const_hex::decode(&asked[2..]).expect("hex")[..]).expect("a version");
                let metadata = self.metadata.get(&self.spec).filter(|_| asked == 16).cloned();
                Ok(json!(const_hex::encode_prefixed(metadata.encode())))
            }
            "state_queryStorageAt" => {
                let keys = first.as_array().expect("keys").iter();
                let stored = |key: &Value| json!([key, self.stored.get(key.as_str().expect("a key"))]);
                let changes: Vec<Value> = keys.map(stored).collect();
                Ok(json!([{ "block": request["params"][1], "changes": changes }]))
            }
            other => self.answers.get(other).cloned().ok_or_else(|| format!("no {other} here")),
        }
    }
}
