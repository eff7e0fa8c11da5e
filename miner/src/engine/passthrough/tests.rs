use std::sync::Mutex;
use std::time::Duration;

use futures::StreamExt as _;
use tokio::task::JoinSet;
use tonic::{Status, Streaming};
use weighhouse_proto::inference::model_metadata_response::TensorMetadata;
use weighhouse_proto::inference::{
    ModelInferRequest, ModelInferResponse, ModelMetadataRequest, ModelMetadataResponse,
    ModelStreamInferResponse,
};
use weighhouse_proto::testing::{FakeInference, InferStream};
use weighhouse_types::Tensor;

use super::*;
use crate::remote::signature::Signature;
use crate::testing::{TestClock, nowhere, serve};

const MINUTE: Duration = Duration::from_secs(60);
const PACES: Paces = Paces { first: MINUTE, next: MINUTE, whole: MINUTE };

/// A server whose model doubles `x` `[-1, width]` into `y`, as long as its metadata says so.
#[derive(Clone, Default)]
struct Doubler {
    metadata: Arc<Mutex<Option<ModelMetadataResponse>>>,
    asked: Arc<Mutex<Vec<&'static str>>>,
    /// `None` doubles, `Some` fails.
    failure: Option<Status>,
    /// Never answers.
    hangs: bool,
    /// Answers `ModelStreamInfer` with a message for each item.
    streams: bool,
}

fn tensor(name: &str, width: i64) -> TensorMetadata {
    TensorMetadata { name: name.into(), datatype: "FP32".into(), shape: vec![-1, width] }
}

fn doubles(width: i64) -> ModelMetadataResponse {
    let (inputs, outputs) = (vec![tensor("x", width)], vec![tensor("y", width)]);
    ModelMetadataResponse { name: "double".into(), inputs, outputs, ..Default::default() }
}

impl Doubler {
    fn of(width: i64) -> Self {
        let doubler = Self::default();
        doubler.say(Some(doubles(width)));
        doubler
    }

    fn say(&self, metadata: Option<ModelMetadataResponse>) {
        *self.metadata.lock().expect("not poisoned") = metadata;
    }

    fn note(&self, call: &'static str) {
        self.asked.lock().expect("not poisoned").push(call);
    }

    fn asked(&self) -> Vec<&'static str> {
        self.asked.lock().expect("not poisoned").clone()
    }

    fn answer(message: ModelInferRequest) -> ModelInferResponse {
        assert_eq!(message.model_name, "double", "the server's own name");
        let asked = InferRequest::try_from(message).expect("well-formed");
        let x = asked.input("x").expect("there");
        let doubled: Vec<f32> = x.to_f32().expect("FP32").iter().map(|value| 2.0 * value).collect();
        let outputs = vec![Tensor::from_f32("y", x.shape().to_vec(), &doubled).expect("agrees")];
        let answer = InferAnswer { model: "double".into(), version: "9".into(), id: "other".into(), outputs };
        answer.try_into().expect("small")
    }
}

#[tonic::async_trait]
impl FakeInference for Doubler {
    async fn metadata(&self, request: ModelMetadataRequest) -> Result<ModelMetadataResponse, Status> {
        self.note("metadata");
        if request.name != "double" {
            return Err(Status::not_found("unknown model"));
        }
        let said = self.metadata.lock().expect("not poisoned").clone();
        said.ok_or_else(|| Status::unimplemented("no metadata"))
    }

    async fn infer(&self, request: ModelInferRequest) -> Result<ModelInferResponse, Status> {
        self.note("infer");
        if self.hangs {
            std::future::pending::<()>().await;
        }
        match &self.failure {
            Some(status) => Err(status.clone()),
            None => Ok(Self::answer(request)),
        }
    }

    async fn stream(&self, mut requests: Streaming<ModelInferRequest>) -> Result<InferStream, Status> {
        if !self.streams {
            return Err(Status::unimplemented("no streams"));
        }
        let answer = Self::answer(requests.message().await?.expect("a request"));
        let message =
            |response| ModelStreamInferResponse { infer_response: Some(response), ..Default::default() };
        let last = Ok(message(ModelInferResponse::default()));
        Ok(Box::pin(stream::iter([Ok(message(answer.clone())), Ok(message(answer)), last])))
    }
}

