//! Streams through the proxy: each message on a client's stream becomes one signed stream of its own to the miner.
//!
//! A client may keep its stream open and send as it likes; answers come back as they come, each message whole, those of
//! different requests in any order: that is what their ids are for. A request that fails gives a message with its id
//! and the reason, as Triton does it, and the client's stream goes on.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Response};
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, Incoming};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use weighhouse_proto::inference::{ModelInferRequest, ModelInferResponse, ModelStreamInferResponse};
use weighhouse_proto::method::MODEL_STREAM_INFER;
use weighhouse_seams::ClockExt as _;
use weighhouse_types::Failure;

use crate::asker::{Asker, Target, frame, unframe};
use crate::limits::ProxyLimits;

/// Requests of one client's stream in flight at once; more wait in the client's stream.
const CALLS_MAX: usize = 16;
/// Messages that wait for a client to read them; more hold up the miner's streams.
const WAITING_MAX: usize = 64;
/// Characters of a miner's status message.
const MESSAGE_CHARACTERS_MAX: usize = 200;

/// The body that a client reads; dropping it ends the calls behind it.
pub(super) struct StreamedBody {
    frames: mpsc::Receiver<Frame<Bytes>>,
    _work: JoinSet<()>,
}

impl Body for StreamedBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.frames.poll_recv(context).map(|frame| frame.map(Ok))
    }
}

/// The calls behind one client's stream.
#[derive(Clone)]
pub(super) struct Relay {
    pub(super) asker: Asker,
    pub(super) to: Target,
    pub(super) limits: ProxyLimits,
}

impl Relay {
    /// The response to a stream that was just opened.
    pub(super) fn answer(self, requests: Incoming) -> Response<StreamedBody> {
        let (sender, frames) = mpsc::channel(WAITING_MAX);
        let mut work = JoinSet::new();
        work.spawn(self.work(requests, sender));
        let mut response = Response::new(StreamedBody { frames, _work: work });
        let kind = HeaderValue::from_static("application/grpc");
        response.headers_mut().insert(http::header::CONTENT_TYPE, kind);
        response
    }

    async fn work(self, body: Incoming, out: mpsc::Sender<Frame<Bytes>>) {
        // No limit on the sum of all messages: a client may keep its stream open for as long as it likes.
        let mut requests = Requests { body, messages: Messages::new(self.limits.body_bytes_max, usize::MAX) };
        let mut calls = JoinSet::new();
        let outcome = loop {
            tokio::select! {
                request = requests.next(), if calls.len() < CALLS_MAX => match request {
                    Ok(Some(framed)) => {
                        let (relay, out) = (self.clone(), out.clone());
                        // Each message is a request of its own to the miner, because a signature covers one body.
                        calls.spawn(async move { relay.one(framed, out).await });
                    }
                    Ok(None) => break Ok(()),
                    Err(failure) => break Err(failure),
                },
                Some(_) = calls.join_next(), if !calls.is_empty() => {}
            }
        };
        // The status ends the client's stream, so it waits for the answers still under way.
        while calls.join_next().await.is_some() {}
        let status = match outcome {
            Ok(()) => 0,
            Err(Failure::Oversized) => 8,
            Err(_) => 3,
        };
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from(status));
        // A client that went away needs no status.
        let _ = out.send(Frame::trailers(trailers)).await;
    }

    async fn one(&self, framed: Bytes, out: mpsc::Sender<Frame<Bytes>>) {
        // Sent on even if it can't be read: the miner says why it refuses,
        // and only the answer's id is missing.
        let request: ModelInferRequest = unframe(&framed).unwrap_or_default();
        if let Err(error_message) = self.forward(framed, &out).await {
            let (id, model_name) = (request.id, request.model_name);
            let about = ModelInferResponse { id, model_name, ..Default::default() };
            let message = ModelStreamInferResponse { error_message, infer_response: Some(about) };
            let _ = out.send(Frame::data(frame(&message))).await;
        }
    }

    /// Signs one request, and passes its answers on until the miner's status.
    async fn forward(&self, framed: Bytes, out: &mpsc::Sender<Frame<Bytes>>) -> Result<(), String> {
        let Self { asker, to, limits } = self;
        let late = |_| "the miner did not answer in time".to_owned();
        let opening = asker.send(*to, MODEL_STREAM_INFER, HeaderMap::new(), framed);
        let mut response = asker
            .clock
            .timeout(limits.deadline, opening)
            .await
            .map_err(late)?
            .map_err(|_| "the miner can't be reached".to_owned())?;
        let mut messages = Messages::new(limits.body_bytes_max, limits.body_bytes_max);
        loop {
            // The deadline starts anew with each message: a long completion is no stalled one.
            let frame = asker.clock.timeout(limits.deadline, response.frame()).await.map_err(late)?;
            let broken = || "the miner's answer broke off".to_owned();
            let Some(frame) = frame.transpose().map_err(|_| broken())? else {
                // A refusal may come with headers only, its status among them.
                return status(response.response.headers()).unwrap_or_else(|| Err(broken()));
            };
            if let Some(trailers) = frame.trailers_ref() {
                let status = status(trailers).unwrap_or_else(|| Err(broken()));
                // Half a message in the buffer is a broken answer, even behind a status of OK.
                return if messages.is_empty() { status } else { status.and_then(|()| Err(broken())) };
            }
            let data = frame.into_data().unwrap_or_default();
            messages.push(&data).map_err(|_| "the answer is over the proxy's cap".to_owned())?;
            while let Some(message) = messages.next() {
                if out.send(Frame::data(message)).await.is_err() {
                    // The client is gone; dropping the response tells the miner to stop.
                    return Ok(());
                }
            }
        }
    }
}

