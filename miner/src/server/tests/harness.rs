//! A miner on a real socket, and a caller that signs what it sends.

use std::path::Path;

use bytes::Bytes;
use http::HeaderMap;
use http_body_util::{BodyExt as _, Full};
use prost::Message as _;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tonic::body::Body;
use tower::ServiceExt as _;
use weighhouse_ask::{AskLimits, Asker, RawAnswer, Target};
use weighhouse_chain::certificate::to_pin;
use weighhouse_models::{Builtin, Classifier};
use weighhouse_proto::frame;
use weighhouse_proto::inference::ModelInferResponse;
pub(super) use weighhouse_proto::method::{MODEL_INFER as PATH, MODEL_STREAM_INFER as STREAM_PATH};
use weighhouse_seams::{DirStorage, Entropy, SystemClock, TcpBound, TcpDialer, TlsPin};
use weighhouse_types::{Digest, Failure, InferAnswer, InferRequest, Tensor};
use weighhouse_wallet::btauth::Signer;

use super::*;
use crate::engine::{Catalogue, ClassifierEngine, Engine, EngineError, EngineLimits, ModelName, ServedModel};

pub(super) fn digest() -> Digest {
    Digest::of(Builtin::Weak.bytes())
}

/// A request for so many scans.
pub(super) fn request(items: usize) -> InferRequest {
    let pixels = vec![0.5; items * 64];
    InferRequest {
        model: "digits".into(),
        version: String::new(),
        id: "id".into(),
        inputs: vec![Tensor::from_f32("pixels", vec![items as u64, 64], &pixels).expect("agrees")],
        outputs: vec![],
    }
}

/// How a miner under test differs from the usual one.
pub(super) struct Setup {
    /// Tables to add to the configuration.
    pub(super) config: &'static str,
    pub(super) engine: Option<Arc<dyn Engine>>,
    pub(super) registered: bool,
    /// How often the chain refuses the axon for coming too fast.
    pub(super) too_fast: u32,
}

impl Default for Setup {
    fn default() -> Self {
        Self { config: "", engine: None, registered: true, too_fast: 0 }
    }
}

impl Setup {
    pub(super) async fn start(self) -> Harness {
        let miner = key("//Bob");
        let mut neurons = vec![
            neuron(0, key("//Alice").hotkey(), 100, true),
            neuron(1, key("//Charlie").hotkey(), 100, true),
        ];
        if self.registered {
            neurons.push(neuron(2, miner.hotkey(), 0, false));
        }
        let chain = FakeChain::new(neurons);
        *chain.too_fast.lock().expect("not poisoned") = self.too_fast;
        let text = format!(
            "wallet = {{ name = 'w', hotkey = 'h' }}\nchain = {{ netuid = 1 }}\n\
             model = [{{ name = 'digits', builtin = 'digits-weak' }}]\n{}",
            self.config
        );
        let config = Config::parse(&text).expect("a valid configuration");
        let cpu = CpuPool::new(2, 64);
        let engine: Arc<dyn Engine> = match self.engine {
            Some(engine) => engine,
            None => Arc::new(classifier(&config.limits, &cpu)),
        };
        let clock = TestClock::new();
        let signer_clock: Arc<dyn Clock> = clock.clone();
        let caller = Signer::new(key("//Alice"), signer_clock);
        let dir = tempfile::tempdir().expect("a folder");
        Harness::launch(Base { config, engine, cpu, chain, clock, caller, dir }).await
    }
}

fn classifier(limits: &MinerLimits, cpu: &CpuPool) -> ClassifierEngine {
    let model = Classifier::load(Builtin::Weak.bytes()).expect("built in");
    ClassifierEngine::new(ModelName::new("digits", "1"), model, EngineLimits::from(limits), cpu)
}

/// What outlives a restart.
struct Base {
    config: Config,
    engine: Arc<dyn Engine>,
    cpu: CpuPool,
    chain: Arc<FakeChain>,
    clock: Arc<TestClock>,
    caller: Signer,
    dir: tempfile::TempDir,
}

pub(super) struct Harness {
    base: Base,
    pub(super) address: std::net::SocketAddr,
    pub(super) chain: Arc<FakeChain>,
    pub(super) clock: Arc<TestClock>,
    pub(super) shutdown: CancellationToken,
    pub(super) live: Arc<Live>,
    running: JoinHandle<Result<(), MinerError>>,
}

/// A request as it goes over the wire.
#[derive(Clone)]
pub(super) struct Signed {
    pub(super) path: &'static str,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Bytes,
}

pub(super) struct Reply {
    pub(super) status: u16,
    headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) trailers: HeaderMap,
}

impl Reply {
    pub(super) fn code(&self) -> Code {
        let status = self.trailers.get("grpc-status").or_else(|| self.headers.get("grpc-status"));
        status.map_or(Code::Unknown, |code| Code::from_bytes(code.as_bytes()))
    }

