//! Layers that every request passes before a handler: a place to work, and on signed paths verification.

mod streamed;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic::{Code, Status};
use tower::{Layer, Service};
use tracing::{Instrument as _, Span};
use weighhouse_proto::bounded::MALFORMED;
use weighhouse_proto::method;
use weighhouse_seams::{Clock, CpuPool};
use weighhouse_wallet::answer::SignAnswerLayer;
use weighhouse_wallet::http::{VerifyLayer, VerifyLimits, VerifyParts};
use weighhouse_wallet::keypair::Keypair;
use weighhouse_wallet::replay::ReplayGuard;

use self::streamed::HeldPlace;
use crate::admission::{Gate, Place, Places};
use crate::callers::Callers;
use crate::config::MinerLimits;
use crate::incoming::Peer;
use crate::live::Live;
use crate::metrics;

/// The paths whose requests must be signed.
const SIGNED_PATHS: [&str; 3] = [method::MODEL_INFER, method::MODEL_STREAM_INFER, method::ACKNOWLEDGE];
const ACKNOWLEDGE: &str = "Acknowledge";
/// The methods that metrics name; anything else is `other`.
const METHODS: [&str; 11] = [
    "ServerLive",
    "ServerReady",
    "ModelReady",
    "ServerMetadata",
    "ModelMetadata",
    "ModelInfer",
    "ModelStreamInfer",
    "Describe",
    ACKNOWLEDGE,
    // Of `grpc.health.v1`.
    "Check",
    "Watch",
];
/// Bytes of a request that needs no signature: all of those are names.
pub(super) const UNSIGNED_BYTES_MAX: usize = 16 << 10;
/// What is said of a request that a stop cut off, that made room, and that took too long.
const STOPPED: &str = "the miner stops";
const OVERLOADED: &str = "overloaded";
const LATE: &str = "took too long";
/// Of `grpc.health.v1`.
const WATCH: &str = "/grpc.health.v1.Health/Watch";
/// Between the last word of a look at our health and its end.
const FAREWELL: Duration = Duration::from_millis(100);
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
        is_signed,
        admission: gate,
        replay,
        clock: clock.clone(),
        pool: pool.clone(),
        limits: VerifyLimits {
            body_bytes: limits.request_bytes_max,
            body_deadline: limits.body_timeout,
            held_bytes: limits.held_bytes_max,
        },
    });
    (verify, SignAnswerLayer::new(keypair.clone(), pool, ANSWER_BYTES_MAX))
}

fn is_signed(path: &str) -> bool {
    SIGNED_PATHS.contains(&path)
}

/// Gives each request a place, over all connections, holds it to its deadline, and measures it.
#[derive(Clone, Debug)]
pub(super) struct Overall {
    pub(super) places: Arc<Places>,
    pub(super) callers: Arc<Callers>,
    pub(super) live: Arc<Live>,
    /// From a request's headers to its response's.
    pub(super) request_timeout: Duration,
    /// After it a stream whose caller doesn't read gives its place back.
    pub(super) stream_timeout: Duration,
    /// Names the identity in the log, where there are several.
    pub(super) span: Span,
    pub(super) clock: Arc<dyn Clock>,
    /// The miner drains.
    pub(super) stop: CancellationToken,
    /// Ends whatever still runs at the drain deadline.
    pub(super) cut: CancellationToken,
}

