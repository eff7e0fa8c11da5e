//! A client that keeps 64 signed requests in flight, and verifies each answer's signature.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::ensure;
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::task::JoinSet;
use weighhouse_proto::frame;
use weighhouse_proto::inference::ModelInferRequest;
use weighhouse_proto::method::MODEL_INFER;
use weighhouse_seams::{Clock, Dialer as _, TcpDialer, TlsPin};
use weighhouse_types::{Hotkey, InferRequest};
use weighhouse_wallet::answer::{AnswerSignature, verify_answer};
use weighhouse_wallet::btauth::Signer;
use weighhouse_wallet::keypair::Keypair;

const CONNECTIONS: usize = 4;
const IN_FLIGHT: usize = 64;

#[derive(Clone)]
pub(super) struct Client {
    signer: Arc<Signer>,
    receiver: Hotkey,
    body: Bytes,
}

/// A server, and the key by which connections to it are encrypted.
#[derive(Clone, Copy)]
pub(super) struct Server {
    pub(super) address: SocketAddr,
    pub(super) pin: Option<TlsPin>,
}

/// What came in a turn.
pub(super) struct Answered {
    /// Answers a second.
    pub(super) rate: f64,
    /// Answers that shared a signature, on average over answers.
    pub(super) batch: f64,
}

impl Client {
    pub(super) fn new(
        sender: Arc<Keypair>,
        receiver: Hotkey,
        clock: Arc<dyn Clock>,
        asked: InferRequest,
    ) -> anyhow::Result<Self> {
        let body = frame::encode(&ModelInferRequest::try_from(asked)?);
        Ok(Self { signer: Arc::new(Signer::new(sender, clock)), receiver, body })
    }

    pub(super) async fn ask(&self, server: Server, turn: Duration) -> anyhow::Result<Answered> {
        let mut driving = JoinSet::new();
        let mut asking = JoinSet::new();
        let begun = Instant::now();
        for _ in 0..CONNECTIONS {
            let io = TcpDialer.dial(server.address).await?;
            let io = match server.pin {
                Some(pin) => pin.secure(io).await?,
                None => io,
            };
            let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(io)).await?;
            driving.spawn(async move { drop(connection.await) });
            for _ in 0..IN_FLIGHT / CONNECTIONS {
                asking.spawn(self.clone().keep_asking(sender.clone(), server.address, begun + turn));
            }
        }
        let (mut answers, mut sharing) = (0_u64, 0_u64);
        while let Some(asked) = asking.join_next().await {
            let (some, shared) = asked??;
            answers += some;
            sharing += shared;
        }
        let answers = answers as f64;
        Ok(Answered { rate: answers / begun.elapsed().as_secs_f64(), batch: sharing as f64 / answers })
    }

    async fn keep_asking(
        self,
        mut sender: http2::SendRequest<Full<Bytes>>,
        address: SocketAddr,
        until: Instant,
    ) -> anyhow::Result<(u64, u64)> {
        let (mut answers, mut sharing) = (0, 0);
        while Instant::now() < until {
            let mut request = Request::post(format!("http://{address}{MODEL_INFER}"))
                .header("content-type", "application/grpc")
                .header("te", "trailers");
            for (name, value) in self.signer.headers("POST", MODEL_INFER, &self.body, Some(&self.receiver)) {
                request = request.header(name, value);
            }
            sender.ready().await?;
            let response = sender.send_request(request.body(Full::new(self.body.clone()))?).await?;
            let collected = response.into_body().collect().await?;
            let trailers = collected.trailers().cloned().unwrap_or_default();
            let answer = collected.to_bytes();
            ensure!(trailers.get("grpc-status").is_some_and(|status| status == "0"), "{trailers:?}");
            let verified = verify_answer(&self.receiver, &self.body, &answer, &trailers)?;
            answers += 1;
            sharing += match verified.signature {
                AnswerSignature::Single(_) => 1,
                AnswerSignature::MerkleProof { size, .. } => size,
            };
        }
        Ok((answers, sharing))
    }
}
