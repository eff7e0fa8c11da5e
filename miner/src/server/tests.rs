mod harness;
mod receipts;
mod reload;
mod stream;
mod tls;

use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tonic::Code;
use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use weighhouse_proto::Description;
use weighhouse_proto::inference::grpc_inference_service_client::GrpcInferenceServiceClient;
use weighhouse_proto::inference::{
    ModelInferRequest, ModelMetadataRequest, ModelReadyRequest, ServerLiveRequest, ServerMetadataRequest,
    ServerReadyRequest,
};
use weighhouse_proto::v1::DescribeRequest;
use weighhouse_proto::v1::miner_client::MinerClient;
use weighhouse_types::{InferAnswer, InferRequest};
use weighhouse_wallet::answer::verify_answer;
use weighhouse_wallet::btauth::{MAX_AGE, header};

use super::*;
use crate::backend::BackendError;
use crate::engine::{Engine, EngineError, ServedModel};
use crate::testing::{FakeChain, TestClock, key, neuron};
use harness::{Harness, HeldEngine, Setup, request};

#[tokio::test]
async fn live_ready_metadata_and_describe_are_open_to_all() {
    let miner = Setup::default().start().await;
    let mut client = GrpcInferenceServiceClient::new(miner.channel().await);
    assert!(client.server_live(ServerLiveRequest {}).await.expect("open").into_inner().live);
    assert!(client.server_ready(ServerReadyRequest {}).await.expect("open").into_inner().ready);
    for (name, expected) in [("digits", true), ("cats", false)] {
        let asked = ModelReadyRequest { name: name.into(), version: String::new() };
        assert_eq!(client.model_ready(asked).await.expect("open").into_inner().ready, expected);
    }
    let server = client.server_metadata(ServerMetadataRequest {}).await.expect("open").into_inner();
    assert_eq!(server.name, "weighhouse");
    let ask = |name: &str| ModelMetadataRequest { name: name.into(), version: String::new() };
    let model = client.model_metadata(ask("digits")).await.expect("open").into_inner();
    assert_eq!((model.inputs[0].name.as_str(), &model.inputs[0].shape[..]), ("pixels", &[-1, 64][..]));
    assert_eq!((model.outputs[0].datatype.as_str(), &model.outputs[0].shape[..]), ("FP32", &[-1, 10][..]));
    assert_eq!(client.model_metadata(ask("cats")).await.expect_err("unknown").code(), Code::NotFound);

    let described = MinerClient::new(miner.channel().await).describe(DescribeRequest {}).await.expect("open");
    let description = Description::try_from(described.into_inner()).expect("whole");
    assert_eq!(description.hotkey, miner.hotkey());
    assert_eq!(description.models[0].digest, harness::digest());
    assert_eq!(description.limits.request_timeout, Duration::from_secs(10));
    miner.stop().await.expect("a clean end");
}

#[tokio::test]
async fn an_unsigned_question_is_refused() {
    let miner = Setup::default().start().await;
    let mut client = GrpcInferenceServiceClient::new(miner.channel().await);
    let message = ModelInferRequest::try_from(request(1)).expect("small");
    assert_eq!(client.model_infer(message).await.expect_err("unsigned").code(), Code::Unauthenticated);
    miner.stop().await.expect("a clean end");
}

#[tokio::test]
async fn a_signed_question_gets_an_answer_that_its_miner_signed() {
    let miner = Setup::default().start().await;
    let signed = miner.sign(&request(3));
    let reply = miner.send(&signed).await;
    assert_eq!(reply.code(), Code::Ok);
    let answer = reply.answer();
    assert_eq!(
        (answer.id.as_str(), answer.output("probabilities").expect("there").shape()),
        ("id", &[3, 10][..])
    );
    let verified =
        verify_answer(&miner.hotkey(), &signed.body, &reply.body, &reply.trailers).expect("signed");
    assert_eq!(verified.model, harness::digest());
    let other = miner.sign(&request(2));
    assert!(verify_answer(&miner.hotkey(), &other.body, &reply.body, &reply.trailers).is_err());
    miner.stop().await.expect("a clean end");
}

#[tokio::test]
async fn a_signature_counts_once_for_one_receiver_and_in_time() {
    let miner = Setup::default().start().await;
    let signed = miner.sign(&request(1));
    assert_eq!(miner.send(&signed).await.code(), Code::Ok);
    assert_eq!(miner.send(&signed).await.code(), Code::Unauthenticated, "replayed");

    let elsewhere = miner.sign_for(&request(1), key("//Eve").hotkey());
    assert_eq!(miner.send(&elsewhere).await.code(), Code::Unauthenticated, "another receiver");

    let mut altered = miner.sign(&request(1));
    altered.body = miner.sign(&request(2)).body;
    assert_eq!(miner.send(&altered).await.code(), Code::Unauthenticated, "another body");

    let late = miner.sign(&request(1));
    miner.clock.advance(MAX_AGE + Duration::from_nanos(1_000));
    assert_eq!(miner.send(&late).await.code(), Code::Unauthenticated, "too late");
    assert_eq!(miner.send(&miner.sign(&request(1))).await.code(), Code::Ok);
    miner.stop().await.expect("a clean end");
}

