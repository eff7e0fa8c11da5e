//! A subnet for tests: the ledger in memory, and miners behind pipes that behave as they are told.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng as _;
use tokio::sync::{Notify, watch};
use weighhouse_ask::{frame, unframe};
use weighhouse_chain::ledger::{BlockTime, Genesis, GenesisFile, Ledger, NeuronEntry, SubnetEntry};
use weighhouse_chain::{Call, Chain};
use weighhouse_models::language::{Generation, LanguageModel};
use weighhouse_models::sampling::Sampling;
use weighhouse_models::{Builtin, Classifier, LoadLimits};
use weighhouse_proto::inference::{ModelInferRequest, ModelInferResponse};
use weighhouse_proto::v1::{AcknowledgeRequest, AcknowledgeResponse};
use weighhouse_seams::{BoxIo, Clock, CpuPool, Dialer, DirStorage, Entropy, Storage, SystemClock, UnixNanos};
use weighhouse_tasks::complete;
use weighhouse_tasks::testing::{TestKinds, task_file};
use weighhouse_tasks::witness::{TeacherForced, Witness};
use weighhouse_tasks::{DIGITS_CONFORMANCE, GENERATE, OnRecord, PersonaSetup, Task, with_reference};
use weighhouse_types::text::{Prompt, TextLimits, TextRequest};
use weighhouse_types::{
    Acknowledgement, Axon, Block, Digest, Hyperparameters, InferAnswer, InferRequest, MechId, Netuid, Rao,
};
use weighhouse_wallet::answer::{AnswerSignature, answer_digest, trailer};
use weighhouse_wallet::btauth::header::{NONCE, TIME};
use weighhouse_wallet::keypair::Keypair;

use crate::config::{Publish, Rounds};
use crate::parts::{Parts, Retention};

pub(crate) const NETUID: Netuid = Netuid(1);

/// A miner's behaviour towards a request.
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
    /// Refuses requests that aren't signed within two seconds of its clock, which is so many seconds off.
    Keeps(i64),
    /// Can't be dialled.
    Gone,
    /// Answers some questions wrongly, which ones being the questions' own doing.
    Errs,
    /// Answers this number of questions wrongly, and rightly then.
    Reforms(usize),
    /// Completes half of what was asked.
    Cuts,
    /// Completes under another seed.
    Reseeds,
    /// Completes this number of prompts, and then gives its last answer again.
    Repeats(usize),
    /// Completes this number of prompts, and then goes on under another seed.
    Turns(usize),
    /// Completes this number of prompts, and then says another text than its tokens do.
    Misspells(usize),
    /// Answers a test-only kind as its persona of this name does.
    Plays(&'static str),
}