    pub(super) fn message(&self) -> String {
        let status = tonic::Status::from_header_map(&self.trailers);
        let status = status.or_else(|| tonic::Status::from_header_map(&self.headers));
        status.map_or_else(String::new, |status| status.message().to_owned())
    }

    pub(super) fn answer(&self) -> InferAnswer {
        let message = ModelInferResponse::decode(&self.body[5..]).expect("a framed message");
        InferAnswer::try_from(message).expect("tensors that agree")
    }
}

pub(super) async fn exchange(channel: Channel, signed: Signed) -> Option<Reply> {
    let response = begin(channel, signed).await?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    // Clients of grpc-core take a status among the headers only where these end the stream.
    let ends = http_body::Body::is_end_stream(response.body());
    assert!(ends || !headers.contains_key("grpc-status"), "{headers:?}");
    let collected = response.into_body().collect().await.ok()?;
    let trailers = collected.trailers().cloned().unwrap_or_default();
    Some(Reply { status, headers, body: collected.to_bytes(), trailers })
}

/// Sends a request's headers, never its body, and waits for the status.
pub(super) async fn begin_without_body(channel: Channel, signed: Signed) -> Code {
    let mut sent =
        http::Request::post(signed.path).header("content-type", "application/grpc").header("te", "trailers");
    for (name, value) in &signed.headers {
        sent = sent.header(*name, value);
    }
    let frames = futures::stream::pending::<Result<http_body::Frame<Bytes>, std::io::Error>>();
    let sent = sent.body(Body::new(http_body_util::StreamBody::new(frames))).expect("a request");
    let response = channel.oneshot(sent).await.expect("a response");
    tonic::Status::from_header_map(response.headers()).map_or(Code::Unknown, |status| status.code())
}

/// Sends a request and waits for the response's headers.
pub(super) async fn begin(channel: Channel, signed: Signed) -> Option<http::Response<Body>> {
    let mut sent =
        http::Request::post(signed.path).header("content-type", "application/grpc").header("te", "trailers");
    for (name, value) in &signed.headers {
        sent = sent.header(*name, value);
    }
    let sent = sent.body(Body::new(Full::new(signed.body))).expect("a request");
    channel.oneshot(sent).await.ok()
}

impl Harness {
    async fn launch(base: Base) -> Self {
        let listener = TcpBound::bind(([127, 0, 0, 1], 0).into()).await.expect("a free port");
        let address = listener.local_addr();
        let shutdown = CancellationToken::new();
        let ready = tokio::sync::watch::Sender::new(false);
        let clock: Arc<dyn Clock> = base.clock.clone();
        let live = Live::new(Catalogue::of(base.engine.clone()), &base.config, &clock);
        let running = tokio::spawn(run(Parts {
            ready,
            live: live.clone(),
            config: base.config.clone(),
            keypair: key("//Bob"),
            chain: base.chain.clone(),
            listener: Box::new(listener),
            clock: base.clock.clone(),
            storage: Arc::new(DirStorage::open(base.dir.path()).expect("a folder")),
            entropy: Entropy::system(),
            cpu: base.cpu.clone(),
            shutdown: shutdown.clone(),
        }));
        let (chain, clock) = (base.chain.clone(), base.clock.clone());
        Self { base, address, chain, clock, shutdown, live, running }
    }

    pub(super) async fn restart(self) -> Self {
        self.shutdown.cancel();
        self.running.await.expect("joined").expect("a clean end");
        Self::launch(self.base).await
    }

    /// Starts again after `change` to the configuration and the folder of its state.
    pub(super) async fn restart_after(mut self, change: impl FnOnce(&mut Config, &Path)) -> Self {
        self.shutdown.cancel();
        self.running.await.expect("joined").expect("a clean end");
        change(&mut self.base.config, self.base.dir.path());
        Self::launch(self.base).await
    }

    pub(super) fn state_dir(&self) -> &Path {
        self.base.dir.path()
    }

    /// Asks as a validator does, over TLS where there is a key.
    pub(super) async fn ask(&self, pin: Option<TlsPin>) -> Result<RawAnswer, Failure> {
        let signer = Arc::new(Signer::new(key("//Alice"), self.clock.clone()));
        self.clock.advance(Duration::from_nanos(1));
        let asker = Asker { signer, dialer: Arc::new(TcpDialer), clock: Arc::new(SystemClock::new()) };
        let message = &ModelInferRequest::try_from(request(1)).expect("small");
        let limits = AskLimits { deadline: Duration::from_secs(10), answer_bytes_max: 1 << 20 };
        let target = Target { address: self.address, hotkey: self.hotkey(), pin };
        asker.ask(target, frame::encode(message), limits).await
    }

