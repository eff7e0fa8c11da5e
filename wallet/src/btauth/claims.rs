//! Claims of a request's headers, and the checks that make them believable.

use std::time::Duration;

use http::HeaderMap;
use weighhouse_seams::UnixNanos;
use weighhouse_types::{Digest, Hotkey, Ss58Error};

use super::{MAX_AGE, MAX_AHEAD, Payload, SCHEME, VERSION, header};
use crate::keypair::{SIGNATURE_BYTES, SignatureError, Signed};

/// Why headers are no `btauth/1` headers that this project accepts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClaimsError {
    #[error("header {0} is missing")]
    Missing(&'static str),
    #[error("header {0} stands there more than once")]
    Duplicate(&'static str),
    #[error("header {0} is not ASCII text")]
    NotText(&'static str),
    #[error("version {0:?}, only {VERSION} is spoken here")]
    Version(String),
    #[error("ed25519 signatures are not supported; sign with an sr25519 hotkey")]
    Ed25519,
    #[error("signature scheme {0:?} is unknown")]
    Scheme(String),
    #[error("header {header} holds no address: {source}")]
    Address { header: &'static str, source: Ss58Error },
    #[error("the nonce is not a decimal number of nanoseconds")]
    Nonce,
    #[error("the signature is not hexadecimal")]
    SignatureHex,
    #[error("a signature has {SIGNATURE_BYTES} bytes, this one {0}")]
    SignatureLength(usize),
}

/// Why well-formed claims are not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    #[error("the request names no receiver")]
    Unbound,
    #[error("the request was signed for {0}")]
    WrongReceiver(Hotkey),
    #[error("the nonce is {0:?} old; the sender's clock may be slow")]
    Stale(Duration),
    #[error("the nonce lies {0:?} ahead; the sender's clock may be fast")]
    Ahead(Duration),
    #[error(transparent)]
    Signature(#[from] SignatureError),
}

/// The headers' contents, unverified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    pub hotkey: Hotkey,
    pub receiver: Option<Hotkey>,
    /// Nanoseconds since the Unix epoch by the sender's clock.
    pub nonce: u64,
    pub signature: [u8; SIGNATURE_BYTES],
}

impl Claims {
    pub fn parse(headers: &HeaderMap) -> Result<Self, ClaimsError> {
        match required(headers, header::VERSION)? {
            VERSION => {}
            other => return Err(ClaimsError::Version(other.to_owned())),
        }
        check_scheme(optional(headers, header::CRYPTO)?)?;
        let hotkey = address(header::HOTKEY, required(headers, header::HOTKEY)?)?;
        let receiver =
            optional(headers, header::RECEIVER)?.map(|text| address(header::RECEIVER, text)).transpose()?;
        let nonce = parse_nonce(required(headers, header::NONCE)?).ok_or(ClaimsError::Nonce)?;
        let signature = parse_signature(required(headers, header::SIGNATURE)?)?;
        Ok(Self { hotkey, receiver, nonce, signature })
    }

    pub fn check_receiver(&self, us: &Hotkey) -> Result<(), AuthError> {
        match self.receiver {
            Some(receiver) if receiver == *us => Ok(()),
            Some(other) => Err(AuthError::WrongReceiver(other)),
            None => Err(AuthError::Unbound),
        }
    }

    pub fn check_fresh(&self, now: UnixNanos) -> Result<(), AuthError> {
        let age = Duration::from_nanos(now.0.saturating_sub(self.nonce));
        let ahead = Duration::from_nanos(self.nonce.saturating_sub(now.0));
        if age > MAX_AGE {
            return Err(AuthError::Stale(age));
        }
        if ahead > MAX_AHEAD {
            return Err(AuthError::Ahead(ahead));
        }
        Ok(())
    }

    /// `body` is the SHA-256 of the raw body as it arrived.
    pub fn check_signature(&self, method: &str, target: &str, body: Digest) -> Result<(), AuthError> {
        Ok(self.signed(method, target, body).verify()?)
    }

    /// What the signature has to be of.
    pub(crate) fn signed(&self, method: &str, target: &str, body: Digest) -> Signed {
        let payload =
            Payload { method, target, body, nonce: self.nonce, sender: self.hotkey, receiver: self.receiver };
        Signed { public: self.hotkey.0, message: payload.to_bytes(), signature: self.signature }
    }
}

fn required<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<&'a str, ClaimsError> {
    optional(headers, name)?.ok_or(ClaimsError::Missing(name))
}

fn optional<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<Option<&'a str>, ClaimsError> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    // Of two values, a gateway in front and this check could each read another one.
    if values.next().is_some() {
        return Err(ClaimsError::Duplicate(name));
    }
    value.to_str().map(Some).map_err(|_| ClaimsError::NotText(name))
}

/// Absent means sr25519; Bittensor spells schemes by name or number.
fn check_scheme(named: Option<&str>) -> Result<(), ClaimsError> {
    match named.map(|text| text.trim().to_ascii_lowercase()).as_deref() {
        None | Some(SCHEME | "1") => Ok(()),
        Some("ed25519" | "0") => Err(ClaimsError::Ed25519),
        Some(other) => Err(ClaimsError::Scheme(other.to_owned())),
    }
}

fn address(header: &'static str, text: &str) -> Result<Hotkey, ClaimsError> {
    text.parse().map_err(|source| ClaimsError::Address { header, source })
}

/// One spelling per number: no sign, no space, no leading zero.
fn parse_nonce(text: &str) -> Option<u64> {
    let canonical =
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    canonical.then(|| text.parse().ok())?
}

fn parse_signature(text: &str) -> Result<[u8; SIGNATURE_BYTES], ClaimsError> {
    let mut signature = [0; SIGNATURE_BYTES];
    match const_hex::decode_to_slice(text, &mut signature) {
        Ok(()) => Ok(signature),
        Err(const_hex::FromHexError::InvalidStringLength) => {
            Err(ClaimsError::SignatureLength(text.strip_prefix("0x").unwrap_or(text).len() / 2))
        }
        Err(_) => Err(ClaimsError::SignatureHex),
    }
}
