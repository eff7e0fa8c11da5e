//! Whether a miner can be reached, step by step: for validators that are asked to try.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use hyper_util::rt::{TokioExecutor, TokioIo};
use weighhouse_proto::frame;
use weighhouse_proto::inference::ServerLiveRequest;
use weighhouse_proto::method::SERVER_LIVE;
use weighhouse_seams::{BoxIo, Clock, ClockExt as _, Dialer};

use crate::asker::Target;
use crate::wire;

/// A message that says nothing.
const ANSWER_BYTES_MAX: usize = 1 << 10;

/// The step that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreached {
    #[error("nothing takes connections there")]
    NoConnection,
    #[error("connections aren't encrypted by the key that the chain shows")]
    OtherKey,
    #[error("connections are taken, and gRPC isn't answered on them")]
    NoGrpc,
}

/// Connects as a validator does and asks whether the server lives; gives the time that this took.
///
/// # Errors
/// The first step that didn't work within `deadline`.
pub async fn reach(
    dialer: &dyn Dialer,
    clock: &Arc<dyn Clock>,
    to: Target,
    deadline: Duration,
) -> Result<Duration, Unreached> {
    let begun = clock.monotonic();
    let left = || deadline.saturating_sub(clock.monotonic().saturating_sub(begun));
    let dialled = clock.timeout(left(), dialer.dial(to.address)).await;
    let Ok(Ok(io)) = dialled else { return Err(Unreached::NoConnection) };
    let (mut io, _call) = wire::bounded(io, ANSWER_BYTES_MAX, clock);
    if let Some(pin) = to.pin {
        let secured = clock.timeout(left(), pin.secure(io)).await;
        io = secured.ok().and_then(Result::ok).ok_or(Unreached::OtherKey)?;
    }
    let answered = clock.timeout(left(), lives(io, to)).await;
    match answered {
        Ok(Some(())) => Ok(clock.monotonic().saturating_sub(begun)),
        _ => Err(Unreached::NoGrpc),
    }
}

/// Any answer of a gRPC server will do.
async fn lives(io: BoxIo, to: Target) -> Option<()> {
    let io: BoxIo = Box::new(wire::Framed::new(io));
    let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(io)).await;
    let (mut sender, connection) = handshake.ok()?;
    let scheme = if to.pin.is_some() { "https" } else { "http" };
    let request = Request::post(format!("{scheme}://{}{SERVER_LIVE}", to.address))
        .header(http::header::CONTENT_TYPE, "application/grpc")
        .header(http::header::TE, "trailers")
        .body(Full::<Bytes>::new(frame::encode(&ServerLiveRequest {})))
        .ok()?;
    let response = tokio::select! {
        response = sender.send_request(request) => response.ok()?,
        _ = connection => return None,
    };
    let kind = response.headers().get(http::header::CONTENT_TYPE)?;
    kind.as_bytes().starts_with(b"application/grpc").then_some(())
}

#[cfg(test)]
mod tests {
    use weighhouse_seams::{Listener as _, SystemClock, TcpBound, TcpDialer};
    use weighhouse_types::Hotkey;

    use super::*;

    const PATIENCE: Duration = Duration::from_millis(300);

    #[tokio::test]
    async fn the_step_that_fails_is_told() {
        let listener = TcpBound::bind(([127, 0, 0, 1], 0).into()).await.expect("a free port");
        let to = Target { address: listener.local_addr(), hotkey: Hotkey([0; 32]), pin: None };
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        // Connections are taken by the kernel, and nobody answers.
        assert_eq!(reach(&TcpDialer, &clock, to, PATIENCE).await, Err(Unreached::NoGrpc));
        let pin = weighhouse_seams::TlsKey::generate().expect("a key").pin();
        let secured = Target { pin: Some(pin), ..to };
        assert_eq!(reach(&TcpDialer, &clock, secured, PATIENCE).await, Err(Unreached::OtherKey));
        drop(listener);
        assert_eq!(reach(&TcpDialer, &clock, to, PATIENCE).await, Err(Unreached::NoConnection));
    }
}
