//! One signed call to one miner: exact bytes out, exact bytes in, one deadline over all of it.
//!
//! Works below the generated code, because what is signed and recorded are the framed bytes themselves. A connection
//! lives for one call: nothing half-open survives, and one miner can't hold up another. What a peer may send over it is bounded
//! (`wire`).

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Frame, Incoming};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
pub use weighhouse_proto::frame::encode as frame;
use weighhouse_proto::method::MODEL_INFER;
use weighhouse_seams::{BoxIo, Clock, ClockExt, Dialer, TlsPin, UnixNanos};
use weighhouse_types::{Failure, Hotkey};
use weighhouse_wallet::btauth::Signer;

use crate::limits::AskLimits;
use crate::ready::Ready;
use crate::wire;

/// Response headers larger than this end the connection.
const HEADER_LIST_BYTES_MAX: u32 = 16 * 1024;

/// A miner's address, and the hotkey that is to receive the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    pub address: SocketAddr,
    pub hotkey: Hotkey,
    /// The key that its connections are encrypted by, where it has published one.
    pub pin: Option<TlsPin>,
}

/// Miners that may be asked, the one to prefer first, as the subnet is seen now.
pub type Miners = tokio::sync::watch::Receiver<Arc<[Target]>>;

/// A gRPC answer with status OK, byte for byte.
#[derive(Clone, Debug)]
pub struct RawAnswer {
    /// The framed message as received.
    pub framed: Bytes,
    pub trailers: HeaderMap,
    pub latency: Duration,
}

/// Signs and sends requests.
#[derive(Clone, Debug)]
pub struct Asker {
    pub signer: Arc<Signer>,
    pub dialer: Arc<dyn Dialer>,
    pub clock: Arc<dyn Clock>,
}

impl Asker {
    /// Sends one framed message and returns the framed answer, or why there is none.
    pub async fn ask(&self, to: Target, framed: Bytes, limits: AskLimits) -> Result<RawAnswer, Failure> {
        let started = self.clock.monotonic();
        let ready = self.clock.timeout(limits.deadline, self.ready(to, framed, limits)).await;
        let ready = ready.map_err(|_| Failure::DeadlineExceeded)??;
        let spent = self.clock.monotonic().saturating_sub(started);
        let limits = AskLimits { deadline: limits.deadline.saturating_sub(spent), ..limits };
        let heard = ready.ask(limits).await;
        heard.outcome.map(|answer| RawAnswer { latency: answer.latency + spent, ..answer })
    }

    /// Connects, and signs a request that can be sent in a moment. The caller sets the deadline.
    pub async fn ready(&self, to: Target, framed: Bytes, limits: AskLimits) -> Result<Ready, Failure> {
        let connection = self.connect(to, limits.answer_bytes_max).await?;
        let headers = self.signer.headers("POST", MODEL_INFER, &framed, Some(&to.hotkey));
        let request = signed(to, MODEL_INFER, HeaderMap::new(), framed.clone(), headers)?;
        Ok(Ready { connection, request, framed, to, asker: self.clone() })
    }

    /// Asks once more, signed at the time that the miner has told.
    pub(crate) async fn ask_at(
        &self,
        to: Target,
        framed: Bytes,
        theirs: UnixNanos,
        limits: AskLimits,
    ) -> Result<OpenResponse, Failure> {
        let connection = self.connect(to, limits.answer_bytes_max).await?;
        let headers = self.signer.headers_at(theirs.0, "POST", MODEL_INFER, &framed, Some(&to.hotkey));
        connection.post(signed(to, MODEL_INFER, HeaderMap::new(), framed, headers)?).await
    }

    /// Opens a connection, signs `body` for the receiver and posts it. The caller sets the deadline.
    pub(crate) async fn send(
        &self,
        to: Target,
        path: &str,
        extra: HeaderMap,
        body: Bytes,
        answer_bytes_max: usize,
    ) -> Result<OpenResponse, Failure> {
        let connection = self.connect(to, answer_bytes_max).await?;
        // Signed after the handshake, so that dialling doesn't use up the nonce's freshness window.
        let headers = self.signer.headers("POST", path, &body, Some(&to.hotkey));
        connection.post(signed(to, path, extra, body, headers)?).await
    }