/// The model that a miner serves.
#[derive(Clone, Debug)]
pub(crate) enum Served {
    Digits(Classifier),
    Text(Box<LanguageModel>),
    /// The answers of a test-only kind of this name.
    TestKind(&'static str),
}

impl Served {
    fn digest(&self) -> Digest {
        match self {
            Self::Digits(model) => model.digest(),
            Self::Text(model) => model.digest(),
            Self::TestKind(_) => Digest::default(),
        }
    }
}

#[derive(Debug)]
pub(crate) struct Miner {
    keypair: Keypair,
    behaviour: Behaviour,
    model: Served,
    said: Mutex<Vec<InferAnswer>>,
    /// What the validator told of answers that it received.
    acknowledged: Arc<Mutex<Vec<Acknowledgement>>>,
    /// Told when it withholds an answer.
    withheld: Arc<Notify>,
}

#[derive(Debug)]
pub(crate) struct Pipes {
    miners: BTreeMap<SocketAddr, Arc<Miner>>,
    /// Open pipes to miners that answer.
    busy: Arc<AtomicUsize>,
}

#[async_trait]
impl Dialer for Pipes {
    async fn dial(&self, to: SocketAddr) -> io::Result<BoxIo> {
        let miner = self.miners.get(&to).cloned().filter(|miner| miner.behaviour != Behaviour::Gone);
        let miner = miner.ok_or_else(|| io::Error::from(io::ErrorKind::ConnectionRefused))?;
        let (near, far) = tokio::io::duplex(1 << 16);
        let busy = (miner.behaviour != Behaviour::Silent).then(|| Busy::new(&self.busy));
        tokio::spawn(async move {
            let _busy = busy;
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

/// Counted for as long as it lives.
struct Busy(Arc<AtomicUsize>);

impl Busy {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count.clone())
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

type Body = http_body_util::combinators::BoxBody<Bytes, Infallible>;

async fn answer(miner: Arc<Miner>, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    let asks = request.uri().path() == weighhouse_proto::method::MODEL_INFER;
    let path = request.uri().path().to_owned();
    let nonce = request.headers().get(NONCE).and_then(|nonce| nonce.to_str().ok()?.parse::<u64>().ok());
    let Ok(request) = request.into_body().collect().await.map(|body| body.to_bytes()) else {
        // The validator was killed.
        return std::future::pending().await;
    };
    let framed = match miner.behaviour {
        Behaviour::Silent => std::future::pending().await,
        Behaviour::Refuses => {
            let response =
                Response::builder().header("content-type", "application/grpc").header("grpc-status", "8");
            return Ok(response.body(Full::default().boxed()).expect("valid headers"));
        }
        Behaviour::Keeps(off) if asks && is_off(off, nonce).is_some() => {
            let response = Response::builder()
                .header("content-type", "application/grpc")
                .header("grpc-status", "16")
                .header(TIME, is_off(off, nonce).expect("as above").to_string());
            return Ok(response.body(Full::default().boxed()).expect("valid headers"));
        }
        Behaviour::Garbage => Bytes::from_static(&[0, 0, 0, 0, 3, 0xff, 0xff, 0xff]),
        _ if path == weighhouse_proto::method::ACKNOWLEDGE => {
            let told: AcknowledgeRequest = unframe(&request).expect("the validator's own message");
            let told = told.acknowledgements.into_iter().map(|told| told.try_into().expect("sound"));
            let told: Vec<Acknowledgement> = told.collect();
            let kept = u32::try_from(told.len()).expect("few");
            miner.acknowledged.lock().expect("no test panics with it").extend(told);
            frame(&AcknowledgeResponse { kept })
        }
        // An empty message: it lives.
        _ if !asks => Bytes::from_static(&[0; 5]),
        Behaviour::Oversized => Bytes::from(vec![0; 1 << 20]),
        _ => match answer_by(&miner, &request) {
            Some(framed) => framed,
            None => {
                miner.withheld.notify_one();
                std::future::pending().await
            }
        },
    };
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    if miner.behaviour != Behaviour::Unsigned {
        let model = miner.model.digest();
        let digest = answer_digest(&Digest::of(&request), &Digest::of(&framed), &model);
        let forger = Keypair::from_uri("//Forger").expect("a key");
        let signer = if miner.behaviour == Behaviour::Forger { &forger } else { &miner.keypair };
        let signature = const_hex::encode(AnswerSignature::single(signer, &digest).encode());
        trailers.insert(trailer::SIGNATURE, signature.parse().expect("hex"));
        trailers.insert(trailer::MODEL, model.to_string().parse().expect("hex"));
    }
    let frames = [Ok(Frame::data(framed)), Ok(Frame::trailers(trailers))];
    let body = StreamBody::new(futures::stream::iter(frames)).boxed();
    Ok(Response::builder().header("content-type", "application/grpc").body(body).expect("valid headers"))
}

/// The time of a clock that is so many seconds off, where the nonce is two seconds or more from it.
fn is_off(seconds: i64, nonce: Option<u64>) -> Option<u64> {
    let now = SystemClock::new().now().0.saturating_add_signed(seconds * 1_000_000_000);
    (nonce?.abs_diff(now) > 2_000_000_000).then_some(now)
}

fn answer_by(miner: &Miner, framed: &[u8]) -> Option<Bytes> {
    let message: ModelInferRequest = unframe(framed).expect("the validator's own request");
    let request = InferRequest::try_from(message).expect("the validator's own request");
    let mut said = miner.said.lock().expect("no test panics with it");
    let answer = match &miner.model {
        _ if matches!(miner.behaviour, Behaviour::Repeats(after) if said.len() == after) => {
            InferAnswer { id: request.id, ..said[said.len() - 1].clone() }
        }
        Served::Digits(model) => {
            let pixels = weighhouse_tasks::pixels(&request).expect("the validator's own request");
            let mut rows = model.forward(&pixels).expect("a forward pass");
            let inks = pixels.iter().filter(|pixel| **pixel > 0.5).count();
            let is_wrong = match miner.behaviour {
                Behaviour::Errs => inks.is_multiple_of(5),
                Behaviour::Reforms(after) => said.len() < after,
                _ => false,
            };
            if is_wrong {
                rows.reverse();
            }
            weighhouse_tasks::respond(&request, "1", &rows)
        }
        Served::Text(model) => {
            let behaviour = match miner.behaviour {
                Behaviour::Turns(after) if said.len() >= after => Behaviour::Reseeds,
                Behaviour::Misspells(after) if said.len() < after => Behaviour::Honest,
                behaviour => behaviour,
            };
            completion(model, behaviour, &request)
        }
        Served::TestKind(kind) => played(kind, miner.behaviour, &request)?,
    };
    use Behaviour::{Misspells, Reforms, Repeats, Turns};
    let counts = matches!(
        miner.behaviour,
        Misspells(after) | Reforms(after) | Repeats(after) | Turns(after) if said.len() < after
    );
    if counts {
        said.push(answer.clone());
    }
    Some(frame(&ModelInferResponse::try_from(answer).expect("few dimensions")))
}

/// The answer of a persona; `None` where it keeps silent.
fn played(kind: &str, behaviour: Behaviour, request: &InferRequest) -> Option<InferAnswer> {
    let Behaviour::Plays(name) = behaviour else { panic!("a persona") };
    let task = Task::load(task_file(kind).as_bytes(), &TestKinds).expect("a task");
    let persona = task.personas().into_iter().find(|persona| persona.name == name).expect("a persona");
    let rng = ChaCha20Rng::from_seed([0; 32]);
    let setup = PersonaSetup { references: &OnRecord, rng, earlier: None, own: None };
    persona.open(setup).expect("a persona without a model")(request).expect("an answer or none")
}

fn completion(model: &LanguageModel, behaviour: Behaviour, request: &InferRequest) -> InferAnswer {
    let limits = TextLimits { prompt_bytes: 4_096, prompt_tokens: 256, max_tokens: 64 };
    let asked = TextRequest::from_infer(request, &limits).expect("the validator's own request");
    let Prompt::Text(prompt) = &asked.prompt else { panic!("a prompt of text") };
    let seed = if behaviour == Behaviour::Reseeds { asked.seed + 1 } else { asked.seed };
    let sampling = Sampling::new(asked.temperature, asked.top_k, asked.top_p, seed).expect("in range");
    let prompt = model.encode(prompt).expect("a text");
    let (max_tokens, ignore_end) = (asked.max_tokens, asked.ignore_end);
    let generation = Generation { max_tokens, sampling, stop: Vec::new(), top_log_probs: 0, ignore_end };
    let mut answer = complete(model, &[(prompt.clone(), generation)], 1).expect("completed").remove(0);
    if behaviour == Behaviour::Cuts {
        answer.tokens.truncate(5);
        answer.log_probs.truncate(5);
        answer.text = model.continuation(&prompt, &answer.tokens);
    }
    if let Behaviour::Misspells(_) = behaviour {
        answer.text.insert(0, '!');
    }
    answer.to_infer(&request.model, "1", &request.id).expect("an answer")
}

/// A small Llama with random weights.
pub(crate) fn language_model() -> LanguageModel {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/testdata/language/llama");
    LanguageModel::load(&folder, &LoadLimits::STANDARD).expect("a model")
}

/// Short completions; three checks clear a miner, and one in four answers of the cleared is checked.
pub(crate) fn text_task(reference: Digest) -> String {
    let file = with_reference(GENERATE, reference);
    let file =
        file.replace("prompt_words = 24", "prompt_words = 4").replace("max_tokens = 48", "max_tokens = 12");
    let (asked, _) = file.split_once("\n[margins]").expect("limits come last");
    format!(
        "{asked}\n[margins]\nclip = 0.1\ntoken_max = 0.1\nlog_prob_max = 0.05\n\n[conformance]\ntolerance = 0.005\n\n\
         [budget]\nfalse_alarm = 0.0001\nmiss = 0.01\ndrawn = 0.25\nsettled_after = 8\n\
         edges = [0.001]\nhonest = [0.999, 0.001]\ncheat = [0.8, 0.2]\n"
    )
}

pub(crate) fn address(index: usize) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 9000 + u16::try_from(index).expect("few miners")))
}

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) ledger: Ledger,
    dialer: Arc<Pipes>,
    clock: Arc<dyn Clock>,
    /// Receipts of all miners.
    pub(crate) acknowledged: Arc<Mutex<Vec<Acknowledgement>>>,
    served: Served,
    withheld: Arc<Notify>,
    /// When a miner of completions is settled.
    terms: &'static str,
}

