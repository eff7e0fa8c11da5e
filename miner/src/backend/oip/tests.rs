use std::time::Duration;

use futures::StreamExt as _;
use tonic::Status;
use weighhouse_proto::testing::{FakeInference, InferStream};
use weighhouse_types::InferRequest;
use weighhouse_types::text::name;

use super::*;
use crate::testing::{nowhere, serve};

const LIMITS: TextLimits = TextLimits { prompt_bytes: 64, prompt_tokens: 8, max_tokens: 64 };

type Item = Result<ModelStreamInferResponse, Status>;

/// Answers every stream with the same messages, or has no streams and answers whole.
#[derive(Clone)]
struct Fake {
    stream: Option<Vec<Item>>,
    whole: Result<ModelInferResponse, Status>,
}

fn check_asked(message: ModelInferRequest) {
    assert_eq!(message.model_name, "tiny");
    let asked = InferRequest::try_from(message).expect("well-formed");
    assert_eq!(TextRequest::from_infer(&asked, &LIMITS), Ok(TextRequest::greedy("hi", 2)));
}

#[tonic::async_trait]
impl FakeInference for Fake {
    async fn infer(&self, request: ModelInferRequest) -> Result<ModelInferResponse, Status> {
        check_asked(request);
        self.whole.clone()
    }

    async fn stream(&self, mut requests: Streaming<ModelInferRequest>) -> Result<InferStream, Status> {
        let Some(items) = self.stream.clone() else { return Err(Status::unimplemented("no streams")) };
        check_asked(requests.message().await?.expect("a request"));
        assert!(requests.message().await?.is_none(), "one request, then the end");
        Ok(Box::pin(stream::iter(items)))
    }
}

async fn pieces(fake: Fake) -> Vec<Result<TextAnswer, EngineError>> {
    let (url, _serving) = serve(fake).await;
    let backend = Oip::new(&url, Duration::from_secs(5), "tiny".into(), Digest::of(b"tiny"), LIMITS);
    backend.generate(TextRequest::greedy("hi", 2)).collect().await
}

fn answer(text: &str, tokens: &[u32], finish: Option<Finish>) -> ModelInferResponse {
    let piece = TextAnswer { text: text.into(), tokens: tokens.to_vec(), finish, ..Default::default() };
    ModelInferResponse::try_from(piece.to_infer("tiny", "1", "").expect("agrees")).expect("small")
}

fn message(response: ModelInferResponse) -> Item {
    Ok(ModelStreamInferResponse { error_message: String::new(), infer_response: Some(response) })
}

fn streamed(items: Vec<Item>) -> Fake {
    Fake { stream: Some(items), whole: Err(Status::internal("not asked for")) }
}

fn read(found: &[Result<TextAnswer, EngineError>]) -> Vec<(&str, usize, Option<Finish>)> {
    let pieces = found.iter().map(|item| item.as_ref().expect("a piece"));
    pieces.map(|piece| (piece.text.as_str(), piece.tokens.len(), piece.finish)).collect()
}

#[tokio::test]
async fn decoupled_answers_become_pieces_and_the_end_of_the_stream_their_end() {
    let told = vec![message(answer("a", &[1], None)), message(answer("b", &[2], Some(Finish::Stop)))];
    assert_eq!(read(&pieces(streamed(told)).await), [("a", 1, None), ("b", 1, Some(Finish::Stop))]);

    // Triton's backends say no reason; the last message may carry a flag alone.
    let mut untold = vec![message(answer("a", &[1], None)), message(ModelInferResponse::default())];
    assert_eq!(read(&pieces(streamed(untold.clone())).await), [("a", 1, None), ("", 0, Some(Finish::End))]);
    untold.insert(1, message(answer("b", &[2], None)));
    let found = pieces(streamed(untold)).await;
    assert_eq!(read(&found), [("a", 1, None), ("b", 1, None), ("", 0, Some(Finish::Length))]);
}

#[tokio::test]
async fn a_server_without_streams_is_asked_for_the_whole_answer() {
    let whole = |response| pieces(Fake { stream: None, whole: response });
    assert_eq!(read(&whole(Ok(answer("ab", &[1, 2], None))).await), [("ab", 2, Some(Finish::Length))]);
    let mut text_only = answer("ab", &[], None);
    text_only.outputs.truncate(1);
    text_only.raw_output_contents.truncate(1);
    assert_eq!(text_only.outputs[0].name, name::TEXT_OUTPUT);
    assert_eq!(read(&whole(Ok(text_only)).await), [("ab", 0, Some(Finish::End))]);
    let refused = whole(Err(Status::invalid_argument("prompt too long"))).await;
    assert_eq!(refused, [Err(BackendError::Refused("prompt too long".into()).into())]);
}

#[tokio::test]
async fn failures_of_a_stream_are_definite() {
    let good = || message(answer("a", &[1], None));
    let error = |error_message: &str| {
        Ok(ModelStreamInferResponse { error_message: error_message.into(), infer_response: None })
    };
    let malformed = |found: &BackendError| matches!(found, BackendError::Malformed(_));
    type Check<'a> = &'a dyn Fn(&BackendError) -> bool;
    let cases: [(Vec<Item>, Check<'_>); 8] = [
        (vec![], &|found| *found == BackendError::Disconnected),
        (vec![good(), error("CUDA out of memory")], &|found| matches!(found, BackendError::Failed(_))),
        (vec![error("")], &malformed),
        (vec![good(), Err(Status::unavailable("gone"))], &|found| {
            matches!(found, BackendError::Unreachable(_))
        }),
        (vec![Err(Status::resource_exhausted("full"))], &|found| *found == BackendError::Busy),
        (vec![Err(Status::not_found("no model"))], &|found| matches!(found, BackendError::Misconfigured(_))),
        (vec![message(answer("a", &[1, 2, 3], None))], &malformed),
        (
            vec![message(ModelInferResponse {
                raw_output_contents: vec![vec![1]],
                ..answer("a", &[1], None)
            })],
            &malformed,
        ),
    ];
    for (at, (items, check)) in cases.into_iter().enumerate() {
        match pieces(streamed(items)).await.last() {
            Some(Err(EngineError::Backend(found))) => assert!(check(found), "case {at}: {found}"),
            other => panic!("case {at}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unreachable() {
    let url = nowhere().await;
    let backend = Oip::new(&url, Duration::from_secs(5), "tiny".into(), Digest::of(b"tiny"), LIMITS);
    let found: Vec<_> = backend.generate(TextRequest::greedy("hi", 2)).collect().await;
    assert!(matches!(&found[..], [Err(EngineError::Backend(BackendError::Unreachable(_)))]), "{found:?}");
}