    async fn connect(&self, to: Target, answer_bytes_max: usize) -> Result<OpenConnection, Failure> {
        let io = self.dialer.dial(to.address).await.map_err(|_| Failure::Unreachable)?;
        let (io, call) = wire::bounded(io, answer_bytes_max, &self.clock);
        let io = match to.pin {
            Some(pin) => pin.secure(io).await.map_err(|error| {
                tracing::debug!(hotkey = %to.hotkey, %error, "no handshake with the key on the chain");
                Failure::Unreachable
            })?,
            None => io,
        };
        let (sender, connection) = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .max_header_list_size(HEADER_LIST_BYTES_MAX)
            .initial_stream_window_size(wire::window(answer_bytes_max))
            .initial_connection_window_size(wire::window(answer_bytes_max))
            .handshake(TokioIo::new(Box::new(wire::Framed::new(io)) as BoxIo))
            .await
            .map_err(|_| Failure::Unreachable)?;
        Ok(OpenConnection { sender, connection: Box::pin(connection), call })
    }
}

fn signed(
    to: Target,
    path: &str,
    extra: HeaderMap,
    body: Bytes,
    headers: Vec<(&'static str, String)>,
) -> Result<Request<Full<Bytes>>, Failure> {
    let scheme = if to.pin.is_some() { "https" } else { "http" };
    let mut request = Request::post(format!("{scheme}://{}{path}", to.address))
        .header(http::header::CONTENT_TYPE, "application/grpc")
        .header(http::header::TE, "trailers")
        .header(http::header::USER_AGENT, concat!("weighhouse/", env!("CARGO_PKG_VERSION")))
        .body(Full::new(body))
        .map_err(|_| Failure::Unreachable)?;
    request.headers_mut().extend(extra);
    for (name, value) in headers {
        let value = HeaderValue::from_str(&value).map_err(|_| Failure::Unreachable)?;
        request.headers_mut().insert(name, value);
    }
    Ok(request)
}

type Connection = http2::Connection<TokioIo<BoxIo>, Full<Bytes>, TokioExecutor>;

/// A connection over which nothing was asked yet.
pub(crate) struct OpenConnection {
    sender: http2::SendRequest<Full<Bytes>>,
    connection: std::pin::Pin<Box<Connection>>,
    call: wire::Call,
}

impl OpenConnection {
    pub(crate) async fn post(self, request: Request<Full<Bytes>>) -> Result<OpenResponse, Failure> {
        let Self { mut sender, mut connection, call } = self;
        let response = tokio::select! {
            // The response first: a miner may close the connection right after it has answered.
            biased;
            response = sender.send_request(request) => response.map_err(|_| Failure::Unreachable)?,
            _ = &mut connection => return Err(Failure::Unreachable),
        };
        Ok(OpenResponse { response, connection, closed: false, _sender: sender, _call: call })
    }
}

/// A response and the connection that must be driven while its body is read.
pub(crate) struct OpenResponse {
    pub(crate) response: Response<Incoming>,
    connection: std::pin::Pin<Box<Connection>>,
    closed: bool,
    // Dropping the last sender closes the connection.
    _sender: http2::SendRequest<Full<Bytes>>,
    // And this one, where the peer keeps it from closing.
    _call: wire::Call,
}

impl OpenResponse {
    /// The body's next frame; `None` at its end.
    pub(crate) async fn frame(&mut self) -> Option<Result<Frame<Bytes>, Failure>> {
        let Self { response, connection, closed, .. } = self;
        let mut next = response.body_mut().frame();
        if !*closed {
            tokio::select! {
                biased;
                frame = &mut next => return frame.map(|frame| frame.map_err(|_| Failure::Unreachable)),
                // The connection may end before the body's buffered rest is read; then only the body is left.
                _ = connection => *closed = true,
            }
        }
        next.await.map(|frame| frame.map_err(|_| Failure::Unreachable))
    }

    /// The body up to `cap` bytes, with its trailers.
    pub(crate) async fn collect(
        self,
        cap: usize,
    ) -> Result<(http::response::Parts, Bytes, HeaderMap), Failure> {
        let Self { response, mut connection, closed: _, _sender, _call } = self;
        let (parts, body) = response.into_parts();
        let collecting = Limited::new(body, cap).collect();
        tokio::pin!(collecting);
        let collected = tokio::select! {
            biased;
            collected = &mut collecting => collected,
            // The connection may end before the body's buffered rest is read; then only the body is left.
            _ = &mut connection => collecting.await,
        };
        let collected = collected.map_err(|error| {
            if error.is::<LengthLimitError>() { Failure::Oversized } else { Failure::Unreachable }
        })?;
        let trailers = collected.trailers().cloned().unwrap_or_default();
        Ok((parts, collected.to_bytes(), trailers))
    }
}

/// Reads the message of exactly one uncompressed frame.
///
/// # Errors
/// [`Failure::Undecodable`] for anything else.
pub fn unframe<M: prost::Message + Default>(framed: &[u8]) -> Result<M, Failure> {
    weighhouse_proto::frame::decode(framed).map_err(|_| Failure::Undecodable)
}
