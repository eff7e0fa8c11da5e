//! The HTTP server: connections, and what every request passes before its route.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use http::StatusCode;
use http_body::{Frame, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rand::Rng as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;
use weighhouse_ask::{Asker, Miners, connections};
use weighhouse_seams::{BoxIo, Entropy, Listener};

use crate::chat::ChatTemplate;
use crate::error::{ApiError, tell};
use crate::key::ApiKey;
use crate::limits::{
    CONNECTIONS_MAX, CallLimits, HEADER_BYTES_MAX, HEADER_TIMEOUT, REQUESTS_MAX, WRITE_TIMEOUT,
};
use crate::patience::Patience;
use crate::reply::{Envelope, Form};
use crate::roster::Roster;
use crate::routes;

/// Parts of a gateway.
#[derive(Debug)]
pub struct Parts {
    pub asker: Asker,
    pub miners: Miners,
    /// Chat templates, by the models' names.
    pub templates: HashMap<String, ChatTemplate>,
    /// Asked of every client, where there is one.
    pub key: Option<ApiKey>,
    pub limits: CallLimits,
    /// Of seeds and ids.
    pub entropy: Entropy,
}

#[derive(Debug)]
pub(crate) struct Gateway {
    pub(crate) asker: Asker,
    pub(crate) roster: Roster,
    pub(crate) templates: HashMap<String, ChatTemplate>,
    pub(crate) limits: CallLimits,
    pub(crate) entropy: Entropy,
    key: Option<ApiKey>,
    places: Arc<Semaphore>,
}

impl Gateway {
    pub(crate) fn envelope<F: Form>(&self, model: String) -> Envelope {
        let id = format!("{}-{:016x}", F::ID, self.entropy.clone().next_u64());
        Envelope { id, created: self.asker.clock.now().0 / 1_000_000_000, model }
    }
}

/// Serves until `shutdown`, then lets the requests in flight end.
pub async fn run(parts: Parts, listener: Box<dyn Listener>, shutdown: CancellationToken) {
    let local = listener.local_addr();
    if parts.key.is_none() && !local.ip().is_loopback() {
        tracing::warn!(listen = %local, "whoever reaches this address has miners asked in our name: no key is set");
    }
    let Parts { asker, miners, templates, key, limits, entropy } = parts;
    let clock = asker.clock.clone();
    let gateway = Arc::new(Gateway {
        roster: Roster::new(asker.clone(), miners),
        asker,
        templates,
        limits,
        entropy,
        key,
        places: Arc::new(Semaphore::new(REQUESTS_MAX)),
    });
    tracing::info!(listen = %local, "OpenAI-compatible gateway ready");
    let router = routes::router(gateway.clone());
    let serving = connections::serve(listener, CONNECTIONS_MAX, &clock, &shutdown, |io, peer| {
        serve(router.clone(), io, peer, shutdown.clone())
    });
    tokio::select! {
        () = serving => {}
        () = gateway.roster.keep() => {}
    }
}

async fn serve(router: Router, io: BoxIo, peer: SocketAddr, shutdown: CancellationToken) {
    let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
        let router = router.clone();
        async move { Ok::<_, Infallible>(router.oneshot(request).await.unwrap_or_else(|never| match never {})) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(HEADER_BYTES_MAX)
        .serve_connection(TokioIo::new(Patience::new(io, WRITE_TIMEOUT)), service);
    connections::drive(connection, |connection| connection.graceful_shutdown(), peer, &shutdown).await;
}

/// Lets a request through that has the key and finds a place, and tells what became of it.
pub(crate) async fn admit(State(gateway): State<Arc<Gateway>>, request: Request, next: Next) -> Response {
    let route = routes::name(request.uri().path());
    let has_key = gateway.key.is_none_or(|key| key.is_in(request.headers()));
    let response = match (has_key, gateway.places.clone().try_acquire_owned()) {
        (false, _) => ApiError {
            code: Some("invalid_api_key"),
            ..ApiError::new(StatusCode::UNAUTHORIZED, "send the gateway's key: `Authorization: Bearer KEY`")
        }
        .into_response(),
        (true, Err(_)) => {
            let message = format!("{REQUESTS_MAX} requests are worked on already");
            ApiError::new(StatusCode::TOO_MANY_REQUESTS, message).into_response()
        }
        (true, Ok(place)) => next.run(request).await.map(|body| Body::new(HeldPlace { body, _place: place })),
    };
    tell(route, response.status(), response.extensions().get::<ApiError>());
    response
}

/// A body with its request's place, given back when the last byte is out or the client is gone.
struct HeldPlace {
    body: Body,
    _place: OwnedSemaphorePermit,
}

impl http_body::Body for HeldPlace {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
