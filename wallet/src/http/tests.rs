use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Either, Full, StreamBody};
use tower::{Layer, ServiceExt};
use weighhouse_seams::{CpuPool, DirStorage};
use weighhouse_types::Digest;

use super::*;
use crate::btauth::{Signer, header};
use crate::keypair::Keypair;
use crate::replay::{ReplayGuard, ReplayLimits};
use crate::testclock::ManualClock;

const START: u64 = 1_790_000_000_000_000_000;
const INFER: &str = "/inference.GRPCInferenceService/ModelInfer";
const LIMITS: VerifyLimits =
    VerifyLimits { body_bytes: 1000, body_deadline: Duration::from_secs(5), held_bytes: 1500 };

/// Knows Alice; Bob has no standing; Charlie's quota is used up; nobody else is registered.
#[derive(Debug, Default)]
struct Doorman {
    charged: AtomicUsize,
}

impl Admission for Doorman {
    fn admit(&self, claimed: &Hotkey) -> Result<(), Refusal> {
        match claimed {
            key if *key == hotkey("//Alice") || *key == hotkey("//Charlie") => Ok(()),
            key if *key == hotkey("//Bob") => Err(Refusal::NoStanding("no permit")),
            _ => Err(Refusal::UnknownHotkey),
        }
    }

    fn charge(&self, caller: &Hotkey, _: &Extensions) -> Result<(), Refusal> {
        self.charged.fetch_add(1, Ordering::SeqCst);
        if *caller == hotkey("//Charlie") { Err(Refusal::HotkeyQuota) } else { Ok(()) }
    }
}

fn hotkey(uri: &str) -> Hotkey {
    Keypair::from_uri(uri).expect("a uri").hotkey()
}

struct Bench {
    _dir: tempfile::TempDir,
    clock: Arc<ManualClock>,
    doorman: Arc<Doorman>,
    replay: Arc<ReplayGuard>,
    layer: VerifyLayer,
}

type Streamed = http_body_util::combinators::BoxBody<Bytes, std::io::Error>;

/// The handler's view: its caller if there was one, and the body.
struct Outcome {
    status: Option<String>,
    handled: Option<(Option<Hotkey>, Bytes)>,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let clock = Arc::new(ManualClock::new(START));
        let storage = Arc::new(DirStorage::open(dir.path()).expect("a folder"));
        let replay = ReplayGuard::open(storage, clock.clone(), ReplayLimits::STANDARD).expect("opens");
        let (doorman, replay) = (Arc::new(Doorman::default()), Arc::new(replay));
        let layer = VerifyLayer::new(VerifyParts {
            hotkey: hotkey("//miner"),
            is_signed: |path| path == INFER,
            admission: doorman.clone(),
            replay: replay.clone(),
            clock: clock.clone(),
            pool: CpuPool::new(1, 8),
            limits: LIMITS,
        });
        Self { _dir: dir, clock, doorman, replay, layer }
    }

    fn signer(&self, uri: &str) -> Signer {
        Signer::new(Arc::new(Keypair::from_uri(uri).expect("a uri")), self.clock.clone())
    }

    fn signed(&self, uri: &str, body: &[u8]) -> Request<Streamed> {
        let headers = self.signer(uri).headers("POST", INFER, body, Some(&hotkey("//miner")));
        let mut request = Request::post(format!("http://host{INFER}")).body(whole(body)).expect("a request");
        for (name, value) in headers {
            request.headers_mut().insert(name, value.parse().expect("a value"));
        }
        request
    }

    async fn send(&self, request: Request<Streamed>) -> Outcome {
        let (handled, mut seen) = tokio::sync::mpsc::unbounded_channel();
        let handler = tower::service_fn(move |request: Request<Either<Full<Bytes>, Streamed>>| {
            let handled = handled.clone();
            async move {
                let (mut head, body) = request.into_parts();
                let evidence = Authenticated::<Bytes>::take(&mut head.extensions);
                let bytes = body.collect().await.map(|read| read.to_bytes()).unwrap_or_default();
                if let Some(evidence) = &evidence {
                    assert_eq!(evidence.value(), &bytes);
                    assert_eq!(evidence.body_digest(), Digest::of(&bytes));
                }
                handled.send((evidence.map(|evidence| evidence.caller()), bytes)).expect("listened to");
                Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"answer"))))
            }
        });
        let response = self.layer.layer(handler).oneshot(request).await.expect("infallible");
        assert_eq!(response.status(), 200);
        let status =
            response.headers().get("grpc-status").map(|code| code.to_str().expect("text").to_owned());
        if status.is_some() {
            assert_eq!(response.headers()["content-type"], "application/grpc");
            assert!(response.headers().contains_key("grpc-message"));
            // Clients of grpc-core take a status among the headers only where these end the stream.
            assert!(http_body::Body::is_end_stream(response.body()));
        }
        Outcome { status, handled: seen.try_recv().ok() }
    }

    async fn refused_with(&self, request: Request<Streamed>, code: GrpcCode) {
        let outcome = self.send(request).await;
        assert_eq!(outcome.status, Some((code as u16).to_string()));
        assert!(outcome.handled.is_none(), "a refused request reached the handler");
    }
}

