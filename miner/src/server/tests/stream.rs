use bytes::Bytes;
use futures::StreamExt as _;
use http_body_util::BodyExt as _;
use prost::Message as _;
use weighhouse_models::LoadLimits;
use weighhouse_models::language::{DecoderLimits, LanguageModel};
use weighhouse_proto::frame;
use weighhouse_proto::inference::ModelStreamInferResponse;
use weighhouse_types::text::{Finish, GREEDY, Prompt, TextAnswer, TextLimits, TextRequest, name};
use weighhouse_types::{Datatype, Digest, InferAnswer, InferRequest, Tensor};

use super::harness::{Reply, STREAM_PATH, Signed, begin};
use super::*;
use crate::backend::{BackendError, Decoder};
use crate::engine::{Generator, ModelName, Paces, PieceStream, TextEngine};

const LIMITS: TextLimits = TextLimits { prompt_bytes: 64, prompt_tokens: 8, max_tokens: 8 };

/// Gives a prompt's words back, a piece each; the words `break` and `hang` do what they say.
#[derive(Debug)]
struct Words;

impl Generator for Words {
    fn digest(&self) -> Digest {
        Digest::of(b"words")
    }

    fn samplers(&self) -> Vec<&'static str> {
        vec![GREEDY]
    }

    fn generate(&self, request: TextRequest) -> PieceStream {
        let Prompt::Text(prompt) = request.prompt else { panic!("these tests send texts") };
        let words: Vec<String> = prompt.split(' ').map(str::to_owned).collect();
        let last = words.len() - 1;
        Box::pin(futures::stream::iter(words.into_iter().enumerate()).then(move |(at, word)| async move {
            match word.as_str() {
                "break" => Err(BackendError::Disconnected.into()),
                "hang" => std::future::pending().await,
                _ => Ok(TextAnswer {
                    finish: (at == last).then_some(Finish::End),
                    text: word,
                    ..TextAnswer::default()
                }),
            }
        }))
    }
}

async fn start(config: &'static str) -> Harness {
    start_with(config, Arc::new(Words)).await
}

async fn start_with(config: &'static str, generator: Arc<dyn Generator>) -> Harness {
    let minute = Duration::from_secs(60);
    let paces = Paces { first: minute, next: minute, whole: minute };
    let engine = TextEngine::new(ModelName::new("words", "1"), generator, (LIMITS, paces), TestClock::new());
    Setup { config, engine: Some(Arc::new(engine)), ..Setup::default() }.start().await
}

fn framed(request: InferRequest) -> Bytes {
    frame::encode(&ModelInferRequest::try_from(request).expect("small"))
}

fn ask(prompt: &str) -> InferRequest {
    TextRequest::greedy(prompt, 8).to_infer("words", "7").expect("small")
}

/// The texts of a stream's messages.
fn texts(body: &Bytes) -> Vec<String> {
    let mut rest = body.clone();
    let mut found = Vec::new();
    while let Some(length) = rest.get(1..5).map(|length| u32::from_be_bytes(length.try_into().expect("4"))) {
        let message = rest.split_to(5 + length as usize).split_off(5);
        let message = ModelStreamInferResponse::decode(message).expect("a message");
        assert_eq!(message.error_message, "");
        let answer = InferAnswer::try_from(message.infer_response.expect("a response")).expect("agrees");
        assert_eq!((answer.id.as_str(), answer.model.as_str()), ("7", "words"));
        found.push(TextAnswer::from_infer(&answer, &LIMITS).expect("well-formed").text);
    }
    found
}

async fn send(miner: &Harness, request: InferRequest) -> Reply {
    miner.send(&miner.sign_stream(framed(request))).await
}

