//! The layer itself: one function from request to verdict, each step a leaf.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Extensions, HeaderValue, Request, Response};
use http_body::Body;
use http_body_util::{Either, Empty, Full};
use tokio::sync::Semaphore;
use tower::{Layer, Service};
use weighhouse_seams::{Clock, ClockExt, CpuPool};
use weighhouse_types::Hotkey;

use super::body::CollectedBody;
use super::verifier::{Unverified, Verifier};
use super::{Admission, Authenticated, BodyError, BoxError, Refusal, collect};
use crate::btauth::{Claims, header};
use crate::metrics;
use crate::replay::ReplayGuard;

/// Caps on the bodies of signed requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerifyLimits {
    /// One body, in bytes.
    pub body_bytes: usize,
    /// From the headers to the body's last byte.
    pub body_deadline: Duration,
    /// All bodies held at once, from their first byte until their answer is ready.
    pub held_bytes: usize,
}

/// Parts of the layer.
#[derive(Clone, Debug)]
pub struct VerifyParts {
    /// Us: what requests must be bound to.
    pub hotkey: Hotkey,
    /// Paths that must be signed, such as `/inference.GRPCInferenceService/ModelInfer`.
    pub is_signed: fn(&str) -> bool,
    pub admission: Arc<dyn Admission>,
    pub replay: Arc<ReplayGuard>,
    pub clock: Arc<dyn Clock>,
    /// Hashes, verifies and, now and then, writes the replay guard's lease.
    pub pool: CpuPool,
    pub limits: VerifyLimits,
}

/// Verifies requests on signed paths. Clone it as often as the server wants; all clones share one budget.
#[derive(Clone, Debug)]
pub struct VerifyLayer(Arc<VerifyState>);

#[derive(Debug)]
struct VerifyState {
    parts: VerifyParts,
    /// A permit per byte of `held_bytes`.
    budget: Arc<Semaphore>,
    verifier: Arc<Verifier>,
}

impl VerifyLayer {
    pub fn new(parts: VerifyParts) -> Self {
        // Tokio's semaphore panics when made with more permits than this maximum.
        let budget = Arc::new(Semaphore::new(parts.limits.held_bytes.min(Semaphore::MAX_PERMITS)));
        let verifier = Verifier::new(parts.pool.clone(), parts.replay.clone());
        Self(Arc::new(VerifyState { parts, budget, verifier }))
    }
}

impl<S> Layer<S> for VerifyLayer {
    type Service = Verify<S>;

    fn layer(&self, inner: S) -> Verify<S> {
        Verify { inner, shared: self.0.clone() }
    }
}

/// [`VerifyLayer`]'s service.
#[derive(Clone, Debug)]
pub struct Verify<S> {
    inner: S,
    shared: Arc<VerifyState>,
}

/// A verified body, restored, or one that was not looked at.
type RequestBody<B> = Either<Full<Bytes>, B>;
/// The inner service's answer, or a refusal.
type ResponseBody<B> = Either<B, Empty<Bytes>>;

impl<S, B, R> Service<Request<B>> for Verify<S>
where
    S: Service<Request<RequestBody<B>>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<ResponseBody<R>>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        // The instance that was polled ready must be the one that is called.
        let fresh = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, fresh);
        // Only this layer may say that a request is verified, whatever a layer before it left in the extensions.
        request.extensions_mut().remove::<Authenticated<Bytes>>();
        if !(self.shared.parts.is_signed)(request.uri().path()) {
            let answer = inner.call(request.map(Either::Right));
            return Box::pin(async move { Ok(answer.await?.map(Either::Left)) });
        }
        let shared = self.shared.clone();
        Box::pin(async move {
            let path = request.uri().path().to_owned();
            match shared.verify(request).await {
                // The permit lives until the answer is ready, as the body does in whatever the inner service holds.
                Ok((verified, _held)) => Ok(inner.call(verified.map(Either::Left)).await?.map(Either::Left)),
                Err(refusal) => {
                    let is_stale = refusal.is_stale();
                    let mut response = refusal.into_response(&path);
                    if is_stale {
                        let now = shared.parts.clock.now();
                        response.headers_mut().insert(header::TIME, HeaderValue::from(now.0));
                    }
                    Ok(response.map(Either::Right))
                }
            }
        })
    }
}

/// A body's share of the memory budget, held while the request is served.
type BodyPermit = Option<tokio::sync::OwnedSemaphorePermit>;

impl VerifyState {
    async fn verify<B>(&self, request: Request<B>) -> Result<(Request<Full<Bytes>>, BodyPermit), Refusal>
    where
        B: Body<Data = Bytes> + Send,
        B::Error: Into<BoxError>,
    {
        let (head, body) = request.into_parts();
        let claims = Claims::parse(&head.headers)?;
        let named = claims.clone();
        let mut proven = false;
        let verified = self.verify_claims(claims, head, body, &mut proven).await;
        verified.inspect_err(|refusal| {
            // A nonce is looked up behind the signature.
            let proven = proven || matches!(refusal, Refusal::Replay(_));
            self.parts.admission.refused(&named, proven, refusal, self.parts.clock.now());
        })
    }

    async fn verify_claims<B>(
        &self,
        claims: Claims,
        mut head: http::request::Parts,
        body: B,
        proven: &mut bool,
    ) -> Result<(Request<Full<Bytes>>, BodyPermit), Refusal>
    where
        B: Body<Data = Bytes> + Send,
        B::Error: Into<BoxError>,
    {
        self.check_head(&claims)?;
        let CollectedBody { bytes, held, .. } = self.read(body, &head.extensions).await?;
        let target = head.uri.path_and_query().map_or("/", |target| target.as_str()).to_owned();
        let request = Unverified { claims, method: head.method.clone(), target, body: bytes.clone() };
        let network = self.parts.admission.network(&head.extensions);
        let evidence = self.verifier.verify(request, network).await?;
        *proven = true;
        // Only now: before the signature was checked, anybody could use up another's quota.
        self.parts.admission.charge(&evidence.caller(), &head.extensions)?;
        metrics::request_verified();
        head.extensions.insert(evidence);
        Ok((Request::from_parts(head, Full::new(bytes)), held))
    }

    /// Everything that can be refused before the body is read.
    fn check_head(&self, claims: &Claims) -> Result<(), Refusal> {
        claims.check_receiver(&self.parts.hotkey)?;
        // From here on the order is by cost: a comparison, a look-up, and only then bytes from the network.
        claims.check_fresh(self.parts.clock.now())?;
        self.parts.admission.admit(&claims.hotkey)
    }

    async fn read<B>(&self, body: B, request: &Extensions) -> Result<CollectedBody, Refusal>
    where
        B: Body<Data = Bytes> + Send,
        B::Error: Into<BoxError>,
    {
        let limits = self.parts.limits;
        let reads = |bytes| self.parts.admission.reads(bytes, request);
        let reading = collect(body, limits.body_bytes, Some(self.budget.clone()), reads);
        match self.parts.clock.timeout(limits.body_deadline, reading).await {
            Ok(read) => Ok(read?),
            Err(_) => Err(BodyError::Deadline(limits.body_deadline).into()),
        }
    }
}
