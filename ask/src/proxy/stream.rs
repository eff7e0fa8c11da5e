//! Streams through the proxy: each message on a client's stream becomes one signed stream of its own to the miner.
//!
//! A client may keep its stream open and send as it likes; answers come back as they come, each message whole, those of
//! different requests in any order: that is what their ids are for. A request that fails gives a message with its id
//! and the reason, as Triton does it, and the client's stream goes on; or its status ends the stream, where the client
//! asks for that with Triton's header.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response};
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, Incoming};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tonic::Status;
use weighhouse_proto::inference::{ModelInferRequest, ModelInferResponse, ModelStreamInferResponse};
use weighhouse_types::Failure;

use crate::asker::{Asker, Target, frame, unframe};
use crate::call::{AnswerStream, CallError, Messages};
use crate::limits::ProxyLimits;

/// Requests of one client's stream in flight at once; more wait in the client's stream.
const CALLS_MAX: usize = 16;
/// Messages that wait for a client to read them; more hold up the miner's streams.
const WAITING_MAX: usize = 64;

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
    /// A request that fails ends the client's stream with its status, instead of giving a message that names it.
    pub(super) ends_with_errors: bool,
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
        let mut outcome = loop {
            tokio::select! {
                request = requests.next(), if calls.len() < CALLS_MAX => match request {
                    Ok(Some(framed)) => {
                        let (relay, out) = (self.clone(), out.clone());
                        // Each message is a request of its own to the miner, because a signature covers one body.
                        calls.spawn(async move { relay.one(framed, out).await });
                    }
                    Ok(None) => break Ok(()),
                    Err(failure) => break Err(unreadable(&failure)),
                },
                ended = calls.join_next(), if !calls.is_empty() => if let Some(Ok(Err(status))) = ended {
                    break Err(status);
                },
            }
        };
        // The status ends the client's stream, so it waits for the answers still under way.
        while outcome.is_ok() || !self.ends_with_errors {
            match calls.join_next().await {
                Some(Ok(Err(status))) => outcome = Err(status),
                Some(_) => {}
                None => break,
            }
        }
        drop(calls);
        let mut trailers = HeaderMap::new();
        let status = outcome.err().unwrap_or_else(|| Status::ok(""));
        if status.add_header(&mut trailers).is_err() {
            trailers.insert("grpc-status", HeaderValue::from(status.code() as i32));
        }
        // A client that went away needs no status.
        let _ = out.send(Frame::trailers(trailers)).await;
    }

    /// Passes one request and its answers on. Gives the status that is to end the client's stream.
    async fn one(&self, framed: Bytes, out: mpsc::Sender<Frame<Bytes>>) -> Result<(), Status> {
        // Sent on even if it can't be read: the miner says why it refuses,
        // and only the answer's id is missing.
        let request: ModelInferRequest = unframe(&framed).unwrap_or_default();
        let Err(error) = self.forward(framed, &out).await else { return Ok(()) };
        if self.ends_with_errors {
            return Err(error.status());
        }
        let about =
            ModelInferResponse { id: request.id, model_name: request.model_name, ..Default::default() };
        let message =
            ModelStreamInferResponse { error_message: error.to_string(), infer_response: Some(about) };
        let _ = out.send(Frame::data(frame(&message))).await;
        Ok(())
    }

    /// Signs one request, and passes its answers on until the miner's status.
    async fn forward(&self, framed: Bytes, out: &mpsc::Sender<Frame<Bytes>>) -> Result<(), CallError> {
        let mut answers = AnswerStream::open(&self.asker, self.to, framed, self.limits).await?;
        while let Some(message) = answers.next().await? {
            if out.send(Frame::data(message)).await.is_err() {
                // The client is gone; dropping the answers tells the miner to stop.
                return Ok(());
            }
        }
        Ok(())
    }
}

/// The status that ends a stream whose requests can't be read any further.
fn unreadable(failure: &Failure) -> Status {
    match failure {
        Failure::Oversized => CallError::Oversized.status(),
        _ => Status::invalid_argument("the stream of requests broke off within one"),
    }
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