#[tokio::test]
async fn a_stream_comes_in_pieces_that_its_miner_signed_together() {
    let miner = start("").await;
    let signed = miner.sign_stream(framed(ask("one two three")));
    let reply = miner.send(&signed).await;
    assert_eq!(
        (reply.code(), texts(&reply.body)),
        (Code::Ok, vec!["one".into(), "two".into(), "three".into()])
    );
    let verified =
        verify_answer(&miner.hotkey(), &signed.body, &reply.body, &reply.trailers).expect("signed");
    assert_eq!(verified.model, Digest::of(b"words"));
    let short = reply.body.slice(..reply.body.len() - 1);
    assert!(verify_answer(&miner.hotkey(), &signed.body, &short, &reply.trailers).is_err());

    let whole = miner.send(&miner.sign(&ask("one two"))).await;
    let whole = TextAnswer::from_infer(&whole.answer(), &LIMITS).expect("well-formed");
    assert_eq!((whole.text.as_str(), whole.finish), ("onetwo", Some(Finish::End)));
    miner.stop().await.expect("a clean end");
}

#[tokio::test]
async fn a_stream_is_signed_for_its_own_call_and_counts_once() {
    let miner = start("").await;
    let unsigned = Signed { path: STREAM_PATH, headers: vec![], body: framed(ask("one")) };
    assert_eq!(miner.send(&unsigned).await.code(), Code::Unauthenticated);
    let elsewhere = Signed { path: STREAM_PATH, ..miner.sign(&ask("one")) };
    assert_eq!(miner.send(&elsewhere).await.code(), Code::Unauthenticated, "signed for ModelInfer");
    let signed = miner.sign_stream(framed(ask("one")));
    assert_eq!(miner.send(&signed).await.code(), Code::Ok);
    assert_eq!(miner.send(&signed).await.code(), Code::Unauthenticated, "replayed");
    miner.stop().await.expect("a clean end");
}

#[tokio::test]
async fn a_stream_of_no_message_or_of_two_is_refused() {
    let miner = start("").await;
    let one = framed(ask("one"));
    let two = Bytes::from([&one[..], &one[..]].concat());
    let compressed = Bytes::from([&[1][..], &one[1..]].concat());
    for body in [Bytes::new(), two, compressed, one.slice(..one.len() - 1)] {
        let reply = miner.send(&miner.sign_stream(body)).await;
        assert_eq!((reply.code(), reply.body.len()), (Code::InvalidArgument, 0));
    }
    assert_eq!(miner.send(&miner.sign_stream(one)).await.code(), Code::Ok);
    miner.stop().await.expect("a clean end");
}

#[tokio::test]
async fn bad_input_is_refused_by_name_and_the_server_goes_on() {
    let miner = start("").await;
    let with = |name: &str, datatype, data: &[u8]| {
        let mut request = ask("one");
        request.inputs.retain(|input| input.name() != name);
        request.inputs.push(Tensor::new(name.into(), datatype, vec![1], data.to_vec()).expect("agrees"));
        request
    };
    let int = |value: i32| value.to_le_bytes();
    let cases = [
        (with(name::TEXT_INPUT, Datatype::Bytes, &[2, 0, 0, 0, 0xff, 0xfe]), Code::InvalidArgument, "UTF-8"),
        (with("temprature", Datatype::Fp32, &[0; 4]), Code::InvalidArgument, "temprature"),
        (with(name::MAX_TOKENS, Datatype::Int32, &int(0)), Code::InvalidArgument, "max_tokens"),
        (with(name::MAX_TOKENS, Datatype::Int32, &int(1_000_000_000)), Code::InvalidArgument, "max_tokens"),
        (ask(&"word ".repeat(100)), Code::InvalidArgument, "text_input"),
        (with(name::TEMPERATURE, Datatype::Fp32, &1_f32.to_le_bytes()), Code::Unimplemented, "gumbel/v1"),
        (with(&"x".repeat(100_000), Datatype::Bool, &[1]), Code::InvalidArgument, "xxx"),
        (InferRequest { model: "cats".into(), ..ask("one") }, Code::NotFound, "no such model"),
    ];
    for (request, code, word) in cases {
        for signed in [miner.sign_stream(framed(request.clone())), miner.sign(&request)] {
            let reply = miner.send(&signed).await;
            let message = reply.message();
            assert_eq!(reply.code(), code, "{message}");
            assert!(message.contains(word) && message.len() <= 700, "{message}");
        }
    }
    assert_eq!(send(&miner, ask("one")).await.code(), Code::Ok);
    miner.stop().await.expect("a clean end");
}

