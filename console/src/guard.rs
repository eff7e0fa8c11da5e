//! What every request passes before its route: the method, the name that it calls this server by, and the token.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};

use crate::error::ConsoleError;
use crate::token::Token;

/// Headers of every response: nothing but this server's own files is loaded, run or kept, and no other page may hold it.
const HEADERS: [(HeaderName, &str); 8] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'",
    ),
    (header::CACHE_CONTROL, "no-store"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=()"),
];

/// Who is let in.
#[derive(Debug)]
pub(crate) struct Guard {
    pub(crate) token: Token,
    pub(crate) local: SocketAddr,
    /// A name by which browsers may call this server, besides loopback's.
    pub(crate) host: Option<String>,
}

impl Guard {
    /// A page of another name that was made to point here (DNS rebinding) brings its own name.
    fn is_called_right(&self, headers: &HeaderMap) -> bool {
        let Some(host) = headers.get(header::HOST).and_then(|host| host.to_str().ok()) else { return false };
        let name = match host.strip_prefix('[') {
            Some(rest) => rest.split(']').next(),
            None => host.split(':').next(),
        };
        let Some(name) = name.filter(|name| !name.is_empty()) else { return false };
        let is_ours = |ip: IpAddr| ip.is_loopback() || ip == self.local.ip() && !ip.is_unspecified();
        name.eq_ignore_ascii_case("localhost")
            || name.parse().is_ok_and(is_ours)
            || self.host.as_deref().is_some_and(|host| host.eq_ignore_ascii_case(name))
    }

    fn refusal(&self, request: &Request) -> Option<ConsoleError> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return Some(ConsoleError::Method);
        }
        if !self.is_called_right(request.headers()) {
            return Some(ConsoleError::Host);
        }
        let by_address = self.token.is_in_query(request.uri().query()).filter(|_| is_page(request));
        let is_known =
            by_address.unwrap_or_else(|| self.token.is_in_cookies(request.headers(), self.local.port()));
        (!is_known).then_some(ConsoleError::Token)
    }
}

/// Only the page takes the token by its address, where it doesn't stay.
fn is_page(request: &Request) -> bool {
    request.uri().path() == "/"
}

pub(crate) async fn admit(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    let is_new = is_page(&request) && guard.token.is_in_query(request.uri().query()) == Some(true);
    let mut response = match guard.refusal(&request) {
        Some(refusal) => refusal.into_response(),
        None => next.run(request).await,
    };
    if is_new && response.status() == StatusCode::OK {
        // The page itself is the answer and no redirection: a browser that follows one from elsewhere would leave a strict cookie
        // behind.
        response.headers_mut().insert(header::SET_COOKIE, guard.token.cookie(guard.local.port()));
    }
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use weighhouse_seams::Entropy;

    use super::*;

    #[test]
    fn loopback_and_the_configured_name_are_right_and_every_other_name_is_wrong() {
        let token = Token::draw(&Entropy::seeded([1; 32]));
        let guard = |local: &str, host: Option<&str>| Guard {
            token: token.clone(),
            local: local.parse().expect("an address"),
            host: host.map(str::to_owned),
        };
        let is_right = |guard: &Guard, host: &str| {
            guard.is_called_right(&[(header::HOST, host.parse().expect("a value"))].into_iter().collect())
        };
        let local = guard("127.0.0.1:80", None);
        for host in ["localhost", "LOCALHOST:9000", "127.0.0.1:80", "127.9.9.9", "[::1]:80", "[::1]"] {
            assert!(is_right(&local, host), "{host}");
        }
        for host in [
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example:80",
            "10.0.0.1",
            "",
            ":80",
            "[",
            "[]:1",
        ] {
            assert!(!is_right(&local, host), "{host}");
        }
        assert!(!local.is_called_right(&HeaderMap::new()));
        let far = guard("10.0.0.1:80", Some("validator.example"));
        assert!(is_right(&far, "10.0.0.1:80") && is_right(&far, "validator.example:80"));
        assert!(!is_right(&far, "10.0.0.2:80") && !is_right(&guard("0.0.0.0:80", None), "0.0.0.0:80"));
    }
}
