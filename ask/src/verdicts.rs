//! A miner's question to a validator: what became of my answers. What comes back is checked to be the validator's word, about us.

use std::time::Duration;

use weighhouse_proto::v1::{ExplainRequest, ExplainResponse, ReachRequest, ReachResponse, reach_response};
use weighhouse_proto::{StatementError, decode_statement, method, statement_digest};
use weighhouse_types::{Digest, Epoch, Netuid, PayStatement};
use weighhouse_wallet::keypair::{SignatureError, verify};

use crate::asker::{Asker, Target, frame, unframe};
use crate::call::{CallError, call};
use crate::limits::ProxyLimits;

/// The version under which a validator's prometheus endpoint on the chain is this service. An axon would have other
/// validators ask for answers there.
pub const ENDPOINT_VERSION: u32 = u32::from_be_bytes(*b"verd");

/// A statement with what its validator signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedStatement {
    pub statement: PayStatement,
    /// The signed bytes, for showing it to others.
    pub encoded: Vec<u8>,
    pub signature: Vec<u8>,
}

/// Why there is no statement.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ExplainError {
    #[error(transparent)]
    Call(#[from] CallError),
    #[error("its answer can't be read")]
    Undecodable,
    #[error("its answer isn't signed by its hotkey: {0}")]
    Signature(#[from] SignatureError),
    #[error("its answer: {0}")]
    Statement(#[from] StatementError),
    #[error("its answer is about another chain, subnet, validator, miner or epoch")]
    Elsewhere,
}

/// Asks a validator for the caller's own statement; the newest public one where no epoch is given.
///
/// # Errors
/// A refusal, silence, or an answer that isn't the validator's word about us.
pub async fn explain(
    asker: &Asker,
    to: Target,
    (genesis, netuid): (Digest, Netuid),
    epoch: Option<Epoch>,
    limits: ProxyLimits,
) -> Result<SignedStatement, ExplainError> {
    let request = ExplainRequest { netuid: netuid.0.into(), epoch: epoch.map(|epoch| epoch.0) };
    let framed = call(asker, to, method::EXPLAIN, frame(&request), limits).await?;
    let ExplainResponse { statement: encoded, signature } =
        unframe(&framed).map_err(|_| ExplainError::Undecodable)?;
    verify(to.hotkey.as_bytes(), statement_digest(&encoded).as_bytes(), &signature)?;
    let statement = decode_statement(&encoded)?;
    let is_ours = (statement.genesis, statement.netuid) == (genesis, netuid)
        && (statement.validator, statement.who.hotkey) == (to.hotkey, asker.signer.hotkey())
        && epoch.is_none_or(|epoch| epoch == statement.epoch);
    if is_ours { Ok(SignedStatement { statement, encoded, signature }) } else { Err(ExplainError::Elsewhere) }
}

/// What a validator found that dialled the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reached {
    /// The address that it dialled, by its own word.
    pub address: String,
    /// The time that an answer took, or why there was none.
    pub outcome: Result<Duration, String>,
}

/// Asks a validator to dial the caller's axon.
///
/// # Errors
/// A refusal, silence, or an answer that says nothing.
pub async fn reach(
    asker: &Asker,
    to: Target,
    netuid: Netuid,
    limits: ProxyLimits,
) -> Result<Reached, ExplainError> {
    let request = ReachRequest { netuid: netuid.0.into() };
    let framed = call(asker, to, method::REACH, frame(&request), limits).await?;
    let ReachResponse { address, encrypted: _, outcome } =
        unframe(&framed).map_err(|_| ExplainError::Undecodable)?;
    let outcome = match outcome.ok_or(ExplainError::Undecodable)? {
        reach_response::Outcome::Milliseconds(took) => Ok(Duration::from_millis(took.into())),
        reach_response::Outcome::Failure(why) => Err(why),
    };
    Ok(Reached { address, outcome })
}
