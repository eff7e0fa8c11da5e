//! Verification of signed requests below the generated gRPC code: a tower layer that sees the framed body.
//!
//! A request on a signed path is refused as early and as cheaply as it can be: header shape, receiver, freshness and
//! [`Admission`] before a byte of the body is read; then the body, up to a cap and a deadline; then the signature;
//! then replay; then the caller's quota. Only after all of that an [`Authenticated`] stands in the request's
//! extensions, and nothing else can make one. Other paths pass untouched.

mod body;
mod evidence;
mod layer;
mod refusal;
mod turns;
mod verifier;

use std::net::{IpAddr, Ipv4Addr};

use http::Extensions;
use weighhouse_seams::UnixNanos;
use weighhouse_types::Hotkey;

use crate::btauth::Claims;

pub(crate) use body::{BodyError, BoxError, collect};
pub use evidence::Authenticated;
pub use layer::{Verify, VerifyLayer, VerifyLimits, VerifyParts};
pub use refusal::{GrpcCode, Refusal};

/// Admission of callers, decided by the miner from its metagraph snapshot. Both are called for every signed request, so they
/// must be quick and must not block.
pub trait Admission: Send + Sync + std::fmt::Debug {
    /// Before the body is read: is the claimed hotkey known? Nothing is proven yet, so nothing may be charged to the hotkey
    /// here: anybody could use up another's quota.
    fn admit(&self, claimed: &Hotkey) -> Result<(), Refusal>;

    /// A request with these claims was refused; only where `proven` was its signature looked at, and right.
    fn refused(&self, _claims: &Claims, _proven: bool, _refusal: &Refusal, _now: UnixNanos) {}

    /// The network that a request came from. Signatures are looked at in turns among networks.
    fn network(&self, _request: &Extensions) -> IpAddr {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED)
    }

    /// As bytes of the body come, which nobody has proven yet.
    fn reads(&self, _bytes: usize, _request: &Extensions) {}

    /// After signature and replay: standing and quota of the caller, who is now proven, and a place to work; `request` has
    /// what the server left there.
    fn charge(&self, caller: &Hotkey, request: &Extensions) -> Result<(), Refusal>;
}

#[cfg(test)]
mod tests;