impl World {
    /// A validator as uid 0, then one miner per behaviour, all with axons.
    pub(crate) async fn new(behaviours: &[Behaviour]) -> Self {
        Self::with_validators(1, behaviours).await
    }

    /// As [`World::new`], with further validators of the same stake behind the miners.
    pub(crate) async fn with_validators(count: usize, behaviours: &[Behaviour]) -> Self {
        let model = Classifier::load(Builtin::Reference.bytes()).expect("built-in weights");
        Self::serving_to(count, Served::Digits(model), behaviours).await
    }

    /// As [`World::new`], of a language model.
    pub(crate) async fn of_text(behaviours: &[Behaviour]) -> Self {
        Self::serving(Served::Text(Box::new(language_model())), behaviours).await
    }

    /// As [`World::of_text`], under other terms than the verdicts of earlier epochs.
    pub(crate) async fn on_terms(terms: &'static str, behaviours: &[Behaviour]) -> Self {
        Self { terms, ..Self::of_text(behaviours).await }
    }

    /// As [`World::new`], of a test-only kind.
    pub(crate) async fn of_kind(kind: &'static str, behaviours: &[Behaviour]) -> Self {
        Self::serving(Served::TestKind(kind), behaviours).await
    }

    /// Waits until a miner withholds what it was to reveal.
    pub(crate) async fn asked_to_reveal(&self) {
        self.withheld.notified().await;
    }

