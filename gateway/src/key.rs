//! The key that clients send as a bearer token.

use std::fmt;
use std::path::Path;

use http::{HeaderMap, header};
use weighhouse_types::Digest;

/// A key; it is never printed, and compared by its digest, so that the time taken tells nothing about it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ApiKey(Digest);

/// Reasons why a file holds no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error("{file}: {error}")]
    Read { file: String, error: std::io::Error },
    #[error("{0} must hold one line: a key of printable ASCII without blanks")]
    Malformed(String),
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey")
    }
}

impl ApiKey {
    pub fn new(key: &str) -> Self {
        Self(Digest::of(key.as_bytes()))
    }

    /// Reads the one line of a file.
    ///
    /// # Errors
    /// A file that can't be read, or that holds anything else than a key.
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        let file = || path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| KeyError::Read { file: file(), error })?;
        let key = text.trim_end_matches(['\n', '\r']);
        let is_key = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_graphic());
        if is_key { Ok(Self::new(key)) } else { Err(KeyError::Malformed(file())) }
    }

    pub(crate) fn is_in(&self, headers: &HeaderMap) -> bool {
        let sent = headers.get(header::AUTHORIZATION).map_or(&b""[..], |value| value.as_bytes());
        let (scheme, key) = sent.split_at(sent.len().min(7));
        scheme.eq_ignore_ascii_case(b"bearer ") && Self(Digest::of(key)) == *self
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "test folders need not survive a crash")]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_one_line_of_a_file_and_a_bearer_token() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("key");
        let read = |text: &str| {
            std::fs::write(&path, text).expect("written");
            ApiKey::read(&path)
        };
        let key = read("sk-one\n").expect("a key");
        for wrong in ["", "\n", "a b", "a\nb\n"] {
            assert!(matches!(read(wrong), Err(KeyError::Malformed(_))), "{wrong:?}");
        }
        let is_in = |value: &str| {
            let headers = [(header::AUTHORIZATION, value.parse().expect("a value"))].into_iter().collect();
            key.is_in(&headers)
        };
        assert!(is_in("Bearer sk-one") && is_in("bearer sk-one"));
        assert!(!is_in("Bearer sk-on") && !is_in("Bearer sk-one2") && !is_in("sk-one") && !is_in("Bearer "));
        assert!(!key.is_in(&HeaderMap::new()));
        assert_eq!(format!("{key:?}"), "ApiKey");
    }
}
