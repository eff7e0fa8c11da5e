//! Layers that every request passes before a handler: a place among those in flight, and on signed paths verification.

mod streamed;

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Extensions, Request, Response};
use tokio::sync::Semaphore;
use tonic::body::Body;
use tonic::{Code, Status};
use tower::{Layer, Service};
use weighhouse_proto::method;
use weighhouse_seams::{Clock, CpuPool};
use weighhouse_wallet::answer::SignAnswerLayer;
use weighhouse_wallet::http::{VerifyLayer, VerifyLimits, VerifyParts};
use weighhouse_wallet::keypair::Keypair;
use weighhouse_wallet::replay::ReplayGuard;

use crate::admission::Gate;
use crate::config::MinerLimits;
use crate::metrics;

/// The paths whose requests must be signed.
const SIGNED_PATHS: [&str; 2] = [method::MODEL_INFER, method::MODEL_STREAM_INFER];
/// The methods that metrics name; anything else is `other`.
const METHODS: [&str; 8] = [
    "ServerLive",
    "ServerReady",
    "ModelReady",
    "ServerMetadata",
    "ModelMetadata",
    "ModelInfer",
    "ModelStreamInfer",
    "Describe",
];
/// Bytes of one answer, or of a whole stream. A token's message has some three hundred, with 20 alternatives five.
const ANSWER_BYTES_MAX: usize = 4 << 20;

/// Verification outside, the answer's signature inside it.
pub(super) fn auth(
    gate: Arc<Gate>,
    replay: Arc<ReplayGuard>,
    keypair: &Arc<Keypair>,
    clock: &Arc<dyn Clock>,
    pool: CpuPool,
    limits: &MinerLimits,
) -> (VerifyLayer, SignAnswerLayer) {
    let verify = VerifyLayer::new(VerifyParts {
        hotkey: keypair.hotkey(),
        is_signed: |path| SIGNED_PATHS.contains(&path),
        peer: |extensions: &Extensions| extensions.get::<SocketAddr>().copied(),
        admission: gate,
        replay,
        clock: clock.clone(),
        pool: pool.clone(),
        limits: VerifyLimits {
            body_bytes: limits.request_bytes_max,
            body_deadline: limits.request_timeout,
            held_bytes: limits.held_bytes_max,
        },
    });
    (verify, SignAnswerLayer::new(keypair.clone(), pool, ANSWER_BYTES_MAX))
}

/// Bounds the requests in flight over all connections, and measures each.
#[derive(Clone, Debug)]
pub(super) struct Overall {
    places: Arc<Semaphore>,
    clock: Arc<dyn Clock>,
}

impl Overall {
    pub(super) fn new(in_flight_max: usize, clock: Arc<dyn Clock>) -> Self {
        Self { places: Arc::new(Semaphore::new(in_flight_max)), clock }
    }
}

impl<S> Layer<S> for Overall {
    type Service = MeasuredService<S>;

    fn layer(&self, inner: S) -> MeasuredService<S> {
        MeasuredService { inner, overall: self.clone() }
    }
}

#[derive(Clone, Debug)]
pub(super) struct MeasuredService<S> {
    inner: S,
    overall: Overall,
}

impl<S> Service<Request<Body>> for MeasuredService<S>
where
    S: Service<Request<Body>, Response = Response<Body>>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let streams = request.uri().path() == method::MODEL_STREAM_INFER;
        let method = method_of(request.uri().path());
        // Taken before the body is read, and refused rather than queued, so that a flood costs one status each.
        let Ok(place) = self.overall.places.clone().try_acquire_owned() else {
            metrics::request(method, Code::ResourceExhausted, std::time::Duration::ZERO);
            return Box::pin(async { Ok(Status::resource_exhausted("overloaded").into_http()) });
        };
        let clock = self.overall.clock.clone();
        let begun = clock.monotonic();
        let answering = self.inner.call(request);
        Box::pin(async move {
            let in_flight = InFlight::begin(place);
            let answer = answering.await?;
            // Headers without a status mean that a message follows, with the status behind it.
            let code = Status::from_header_map(answer.headers()).map_or(Code::Ok, |status| status.code());
            // An error's headers are the whole answer; only a stream that began goes on holding its place.
            if streams && code == Code::Ok {
                // A stream is worked on until its last byte.
                let held = streamed::HeldPlace::hold(answer, method, begun, clock, in_flight);
                return Ok(held);
            }
            metrics::request(method, code, clock.monotonic().saturating_sub(begun));
            Ok(answer)
        })
    }
}

fn method_of(path: &str) -> &'static str {
    METHODS.into_iter().find(|known| *known == method::name(path)).unwrap_or("other")
}

/// A place among the requests in flight; also gives it back when the caller goes away.
pub(super) struct InFlight(
    #[allow(dead_code, reason = "held for its drop")] tokio::sync::OwnedSemaphorePermit,
);

impl InFlight {
    fn begin(place: tokio::sync::OwnedSemaphorePermit) -> Self {
        metrics::in_flight(1.0);
        Self(place)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        metrics::in_flight(-1.0);
    }
}