    async fn serving(served: Served, behaviours: &[Behaviour]) -> Self {
        Self::serving_to(1, served, behaviours).await
    }

    async fn serving_to(count: usize, served: Served, behaviours: &[Behaviour]) -> Self {
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
        let further = validators(count).into_iter().skip(1);
        neurons.extend(further.map(|keypair| neuron(&keypair, Rao::from_tao(1000), true)));
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
        let mut entropy = Entropy::seeded([7; 32]);
        let ledger = Ledger::in_memory(&genesis, clock.clone(), &mut entropy).expect("a ledger");
        let mut pipes = BTreeMap::new();
        let told = Arc::new(Notify::new());
        let acknowledged: Arc<Mutex<Vec<Acknowledgement>>> = Arc::default();
        for (index, (keypair, behaviour)) in miners.into_iter().zip(behaviours).enumerate() {
            let axon = Axon::new(address(index), 1, Block(0));
            let signed =
                ledger.sign(&keypair, Call::ServeAxon { netuid: NETUID, axon }).await.expect("signed");
            ledger.submit(&signed).await.expect("taken");
            let miner = Miner {
                keypair,
                behaviour: *behaviour,
                model: served.clone(),
                said: Mutex::default(),
                acknowledged: acknowledged.clone(),
                withheld: told.clone(),
            };
            pipes.insert(address(index), Arc::new(miner));
        }
        ledger.produce_block().await.expect("a block");
        Self {
            ledger,
            dialer: Arc::new(Pipes { miners: pipes, busy: Arc::default() }),
            clock,
            acknowledged,
            served,
            withheld: told,
            terms: "settled_after = 8",
        }
    }

