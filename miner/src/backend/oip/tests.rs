mod failures;
mod models;

use std::sync::Mutex;
use std::time::Duration;

use futures::StreamExt as _;
use tokio::task::JoinSet;
use tonic::{Status, Streaming};
use weighhouse_proto::inference::model_metadata_response::TensorMetadata;
use weighhouse_proto::inference::{
    ModelConfig, ModelConfigRequest, ModelConfigResponse, ModelInferRequest, ModelInferResponse, ModelInput,
    ModelMetadataRequest, ModelMetadataResponse, ModelStreamInferResponse, ModelTransactionPolicy,
};
use weighhouse_proto::testing::{FakeInference, InferStream};
use weighhouse_types::text::{Finish, name};
use weighhouse_types::{InferAnswer, InferRequest, Tensor};

use super::*;
use crate::engine::Paces;
use crate::testing::{TestClock, nowhere, serve};

const MINUTE: Duration = Duration::from_secs(60);
const PACES: Paces = Paces { first: MINUTE, next: MINUTE, whole: MINUTE };

type Message = Result<ModelStreamInferResponse, Status>;
type Whole = Result<ModelInferResponse, Status>;

/// `(name, datatype, shape, optional)`
type Input = (&'static str, &'static str, Vec<i64>, bool);

/// A server whose model says what it takes and gives the same answers to everybody.
#[derive(Clone, Default)]
struct Fake {
    /// None: it doesn't list them.
    inputs: Arc<Mutex<Vec<Input>>>,
    decoupled: bool,
    /// Has Triton's `ModelConfig`.
    configured: bool,
    /// `None`: it has no streams.
    stream: Option<Vec<Message>>,
    whole: Option<Whole>,
    asked: Arc<Mutex<Vec<InferRequest>>>,
}

impl Fake {
    /// Refuses what doesn't fit its inputs, as Triton does.
    fn take(&self, message: ModelInferRequest) -> Result<(), Status> {
        assert_eq!(message.model_name, "tiny");
        let asked = InferRequest::try_from(message).expect("well-formed");
        let inputs = self.inputs.lock().expect("not poisoned");
        for tensor in asked.inputs.iter().filter(|_| !inputs.is_empty()) {
            let known = inputs.iter().find(|(name, ..)| *name == tensor.name());
            let Some((name, datatype, shape, _)) = known else {
                return Err(Status::invalid_argument(format!(
                    "unexpected inference input '{}'",
                    tensor.name()
                )));
            };
            assert_eq!(tensor.datatype().name(), *datatype, "{name}");
            let fits = |(size, expected): (&u64, &i64)| *expected == -1 || *expected == *size as i64;
            if tensor.shape().len() != shape.len() || !tensor.shape().iter().zip(shape).all(fits) {
                let why = format!("unexpected shape for input '{name}' for model 'tiny'");
                return Err(Status::invalid_argument(why));
            }
        }
        self.asked.lock().expect("not poisoned").push(asked);
        Ok(())
    }

    /// Names and shapes of the last question's inputs.
    fn last(&self) -> Vec<(String, Vec<u64>)> {
        let asked = self.asked.lock().expect("not poisoned");
        let inputs = asked.last().expect("a question").inputs.iter();
        inputs.map(|tensor| (tensor.name().to_owned(), tensor.shape().to_vec())).collect()
    }

    fn questions(&self) -> usize {
        self.asked.lock().expect("not poisoned").len()
    }
}

#[tonic::async_trait]
impl FakeInference for Fake {
    async fn metadata(&self, _: ModelMetadataRequest) -> Result<ModelMetadataResponse, Status> {
        let inputs = self.inputs.lock().expect("not poisoned").clone();
        let tensor = |(name, datatype, shape, _): (&str, &str, Vec<i64>, bool)| TensorMetadata {
            name: name.into(),
            datatype: datatype.into(),
            shape,
        };
        let inputs = inputs.into_iter().map(tensor).collect();
        Ok(ModelMetadataResponse { name: "tiny".into(), inputs, ..Default::default() })
    }

    async fn config(&self, _: ModelConfigRequest) -> Result<ModelConfigResponse, Status> {
        if !self.configured {
            return Err(Status::unimplemented("no such call"));
        }
        let inputs = self.inputs.lock().expect("not poisoned").clone();
        let input =
            inputs.into_iter().map(|(name, _, _, optional)| ModelInput { name: name.into(), optional });
        let policy = ModelTransactionPolicy { decoupled: self.decoupled };
        let config = ModelConfig { input: input.collect(), model_transaction_policy: Some(policy) };
        Ok(ModelConfigResponse { config: Some(config) })
    }

    async fn infer(&self, request: ModelInferRequest) -> Whole {
        self.take(request)?;
        self.whole.clone().unwrap_or_else(|| Err(Status::unimplemented("decoupled")))
    }

