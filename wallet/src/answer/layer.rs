//! Signing answers as they leave: a tower layer between verification and the generated code.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::Body;
use http_body_util::combinators::WithTrailers;
use http_body_util::{BodyExt, Either, Empty, Full};
use tower::{Layer, Service};
use weighhouse_seams::{CpuPool, PoolError};
use weighhouse_types::Digest;

use super::batch::BatchSigner;
use super::signable::SigningTerms;
use super::{SignedStream, answer_digest, trailer};
use crate::http::{Authenticated, BoxError, Refusal, collect};
use crate::keypair::Keypair;
use crate::metrics;

/// Signs answers to verified requests. Belongs inside [`crate::http::VerifyLayer`], whose evidence names the request.
/// An answer is held whole until it is signed; a streamed one passes as it comes and is signed behind its last byte. Those
/// that wait while others are signed share a signature.
/// Failures, and answers on unsigned paths, pass as they are.
///
/// **Invariant.** No answer to a verified request leaves unsigned: one that is not of a [`Signable`](super::Signable) is refused.
#[derive(Clone, Debug)]
pub struct SignAnswerLayer(Arc<SigningState>);

#[derive(Debug)]
pub(super) struct SigningState {
    signer: Arc<BatchSigner>,
    answer_bytes_max: usize,
}

impl SignAnswerLayer {
    pub fn new(keypair: Arc<Keypair>, pool: CpuPool, answer_bytes_max: usize) -> Self {
        Self(Arc::new(SigningState { signer: BatchSigner::new(keypair, pool), answer_bytes_max }))
    }
}

impl<S> Layer<S> for SignAnswerLayer {
    type Service = SignAnswer<S>;

    fn layer(&self, inner: S) -> SignAnswer<S> {
        SignAnswer { inner, shared: self.0.clone() }
    }
}

/// [`SignAnswerLayer`]'s service.
#[derive(Clone, Debug)]
pub struct SignAnswer<S> {
    inner: S,
    shared: Arc<SigningState>,
}

type WholeBody = WithTrailers<Full<Bytes>, Ready<Option<Result<HeaderMap, Infallible>>>>;
/// Passed on, signed as it passes, held whole, or refused.
type ResponseBody<B> = Either<Either<B, SignedStream<B>>, Either<WholeBody, Empty<Bytes>>>;

impl<S, B, R> Service<Request<B>> for SignAnswer<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
    R: Body<Data = Bytes> + Send + 'static,
    R::Error: Into<BoxError>,
{
    type Response = Response<ResponseBody<R>>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let asked = request.extensions().get::<Authenticated<Bytes>>().map(Authenticated::body_digest);
        let path = request.uri().path().to_owned();
        let answering = self.inner.call(request);
        let shared = self.shared.clone();
        Box::pin(async move {
            let response = answering.await?;
            let terms = response.extensions().get::<SigningTerms>().copied();
            let refuse = |refusal: Refusal| {
                Ok(refusal.into_response(&path).map(|body| Either::Right(Either::Right(body))))
            };
            let (asked, SigningTerms { model, streamed }) = match (asked, terms) {
                (Some(asked), Some(terms)) => (asked, terms),
                (Some(_), None) if !is_failure(&response) => return refuse(Refusal::Unsignable),
                _ => return Ok(response.map(|body| Either::Left(Either::Left(body)))),
            };
            if streamed {
                let signed = |body| SignedStream::new(body, asked, model, shared);
                return Ok(response.map(|body| Either::Left(Either::Right(signed(body)))));
            }
            match shared.sign(response, asked, model).await {
                Ok(signed) => Ok(signed.map(|body| Either::Right(Either::Left(body)))),
                Err(refusal) => refuse(refusal),
            }
        })
    }
}

/// Tells whether a response has no message, only a status.
fn is_failure<R>(response: &Response<R>) -> bool {
    let failed = |status: &HeaderValue| status != "0";
    // A gRPC response without a message has its status among the headers; an answer has it in the trailers.
    !response.status().is_success() || response.headers().get("grpc-status").is_some_and(failed)
}

impl SigningState {
    async fn sign<R>(
        &self,
        response: Response<R>,
        asked: Digest,
        model: Digest,
    ) -> Result<Response<WholeBody>, Refusal>
    where
        R: Body<Data = Bytes> + Send,
        R::Error: Into<BoxError>,
    {
        let (head, body) = response.into_parts();
        let collected = collect(body, self.answer_bytes_max, None, |_| ()).await?;
        let mut trailers = collected.trailers.unwrap_or_default();
        // An answer that failed midway stays unsigned: a signature would make its fragment evidence.
        if trailers.get("grpc-status").is_some_and(|status| status == "0") {
            let answer = collected.bytes.clone();
            self.add_trailers(&mut trailers, move || Digest::of(&answer), asked, model).await?;
            metrics::answer_signed();
        }
        let body = Full::new(collected.bytes).with_trailers(ready(Some(Ok(trailers))));
        Ok(Response::from_parts(head, body))
    }

    pub(super) fn answer_bytes_max(&self) -> usize {
        self.answer_bytes_max
    }

    pub(super) async fn add_trailers(
        &self,
        trailers: &mut HeaderMap,
        answer: impl FnOnce() -> Digest + Send + 'static,
        asked: Digest,
        model: Digest,
    ) -> Result<(), Refusal> {
        let signing = self.signer.sign(move || answer_digest(&asked, &answer(), &model));
        let signature = signing.await.map_err(|error| match error {
            PoolError::Full => Refusal::Overloaded,
            PoolError::Panicked => Refusal::Internal,
        })?;
        let text = |value: String| HeaderValue::try_from(value).expect("hexadecimal is a header value");
        // Replaced and not appended: verifiers refuse a trailer that stands there twice.
        trailers.insert(trailer::SIGNATURE, text(const_hex::encode(signature.encode())));
        trailers.insert(trailer::MODEL, text(model.to_string()));
        Ok(())
    }
}
