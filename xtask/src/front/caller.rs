//! A caller that dials anew for each question, signed or not, and notes when the first token came.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use weighhouse_proto::frame;
use weighhouse_proto::inference::ModelInferRequest;
use weighhouse_proto::method::MODEL_STREAM_INFER as PATH;
use weighhouse_types::Hotkey;
use weighhouse_types::text::TextRequest;
use weighhouse_wallet::btauth::Signer;

/// Strangers come from an address of their own, as they would.
const STRANGERS: ([u8; 4], u16) = ([127, 0, 0, 2], 0);

#[derive(Clone, Copy)]
pub(super) enum Protocol {
    OpenAi,
    Oip,
}

pub(super) struct Caller {
    pub(super) address: SocketAddr,
    pub(super) protocol: Protocol,
    pub(super) model: &'static str,
    /// The signer, and the receiver that it signs for.
    pub(super) signer: Option<(Arc<Signer>, Hotkey)>,
}

/// One answer.
pub(super) struct Sample {
    /// From dialling to the first token.
    pub(super) first: Duration,
    pub(super) pieces: usize,
}

impl Caller {
    pub(super) async fn ask(&self, tokens: u32) -> anyhow::Result<Sample> {
        let begun = Instant::now();
        let io = TcpStream::connect(self.address).await?;
        io.set_nodelay(true)?;
        let mut driving = JoinSet::new();
        let (request, body) = match self.protocol {
            Protocol::OpenAi => self.completion(tokens)?,
            Protocol::Oip => self.infer(tokens)?,
        };
        let request = request.body(Full::new(body))?;
        // Either sender ends its connection when it goes, so both live as long as the answer.
        let mut senders = (None, None);
        let response = match self.protocol {
            Protocol::OpenAi => {
                let (sender, connection) = http1::handshake(TokioIo::new(io)).await?;
                driving.spawn(async move { drop(connection.await) });
                senders.0.insert(sender).send_request(request).await?
            }
            Protocol::Oip => {
                let handshake = http2::handshake(TokioExecutor::new(), TokioIo::new(io));
                let (sender, connection) = handshake.await?;
                driving.spawn(async move { drop(connection.await) });
                senders.1.insert(sender).send_request(request).await?
            }
        };
        ensure!(response.status() == 200, "status {}", response.status());
        self.read(begun, response.into_body()).await
    }

    /// Asks from an address of strangers, and tells whether it is refused.
    pub(super) async fn is_refused(&self, tokens: u32) -> anyhow::Result<bool> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(STRANGERS.into())?;
        let io = socket.connect(self.address).await?;
        io.set_nodelay(true)?;
        let (request, body) = self.infer(tokens)?;
        let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(io)).await?;
        let mut driving = JoinSet::new();
        driving.spawn(async move { drop(connection.await) });
        let response = sender.send_request(request.body(Full::new(body))?).await?;
        let told = response.headers().get("grpc-status").cloned();
        let trailers = response.into_body().collect().await?;
        let status = told.or_else(|| trailers.trailers()?.get("grpc-status").cloned());
        Ok(status.context("a status")? != "0")
    }

    async fn read(&self, begun: Instant, mut body: Incoming) -> anyhow::Result<Sample> {
        let (mut first, mut read) = (None, Vec::new());
        while let Some(frame) = body.frame().await {
            let frame = frame?;
            if let Some(trailers) = frame.trailers_ref() {
                let status = trailers.get("grpc-status").context("a status")?;
                ensure!(status == "0", "{trailers:?}");
                let signed = trailers.contains_key("weighhouse-signature");
                ensure!(signed == self.signer.is_some(), "signed: {signed}");
            }
            if let Some(data) = frame.data_ref().filter(|data| !data.is_empty()) {
                first.get_or_insert_with(|| begun.elapsed());
                read.extend_from_slice(data);
            }
        }
        let pieces = match self.protocol {
            Protocol::OpenAi => read.windows(6).filter(|bytes| bytes == b" token").count(),
            Protocol::Oip => frames(&read),
        };
        Ok(Sample { first: first.context("no token came")?, pieces })
    }

    fn completion(&self, tokens: u32) -> anyhow::Result<(http::request::Builder, Bytes)> {
        let body = serde_json::json!({
            "model": self.model, "prompt": "count", "max_tokens": tokens, "temperature": 0, "stream": true,
        });
        let request = Request::post("/v1/completions")
            .header("host", self.address.to_string())
            .header("content-type", "application/json");
        Ok((request, Bytes::from(serde_json::to_vec(&body)?)))
    }

    fn infer(&self, tokens: u32) -> anyhow::Result<(http::request::Builder, Bytes)> {
        let asked = TextRequest::greedy("count", tokens).to_infer(self.model, "")?;
        let body = frame::encode(&ModelInferRequest::try_from(asked)?);
        let mut request = Request::post(format!("http://{}{PATH}", self.address))
            .header("content-type", "application/grpc")
            .header("te", "trailers");
        if let Some((signer, receiver)) = &self.signer {
            for (name, value) in signer.headers("POST", PATH, &body, Some(receiver)) {
                request = request.header(name, value);
            }
        }
        Ok((request, body))
    }
}

/// Whole gRPC messages in a body.
fn frames(body: &[u8]) -> usize {
    let (mut rest, mut count) = (body, 0);
    while let Some(([_, length @ ..], tail)) = rest.split_first_chunk::<5>() {
        let Some(tail) = tail.get(u32::from_be_bytes(*length) as usize..) else { break };
        rest = tail;
        count += 1;
    }
    count
}
