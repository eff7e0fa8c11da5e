//! Address of a judge: this machine's loopback, a Unix socket, or another host over TLS.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use serde::Deserialize;

use super::error::JudgeAddressError;

/// An address of one judge, or of a gRPC balancer in front of several.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "String")]
pub enum JudgeAddress {
    /// In clear, since it doesn't leave this machine.
    Loopback(SocketAddr),
    Unix(PathBuf),
    Tls {
        host: String,
        port: u16,
    },
}

impl FromStr for JudgeAddress {
    type Err = JudgeAddressError;

    fn from_str(text: &str) -> Result<Self, JudgeAddressError> {
        let form = || JudgeAddressError::Form { text: text.to_owned() };
        if let Some(path) = text.strip_prefix("unix:") {
            let path = PathBuf::from(path);
            // A relative path would depend on the folder that the validator was started in.
            return if path.is_absolute() { Ok(Self::Unix(path)) } else { Err(form()) };
        }
        let (is_secure, rest) = match text.strip_prefix("https://") {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix("http://").unwrap_or(text)),
        };
        let (host, port) = rest.trim_end_matches('/').rsplit_once(':').ok_or_else(form)?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let port: u16 = port.parse().ok().filter(|port| *port != 0).ok_or_else(form)?;
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':');
        if host.is_empty() || !host.chars().all(is_name) {
            return Err(form());
        }
        if is_secure {
            return Ok(Self::Tls { host: host.to_owned(), port });
        }
        // Not looked up: a resolver's answer could be another machine, which would be spoken to in clear.
        let ip = if host == "localhost" { Ok(IpAddr::from([127, 0, 0, 1])) } else { host.parse() };
        match ip {
            Ok(ip) if ip.is_loopback() => Ok(Self::Loopback(SocketAddr::new(ip, port))),
            _ => Err(JudgeAddressError::Plain { text: rest.to_owned() }),
        }
    }
}

impl TryFrom<String> for JudgeAddress {
    type Error = JudgeAddressError;

    fn try_from(text: String) -> Result<Self, JudgeAddressError> {
        text.parse()
    }
}

impl fmt::Display for JudgeAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Loopback(address) => write!(f, "{address}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Tls { host, port } => write!(f, "https://{host}:{port}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_they_are_written() {
        for text in ["127.0.0.1:7711", "[::1]:7711", "unix:/run/judge.sock", "https://judge.example:443"] {
            assert_eq!(text.parse::<JudgeAddress>().expect(text).to_string(), text);
        }
        let local: JudgeAddress = "http://localhost:7711".parse().expect("an address");
        assert_eq!(local.to_string(), "127.0.0.1:7711");
    }

    #[test]
    fn nothing_leaves_this_machine_in_clear() {
        for text in ["10.0.0.7:7711", "http://judge.example:7711"] {
            let error = text.parse::<JudgeAddress>().expect_err(text);
            assert!(matches!(error, JudgeAddressError::Plain { .. }), "{error}");
        }
        for text in ["", "127.0.0.1", "127.0.0.1:0", "unix:judge.sock", "https://:1", "https://a/b:1"] {
            let error = text.parse::<JudgeAddress>().expect_err(text);
            assert!(matches!(error, JudgeAddressError::Form { .. }), "{text}: {error}");
        }
    }
}
