//! The canary's server: few connections, one small request on each, which it gives back signed.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::debug;
use weighhouse_ask::frame;
use weighhouse_proto::inference::{ModelInferRequest, ModelInferResponse};
use weighhouse_seams::{BoxIo, Clock, ClockExt as _, Listener, TlsAcceptor};
use weighhouse_types::Digest;
use weighhouse_wallet::answer::{AnswerSignature, answer_digest, trailer};
use weighhouse_wallet::keypair::Keypair;

/// At once; a round has one.
const CONNECTIONS_MAX: usize = 8;
/// For a connection in all.
const AGE_MAX: Duration = Duration::from_secs(60);
const REQUEST_BYTES_MAX: usize = 4 << 10;
/// Rest after a failed accept (mostly: out of file descriptors).
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// The server of a canary, to run beside the role.
pub struct CanaryServer {
    pub(super) listener: Box<dyn Listener>,
    pub(super) tls: TlsAcceptor,
    pub(super) keypair: Arc<Keypair>,
}

impl fmt::Debug for CanaryServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CanaryServer").field("listener", &self.listener).finish_non_exhaustive()
    }
}

impl CanaryServer {
    /// Serves until `shutdown`.
    pub async fn run(self, clock: Arc<dyn Clock>, shutdown: CancellationToken) {
        let Self { listener, tls, keypair } = self;
        let (places, mut serving) = (Arc::new(Semaphore::new(CONNECTIONS_MAX)), JoinSet::new());
        loop {
            while serving.try_join_next().is_some() {}
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = shutdown.cancelled() => return,
            };
            let io = match accepted {
                Ok((io, _)) => io,
                Err(error) => {
                    debug!(%error, "the canary can't take a connection");
                    clock.sleep(ACCEPT_RETRY).await;
                    continue;
                }
            };
            // Whoever comes beyond them is no round of ours.
            let Ok(place) = places.clone().try_acquire_owned() else { continue };
            let (io, keypair, clock) = (tls.accept(io), keypair.clone(), clock.clone());
            serving.spawn(async move {
                let _place = place;
                let _ = clock.timeout(AGE_MAX, serve(io, keypair)).await;
            });
        }
    }
}

async fn serve(io: BoxIo, keypair: Arc<Keypair>) {
    let service = service_fn(move |request| answer(keypair.clone(), request));
    let mut server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
    server.max_concurrent_streams(1);
    // The validator closes the connection when it has what it wants.
    let _ = server.serve_connection(TokioIo::new(io), service).await;
}

async fn answer(
    keypair: Arc<Keypair>,
    request: Request<Incoming>,
) -> Result<Response<BoxBody<Bytes, Infallible>>, Infallible> {
    let asked = Limited::new(request.into_body(), REQUEST_BYTES_MAX).collect().await;
    let asked = asked.map(|body| body.to_bytes()).unwrap_or_default();
    let id = weighhouse_ask::unframe::<ModelInferRequest>(&asked).map(|message| message.id);
    let message = ModelInferResponse { id: id.unwrap_or_default(), ..ModelInferResponse::default() };
    let framed = frame(&message);
    let trailers = trailers(&keypair, &asked, &framed);
    let body = Full::new(framed).with_trailers(std::future::ready(Some(Ok(trailers)))).boxed();
    let mut response = Response::new(body);
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    Ok(response)
}

fn trailers(keypair: &Keypair, asked: &[u8], framed: &[u8]) -> HeaderMap {
    let model = Digest::default();
    let digest = answer_digest(&Digest::of(asked), &Digest::of(framed), &model);
    let signature = const_hex::encode(AnswerSignature::single(keypair, &digest).encode());
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    for (name, value) in [(trailer::SIGNATURE, signature), (trailer::MODEL, model.to_string())] {
        trailers.insert(name, HeaderValue::try_from(value).expect("hexadecimal digits"));
    }
    trailers
}
