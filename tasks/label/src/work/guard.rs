//! What every request passes before its route: the name that it calls this page by, the token, and for a label its origin.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};

use super::error::WorkError;
use super::token::Token;

const HEADERS: [(HeaderName, &str); 6] = [
    (header::CACHE_CONTROL, "no-store"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// Who is let in.
#[derive(Debug)]
pub(super) struct Guard {
    pub(super) token: Token,
    pub(super) local: SocketAddr,
}

impl Guard {
    fn refusal(&self, request: &Request) -> Option<WorkError> {
        let headers = request.headers();
        let Some(host) =
            headers.get(header::HOST).and_then(|host| host.to_str().ok()).filter(|host| is_loopback(host))
        else {
            return Some(WorkError::Host);
        };
        let is_reading = matches!(*request.method(), Method::GET | Method::HEAD);
        if !is_reading && !is_own_origin(headers, host) {
            return Some(WorkError::Origin);
        }
        let is_known = self.brings_token(request) || self.token.is_in_cookies(headers, self.local.port());
        (!is_known).then_some(WorkError::Token)
    }

    /// Only the page itself takes the token by its address.
    fn brings_token(&self, request: &Request) -> bool {
        request.uri().path() == "/" && self.token.is_in_query(request.uri().query())
    }
}

/// A page of another name that was made to point here (DNS rebinding) brings its own name.
fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next(),
        None => host.split(':').next(),
    };
    let name = name.unwrap_or_default();
    name.eq_ignore_ascii_case("localhost") || name.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}

fn is_own_origin(headers: &HeaderMap, host: &str) -> bool {
    let origin = headers.get(header::ORIGIN).and_then(|origin| origin.to_str().ok());
    origin.and_then(|origin| origin.strip_prefix("http://")) == Some(host)
}

pub(super) async fn admit(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    let is_new = guard.brings_token(&request);
    let mut response = match guard.refusal(&request) {
        Some(refusal) => refusal.into_response(),
        None => next.run(request).await,
    };
    if is_new && response.status() == StatusCode::OK {
        response.headers_mut().insert(header::SET_COOKIE, guard.token.cookie(guard.local.port()));
    }
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