/// The engine in front of a running server.
struct Fronted {
    engine: PassthroughEngine,
    clock: Arc<TestClock>,
    _serving: JoinSet<()>,
}

async fn front(server: &Doubler, model: &str) -> Fronted {
    let (url, tasks) = serve(server.clone()).await;
    let clock = TestClock::new();
    Fronted { engine: engine(url, model, clock.clone()), clock, _serving: tasks }
}

fn engine(url: http::Uri, model: &str, clock: Arc<TestClock>) -> PassthroughEngine {
    let upstream =
        Upstream { url, model: model.into(), connect_timeout: MINUTE, answer_timeout: MINUTE, paces: PACES };
    PassthroughEngine::new((ModelName::new("mine", "1"), Digest::of(b"double")), upstream, 4, clock)
}

fn ask(shape: [u64; 2]) -> InferRequest {
    let values = vec![1.5; (shape[0] * shape[1]) as usize];
    let inputs = vec![Tensor::from_f32("x", shape.to_vec(), &values).expect("agrees")];
    InferRequest { model: "mine".into(), version: String::new(), id: "7".into(), inputs, outputs: vec![] }
}

#[tokio::test]
async fn a_request_is_forwarded_and_answered_under_our_names() {
    let fronted = front(&Doubler::of(2), "double").await;
    fronted.engine.prepare().await.expect("the server is there");
    let answer = fronted.engine.infer(&ask([3, 2])).await.expect("answered");
    assert_eq!((answer.model.as_str(), answer.version.as_str(), answer.id.as_str()), ("mine", "1", "7"));
    assert_eq!(answer.output("y").expect("there").to_f32().expect("FP32"), [3.0; 6]);
    let model = fronted.engine.metadata().await;
    assert_eq!((model.inputs[0].name.as_str(), &model.inputs[0].shape[..]), ("x", &[None, Some(2)][..]));
}

#[tokio::test]
async fn requests_that_do_not_fit_the_metadata_never_reach_the_server() {
    let server = Doubler::of(2);
    let fronted = front(&server, "double").await;
    let with = |tensor: Tensor| InferRequest { inputs: vec![tensor], ..ask([1, 2]) };
    let other = Tensor::from_f32("z", vec![1, 2], &[0.0; 2]).expect("agrees");
    let flat = Tensor::from_f32("x", vec![2], &[0.0; 2]).expect("agrees");
    let wide = weighhouse_types::Datatype::Fp64;
    let wide = Tensor::new("x".into(), wide, vec![1, 2], vec![0; 16]).expect("agrees");
    let cases = [
        (ask([1, 3]), "input \"x\" has shape [1, 3], expected [any, 2]"),
        (with(flat), "input \"x\" has shape [2], expected [any, 2]"),
        (with(wide), "input \"x\" is FP64, expected FP32"),
        (with(other), "\"z\" is no input of this model"),
        (ask([5, 2]), "input \"x\" has 5 items, at most 4 are served at once"),
    ];
    for (request, why) in cases {
        assert_eq!(fronted.engine.infer(&request).await, Err(EngineError::Refused(why.into())));
    }
    let unknown = InferRequest { outputs: vec!["w".into()], ..ask([1, 2]) };
    let expected = EngineError::UnknownOutput { name: "w".into() };
    assert_eq!(fronted.engine.infer(&unknown).await, Err(expected));
    assert_eq!(server.asked(), ["metadata"]);
}

#[tokio::test]
async fn metadata_is_asked_for_again_when_an_answer_no_longer_fits() {
    let server = Doubler::of(-1);
    let fronted = front(&server, "double").await;
    fronted.engine.prepare().await.expect("there");
    let halves = |outputs| ModelMetadataResponse { outputs, ..doubles(-1) };
    server.say(Some(halves(vec![tensor("half", -1)])));
    // The server still says `y` and promises `half`: its answer makes no sense by its own word.
    *fronted.engine.remote.signature.write().expect("not poisoned") =
        Some(Arc::new(Signature::read(&halves(vec![tensor("old", -1)])).expect("read")));
    let found = fronted.engine.infer(&ask([1, 2])).await;
    assert!(matches!(found, Err(EngineError::Backend(BackendError::Malformed(_)))), "{found:?}");
    server.say(Some(doubles(-1)));
    assert!(fronted.engine.infer(&ask([1, 2])).await.is_ok());
    assert_eq!(server.asked(), ["metadata", "infer", "metadata", "infer", "metadata"]);
}