    async fn stream(&self, mut requests: Streaming<ModelInferRequest>) -> Result<InferStream, Status> {
        let Some(items) = self.stream.clone() else { return Err(Status::unimplemented("no streams")) };
        self.take(requests.message().await?.expect("a request"))?;
        assert!(requests.message().await?.is_none(), "one request, then the end");
        Ok(Box::pin(stream::iter(items)))
    }
}

struct Fronted {
    backend: Oip,
    _serving: JoinSet<()>,
}

async fn front(fake: &Fake) -> Fronted {
    let (url, tasks) = serve(fake.clone()).await;
    Fronted { backend: oip(url), _serving: tasks }
}

fn oip(url: http::Uri) -> Oip {
    let upstream =
        Upstream { url, model: "tiny".into(), connect_timeout: MINUTE, answer_timeout: MINUTE, paces: PACES };
    Oip::new(upstream, Digest::of(b"tiny"), TestClock::new())
}

async fn pieces(fake: &Fake, request: TextRequest) -> Vec<Result<TextAnswer, EngineError>> {
    front(fake).await.backend.generate(request).collect().await
}

fn greedy() -> TextRequest {
    TextRequest { log_probs: true, ignore_end: true, ..TextRequest::greedy("hi", 2) }
}

/// An answer of our own form.
fn answer(text: &str, tokens: &[u32], finish: Option<Finish>) -> ModelInferResponse {
    let piece = TextAnswer { text: text.into(), tokens: tokens.to_vec(), finish, ..Default::default() };
    ModelInferResponse::try_from(piece.to_infer("tiny", "1", "").expect("agrees")).expect("small")
}

/// An answer of these tensors.
fn tensors(outputs: Vec<Tensor>) -> ModelInferResponse {
    let answer = InferAnswer { model: "tiny".into(), version: "1".into(), id: String::new(), outputs };
    answer.try_into().expect("small")
}

fn message(response: ModelInferResponse) -> Message {
    Ok(ModelStreamInferResponse { error_message: String::new(), infer_response: Some(response) })
}

fn streamed(items: Vec<Message>) -> Fake {
    Fake { stream: Some(items), ..Fake::default() }
}

fn read(found: &[Result<TextAnswer, EngineError>]) -> Vec<(&str, usize, Option<Finish>)> {
    let pieces = found.iter().map(|item| item.as_ref().expect("a piece"));
    pieces.map(|piece| (piece.text.as_str(), piece.tokens.len(), piece.finish)).collect()
}

#[tokio::test]
async fn decoupled_answers_become_pieces_and_the_end_of_the_stream_their_end() {
    let told = vec![message(answer("a", &[1], None)), message(answer("b", &[2], Some(Finish::Stop)))];
    let stopped = TextRequest { stop: vec!["x".into()], ..greedy() };
    let found = pieces(&streamed(told), stopped).await;
    assert_eq!(read(&found), [("a", 1, None), ("b", 1, Some(Finish::Stop))]);

    // Triton's backends say no reason; the last message may carry a flag alone.
    let mut untold = vec![message(answer("a", &[1], None)), message(ModelInferResponse::default())];
    let found = pieces(&streamed(untold.clone()), greedy()).await;
    assert_eq!(read(&found), [("a", 1, None), ("", 0, Some(Finish::End))]);
    untold.insert(1, message(answer("b", &[2], None)));
    let found = pieces(&streamed(untold), greedy()).await;
    assert_eq!(read(&found), [("a", 1, None), ("b", 1, None), ("", 0, Some(Finish::Length))]);
}

#[tokio::test]
async fn a_server_without_streams_or_with_a_model_that_answers_once_is_asked_for_the_whole_answer() {
    let inputs = || Arc::new(Mutex::new(vec![("text_input", "BYTES", vec![1], false)]));
    let once = Fake { inputs: inputs(), configured: true, ..Fake::default() };
    for fake in [Fake::default(), once] {
        let fake = Fake { whole: Some(Ok(answer("ab", &[1, 2], None))), ..fake };
        let two = TextRequest::greedy("hi", 2);
        assert_eq!(read(&pieces(&fake, two).await), [("ab", 2, Some(Finish::Length))]);
    }
}

#[tokio::test]
async fn a_stream_that_cuts_characters_in_two_is_put_together_again() {
    let text = |bytes: &[u8]| {
        let data = [&(bytes.len() as u32).to_le_bytes(), bytes].concat();
        let datatype = weighhouse_types::Datatype::Bytes;
        message(tensors(vec![Tensor::new("text_output".into(), datatype, vec![1], data).expect("agrees")]))
    };
    let fake = streamed(vec![text(b"a\xe2\x82"), text(b"\xac!"), text(b"\xff\xe2")]);
    let found = pieces(&fake, TextRequest::greedy("hi", 9)).await;
    let whole: String = found.iter().map(|piece| piece.as_ref().expect("a piece").text.clone()).collect();
    assert_eq!(whole, "a\u{20ac}!\u{fffd}\u{fffd}");
}
