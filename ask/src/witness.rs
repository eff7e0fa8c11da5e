//! Asking another validator to witness our log, and which checkpoints it has witnessed. What comes back is foreign: the caller checks
//! every signature.

use weighhouse_proto::v1::{
    CosignRequest, CosignResponse, Cosignature, NewestRequest, NewestResponse, WitnessedLog, cosign_response,
};
use weighhouse_proto::{CosignAsked, method};
use weighhouse_types::{CertifiedKey, MechId, Netuid};

use crate::asker::{Asker, Target, frame, unframe};
use crate::call::{CallError, call};
use crate::limits::ProxyLimits;

/// A witness's word on a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CosignReply {
    /// Its key, and a line of a signed note.
    Cosigned { key: CertifiedKey, line: String },
    /// The checkpoint from which it wants the proof: a signed note.
    Held(String),
}

/// Logs that a witness has signed for: each log's key and a signed note; and the witness's own key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewestReply {
    pub witness: CertifiedKey,
    pub logs: Vec<(CertifiedKey, String)>,
}

/// Why a witness's word can't be had.
#[derive(Clone, Debug, thiserror::Error)]
pub enum WitnessError {
    #[error(transparent)]
    Call(#[from] CallError),
    #[error("its answer can't be read")]
    Undecodable,
}

/// # Errors
/// A refusal, silence, or an answer that is none.
pub async fn cosign(
    asker: &Asker,
    to: Target,
    asked: CosignAsked,
    limits: ProxyLimits,
) -> Result<CosignReply, WitnessError> {
    let framed = call(asker, to, method::COSIGN, frame(&CosignRequest::from(asked)), limits).await?;
    let CosignResponse { outcome } = unframe(&framed).map_err(|_| WitnessError::Undecodable)?;
    match outcome.ok_or(WitnessError::Undecodable)? {
        cosign_response::Outcome::Cosignature(Cosignature { key, line }) => {
            Ok(CosignReply::Cosigned { key: certified(key)?, line })
        }
        cosign_response::Outcome::Held(held) => Ok(CosignReply::Held(held)),
    }
}

/// # Errors
/// A refusal, silence, or an answer that is none.
pub async fn newest(
    asker: &Asker,
    to: Target,
    (netuid, mechanism): (Netuid, MechId),
    limits: ProxyLimits,
) -> Result<NewestReply, WitnessError> {
    let request = NewestRequest { netuid: netuid.0.into(), mechanism: mechanism.0.into() };
    let framed = call(asker, to, method::NEWEST, frame(&request), limits).await?;
    let NewestResponse { logs, witness } = unframe(&framed).map_err(|_| WitnessError::Undecodable)?;
    let logs = logs.into_iter().map(|WitnessedLog { key, checkpoint }| Ok((certified(key)?, checkpoint)));
    Ok(NewestReply { witness: certified(witness)?, logs: logs.collect::<Result<_, WitnessError>>()? })
}

fn certified(key: Option<weighhouse_proto::v1::CertifiedKey>) -> Result<CertifiedKey, WitnessError> {
    key.and_then(|key| key.try_into().ok()).ok_or(WitnessError::Undecodable)
}