/// Reads a gRPC status; `None` where there is none.
fn status(headers: &HeaderMap) -> Option<Result<(), String>> {
    let code: u8 = headers.get("grpc-status")?.to_str().ok()?.parse().ok()?;
    if code == 0 {
        return Some(Ok(()));
    }
    let message = headers.get("grpc-message").map_or(&b""[..], HeaderValue::as_bytes);
    let message: String = percent_decoded(message).chars().take(MESSAGE_CHARACTERS_MAX).collect();
    Some(Err(format!("the miner answered with status {code}: {message}")))
}

fn percent_decoded(bytes: &[u8]) -> String {
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((byte, tail)) = rest.split_first() {
        let hex = tail.split_at_checked(2).filter(|_| *byte == b'%');
        let value = hex.and_then(|(hex, tail)| {
            let value = u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok()?;
            Some((value, tail))
        });
        let (value, tail) = value.unwrap_or((*byte, tail));
        decoded.push(value);
        rest = tail;
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

/// A client's requests, each with its frame.
struct Requests {
    body: Incoming,
    messages: Messages,
}

impl Requests {
    /// The next one; `None` where the client has ended its stream. Nothing is lost where this is dropped midway.
    async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        loop {
            if let Some(framed) = self.messages.next() {
                return Ok(Some(framed));
            }
            match self.body.frame().await {
                Some(Ok(frame)) => self.messages.push(&frame.into_data().unwrap_or_default())?,
                Some(Err(_)) => return Err(Failure::Unreachable),
                None if self.messages.is_empty() => return Ok(None),
                None => return Err(Failure::Undecodable),
            }
        }
    }
}

/// Bytes in, whole gRPC frames out.
struct Messages {
    buffer: BytesMut,
    message_max: usize,
    left: usize,
}

impl Messages {
    fn new(message_max: usize, bytes_max: usize) -> Self {
        Self { buffer: BytesMut::new(), message_max, left: bytes_max }
    }

    fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    fn push(&mut self, data: &[u8]) -> Result<(), Failure> {
        self.left = self.left.checked_sub(data.len()).ok_or(Failure::Oversized)?;
        self.buffer.extend_from_slice(data);
        match weighhouse_proto::frame::length(&self.buffer) {
            Some(length) if length > self.message_max => Err(Failure::Oversized),
            _ => Ok(()),
        }
    }

    fn next(&mut self) -> Option<Bytes> {
        let length = weighhouse_proto::frame::length(&self.buffer)?;
        (self.buffer.len() >= length).then(|| self.buffer.split_to(length).freeze())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(max: usize, pieces: &[&[u8]]) -> Result<Vec<Vec<u8>>, Failure> {
        let mut messages = Messages::new(max, usize::MAX);
        let mut found = Vec::new();
        for piece in pieces {
            messages.push(piece)?;
            while let Some(message) = messages.next() {
                found.push(message.to_vec());
            }
        }
        Ok(found)
    }

    #[test]
    fn frames_come_out_whole_however_the_bytes_are_cut() {
        let stream = [&[0, 0, 0, 0, 2][..], b"ab", &[0, 0, 0, 0, 0], &[0, 0, 0, 0, 1], b"c"].concat();
        let expected = vec![stream[..7].to_vec(), stream[7..12].to_vec(), stream[12..].to_vec()];
        for cut in 0..stream.len() {
            assert_eq!(read(64, &[&stream[..cut], &stream[cut..]]), Ok(expected.clone()), "cut at {cut}");
        }
    }

    #[test]
    fn a_frame_that_promises_too_much_is_refused_before_it_comes() {
        assert_eq!(read(64, &[&[0, 0xff, 0xff, 0xff, 0xff]]), Err(Failure::Oversized));
        assert_eq!(read(64, &[&[0, 0, 0, 0, 60]]), Err(Failure::Oversized));
        assert_eq!(read(64, &[&[0, 0, 0, 0, 59]]), Ok(vec![]));
    }

    #[test]
    fn a_miners_status_is_read_with_its_message() {
        let headers = |code: &'static str, message: &'static str| {
            let mut map = HeaderMap::new();
            map.insert("grpc-status", HeaderValue::from_static(code));
            map.insert("grpc-message", HeaderValue::from_static(message));
            map
        };
        assert_eq!(status(&headers("0", "")), Some(Ok(())));
        let expected = "the miner answered with status 3: `max_tokens` is 0, 100% no%2".to_owned();
        assert_eq!(status(&headers("3", "`max_tokens`%20is%200,%20100%25%20no%2")), Some(Err(expected)));
        assert_eq!(status(&HeaderMap::new()), None);
        assert_eq!(status(&headers("x", "")), None);
    }
}