fn whole(body: &[u8]) -> Streamed {
    Full::new(Bytes::copy_from_slice(body)).map_err(|never| match never {}).boxed()
}

/// A body of unknown length that ends after its pieces, or hangs.
fn pieces(pieces: Vec<&'static [u8]>, hang: bool) -> Streamed {
    let mut left = pieces.into_iter();
    let stream = futures::stream::poll_fn(move |_| match left.next() {
        Some(piece) => std::task::Poll::Ready(Some(Ok(http_body::Frame::data(Bytes::from_static(piece))))),
        None if hang => std::task::Poll::Pending,
        None => std::task::Poll::Ready(None),
    });
    StreamBody::new(stream).boxed()
}

/// A body that must never be polled.
fn untouchable() -> Streamed {
    let stream = futures::stream::poll_fn(
        |_| -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, std::io::Error>>> {
            panic!("the body was read before the headers were refused")
        },
    );
    StreamBody::new(stream).boxed()
}

#[tokio::test]
async fn a_signed_request_reaches_the_handler_whole_and_with_its_caller() {
    let bench = Bench::new();
    let body = Bytes::from_static(b"\0\0\0\0\x08question");
    let outcome = bench.send(bench.signed("//Alice", &body)).await;
    assert_eq!((outcome.status, outcome.handled), (None, Some((Some(hotkey("//Alice")), body))));
    assert_eq!(bench.doorman.charged.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn an_open_path_passes_untouched_and_carries_no_evidence() {
    let bench = Bench::new();
    let mut request = bench.signed("//Alice", b"body");
    *request.uri_mut() = "/inference.GRPCInferenceService/ServerLive".parse().expect("a uri");
    let outcome = bench.send(request).await;
    assert_eq!((outcome.status, outcome.handled), (None, Some((None, Bytes::from_static(b"body")))));
}

#[tokio::test]
async fn a_replayed_request_is_refused() {
    let bench = Bench::new();
    let request = || bench.signed("//Alice", b"body");
    let (first, mut replayed) = (request(), request());
    *replayed.headers_mut() = first.headers().clone();
    assert!(bench.send(first).await.handled.is_some());
    bench.refused_with(replayed, GrpcCode::Unauthenticated).await;
    // A fresh signer makes the same nonce again: another signature, and still a replay.
    bench.refused_with(request(), GrpcCode::Unauthenticated).await;
    bench.clock.advance(Duration::from_nanos(1));
    assert!(bench.send(request()).await.handled.is_some());
}

#[tokio::test]
async fn everything_wrong_with_the_headers_is_refused_before_the_body_is_read() {
    let bench = Bench::new();
    let unread = |change: &dyn Fn(&mut Request<Streamed>)| {
        let mut request = bench.signed("//Alice", b"body").map(|_| untouchable());
        change(&mut request);
        request
    };
    for name in [header::VERSION, header::HOTKEY, header::NONCE, header::SIGNATURE, header::RECEIVER] {
        let stripped = unread(&|request| drop(request.headers_mut().remove(name)));
        bench.refused_with(stripped, GrpcCode::Unauthenticated).await;
    }
    let elsewhere = unread(&|request| {
        let other = hotkey("//other").to_string().parse().expect("a value");
        request.headers_mut().insert(header::RECEIVER, other);
    });
    bench.refused_with(elsewhere, GrpcCode::Unauthenticated).await;
    for nonce in [START - 10_000_000_001, START + 2_000_000_001] {
        let untimely = unread(&|request| drop(request.headers_mut().insert(header::NONCE, nonce.into())));
        bench.refused_with(untimely, GrpcCode::Unauthenticated).await;
    }
    let stranger = bench.signed("//Mallory", b"body").map(|_| untouchable());
    bench.refused_with(stranger, GrpcCode::PermissionDenied).await;
    let bob = bench.signed("//Bob", b"body").map(|_| untouchable());
    bench.refused_with(bob, GrpcCode::PermissionDenied).await;
    let huge = bench.signed("//Alice", &[0; 1001]);
    bench.refused_with(huge, GrpcCode::ResourceExhausted).await;
}

#[tokio::test]
async fn a_changed_request_is_refused_and_uses_nothing_up() {
    let bench = Bench::new();
    let good = bench.signed("//Alice", b"body");
    let copy = |body: &[u8], uri: &str| {
        let mut request = Request::post(uri).body(whole(body)).expect("a request");
        *request.headers_mut() = good.headers().clone();
        request
    };
    bench.refused_with(copy(b"bodY", INFER), GrpcCode::Unauthenticated).await;
    bench.refused_with(copy(b"", INFER), GrpcCode::Unauthenticated).await;
    bench.refused_with(copy(b"body", &format!("{INFER}?x=1")), GrpcCode::Unauthenticated).await;
    let mut get = copy(b"body", INFER);
    *get.method_mut() = http::Method::GET;
    bench.refused_with(get, GrpcCode::Unauthenticated).await;
    let mut impostor = copy(b"body", INFER);
    impostor.headers_mut().insert(header::HOTKEY, hotkey("//Charlie").to_string().parse().expect("a value"));
    bench.refused_with(impostor, GrpcCode::Unauthenticated).await;
    assert_eq!(bench.doorman.charged.load(Ordering::SeqCst), 0, "an impostor was charged to its victim");
    assert!(bench.send(good).await.handled.is_some(), "forgeries used the nonce up");
}

#[tokio::test]
async fn the_quota_is_charged_to_proven_callers_only() {
    let bench = Bench::new();
    bench.refused_with(bench.signed("//Charlie", b"body"), GrpcCode::ResourceExhausted).await;
    assert_eq!(bench.doorman.charged.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn bodies_have_a_cap_a_budget_and_a_deadline() {
    let bench = Bench::new();
    let long = bench.signed("//Alice", b"").map(|_| pieces(vec![&[0; 600], &[0; 600]], false));
    bench.refused_with(long, GrpcCode::ResourceExhausted).await;

    let slow = bench.signed("//Alice", b"").map(|_| pieces(vec![&[0; 900]], true));
    let waiting = bench.send(slow);
    tokio::pin!(waiting);
    assert!(futures::poll!(&mut waiting).is_pending());
    let crowded = bench.signed("//Alice", &[0; 900]);
    bench.refused_with(crowded, GrpcCode::ResourceExhausted).await;
    bench.clock.advance(LIMITS.body_deadline);
    let outcome = waiting.await;
    assert_eq!(outcome.status.as_deref(), Some("4"));
    assert!(outcome.handled.is_none());

    bench.clock.set(START);
    let roomy = bench.signed("//Alice", &[1; 900]);
    assert!(bench.send(roomy).await.handled.is_some(), "a finished body gives its bytes back");
}

#[tokio::test]
async fn evidence_is_never_taken_over_from_outside() {
    let bench = Bench::new();
    let mut request = bench.signed("//Alice", b"body");
    *request.uri_mut() = "/open".parse().expect("a uri");
    let smuggled =
        Authenticated::new(hotkey("//Alice"), START, Digest::of(b"body"), Bytes::from_static(b"body"));
    request.extensions_mut().insert(smuggled);
    assert_eq!(bench.send(request).await.handled.expect("passed").0, None);
}

#[tokio::test]
async fn of_eight_racers_with_one_request_exactly_one_wins() {
    let bench = Bench::new();
    let original = bench.signed("//Alice", b"body");
    let racers = (0..8).map(|_| {
        let mut request = bench.signed("//Alice", b"body");
        *request.headers_mut() = original.headers().clone();
        bench.send(request)
    });
    let outcomes = futures::future::join_all(racers).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.handled.is_some()).count(), 1);
    bench.replay.release().expect("stored");
}