#[tokio::test]
async fn a_stream_that_fails_midway_ends_with_a_status_and_no_signature() {
    let miner = start("").await;
    let reply = send(&miner, ask("one two break three")).await;
    assert_eq!((reply.code(), texts(&reply.body)), (Code::Unavailable, vec!["one".to_owned(), "two".into()]));
    assert!(!reply.trailers.contains_key(weighhouse_wallet::answer::trailer::SIGNATURE));
    miner.stop().await.expect("a clean end");
}

#[tokio::test]
async fn a_stream_holds_its_place_until_its_caller_goes_away() {
    let miner = start("[limits]\nin_flight_max = 1").await;
    let channel = miner.channel().await;
    let mut response =
        begin(channel.clone(), miner.sign_stream(framed(ask("one hang")))).await.expect("begun");
    let first = response.body_mut().frame().await.expect("a frame").expect("good").into_data().expect("data");
    assert_eq!(texts(&first), ["one"]);
    assert_eq!(send(&miner, ask("two")).await.code(), Code::ResourceExhausted);
    drop((response, channel));
    while send(&miner, ask("two")).await.code() == Code::ResourceExhausted {
        tokio::task::yield_now().await;
    }
    assert_eq!(send(&miner, ask("two")).await.code(), Code::Ok);
    miner.stop().await.expect("a clean end");
}

#[tokio::test]
async fn a_stream_that_outlasts_the_drain_ends_with_a_status() {
    let miner = start("").await;
    let signed = miner.sign_stream(framed(ask("one hang")));
    let mut response = begin(miner.channel().await, signed).await.expect("begun");
    response.body_mut().frame().await.expect("a frame").expect("good").into_data().expect("data");
    let ending = tokio::spawn(response.into_body().collect());
    miner.stop_slowly().await;
    let ended = ending.await.expect("joined").expect("not broken off");
    assert_eq!(ended.trailers().expect("a status")["grpc-status"], "14");
}

#[tokio::test]
async fn describe_names_the_samplers() {
    let miner = start("").await;
    let described = MinerClient::new(miner.channel().await).describe(DescribeRequest {}).await.expect("open");
    let description = Description::try_from(described.into_inner()).expect("whole");
    assert_eq!(description.models[0].samplers, [GREEDY]);
    assert_eq!(description.models[0].kind, Some(weighhouse_proto::ModelKind::Text));
    miner.stop().await.expect("a clean end");
}

#[tokio::test]
async fn a_model_of_our_own_streams_what_its_seed_says() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/testdata/language/llama");
    let model = LanguageModel::load(&folder, &LoadLimits::STANDARD).expect("a golden model");
    let limits = DecoderLimits { sequences_max: 4, cache_tokens_max: 4_096 };
    let decoder = Decoder::start(model, limits, 4, &CpuPool::new(1, 4)).expect("a thread");
    let miner = start_with("", Arc::new(decoder)).await;
    let sampled = |seed| TextRequest {
        temperature: 1.0,
        seed,
        log_probs: true,
        ignore_end: true,
        ..TextRequest::greedy("the model", 8)
    };
    let mut answers = Vec::new();
    for seed in [1, 1, 2] {
        let request = sampled(seed).to_infer("words", "7").expect("small");
        let streamed = send(&miner, request.clone()).await;
        assert_eq!(streamed.code(), Code::Ok);
        let whole = miner.send(&miner.sign(&request)).await;
        let whole = TextAnswer::from_infer(&whole.answer(), &LIMITS).expect("well-formed");
        assert_eq!((whole.tokens.len(), whole.log_probs.len()), (8, 8));
        assert_eq!(texts(&streamed.body).concat(), whole.text);
        answers.push(whole);
    }
    assert_eq!(answers[0], answers[1]);
    assert_ne!(answers[0].tokens, answers[2].tokens);
    let long = TextRequest { prompt: Prompt::Ids(vec![1_000_000]), ..sampled(1) };
    let refused = send(&miner, long.to_infer("words", "7").expect("small")).await;
    assert_eq!((refused.code(), refused.message().contains("no token")), (Code::InvalidArgument, true));
    miner.stop().await.expect("a clean end");
}
