//! Miners in a process of their own: each answer is signed by whoever was asked, and leaves after a while.

use std::convert::Infallible;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use bytes::Bytes;
use futures::future::join_all;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;
use tonic::metadata::{AsciiMetadataKey, AsciiMetadataValue};
use weighhouse_proto::frame;
use weighhouse_proto::inference::grpc_inference_service_client::GrpcInferenceServiceClient;
use weighhouse_proto::inference::{ModelInferRequest, ModelInferResponse};
use weighhouse_proto::method::MODEL_INFER;
use weighhouse_seams::SystemClock;
use weighhouse_types::{Digest, Hasher, InferRequest};
use weighhouse_wallet::answer::{AnswerSignature, answer_digest, trailer, verify_answer};
use weighhouse_wallet::btauth::{Signer, header};
use weighhouse_wallet::keypair::Keypair;

use super::cpu_time;

pub(crate) fn validator() -> anyhow::Result<Keypair> {
    Keypair::from_uri("//Validator").context("a development key")
}

pub(crate) fn miner(nth: u16) -> Keypair {
    let seed = Hasher::new("weighhouse/bench/round").part(&nth.to_le_bytes()).finish();
    Keypair::from_seed(seed.as_bytes())
}

/// How stubs work.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// For an answer.
    pub(crate) thinking: Duration,
    /// One engine is behind all of them, and serves one request after the other.
    pub(crate) serial: bool,
}

/// The process of the stubs, as the bench holds it.
pub(super) struct Stubs {
    child: Child,
    told: BufReader<ChildStdout>,
    asks: ChildStdin,
    address: SocketAddr,
}

impl Stubs {
    pub(super) fn start(miners: u16, pace: Pace) -> anyhow::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["bench", "round", "--stubs", &miners.to_string()])
            .args(["--thinking-ms", &pace.thinking.as_millis().to_string()])
            .args(pace.serial.then_some("--serial"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut told = BufReader::new(child.stdout.take().context("its output")?);
        let asks = child.stdin.take().context("its input")?;
        let mut line = String::new();
        told.read_line(&mut line)?;
        let address = line.trim().parse().with_context(|| format!("the stubs said {line:?}"))?;
        Ok(Self { child, told, asks, address })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The requests since this was asked before, and the seconds between the first and the last.
    pub(super) fn asked(&mut self) -> anyhow::Result<(usize, f64)> {
        writeln!(self.asks)?;
        let mut line = String::new();
        self.told.read_line(&mut line)?;
        let (count, spread) = line.trim().split_once(' ').context("two numbers")?;
        Ok((count.parse()?, spread.parse()?))
    }

    /// CPU-seconds of this process for each query by tonic's own client, on a connection of its own, with one signature and one
    /// verification.
    pub(super) async fn ask_barely(&self, miners: u16) -> anyhow::Result<f64> {
        let signer = Signer::new(Arc::new(validator()?), Arc::new(SystemClock::new()));
        let message = ModelInferRequest { model_name: "digits".into(), ..ModelInferRequest::default() };
        let body = frame::encode(&message);
        let used = cpu_time();
        let asking = (0..miners).map(|nth| {
            let (signer, message, body, address) = (&signer, message.clone(), &body, self.address);
            async move {
                let hotkey = miner_hotkey(nth);
                let mut client = GrpcInferenceServiceClient::connect(format!("http://{address}")).await?;
                let mut request = tonic::Request::new(message);
                for (name, value) in signer.headers("POST", MODEL_INFER, body, Some(&hotkey)) {
                    let name = AsciiMetadataKey::from_static(name);
                    request.metadata_mut().insert(name, AsciiMetadataValue::try_from(value)?);
                }
                let (answer, trailers) = {
                    let response = client.model_infer(request).await?;
                    let trailers = response.metadata().clone().into_headers();
                    (frame::encode(&response.into_inner()), trailers)
                };
                verify_answer(&hotkey, body, &answer, &trailers)?;
                anyhow::Ok(())
            }
        });
        for outcome in join_all(asking).await {
            outcome?;
        }
        Ok(cpu_time().saturating_sub(used).as_secs_f64() / f64::from(miners))
    }
}

impl Drop for Stubs {
    fn drop(&mut self) {
        let _ = self.child.kill().and_then(|()| self.child.wait());
    }
}

fn miner_hotkey(nth: u16) -> weighhouse_types::Hotkey {
    use std::sync::OnceLock;
    static HOTKEYS: OnceLock<Vec<weighhouse_types::Hotkey>> = OnceLock::new();
    // Deriving a key costs as much as a signature, and is no part of a query.
    HOTKEYS.get_or_init(|| (0..4_096).map(|nth| miner(nth).hotkey()).collect())[usize::from(nth)]
}

/// Of one scan.
const PIXELS: usize = 64;
const GRPC_STATUS: http::HeaderName = http::HeaderName::from_static("grpc-status");

struct Served {
    miners: Vec<(String, Keypair)>,
    thinking: Duration,
    /// Held while the engine works, where there is one.
    engine: Option<tokio::sync::Mutex<()>>,
    /// When requests came since they were asked for.
    came: Mutex<Vec<Instant>>,
}

/// The process itself: says where it listens, and for each line that it reads how many requests came and within which time.
pub(crate) fn serve(miners: u16, pace: Pace) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", listener.local_addr()?)?;
    out.flush()?;
    let named = |nth| {
        let keypair = miner(nth);
        (keypair.hotkey().to_string(), keypair)
    };
    let miners: Vec<_> = (0..miners).map(named).collect();
    let served = Arc::new(Served {
        miners,
        thinking: pace.thinking,
        engine: pace.serial.then(tokio::sync::Mutex::default),
        came: Mutex::default(),
    });
    let accepting = served.clone();
    runtime.spawn(async move {
        while let Ok((io, _)) = listener.accept().await {
            let served = accepting.clone();
            tokio::spawn(async move {
                let answer = service_fn(move |request| answer(served.clone(), request));
                let _ = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                    .serve_connection(TokioIo::new(io), answer)
                    .await;
            });
        }
    });
    for line in std::io::stdin().lock().lines() {
        line?;
        let mut came = std::mem::take(&mut *served.came.lock().unwrap_or_else(PoisonError::into_inner));
        came.sort();
        let spread = match (came.first(), came.last()) {
            (Some(first), Some(last)) => last.duration_since(*first).as_secs_f64(),
            _ => 0.0,
        };
        writeln!(out, "{} {spread}", came.len())?;
        out.flush()?;
    }
    Ok(())
}

