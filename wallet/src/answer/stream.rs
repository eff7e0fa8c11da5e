//! A streamed answer on its way out: hashed frame by frame, signed once it has ended well.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use http_body::{Body, Frame};
use sha2::Digest as _;
use weighhouse_types::Digest;

use super::layer::SigningState;
use crate::http::{BodyError, Refusal};
use crate::metrics;

type Signing = Pin<Box<dyn Future<Output = HeaderMap> + Send>>;

/// Passes a body on as it comes; what is signed is the digest of all its bytes, as with a whole answer. A body beyond
/// the cap ends there, with a refusal in its trailers.
pub struct SignedStream<B> {
    state: StreamState<B>,
    hasher: sha2::Sha256,
    passed: usize,
    asked: Digest,
    model: Digest,
    shared: Arc<SigningState>,
}

enum StreamState<B> {
    Passing(Pin<Box<B>>),
    Signing(Signing),
    Ended,
}

impl<B> std::fmt::Debug for SignedStream<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SignedStream").field("passed", &self.passed).finish_non_exhaustive()
    }
}

impl<B> SignedStream<B> {
    pub(super) fn new(body: B, asked: Digest, model: Digest, shared: Arc<SigningState>) -> Self {
        let state = StreamState::Passing(Box::pin(body));
        Self { state, hasher: sha2::Sha256::new(), passed: 0, asked, model, shared }
    }

    fn sign(&self, mut trailers: HeaderMap) -> Signing {
        let (shared, asked, model) = (self.shared.clone(), self.asked, self.model);
        let hasher = self.hasher.clone();
        Box::pin(async move {
            let digest = move || Digest(hasher.finalize().into());
            match shared.add_trailers(&mut trailers, digest, asked, model).await {
                Ok(()) => {
                    metrics::answer_signed();
                    trailers
                }
                Err(refusal) => refused(&refusal),
            }
        })
    }
}

fn refused(refusal: &Refusal) -> HeaderMap {
    let (code, message, _) = refusal.status();
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from(code as u16));
    trailers.insert("grpc-message", HeaderValue::from_static(message));
    trailers
}

impl<B: Body<Data = Bytes>> Body for SignedStream<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = &mut *self;
        loop {
            let frame = match &mut this.state {
                StreamState::Ended => return Poll::Ready(None),
                StreamState::Signing(signing) => {
                    let trailers = ready!(signing.as_mut().poll(context));
                    this.state = StreamState::Ended;
                    return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
                }
                StreamState::Passing(body) => match ready!(body.as_mut().poll_frame(context)) {
                    Some(Ok(frame)) => frame,
                    // A body that ends without trailers has no gRPC status:
                    // its client sees a broken call, and nothing is signed.
                    ended => {
                        this.state = StreamState::Ended;
                        return Poll::Ready(ended);
                    }
                },
            };
            if let Some(data) = frame.data_ref() {
                this.passed = this.passed.saturating_add(data.len());
                if this.passed > this.shared.answer_bytes_max() {
                    this.state = StreamState::Ended;
                    let refusal = Refusal::from(BodyError::TooLarge { max: this.shared.answer_bytes_max() });
                    return Poll::Ready(Some(Ok(Frame::trailers(refused(&refusal)))));
                }
                this.hasher.update(data);
                return Poll::Ready(Some(Ok(frame)));
            }
            match frame.into_trailers() {
                Ok(trailers) if trailers.get("grpc-status").is_some_and(|status| status == "0") => {
                    this.state = StreamState::Signing(this.sign(trailers));
                }
                Ok(trailers) => {
                    this.state = StreamState::Ended;
                    return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
                }
                // `Frame` leaves room for kinds to come; none of them is part of the message.
                Err(other) => return Poll::Ready(Some(Ok(other))),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        // Not before the trailers are out:
        // hyper ends the stream where this says so and would never send them.
        matches!(self.state, StreamState::Ended)
    }
}
