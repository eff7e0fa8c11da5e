//! A signing proxy on the loopback: clients that can't sign speak plain gRPC to it, it signs for the miner to prefer.
//!
//! It refuses to listen anywhere else, because whoever reaches it speaks with the hotkey's name. Calls that stream are
//! taken apart in `stream`, all others go through `unary`.

mod stream;
mod unary;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use http::{Request, Response};
use http_body_util::Either;
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio_util::sync::CancellationToken;
use tracing::info;
use weighhouse_proto::method::MODEL_STREAM_INFER;
use weighhouse_seams::{BoxIo, ClockExt, Listener};

use crate::asker::{Asker, Miners, Target};
use crate::call::CallError;
use crate::connections;
use crate::limits::ProxyLimits;

/// Connections served at once; more wait.
const CONNECTIONS_MAX: usize = 64;
/// Calls in flight on one connection.
const STREAMS_MAX: u32 = 64;
/// Triton's header of a client that wants a failed request to end its stream with the status.
const ERRORS_END_STREAM: &str = "triton_grpc_error";

#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    #[error("the proxy signs for whoever reaches it, so it listens on the loopback only; {0} is not")]
    NotLoopback(SocketAddr),
}

/// Serves until `shutdown`, then lets the calls in flight end.
pub async fn run(
    asker: Asker,
    miners: Miners,
    limits: ProxyLimits,
    listener: Box<dyn Listener>,
    shutdown: CancellationToken,
) -> Result<(), ProxyError> {
    let local = listener.local_addr();
    // Whoever reaches this port signs with our hotkey.
    if !local.ip().is_loopback() {
        return Err(ProxyError::NotLoopback(local));
    }
    match first(&miners) {
        Some(to) => info!(listen = %local, miner = %to.hotkey, address = %to.address, "signing proxy ready"),
        None => info!(listen = %local, "signing proxy ready"),
    }
    let clock = asker.clock.clone();
    connections::serve(listener, CONNECTIONS_MAX, &clock, &shutdown, |io, peer| {
        serve(asker.clone(), miners.clone(), limits, io, peer, shutdown.clone())
    })
    .await;
    Ok(())
}

async fn serve(
    asker: Asker,
    miners: Miners,
    limits: ProxyLimits,
    io: BoxIo,
    peer: SocketAddr,
    shutdown: CancellationToken,
) {
    let service = service_fn(move |request| {
        let (asker, to) = (asker.clone(), first(&miners));
        async move { Ok::<_, Infallible>(forward(&asker, to, limits, request).await) }
    });
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .keep_alive_interval(Duration::from_secs(20))
        .serve_connection(TokioIo::new(io), service);
    connections::drive(connection, |connection| connection.graceful_shutdown(), peer, &shutdown).await;
}

/// A whole answer, or one that streams.
type AnswerBody = Either<unary::UnaryBody, stream::StreamedBody>;

fn first(miners: &Miners) -> Option<Target> {
    miners.borrow().first().copied()
}

async fn forward(
    asker: &Asker,
    to: Option<Target>,
    limits: ProxyLimits,
    request: Request<Incoming>,
) -> Response<AnswerBody> {
    let Some(to) = to else { return unary::refusal(CallError::NoMiner.status()).map(Either::Left) };
    if request.uri().path() == MODEL_STREAM_INFER {
        let ends_with_errors = request.headers().get(ERRORS_END_STREAM).is_some_and(|value| value == "true");
        let relay = stream::Relay { asker: asker.clone(), to, limits, ends_with_errors };
        return relay.answer(request.into_body()).map(Either::Right);
    }
    let exchange = unary::relay(asker, to, limits.body_bytes_max, request);
    let answer = asker.clock.timeout(limits.deadline, exchange).await.unwrap_or(Err(CallError::Late));
    answer.unwrap_or_else(|error| unary::refusal(error.status())).map(Either::Left)
}

#[cfg(test)]
mod tests;
