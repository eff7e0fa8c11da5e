//! The token that opens the console: in the address once, in a cookie from then on.

use std::fmt;

use http::{HeaderMap, HeaderValue, header};
use rand::Rng as _;
use weighhouse_seams::Entropy;
use weighhouse_types::Digest;

/// The parameter of the page's address.
const PARAMETER: &str = "token";

/// A token. It is shown in the page's address alone, and compared by its digest, so that the time taken tells nothing about it.
#[derive(Clone)]
pub struct Token {
    text: String,
    digest: Digest,
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

impl Token {
    /// A new one, which nobody can guess.
    pub fn draw(entropy: &Entropy) -> Self {
        let mut bytes = [0; 32];
        entropy.clone().fill_bytes(&mut bytes);
        let text = const_hex::encode(bytes);
        Self { digest: Digest::of(text.as_bytes()), text }
    }

    /// The part of the page's address behind its path.
    pub(crate) fn query(&self) -> String {
        format!("?{PARAMETER}={}", self.text)
    }

    fn is(&self, sent: &str) -> bool {
        Digest::of(sent.as_bytes()) == self.digest
    }

    /// Whether the address brings it; `None` where it brings none.
    pub(crate) fn is_in_query(&self, query: Option<&str>) -> Option<bool> {
        let value = query?.split('&').find_map(|pair| pair.strip_prefix(PARAMETER)?.strip_prefix('='))?;
        Some(self.is(value))
    }

    pub(crate) fn is_in_cookies(&self, headers: &HeaderMap, port: u16) -> bool {
        let name = cookie_name(port);
        let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut values =
            cookies.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
        values.any(|(of, value)| of == name && self.is(value))
    }

    pub(crate) fn cookie(&self, port: u16) -> HeaderValue {
        let cookie = format!("{}={}; Path=/; HttpOnly; SameSite=Strict", cookie_name(port), self.text);
        HeaderValue::from_str(&cookie).expect("hexadecimal digits are a header's value")
    }
}

/// Cookies are of a host, whatever its port: each console of a machine has its own.
fn cookie_name(port: u16) -> String {
    format!("weighhouse_console_{port}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_known_by_address_and_by_the_cookie_of_its_port() {
        let token = Token::draw(&Entropy::seeded([1; 32]));
        let other = Token::draw(&Entropy::seeded([2; 32]));
        let query = token.query();
        let query = query.strip_prefix('?');
        assert_eq!(token.is_in_query(query), Some(true));
        assert_eq!(other.is_in_query(query), Some(false));
        assert_eq!(token.is_in_query(Some("tokens=1&page=2")), None);
        assert_eq!(token.is_in_query(Some("token=")), Some(false));
        let cookie = token.cookie(7).to_str().expect("text").to_owned();
        let pair = cookie.split(';').next().expect("a pair");
        let headers = |value: &str| [(header::COOKIE, value.parse().expect("a value"))].into_iter().collect();
        assert!(token.is_in_cookies(&headers(&format!("a=b; {pair}")), 7));
        assert!(!token.is_in_cookies(&headers(pair), 8) && !other.is_in_cookies(&headers(pair), 7));
        assert_eq!(format!("{token:?}"), "Token");
    }
}
