//! Telling a miner which of its answers were received.

use weighhouse_proto::v1::{AcknowledgeRequest, AcknowledgeResponse};
use weighhouse_proto::{ACKNOWLEDGEMENTS_MAX, method};
use weighhouse_types::Acknowledgement;

use crate::asker::{Asker, Target, frame, unframe};
use crate::call::{CallError, call};
use crate::limits::ProxyLimits;

/// Acknowledges answers to the miner that gave them, the last [`ACKNOWLEDGEMENTS_MAX`] where there are more; gives the number that it
/// kept.
///
/// # Errors
/// A refusal, silence, or an answer that is none.
pub async fn acknowledge(
    asker: &Asker,
    to: Target,
    acknowledgements: &[Acknowledgement],
    limits: ProxyLimits,
) -> Result<u32, CallError> {
    let newest = &acknowledgements[acknowledgements.len().saturating_sub(ACKNOWLEDGEMENTS_MAX)..];
    let request = AcknowledgeRequest { acknowledgements: newest.iter().cloned().map(Into::into).collect() };
    let framed = call(asker, to, method::ACKNOWLEDGE, frame(&request), limits).await?;
    let AcknowledgeResponse { kept } = unframe(&framed).map_err(|_| CallError::BrokenOff)?;
    Ok(kept)
}
