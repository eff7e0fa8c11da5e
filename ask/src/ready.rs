//! A request that only waits to be sent: a round's leave together, however long each connection took.

use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::Full;
use weighhouse_seams::{ClockExt as _, UnixNanos};
use weighhouse_types::Failure;
use weighhouse_wallet::btauth::header::TIME;

use crate::asker::{Asker, OpenConnection, OpenResponse, RawAnswer, Target};
use crate::limits::AskLimits;

/// A connection to a miner and the request for it, signed.
pub struct Ready {
    pub(crate) connection: OpenConnection,
    pub(crate) request: Request<Full<Bytes>>,
    pub(crate) framed: Bytes,
    pub(crate) to: Target,
    pub(crate) asker: Asker,
}

/// What came back.
#[derive(Debug)]
pub struct Heard {
    pub outcome: Result<RawAnswer, Failure>,
    /// How far our clock is ahead of the miner's, in milliseconds, where it first refused the request for its time.
    pub ahead_ms: Option<i64>,
}

impl std::fmt::Debug for Ready {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ready").field("to", &self.to).finish_non_exhaustive()
    }
}

impl From<Failure> for Heard {
    fn from(failure: Failure) -> Self {
        Self { outcome: Err(failure), ahead_ms: None }
    }
}

impl Ready {
    /// Sends the request and reads the answer to its end; the deadline and the latency begin with the sending. A miner whose clock
    /// is too far from ours is asked once more, by its own.
    pub async fn ask(self, limits: AskLimits) -> Heard {
        let Self { connection, request, framed, to, asker } = self;
        let started = asker.clock.monotonic();
        let mut ahead_ms = None;
        let exchange = async {
            let response = connection.post(request).await?;
            let mut answer = read_answer(response, limits.answer_bytes_max).await?;
            if let Some(theirs) = told_time(&answer.1) {
                ahead_ms = ahead(asker.clock.now(), theirs);
                let response = asker.ask_at(to, framed, theirs, limits).await?;
                answer = read_answer(response, limits.answer_bytes_max).await?;
            }
            match status(&answer.1) {
                Some(0) => Ok(answer),
                Some(code) => Err(Failure::Status { code }),
                None => Err(Failure::Undecodable),
            }
        };
        let outcome = asker.clock.timeout(limits.deadline, exchange).await;
        let outcome = outcome.unwrap_or(Err(Failure::DeadlineExceeded));
        let latency = asker.clock.monotonic().saturating_sub(started);
        Heard { outcome: outcome.map(|(framed, trailers)| RawAnswer { framed, trailers, latency }), ahead_ms }
    }
}

/// The body and the trailers, or in their place the headers of a response that has nothing else.
async fn read_answer(response: OpenResponse, cap: usize) -> Result<(Bytes, HeaderMap), Failure> {
    let (parts, framed, mut trailers) = response.collect(cap).await?;
    // A gRPC server answers 200 even when it refuses; another status comes from something that isn't one.
    if parts.status != http::StatusCode::OK {
        return Err(Failure::Undecodable);
    }
    if !trailers.contains_key("grpc-status") {
        trailers = parts.headers;
    }
    Ok((framed, trailers))
}

fn status(trailers: &HeaderMap) -> Option<u8> {
    trailers.get("grpc-status")?.to_str().ok()?.parse().ok()
}

/// The miner's time, where it refused a request for its time.
fn told_time(trailers: &HeaderMap) -> Option<UnixNanos> {
    status(trailers).filter(|code| *code != 0)?;
    trailers.get(TIME)?.to_str().ok()?.parse().ok().map(UnixNanos)
}

fn ahead(ours: UnixNanos, theirs: UnixNanos) -> Option<i64> {
    i64::try_from((i128::from(ours.0) - i128::from(theirs.0)) / 1_000_000).ok()
}