#[tokio::test]
async fn a_replay_is_refused_after_a_restart() {
    let first = Setup::default().start().await;
    let signed = first.sign(&request(1));
    assert_eq!(first.send(&signed).await.code(), Code::Ok);
    let second = first.restart().await;
    assert_eq!(second.send(&signed).await.code(), Code::Unavailable);
    assert_eq!(second.send(&second.sign(&request(1))).await.code(), Code::Ok);
    second.stop().await.expect("a clean end");
}

#[tokio::test]
async fn callers_without_standing_are_refused_until_the_chain_gives_it() {
    let miner = Setup::default().start().await;
    let stranger = key("//Eve");
    let ask = async |miner: &Harness| miner.send(&miner.sign_as(&stranger, &request(1))).await.code();
    assert_eq!(ask(&miner).await, Code::PermissionDenied, "not registered");
    miner.chain.change(|metagraph| metagraph.neurons.push(neuron(3, stranger.hotkey(), 5, false)));
    miner.chain.change(|metagraph| metagraph.neurons[3].validator_permit = true);
    // The roster follows the chain; how soon is not this test's business.
    while ask(&miner).await == Code::PermissionDenied {
        tokio::task::yield_now().await;
    }
    assert_eq!(ask(&miner).await, Code::Ok);
    miner.stop().await.expect("a clean end");
}

#[tokio::test]
async fn a_quota_that_is_used_up_refuses_that_caller_only() {
    let miner =
        Setup { config: "[admission]\nrequests_per_second = 1\nburst = 2", ..Setup::default() }.start().await;
    for expected in [Code::Ok, Code::Ok, Code::ResourceExhausted] {
        assert_eq!(miner.send(&miner.sign(&request(1))).await.code(), expected);
    }
    let other = miner.sign_as(&key("//Charlie"), &request(1));
    assert_eq!(miner.send(&other).await.code(), Code::Ok);
    miner.clock.advance(Duration::from_secs(1));
    assert_eq!(miner.send(&miner.sign(&request(1))).await.code(), Code::Ok);
    miner.stop().await.expect("a clean end");
}

#[tokio::test]
async fn bodies_headers_and_items_over_their_caps_are_refused() {
    let config = "[limits]\nrequest_bytes_max = 4096\nitems_max = 4\nheader_bytes_max = 4096";
    let miner = Setup { config, ..Setup::default() }.start().await;
    assert_eq!(miner.send(&miner.sign(&request(4))).await.code(), Code::Ok);
    assert_eq!(miner.send(&miner.sign(&request(5))).await.code(), Code::InvalidArgument);
    assert_eq!(miner.send(&miner.sign(&request(64))).await.code(), Code::ResourceExhausted);
    let mut padded = miner.sign(&request(1));
    padded.headers.push(("x-padding", "x".repeat(8192)));
    assert!(miner.try_send(&padded).await.is_none_or(|reply| reply.status != 200));
    miner.stop().await.expect("a clean end");
}

#[tokio::test]
async fn tensors_that_lie_are_refused_after_verification() {
    let miner = Setup::default().start().await;
    let mut message = ModelInferRequest::try_from(request(1)).expect("small");
    message.inputs[0].shape = vec![2, 64];
    assert_eq!(miner.send(&miner.sign_message(&message)).await.code(), Code::InvalidArgument);
    message.model_name = "cats".into();
    message.inputs[0].shape = vec![1, 64];
    assert_eq!(miner.send(&miner.sign_message(&message)).await.code(), Code::NotFound);
    let mut garbage = miner.sign(&request(1));
    garbage = miner.sign_bytes(garbage.body.slice(..garbage.body.len() - 1));
    assert_ne!(miner.send(&garbage).await.code(), Code::Ok);
    miner.stop().await.expect("a clean end");
}