impl Overall {
    /// A whole answer of a text model takes as long as a stream of it.
    fn deadline(&self, is_signed: bool) -> Duration {
        match is_signed && self.live.offer().has_texts {
            true => self.request_timeout.max(self.stream_timeout),
            false => self.request_timeout,
        }
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

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let streams = request.uri().path() == method::MODEL_STREAM_INFER;
        let watches = request.uri().path() == WATCH;
        let method = method_of(request.uri().path());
        let clock = self.overall.clock.clone();
        let place = self.overall.places.enter(Peer::network_of(request.extensions()));
        let callers = self.overall.callers.clone();
        let in_flight = InFlight::begin(place.clone(), method, callers, clock.clone());
        let (stream_timeout, cut) = (self.overall.stream_timeout, self.overall.cut.clone());
        // Whoever proves the request moves it to a place of the caller's.
        request.extensions_mut().insert(place.clone());
        let is_signed = is_signed(request.uri().path());
        if !is_signed {
            request =
                request.map(|body| Body::new(Limited::new(body, UNSIGNED_BYTES_MAX).map_err(too_large)));
        }
        let deadline = self.overall.deadline(is_signed);
        let stop = self.overall.stop.clone();
        let span = self.overall.span.clone();
        let answering = span.in_scope(|| self.inner.call(request));
        let answering = async move {
            let answer = tokio::select! {
                biased;
                answer = answering => answer?,
                () = place.evicted() => Status::resource_exhausted(OVERLOADED).into_http(),
                () = cut.cancelled() => Status::unavailable(STOPPED).into_http(),
                () = clock.sleep(deadline) => Status::deadline_exceeded(LATE).into_http(),
            };
            // Headers without a status mean that a message follows, with the status behind it.
            let code = Status::from_header_map(answer.headers()).map_or(Code::Ok, |status| status.code());
            // An error's headers are the whole answer; only a stream that began goes on holding its place.
            if streams && code == Code::Ok {
                // A stream is worked on until its last byte.
                let ending = async move {
                    cut.cancelled().await;
                    Status::unavailable(STOPPED)
                };
                return Ok(HeldPlace::hold(answer, in_flight, stream_timeout, Box::pin(ending)));
            }
            if watches && code == Code::Ok {
                let ending = watching(place, stop, clock, stream_timeout);
                return Ok(HeldPlace::hold(answer, in_flight, stream_timeout, Box::pin(ending)));
            }
            if !is_signed && code == Code::Internal {
                // What needs no signature fails at what was sent alone, and INTERNAL stands for faults of ours.
                in_flight.ends(Code::InvalidArgument);
                return Ok(Status::invalid_argument(MALFORMED).into_http());
            }
            in_flight.ends(code);
            Ok(answer)
        };
        Box::pin(answering.instrument(span))
    }
}

/// What ends a stranger's look at our health: it makes room as other unproven requests do, and holds up no stop.
async fn watching(
    place: Arc<Place>,
    stop: CancellationToken,
    clock: Arc<dyn Clock>,
    longest: Duration,
) -> Status {
    tokio::select! {
        () = place.evicted() => Status::resource_exhausted(OVERLOADED),
        () = clock.sleep(longest) => Status::deadline_exceeded(LATE),
        () = stop.cancelled() => {
            // Time to be told that the miner serves no more.
            clock.sleep(FAREWELL).await;
            Status::unavailable(STOPPED)
        }
    }
}

fn too_large(error: Box<dyn std::error::Error + Send + Sync>) -> Status {
    match error.is::<LengthLimitError>() {
        true => Status::resource_exhausted("message too large"),
        false => Status::from_error(error),
    }
}

fn method_of(path: &str) -> &'static str {
    METHODS.into_iter().find(|known| *known == method::name(path)).unwrap_or("other")
}

/// A request that is worked on: measured when it ends, also by its caller's going away.
pub(super) struct InFlight {
    place: Arc<Place>,
    method: &'static str,
    callers: Arc<Callers>,
    clock: Arc<dyn Clock>,
    begun: Duration,
    code: Code,
}

impl InFlight {
    fn begin(place: Arc<Place>, method: &'static str, callers: Arc<Callers>, clock: Arc<dyn Clock>) -> Self {
        metrics::in_flight(1.0);
        let begun = clock.monotonic();
        Self { place, method, callers, clock, begun, code: Code::Cancelled }
    }

    fn ends(mut self, code: Code) {
        self.code = code;
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        metrics::in_flight(-1.0);
        let took = self.clock.monotonic().saturating_sub(self.begun);
        metrics::request(self.method, self.code, took);
        // A receipt is no answer of ours.
        if self.place.is_proven() && self.method != ACKNOWLEDGE {
            self.callers.ends(self.code, took);
        }
    }
}
