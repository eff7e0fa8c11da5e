//! The miners, in a process of their own: half of them honest, half silent or hostile.

use std::convert::Infallible;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Context as _;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;
use weighhouse_models::{Builtin, Classifier};
use weighhouse_proto::frame;
use weighhouse_proto::inference::{ModelInferRequest, ModelInferResponse};
use weighhouse_proto::method::MODEL_INFER;
use weighhouse_seams::{Plaintext, TlsAcceptor, TlsKey, TlsPin};
use weighhouse_types::InferRequest;
use weighhouse_wallet::keypair::Keypair;

use super::plays::{self, PLAYS};
use super::{HONEST, MINERS};
use crate::round::stubs::{miner, trailers};
use crate::round::subnet::Place;

/// What the second half does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Takes connections and says nothing.
    Calm,
    /// One play after the other.
    Played,
}

impl Mode {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Calm => "calm",
            Self::Played => "played",
        }
    }
}

impl std::str::FromStr for Mode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Calm, Self::Played].into_iter().find(|mode| mode.name() == text).ok_or_else(|| text.to_owned())
    }
}

/// The process, as the suite holds it.
pub(super) struct Peers {
    child: Child,
    told: BufReader<ChildStdout>,
    asks: ChildStdin,
    places: Vec<Place>,
}

impl Peers {
    pub(super) fn start(mode: Mode) -> anyhow::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["suite", "hostile", "--peers", mode.name()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let told = BufReader::new(child.stdout.take().context("its output")?);
        let asks = child.stdin.take().context("its input")?;
        let mut peers = Self { child, told, asks, places: Vec::new() };
        for _ in 0..MINERS {
            let line = peers.line()?;
            let (address, pin) = line.split_once(' ').context("an address and a key")?;
            let pin = match pin {
                "-" => None,
                pin => TlsPin::of_chain(TlsPin::ALGORITHM, &const_hex::decode(pin)?),
            };
            peers.places.push(Place { address: address.parse()?, pin });
        }
        Ok(peers)
    }

    pub(super) fn places(&self) -> &[Place] {
        &self.places
    }

    /// Requests to honest miners since this was asked before.
    pub(super) fn asked(&mut self) -> anyhow::Result<usize> {
        writeln!(self.asks)?;
        Ok(self.line()?.parse()?)
    }

    fn line(&mut self) -> anyhow::Result<String> {
        let mut line = String::new();
        self.told.read_line(&mut line)?;
        Ok(line.trim().to_owned())
    }
}

impl Drop for Peers {
    fn drop(&mut self) {
        let _ = self.child.kill().and_then(|()| self.child.wait());
    }
}

/// The process itself: says where each miner is, and for each line that it reads how many requests came to the honest ones.
pub(crate) fn serve(mode: Mode) -> anyhow::Result<()> {
    // One thread: those that play have no more than one core.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let mut out = std::io::stdout().lock();
    let model = Arc::new(Classifier::load(Builtin::Reference.bytes())?);
    let came = Arc::new(AtomicUsize::new(0));
    for nth in 0..MINERS {
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
        // Every second one is asked over TLS.
        let key = (nth % 2 == 1).then(TlsKey::generate).transpose()?;
        writeln!(out, "{} {}", listener.local_addr()?, written(key.as_ref()))?;
        let tls = key.map(|key| TlsAcceptor::new(&[key], Plaintext::Served));
        let keypair = Arc::new(miner(nth));
        if nth < HONEST {
            let honest = Honest { keypair, model: model.clone(), came: came.clone() };
            runtime.spawn(accept_honestly(listener, tls, honest));
        } else {
            runtime.spawn(accept(listener, tls, keypair, usize::from(nth), mode));
        }
    }
    out.flush()?;
    for line in std::io::stdin().lock().lines() {
        line?;
        writeln!(out, "{}", came.swap(0, Ordering::Relaxed))?;
        out.flush()?;
    }
    Ok(())
}

fn written(key: Option<&TlsKey>) -> String {
    key.map_or_else(|| "-".to_owned(), |key| const_hex::encode(key.pin().as_bytes()))
}

/// One after the other, in an order of each miner's own.
async fn accept(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    keypair: Arc<Keypair>,
    nth: usize,
    mode: Mode,
) {
    let mut at = nth;
    while let Ok((socket, _)) = listener.accept().await {
        let (tls, keypair, play) = (tls.clone(), keypair.clone(), PLAYS[at % PLAYS.len()]);
        at += 1;
        tokio::spawn(async move {
            // However it ends, it is over.
            let _ = match mode {
                Mode::Calm => plays::wait(&mut { socket }).await,
                Mode::Played => plays::act(play, socket, tls, &keypair).await,
            };
        });
    }
}

#[derive(Clone)]
struct Honest {
    keypair: Arc<Keypair>,
    model: Arc<Classifier>,
    came: Arc<AtomicUsize>,
}

async fn accept_honestly(listener: TcpListener, tls: Option<TlsAcceptor>, honest: Honest) {
    while let Ok((socket, from)) = listener.accept().await {
        let (tls, honest): (Option<TlsAcceptor>, Honest) = (tls.clone(), honest.clone());
        let _: SocketAddr = from;
        tokio::spawn(async move {
            let io = match tls {
                Some(tls) => tls.accept(Box::new(socket)),
                None => Box::new(socket),
            };
            let answer = service_fn(move |request| answer(honest.clone(), request));
            let _ = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(io), answer)
                .await;
        });
    }
}

async fn answer(
    honest: Honest,
    request: Request<Incoming>,
) -> Result<Response<BoxBody<Bytes, Infallible>>, Infallible> {
    let asks = request.uri().path() == MODEL_INFER;
    let asked = request.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    if asks {
        honest.came.fetch_add(1, Ordering::Relaxed);
    }
    let framed = asks.then(|| honest_answer(&honest.model, &asked)).flatten().unwrap_or_default();
    let trailers = trailers(&honest.keypair, &asked, &framed);
    let body = Full::new(framed).with_trailers(std::future::ready(trailers.map(Ok))).boxed();
    let mut response = Response::new(body);
    response.headers_mut().insert("content-type", http::HeaderValue::from_static("application/grpc"));
    Ok(response)
}

/// What the reference itself says.
pub(super) fn honest_answer(model: &Classifier, asked: &[u8]) -> Option<Bytes> {
    let message: ModelInferRequest = frame::decode(asked).ok()?;
    let request = InferRequest::try_from(message).ok()?;
    let rows = model.forward(&weighhouse_tasks::pixels(&request).ok()?).ok()?;
    let answer = weighhouse_tasks::respond(&request, "1", &rows);
    Some(frame::encode(&ModelInferResponse::try_from(answer).ok()?))
}
