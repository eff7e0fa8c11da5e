//! One signed call of a method that gives one message.

use bytes::Bytes;
use http::HeaderMap;
use weighhouse_seams::ClockExt as _;

use super::error::CallError;
use crate::asker::{Asker, Target};
use crate::limits::ProxyLimits;

/// Sends one framed message to a method's path and gives the framed answer.
///
/// # Errors
/// No answer, or one with another status than OK.
pub async fn call(
    asker: &Asker,
    to: Target,
    path: &str,
    framed: Bytes,
    limits: ProxyLimits,
) -> Result<Bytes, CallError> {
    let exchange = async {
        let response = asker.send(to, path, HeaderMap::new(), framed, limits.body_bytes_max).await?;
        let (head, framed, trailers) = response.collect(limits.body_bytes_max).await?;
        CallError::check_head(head.status, &head.headers)?;
        // A refusal may come with headers only, its status among them.
        let status = if trailers.contains_key("grpc-status") { &trailers } else { &head.headers };
        CallError::read_status(status, asker.clock.now())?;
        Ok(framed)
    };
    asker.clock.timeout(limits.deadline, exchange).await.unwrap_or(Err(CallError::Late))
}
