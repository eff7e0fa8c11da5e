//! A signing proxy on the loopback: clients that can't sign speak plain gRPC to it, it signs for one miner.
//!
//! It refuses to listen anywhere else, because whoever reaches it speaks with the hotkey's name. Calls that stream are
//! taken apart in `stream`.

mod stream;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::{BodyExt, Either, LengthLimitError, Limited};
use hyper::body::{Body, Frame, Incoming};
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};
use weighhouse_proto::method::MODEL_STREAM_INFER;
use weighhouse_seams::{ClockExt, Listener};
use weighhouse_types::Failure;

use crate::asker::{Asker, Target};
use crate::limits::ProxyLimits;

/// Connections served at once; more wait.
const CONNECTIONS_MAX: usize = 64;
/// Calls in flight on one connection.
const STREAMS_MAX: u32 = 64;

#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    #[error("the proxy signs for whoever reaches it, so it listens on the loopback only; {0} is not")]
    NotLoopback(SocketAddr),
    #[error("accepting connections failed: {0}")]
    Accept(#[from] std::io::Error),
}

/// Serves until `shutdown`, then ends open connections.
pub async fn run(
    asker: Asker,
    to: Target,
    limits: ProxyLimits,
    listener: Box<dyn Listener>,
    shutdown: CancellationToken,
) -> Result<(), ProxyError> {
    let local = listener.local_addr();
    // Whoever reaches this port signs with our hotkey.
    if !local.ip().is_loopback() {
        return Err(ProxyError::NotLoopback(local));
    }
    info!(listen = %local, miner = %to.hotkey, address = %to.address, "signing proxy ready");
    let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    loop {
        // A place first, the connection then: those over the limit wait in the kernel's queue and take no memory
        // here.
        let slot = tokio::select! {
            slot = slots.clone().acquire_owned() => slot.expect("the semaphore is never closed"),
            () = shutdown.cancelled() => break,
        };
        let (io, peer) = tokio::select! {
            accepted = listener.accept() => accepted?,
            () = shutdown.cancelled() => break,
        };
        // Ended connections are collected here, or the set would grow for as long as the proxy runs.
        while connections.try_join_next().is_some() {}
        let asker = asker.clone();
        connections.spawn(async move {
            let _slot = slot;
            let service = service_fn(move |request| {
                let asker = asker.clone();
                async move { Ok::<_, Infallible>(forward(&asker, to, limits, request).await) }
            });
            let served = http2::Builder::new(TokioExecutor::new())
                .timer(TokioTimer::new())
                .max_concurrent_streams(STREAMS_MAX)
                .keep_alive_interval(Duration::from_secs(20))
                .serve_connection(TokioIo::new(io), service)
                .await;
            if let Err(error) = served {
                debug!(%peer, %error, "a client's connection ended");
            }
        });
    }
    connections.shutdown().await;
    Ok(())
}

/// A whole answer, or one that streams.
type AnswerBody = Either<UnaryBody, stream::StreamedBody>;

async fn forward(
    asker: &Asker,
    to: Target,
    limits: ProxyLimits,
    request: Request<Incoming>,
) -> Response<AnswerBody> {
    if request.uri().path() == MODEL_STREAM_INFER {
        let relay = stream::Relay { asker: asker.clone(), to, limits };
        return relay.answer(request.into_body()).map(Either::Right);
    }
    let exchange = relay(asker, to, limits.body_bytes_max, request);
    let answer = match asker.clock.timeout(limits.deadline, exchange).await {
        Ok(Ok(response)) => response,
        Ok(Err(failure)) => refusal(&failure),
        Err(_) => refusal(&Failure::DeadlineExceeded),
    };
    answer.map(Either::Left)
}

async fn relay(
    asker: &Asker,
    to: Target,
    cap: usize,
    request: Request<Incoming>,
) -> Result<Response<UnaryBody>, Failure> {
    let (head, body) = request.into_parts();
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
    let body = Limited::new(body, cap).collect().await.map_err(|error| {
        if error.is::<LengthLimitError>() { Failure::Oversized } else { Failure::Unreachable }
    })?;
    let mut extra = HeaderMap::new();
    // The headers that change how a message is framed or how long it may take; all others stay here.
    for name in ["grpc-timeout", "grpc-encoding", "grpc-accept-encoding"] {
        if let Some(value) = head.headers.get(name) {
            extra.insert(name, value.clone());
        }
    }
    let response = asker.send(to, &path, extra, body.to_bytes()).await?;
    let (parts, framed, trailers) = response.collect(cap).await?;
    let mut response = Response::new(UnaryBody { data: Some(framed), trailers: Some(trailers) });
    *response.status_mut() = parts.status;
    for (name, value) in &parts.headers {
        // Hop-by-hop fields don't exist in HTTP/2; the length is the body's own.
        if name != http::header::CONTENT_LENGTH {
            response.headers_mut().append(name, value.clone());
        }
    }
    Ok(response)
}

/// A gRPC status without a message.
fn refusal(failure: &Failure) -> Response<UnaryBody> {
    let (code, message) = match failure {
        // gRPC's numbers of DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED and UNAVAILABLE.
        Failure::DeadlineExceeded => (4, "the miner did not answer in time"),
        Failure::Oversized => (8, "the message is over the proxy's cap"),
        _ => (14, "the miner can't be reached"),
    };
    let mut response = Response::new(UnaryBody { data: None, trailers: None });
    let headers = response.headers_mut();
    headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert("grpc-status", HeaderValue::from(code));
    headers.insert("grpc-message", HeaderValue::from_static(message));
    response
}

/// One data frame and the trailers after it.
struct UnaryBody {
    data: Option<Bytes>,
    trailers: Option<HeaderMap>,
}

impl Body for UnaryBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Some(data) = self.data.take().filter(|data| !data.is_empty()) {
            return std::task::Poll::Ready(Some(Ok(Frame::data(data))));
        }
        let trailers = self.trailers.take().filter(|trailers| !trailers.is_empty());
        std::task::Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers))))
    }

    fn is_end_stream(&self) -> bool {
        self.data.is_none() && self.trailers.as_ref().is_none_or(HeaderMap::is_empty)
    }
}

#[cfg(test)]
mod tests;