    /// The key that the chain shows.
    pub(super) async fn shown(&self) -> Option<TlsPin> {
        let certificate = self.chain.certificate(Netuid(1), self.hotkey()).await.expect("told");
        certificate.as_ref().and_then(to_pin)
    }

    pub(super) async fn stop(self) -> Result<(), MinerError> {
        self.shutdown.cancel();
        self.running.await.expect("joined")
    }

    /// Stops while something still runs, with time for what is said at the end to be sent.
    pub(super) async fn stop_slowly(self) {
        let clock = self.clock.clone();
        let mut ended = std::pin::pin!(self.stop());
        while futures::poll!(&mut ended).is_pending() {
            clock.advance(Duration::from_millis(50));
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Waits for the miner to end by itself.
    pub(super) async fn ended(self) -> Result<(), MinerError> {
        self.running.await.expect("joined")
    }

    pub(super) fn hotkey(&self) -> Hotkey {
        key("//Bob").hotkey()
    }

    pub(super) fn axon(&self) -> Option<std::net::SocketAddr> {
        self.chain.metagraph().by_hotkey(&self.hotkey())?.axon.map(|axon| axon.address())
    }

    pub(super) async fn published(&self) {
        while self.axon().is_none() {
            tokio::task::yield_now().await;
        }
    }

    pub(super) async fn channel(&self) -> Channel {
        let endpoint = Endpoint::from_shared(format!("http://{}", self.address)).expect("an address");
        endpoint.connect().await.expect("the miner listens")
    }

    pub(super) fn sign(&self, request: &InferRequest) -> Signed {
        self.sign_for(request, self.hotkey())
    }

    pub(super) fn sign_for(&self, request: &InferRequest, receiver: Hotkey) -> Signed {
        let message = &ModelInferRequest::try_from(request.clone()).expect("small");
        self.signed(&self.base.caller, PATH, frame::encode(message), receiver)
    }

    pub(super) fn sign_message(&self, message: &ModelInferRequest) -> Signed {
        self.sign_bytes(frame::encode(message))
    }

    pub(super) fn sign_bytes(&self, body: Bytes) -> Signed {
        self.signed(&self.base.caller, PATH, body, self.hotkey())
    }

    /// Signs a stream's body.
    pub(super) fn sign_stream(&self, body: Bytes) -> Signed {
        self.signed(&self.base.caller, STREAM_PATH, body, self.hotkey())
    }

    /// Signs what a validator says of answers that it received.
    pub(super) fn sign_receipts(&self, body: Bytes) -> Signed {
        self.signed(&self.base.caller, weighhouse_proto::method::ACKNOWLEDGE, body, self.hotkey())
    }

    /// Signs as somebody else. The clock moves on, so that a fresh signer's nonces are new.
    pub(super) fn sign_as(&self, caller: &Arc<Keypair>, request: &InferRequest) -> Signed {
        self.clock.advance(Duration::from_nanos(1));
        let signer = Signer::new(caller.clone(), self.clock.clone());
        let message = &ModelInferRequest::try_from(request.clone()).expect("small");
        self.signed(&signer, PATH, frame::encode(message), self.hotkey())
    }

    fn signed(&self, signer: &Signer, path: &'static str, body: Bytes, receiver: Hotkey) -> Signed {
        let headers = signer.headers("POST", path, &body, Some(&receiver));
        assert!(headers.iter().any(|(name, _)| *name == header::RECEIVER));
        Signed { path, headers, body }
    }

    pub(super) async fn try_send(&self, signed: &Signed) -> Option<Reply> {
        exchange(self.channel().await, signed.clone()).await
    }

    pub(super) async fn send(&self, signed: &Signed) -> Reply {
        self.try_send(signed).await.expect("a reply")
    }
}

/// Answers when told.
#[derive(Debug)]
pub(super) struct HeldEngine {
    inner: ClassifierEngine,
    entered: Notify,
    released: Notify,
}

impl HeldEngine {
    pub(super) fn new() -> Arc<Self> {
        let limits = EngineLimits { items_max: 8, queue_max: 8, batch_items_max: 8 };
        let model = Classifier::load(Builtin::Weak.bytes()).expect("built in");
        let inner = ClassifierEngine::new(ModelName::new("digits", "1"), model, limits, &CpuPool::new(1, 8));
        Arc::new(Self { inner, entered: Notify::new(), released: Notify::new() })
    }

    pub(super) async fn entered(&self) {
        self.entered.notified().await;
    }

    pub(super) fn release(&self) {
        self.released.notify_one();
    }
}

#[tonic::async_trait]
impl Engine for HeldEngine {
    fn model(&self) -> &ServedModel {
        self.inner.model()
    }

    fn items_max(&self) -> u32 {
        self.inner.items_max()
    }

    async fn infer(&self, request: &InferRequest) -> Result<InferAnswer, EngineError> {
        self.entered.notify_one();
        self.released.notified().await;
        self.inner.infer(request).await
    }
}
