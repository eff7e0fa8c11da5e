//! A subnet for tests: the ledger in memory, and miners behind pipes that behave as they are told.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use weighhouse_chain::ledger::{BlockTime, Genesis, GenesisFile, Ledger, NeuronEntry, SubnetEntry};
use weighhouse_chain::{Call, Chain};
use weighhouse_models::{Builtin, Classifier};
use weighhouse_proto::inference::{ModelInferRequest, ModelInferResponse};
use weighhouse_seams::{BoxIo, Clock, CpuPool, Dialer, DirStorage, SeededEntropy, SystemClock};
use weighhouse_tasks::{DIGITS_CONFORMANCE, Task};
use weighhouse_types::{Axon, Block, Digest, Hyperparameters, InferRequest, MechId, Netuid, Rao};
use weighhouse_wallet::answer::{AnswerSignature, answer_digest, trailer};
use weighhouse_wallet::keypair::Keypair;

use crate::ask;
use crate::config::{Publish, Rounds};
use crate::role::Parts;

pub(crate) const NETUID: Netuid = Netuid(1);

/// What a miner does with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Behaviour {
    Honest,
    /// Signs with another key.
    Forger,
    /// Answers without a signature.
    Unsigned,
    /// Bytes that are no message, rightly signed.
    Garbage,
    /// More than the validator reads.
    Oversized,
    /// Never answers.
    Silent,
    /// Closes the connection.
    HangsUp,
    /// A gRPC refusal.
    Refuses,
    /// Can't be dialled.
    Gone,
}

#[derive(Debug)]
pub(crate) struct Miner {
    keypair: Keypair,
    behaviour: Behaviour,
    model: Classifier,
}

#[derive(Debug)]
pub(crate) struct Pipes(BTreeMap<SocketAddr, Arc<Miner>>);

#[async_trait]
impl Dialer for Pipes {
    async fn dial(&self, to: SocketAddr) -> io::Result<BoxIo> {
        let miner = self.0.get(&to).cloned().filter(|miner| miner.behaviour != Behaviour::Gone);
        let miner = miner.ok_or_else(|| io::Error::from(io::ErrorKind::ConnectionRefused))?;
        let (near, far) = tokio::io::duplex(1 << 16);
        tokio::spawn(async move {
            if miner.behaviour == Behaviour::HangsUp {
                return;
            }
            let service = service_fn(move |request| answer(miner.clone(), request));
            // The validator closes the pipe when it has what it wants.
            let _ = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(far), service)
                .await;
        });
        Ok(Box::new(near))
    }
}

type Body = http_body_util::combinators::BoxBody<Bytes, Infallible>;

async fn answer(miner: Arc<Miner>, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    let request = request.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let framed = match miner.behaviour {
        Behaviour::Silent => std::future::pending().await,
        Behaviour::Refuses => {
            let response =
                Response::builder().header("content-type", "application/grpc").header("grpc-status", "8");
            return Ok(response.body(Full::default().boxed()).expect("valid headers"));
        }
        Behaviour::Garbage => Bytes::from_static(&[0, 0, 0, 0, 3, 0xff, 0xff, 0xff]),
        Behaviour::Oversized => Bytes::from(vec![0; 1 << 20]),
        _ => honest_answer(&miner.model, &request),
    };
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    if miner.behaviour != Behaviour::Unsigned {
        let model = miner.model.digest();
        let digest = answer_digest(&Digest::of(&request), &Digest::of(&framed), &model);
        let forger = Keypair::from_uri("//Forger").expect("a key");
        let signer = if miner.behaviour == Behaviour::Forger { &forger } else { &miner.keypair };
        let signature = hex::encode(AnswerSignature::single(signer, &digest).encode());
        trailers.insert(trailer::SIGNATURE, signature.parse().expect("hex"));
        trailers.insert(trailer::MODEL, model.to_string().parse().expect("hex"));
    }
    let frames = [Ok(Frame::data(framed)), Ok(Frame::trailers(trailers))];
    let body = StreamBody::new(futures::stream::iter(frames)).boxed();
    Ok(Response::builder().header("content-type", "application/grpc").body(body).expect("valid headers"))
}