type Body = http_body_util::combinators::BoxBody<Bytes, Infallible>;

async fn answer(served: Arc<Served>, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    let infers = request.uri().path() == MODEL_INFER;
    let receiver = request.headers().get(header::RECEIVER).and_then(|it| it.to_str().ok()).map(str::to_owned);
    if infers {
        served.came.lock().unwrap_or_else(PoisonError::into_inner).push(Instant::now());
    }
    let asked = request.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    if infers {
        let _engine = match &served.engine {
            Some(engine) => Some(engine.lock().await),
            None => None,
        };
        tokio::time::sleep(served.thinking).await;
    }
    let (framed, trailers) = signed(&served, receiver.as_deref(), &asked).unwrap_or_else(|| {
        // Receipts, and what else is asked of a stub.
        (Bytes::new(), [(GRPC_STATUS, HeaderValue::from_static("12"))].into_iter().collect())
    });
    let body = Full::new(framed).with_trailers(std::future::ready(Some(Ok(trailers)))).boxed();
    let mut response = Response::new(body);
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    Ok(response)
}

/// Guesses at all scans alike, signed by whoever was asked.
fn signed(served: &Served, receiver: Option<&str>, asked: &[u8]) -> Option<(Bytes, HeaderMap)> {
    let (_, keypair) = served.miners.iter().find(|(hotkey, _)| Some(hotkey.as_str()) == receiver)?;
    let message: ModelInferRequest = frame::decode(asked).ok()?;
    let answer = match InferRequest::try_from(message) {
        Ok(request) if !request.inputs.is_empty() => {
            let guess = vec![[0.1; 10]; weighhouse_tasks::pixels(&request).ok()?.len() / PIXELS];
            let answer = weighhouse_tasks::respond(&request, "1", &guess);
            ModelInferResponse::try_from(answer).ok()?
        }
        _ => ModelInferResponse::default(),
    };
    let framed = frame::encode(&answer);
    let trailers = trailers(keypair, asked, &framed)?;
    Some((framed, trailers))
}

/// What ends a whole answer: its signature, and that all is well.
pub(crate) fn trailers(keypair: &Keypair, asked: &[u8], framed: &[u8]) -> Option<HeaderMap> {
    let model = Digest::default();
    let digest = answer_digest(&Digest::of(asked), &Digest::of(framed), &model);
    let signature = const_hex::encode(AnswerSignature::single(keypair, &digest).encode());
    let trailers = [
        (GRPC_STATUS, HeaderValue::from_static("0")),
        (http::HeaderName::from_static(trailer::SIGNATURE), HeaderValue::try_from(signature).ok()?),
        (http::HeaderName::from_static(trailer::MODEL), HeaderValue::try_from(model.to_string()).ok()?),
    ];
    Some(trailers.into_iter().collect())
}