    /// The number of open pipes to miners that answer.
    pub(crate) fn busy(&self) -> Arc<AtomicUsize> {
        self.dialer.busy.clone()
    }

    /// Reaches the miners, wherever their axons say that they are.
    pub(crate) fn dialer(&self) -> Arc<dyn Dialer> {
        self.dialer.clone()
    }

    /// A validator's parts, its journal in `dir`.
    pub(crate) fn parts(&self, dir: &Path) -> Parts {
        self.parts_on(Arc::new(DirStorage::open(dir).expect("a folder of our own")))
    }

    pub(crate) fn parts_on(&self, storage: Arc<dyn Storage>) -> Parts {
        let (file, task) = match &self.served {
            Served::Digits(_) => (
                DIGITS_CONFORMANCE.to_owned(),
                Task::load(DIGITS_CONFORMANCE.as_bytes(), &Builtin::Reference.bytes()),
            ),
            Served::Text(model) => {
                let file = text_task(model.digest()).replace("settled_after = 8", self.terms);
                let witness: Arc<dyn Witness> = Arc::new(TeacherForced(LanguageModel::clone(model)));
                let task = Task::load(file.as_bytes(), &witness);
                (file, task)
            }
            Served::TestKind(kind) => {
                let file = task_file(kind);
                let task = Task::load(file.as_bytes(), &TestKinds);
                (file, task)
            }
        };
        Parts {
            netuid: NETUID,
            mechanism: MechId(0),
            rounds: Rounds {
                per_epoch: 3,
                deadline: Duration::from_millis(500),
                in_flight_max: 16,
                answer_bytes_max: 1 << 16,
                canary: false,
            },
            publish: Publish::default(),
            retention: Retention::default(),
            policy: weighhouse_scoring::policy::DEFAULT_POLICY.as_bytes().to_vec(),
            staged: None,
            task_file: file.into_bytes(),
            task: Arc::new(task.expect("a sound task")),
            next_task: None,
            keypair: Arc::new(validator()),
            chain: Arc::new(self.ledger.clone()),
            dialer: self.dialer.clone(),
            canary: None,
            clock: self.clock.clone(),
            entropy: Entropy::seeded([1; 32]),
            storage,
            cpu: CpuPool::new(2, 64),
        }
    }
}

/// Moves only when told.
#[derive(Debug)]
pub(crate) struct ManualClock(watch::Sender<Duration>);

impl ManualClock {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(watch::Sender::new(Duration::ZERO)))
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.0.send_modify(|now| *now += by);
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> UnixNanos {
        UnixNanos::default().saturating_add(self.monotonic())
    }

    fn monotonic(&self) -> Duration {
        *self.0.borrow()
    }

    async fn sleep(&self, duration: Duration) {
        let due = self.monotonic() + duration;
        self.0.subscribe().wait_for(|now| *now >= due).await.expect("the clock lives");
    }
}

/// So many validators, of which the first is [`validator`].
pub(crate) fn validators(count: usize) -> Vec<Keypair> {
    let further = (1..count).map(|at| Keypair::from_uri(&format!("//Validator{at}")).expect("a key"));
    std::iter::once(validator()).chain(further).collect()
}

pub(crate) fn validator() -> Keypair {
    Keypair::from_uri("//Validator").expect("a key")
}
