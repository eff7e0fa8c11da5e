//! TLS over any byte stream: to servers of other operators by the authorities that vouch for them, and between neurons by
//! the key that each one has published.

mod accept;
mod key;
mod pin;
mod trust;

pub use accept::{Plaintext, TlsAcceptor};
pub use key::{TlsKey, TlsKeyError};
pub use pin::TlsPin;
pub use trust::{TlsTrust, TlsTrustError};

/// Names HTTP/2 in the handshake, as gRPC servers ask for.
const PROTOCOL: &[u8] = b"h2";