#[tokio::test]
async fn over_the_cap_only_a_connection_without_a_proven_request_makes_room() {
    let miner =
        Setup { config: "[limits]\nconnections_per_address_max = 1", ..Setup::default() }.start().await;
    let mut silent = tokio::net::TcpStream::connect(miner.address).await.expect("accepted by the system");
    let channel = miner.channel().await;
    let signed = miner.sign(&request(1));
    let proven = harness::exchange(channel.clone(), signed).await.expect("room was made");
    assert_eq!(proven.code(), Code::Ok);
    let until_closed = async |stream: &mut tokio::net::TcpStream| {
        let mut read = [0; 64];
        // What the server says before the handshake is no matter.
        while let Ok(count) = stream.read(&mut read).await {
            if count == 0 {
                break;
            }
        }
    };
    until_closed(&mut silent).await;
    let mut later = tokio::net::TcpStream::connect(miner.address).await.expect("accepted by the system");
    until_closed(&mut later).await;
    assert!(GrpcInferenceServiceClient::new(channel).server_live(ServerLiveRequest {}).await.is_ok());
    miner.stop().await.expect("a clean end");
}

#[tokio::test]
async fn requests_whose_bodies_never_come_keep_nobody_out() {
    let config = "[limits]\nunproven_max = 8\nunproven_per_address_max = 4\nin_flight_max = 1";
    let miner = Setup { config, ..Setup::default() }.start().await;
    let channel = miner.channel().await;
    let stuck = |channel: Channel, signed: harness::Signed| {
        tokio::spawn(async move { harness::begin_without_body(channel, signed).await })
    };
    let mut waiting: Vec<_> = (0..9).map(|_| stuck(channel.clone(), miner.sign(&request(1)))).collect();
    // Those beyond the share made room, and are told so.
    for _ in 0..5 {
        let (ended, _, rest) = futures::future::select_all(waiting).await;
        assert_eq!(ended.expect("joined"), Code::ResourceExhausted);
        waiting = rest;
    }
    for _ in 0..3 {
        assert_eq!(miner.send(&miner.sign(&request(1))).await.code(), Code::Ok);
    }
    waiting.iter().for_each(tokio::task::JoinHandle::abort);
    miner.stop().await.expect("a clean end");
}

#[tokio::test]
async fn a_message_that_needs_no_signature_is_small() {
    let miner = Setup::default().start().await;
    let mut client = GrpcInferenceServiceClient::new(miner.channel().await);
    let ask = |bytes: usize| ModelReadyRequest { name: "x".repeat(bytes), version: String::new() };
    assert!(client.model_ready(ask(1_000)).await.is_ok());
    let refused = client.model_ready(ask(20_000)).await.expect_err("too large");
    assert_eq!((refused.code(), refused.message()), (Code::ResourceExhausted, "message too large"));
    miner.stop().await.expect("a clean end");
}

#[tokio::test]
async fn requests_over_the_in_flight_cap_are_refused_and_a_drain_lets_the_others_finish() {
    let held = HeldEngine::new();
    let setup =
        Setup { config: "[limits]\nin_flight_max = 1", engine: Some(held.clone()), ..Setup::default() };
    let miner = setup.start().await;
    let (first, second) = (miner.sign(&request(1)), miner.sign(&request(1)));
    let channel = miner.channel().await;
    let running = tokio::spawn(harness::exchange(channel.clone(), first));
    held.entered().await;
    assert_eq!(miner.send(&second).await.code(), Code::ResourceExhausted);
    miner.shutdown.cancel();
    held.release();
    assert_eq!(running.await.expect("joined").expect("answered").code(), Code::Ok);
    drop(channel);
    miner.stop().await.expect("a clean end");
}

#[tokio::test]
async fn a_request_that_never_ends_is_cut_at_the_drain_deadline() {
    let held = HeldEngine::new();
    let config = "[limits]\nrequest_timeout = '60s'";
    let miner = Setup { engine: Some(held.clone()), config, ..Setup::default() }.start().await;
    let running = tokio::spawn(harness::exchange(miner.channel().await, miner.sign(&request(1))));
    held.entered().await;
    miner.stop_slowly().await;
    let reply = running.await.expect("joined").expect("told");
    assert_eq!((reply.code(), reply.message().as_str()), (Code::Unavailable, "the miner stops"));
}

#[tokio::test]
async fn a_miner_that_is_not_registered_does_not_start_and_one_that_is_pruned_stops() {
    let error = Setup { registered: false, ..Setup::default() }.start().await.ended().await;
    assert!(matches!(error, Err(MinerError::NotRegistered { .. })), "{error:?}");

    let miner = Setup::default().start().await;
    let hotkey = miner.hotkey();
    miner.published().await;
    miner.chain.change(|metagraph| metagraph.neurons.retain(|neuron| neuron.hotkey != hotkey));
    assert!(matches!(miner.ended().await, Err(MinerError::NotRegistered { .. })));
}

