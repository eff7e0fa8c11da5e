//! The token that opens the page: in its address once, in a cookie from then on.

use std::fmt;

use http::{HeaderMap, HeaderValue, header};
use rand::Rng as _;
use weighhouse_seams::Entropy;
use weighhouse_types::Digest;

#[derive(Clone)]
pub(super) struct Token {
    text: String,
    /// Compared in the token's place, so that the time taken tells nothing.
    digest: Digest,
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

impl Token {
    pub(super) fn draw(entropy: &Entropy) -> Self {
        let mut bytes = [0; 32];
        entropy.clone().fill_bytes(&mut bytes);
        let text = Digest(bytes).to_string();
        Self { digest: Digest::of(text.as_bytes()), text }
    }

    pub(super) fn query(&self) -> String {
        format!("?token={}", self.text)
    }

    fn is(&self, sent: &str) -> bool {
        Digest::of(sent.as_bytes()) == self.digest
    }

    pub(super) fn is_in_query(&self, query: Option<&str>) -> bool {
        query.and_then(|query| query.strip_prefix("token=")).is_some_and(|sent| self.is(sent))
    }

    pub(super) fn is_in_cookies(&self, headers: &HeaderMap, port: u16) -> bool {
        let name = cookie_name(port);
        let lines = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
        pairs.any(|(of, value)| of == name && self.is(value))
    }

    pub(super) fn cookie(&self, port: u16) -> HeaderValue {
        let cookie = format!("{}={}; Path=/; HttpOnly; SameSite=Strict", cookie_name(port), self.text);
        HeaderValue::from_str(&cookie).expect("hexadecimal digits are a header's value")
    }
}

/// Cookies are of a host, whatever its port: each page of a machine has its own.
fn cookie_name(port: u16) -> String {
    format!("weighhouse_label_{port}")
}