#[tokio::test]
async fn a_server_without_metadata_is_forwarded_to_unchecked() {
    let server = Doubler::default();
    let fronted = front(&server, "double").await;
    fronted.engine.prepare().await.expect("good enough");
    assert!(fronted.engine.infer(&ask([9, 3])).await.is_ok());
}

#[tokio::test]
async fn metadata_that_lists_no_tensors_holds_nothing_to_them() {
    let server = Doubler::default();
    server.say(Some(ModelMetadataResponse { name: "double".into(), ..Default::default() }));
    let fronted = front(&server, "double").await;
    fronted.engine.prepare().await.expect("good enough");
    let wanted = InferRequest { outputs: vec!["y".into()], ..ask([9, 3]) };
    assert!(fronted.engine.infer(&wanted).await.is_ok());
}

#[tokio::test]
async fn the_server_behind_is_asked_what_it_serves() {
    let told = front(&Doubler::of(2), "double").await.engine.upstream().await.expect("a server");
    assert!(told.expect("there").ends_with(" serves \"double\": x FP32 [any, 2] -> y FP32 [any, 2]"));
    let away = engine(nowhere().await, "double", TestClock::new()).upstream().await.expect("a server");
    assert!(matches!(away, Err(EngineError::Backend(BackendError::Unreachable(_)))), "{away:?}");
}

#[tokio::test]
async fn a_model_that_the_server_does_not_have_stops_the_start_and_names_the_fix() {
    let fronted = front(&Doubler::of(2), "treble").await;
    let error = fronted.engine.prepare().await.expect_err("unknown").to_string();
    assert!(error.contains("has no model \"treble\"; check `model` and `url`"), "{error}");
}

#[tokio::test]
async fn a_server_that_is_not_there_yet_does_not_stop_the_start() {
    let url = nowhere().await;
    let engine = engine(url, "double", TestClock::new());
    assert_eq!(engine.prepare().await, Ok(()));
    let found = engine.infer(&ask([1, 2])).await;
    assert!(matches!(found, Err(EngineError::Backend(BackendError::Unreachable(_)))), "{found:?}");
}

#[tokio::test]
async fn the_servers_trouble_and_the_callers_fault_are_told_apart() {
    let found = async |status: Status| {
        let server = Doubler { failure: Some(status), ..Doubler::of(2) };
        match front(&server, "double").await.engine.infer(&ask([1, 2])).await {
            Err(EngineError::Backend(error)) => error,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(found(Status::invalid_argument("too big")).await, BackendError::Refused("too big".into()));
    assert_eq!(found(Status::resource_exhausted("full")).await, BackendError::Busy);
    for status in [Status::unknown("Exception calling application"), Status::internal("cuda")] {
        assert!(matches!(found(status).await, BackendError::Failed(_)));
    }
}

#[tokio::test]
async fn a_slow_server_is_given_up_at_the_deadline() {
    let server = Doubler { hangs: true, ..Doubler::of(2) };
    let Fronted { engine, clock, _serving } = front(&server, "double").await;
    let asking = tokio::spawn(async move { engine.infer(&ask([1, 2])).await });
    while !server.asked().contains(&"infer") {
        tokio::task::yield_now().await;
    }
    clock.advance(MINUTE);
    let slow = Err(BackendError::Slow(Stage::Whole).into());
    assert_eq!(asking.await.expect("joined"), slow);
}

#[tokio::test]
async fn a_server_that_streams_is_streamed_and_one_that_does_not_answers_whole() {
    for (streams, pieces) in [(true, 2), (false, 1)] {
        let server = Doubler { streams, ..Doubler::of(2) };
        let fronted = front(&server, "double").await;
        let stream = fronted.engine.stream(&ask([1, 2])).await.expect("opened");
        let answers: Vec<_> = stream.collect().await;
        assert_eq!(answers.len(), pieces);
        for answer in answers {
            let answer = answer.expect("a piece");
            assert_eq!((answer.model.as_str(), answer.id.as_str()), ("mine", "7"));
        }
    }
}