#[tokio::test]
async fn the_axon_is_published_once_and_again_when_the_chain_says_later() {
    let miner = Setup { too_fast: 1, ..Setup::default() }.start().await;
    let attempts = |miner: &Harness| miner.chain.submitted.lock().expect("not poisoned").len();
    while attempts(&miner) < 1 {
        tokio::task::yield_now().await;
    }
    while miner.axon().is_none() {
        miner.chain.change(|_| ());
        tokio::task::yield_now().await;
    }
    assert_eq!((miner.axon(), attempts(&miner)), (Some(miner.address), 2));
    miner.stop().await.expect("a clean end");
}

#[tokio::test]
async fn an_axon_that_the_chain_has_lost_is_published_again() {
    let miner = Setup::default().start().await;
    let hotkey = miner.hotkey();
    miner.published().await;
    // The miner has to have seen its own before.
    for _ in 0..100 {
        miner.chain.change(|_| ());
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    miner.chain.change(|metagraph| {
        let own = metagraph.neurons.iter_mut().find(|neuron| neuron.hotkey == hotkey);
        own.expect("registered").axon = None;
    });
    while miner.axon().is_none() {
        // Not at once: another process may be doing the same.
        miner.clock.advance(Duration::from_secs(60));
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(miner.axon(), Some(miner.address));
    miner.stop().await.expect("a clean end");
}

#[tokio::test]
async fn health_follows_the_backends_and_ends_with_the_miner() {
    let miner = Setup::default().start().await;
    miner.published().await;
    let mut health = HealthClient::new(miner.channel().await);
    let mut check = async |service: &str| {
        let asked = HealthCheckRequest { service: service.to_owned() };
        health.check(asked).await.map(|answer| answer.into_inner().status())
    };
    for service in ["", "inference.GRPCInferenceService"] {
        while check(service).await.expect("known") != ServingStatus::Serving {
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(check("cats").await.expect_err("unknown").code(), Code::NotFound);
    let mut watching = HealthClient::new(miner.channel().await);
    let watched = watching.watch(HealthCheckRequest::default()).await.expect("open");
    let mut watched = watched.into_inner();
    let next = watched.message().await.expect("told").expect("a status");
    assert_eq!(next.status(), ServingStatus::Serving);
    miner.shutdown.cancel();
    let next = watched.message().await.expect("told").expect("a status");
    assert_eq!(next.status(), ServingStatus::NotServing);
    let ending = tokio::spawn(async move { watched.message().await });
    miner.stop_slowly().await;
    let ended = ending.await.expect("joined").expect_err("with a status");
    assert_eq!((ended.code(), ended.message()), (Code::Unavailable, "the miner stops"));
}

#[test]
fn an_address_that_nobody_can_dial_is_not_published() {
    let any = "0.0.0.0:8091".parse().expect("an address");
    let real = "203.0.113.7:8091".parse().expect("an address");
    assert!(matches!(announce::address(None, any), Err(MinerError::NoExternalAddress { .. })));
    assert_eq!(announce::address(Some(real), any).expect("configured"), real);
    assert_eq!(announce::address(None, real).expect("bound"), real);
    let mapped = "[::ffff:203.0.113.7]:8091".parse().expect("an address");
    assert_eq!(announce::address(Some(mapped), any).expect("configured"), real);
}

/// A model whose server is away.
#[derive(Debug)]
struct Away(ServedModel);

#[tonic::async_trait]
impl Engine for Away {
    fn model(&self) -> &ServedModel {
        &self.0
    }

    fn items_max(&self) -> u32 {
        1
    }

    async fn look(&self) -> Option<Result<(), EngineError>> {
        Some(Err(BackendError::Unreachable("refused".into()).into()))
    }

    async fn infer(&self, _: &InferRequest) -> Result<InferAnswer, EngineError> {
        Err(BackendError::Failed("out of memory at\n10.0.0.7".into()).into())
    }
}

#[tokio::test]
async fn a_model_whose_server_is_away_is_not_ready_and_its_callers_hear_why() {
    let served = HeldEngine::new().model().clone();
    let miner = Setup { engine: Some(Arc::new(Away(served))), ..Setup::default() }.start().await;
    let mut client = GrpcInferenceServiceClient::new(miner.channel().await);
    let asked = ModelReadyRequest { name: "digits".into(), version: String::new() };
    while client.model_ready(asked.clone()).await.expect("open").into_inner().ready {
        tokio::task::yield_now().await;
    }
    assert!(!client.server_ready(ServerReadyRequest {}).await.expect("open").into_inner().ready);
    let reply = miner.send(&miner.sign(&request(1))).await;
    let (code, message) = (reply.code(), reply.message());
    assert_eq!((code, message.as_str()), (Code::Internal, "the backend failed: out of memory at 10.0.0.7"));
    miner.stop().await.expect("a clean end");
}