fn honest_answer(model: &Classifier, framed: &[u8]) -> Bytes {
    let message: ModelInferRequest = ask::unframe(framed).expect("the validator's own request");
    let request = InferRequest::try_from(message).expect("the validator's own request");
    let pixels = weighhouse_tasks::pixels(&request).expect("the validator's own request");
    let rows = model.forward(&pixels).expect("a forward pass");
    let answer = weighhouse_tasks::respond(&request, "1", &rows);
    ask::frame(&ModelInferResponse::try_from(answer).expect("few dimensions"))
}

pub(crate) fn address(index: usize) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 9000 + u16::try_from(index).expect("few miners")))
}

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) ledger: Ledger,
    dialer: Arc<Pipes>,
    clock: Arc<dyn Clock>,
}

impl World {
    /// A validator as uid 0, then one miner per behaviour, all with axons.
    pub(crate) async fn new(behaviours: &[Behaviour]) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let key = |name: String| Keypair::from_uri(&format!("//{name}")).expect("a key");
        let neuron = |keypair: &Keypair, stake, validator_permit| NeuronEntry {
            hotkey: keypair.hotkey(),
            coldkey: key("Cold".into()).coldkey(),
            stake,
            validator_permit,
        };
        let miners: Vec<_> = (0..behaviours.len()).map(|index| key(format!("miner{index}"))).collect();
        let mut neurons = vec![neuron(&validator(), Rao::from_tao(1000), true)];
        neurons.extend(miners.iter().map(|keypair| neuron(keypair, Rao(0), false)));
        let genesis = Genesis::new(GenesisFile {
            name: "test".into(),
            block_time: BlockTime::OnDemand,
            beacon_seed: Some(Digest::of(b"beacon")),
            accounts: Vec::new(),
            subnets: vec![SubnetEntry {
                netuid: NETUID,
                owner_coldkey: key("Owner".into()).coldkey(),
                owner_hotkey: key("OwnerHot".into()).hotkey(),
                emission_per_block: Rao(1_000_000_000),
                registration_price: Rao(1_000_000),
                hyperparameters: Hyperparameters {
                    tempo: 12,
                    min_allowed_weights: 1,
                    weights_set_rate_limit: 1,
                    serving_rate_limit: 0,
                    ..Hyperparameters::default()
                },
                neurons,
            }],
        })
        .expect("a valid genesis");
        let entropy = SeededEntropy::new([7; 32]);
        let ledger = Ledger::in_memory(&genesis, clock.clone(), &entropy).expect("a ledger");
        let mut pipes = BTreeMap::new();
        for (index, (keypair, behaviour)) in miners.into_iter().zip(behaviours).enumerate() {
            let axon = Axon::new(address(index), 1, Block(0));
            let signed =
                ledger.sign(&keypair, Call::ServeAxon { netuid: NETUID, axon }).await.expect("signed");
            ledger.submit(&signed).await.expect("taken");
            let model = Classifier::load(Builtin::Reference.bytes()).expect("built-in weights");
            pipes.insert(address(index), Arc::new(Miner { keypair, behaviour: *behaviour, model }));
        }
        ledger.produce_block().await.expect("a block");
        Self { ledger, dialer: Arc::new(Pipes(pipes)), clock }
    }

    /// A validator's parts, its journal in `dir`.
    pub(crate) fn parts(&self, dir: &Path) -> Parts {
        let task =
            Task::load(DIGITS_CONFORMANCE.as_bytes(), Builtin::Reference.bytes()).expect("the built-in task");
        Parts {
            netuid: NETUID,
            mechanism: MechId(0),
            rounds: Rounds {
                per_epoch: 3,
                deadline: Duration::from_millis(500),
                in_flight_max: 16,
                answer_bytes_max: 1 << 16,
            },
            publish: Publish::default(),
            policy: weighhouse_scoring::policy::DEFAULT_POLICY.as_bytes().to_vec(),
            staged: None,
            task_file: DIGITS_CONFORMANCE.as_bytes().to_vec(),
            task: Arc::new(task),
            keypair: Arc::new(validator()),
            chain: Arc::new(self.ledger.clone()),
            dialer: self.dialer.clone(),
            clock: self.clock.clone(),
            entropy: Arc::new(SeededEntropy::new([1; 32])),
            storage: Arc::new(DirStorage::open(dir).expect("a folder of our own")),
            cpu: CpuPool::new(2, 64),
        }
    }
}

pub(crate) fn validator() -> Keypair {
    Keypair::from_uri("//Validator").expect("a key")
}
