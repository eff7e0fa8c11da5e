//! `VerdictsService`'s statement to and from [`PayStatement`], and the digest that its validator signs.

use prost::Message as _;
use weighhouse_types::{
    Block, Digest, Epoch, Hasher, Hotkey, JudgedAnswer, Loss, LossExample, Mark, MechId, Netuid,
    PayStatement, Rao, RegistrationId, SubnetPay, ToldReason, Uid,
};

use crate::bounded::ReadError;
use crate::v1;

const DOMAIN: &str = "weighhouse/pay-statement/v1";
/// Longest text that is kept of a validator's words.
const TEXT_CHARACTERS_MAX: usize = 400;

/// A statement that no honest validator makes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StatementError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("{field} {why}")]
    Field { field: &'static str, why: &'static str },
}

const fn wrong(field: &'static str, why: &'static str) -> StatementError {
    StatementError::Field { field, why }
}

/// The bytes of a statement, which its validator signs.
pub fn encode_statement(statement: PayStatement) -> Vec<u8> {
    v1::PayStatement::from(statement).encode_to_vec()
}

/// Reads a statement's bytes.
///
/// # Errors
/// Bytes that are none, or a field that no honest validator sends.
pub fn decode_statement(encoded: &[u8]) -> Result<PayStatement, StatementError> {
    crate::decode::<v1::PayStatement>(encoded)?.try_into()
}

/// The payload that a validator signs for an encoded statement.
pub fn statement_digest(encoded: &[u8]) -> Digest {
    Hasher::new(DOMAIN).part(encoded).finish()
}

impl From<PayStatement> for v1::PayStatement {
    fn from(statement: PayStatement) -> Self {
        Self {
            genesis: statement.genesis.0.to_vec(),
            netuid: statement.netuid.0.into(),
            mechanism: statement.mechanism.0.into(),
            epoch: statement.epoch.0,
            validator: statement.validator.0.to_vec(),
            uid: statement.uid.0.into(),
            hotkey: statement.who.hotkey.0.to_vec(),
            registered_at: statement.who.registered_at.0,
            task: statement.task,
            published: statement.published.map(|block| block.0),
            answers: statement.answers,
            accepted_worth: statement.accepted_worth.into(),
            carried: statement.carried,
            average: statement.average,
            score: statement.score,
            rating: statement.rating,
            reasons: statement.reasons,
            weight: statement.weight.map(u32::from),
            abstains: statement.abstains,
            share: statement.share,
            share_without: statement.share_without,
            losses: statement.losses.into_iter().map(v1::Loss::from).collect(),
            pay: statement.pay.map(|pay| v1::SubnetPay {
                shown_in: pay.shown_in.0,
                miners: pay.miners.0,
                own: pay.own.0,
            }),
            verdicts: statement.verdicts.into_iter().map(v1::JudgedAnswer::from).collect(),
            omitted: statement.omitted,
        }
    }
}

impl From<Loss> for v1::Loss {
    fn from(loss: Loss) -> Self {
        let Loss { check, phrase, answers, marks, lost, share_without, example } = loss;
        let example = example.map(|example| v1::LossExample {
            asked_in: example.asked_in.0,
            round: example.round,
            text: example.text,
        });
        Self { check, phrase, answers, marks, lost, share_without, example }
    }
}

impl From<JudgedAnswer> for v1::JudgedAnswer {
    fn from(judged: JudgedAnswer) -> Self {
        let reason = |reason: ToldReason| v1::ToldReason { code: reason.code, text: reason.text };
        Self {
            asked_in: judged.asked_in.0,
            round: judged.round,
            challenge: judged.challenge.0.to_vec(),
            mark: judged.mark.into(),
            checked: judged.checked,
            reasons: judged.reasons.into_iter().map(reason).collect(),
            latency_us: judged.latency_us,
        }
    }
}

impl TryFrom<v1::PayStatement> for PayStatement {
    type Error = StatementError;

    fn try_from(message: v1::PayStatement) -> Result<Self, StatementError> {
        let who = RegistrationId {
            hotkey: Hotkey(bytes32("hotkey", &message.hotkey)?),
            registered_at: Block(message.registered_at),
        };
        let mechanism = u8::try_from(message.mechanism).map_err(|_| wrong("mechanism", "is too large"))?;
        // Sums of shares are made of them: more than the whole is nobody's.
        if message.share.max(message.share_without) > 1_000_000_000 {
            return Err(wrong("share", "is more than the whole"));
        }
        Ok(Self {
            genesis: Digest(bytes32("genesis", &message.genesis)?),
            netuid: Netuid(narrow("netuid", message.netuid)?),
            mechanism: MechId(mechanism),
            epoch: Epoch(message.epoch),
            validator: Hotkey(bytes32("validator", &message.validator)?),
            uid: Uid(narrow("uid", message.uid)?),
            who,
            task: short(&message.task),
            published: message.published.map(Block),
            answers: message.answers,
            accepted_worth: mark("accepted_worth", message.accepted_worth)?,
            carried: message.carried,
            average: message.average,
            score: message.score,
            rating: short(&message.rating),
            reasons: short(&message.reasons),
            weight: message.weight.map(|weight| narrow("weight", weight)).transpose()?,
            abstains: message.abstains.as_deref().map(short),
            share: message.share,
            share_without: message.share_without,
            losses: message.losses.into_iter().map(Loss::try_from).collect::<Result<_, _>>()?,
            pay: message.pay.map(|pay| SubnetPay {
                shown_in: Epoch(pay.shown_in),
                miners: Rao(pay.miners),
                own: Rao(pay.own),
            }),
            verdicts: message.verdicts.into_iter().map(JudgedAnswer::try_from).collect::<Result<_, _>>()?,
            omitted: message.omitted,
        })
    }
}

impl TryFrom<v1::Loss> for Loss {
    type Error = StatementError;

    fn try_from(message: v1::Loss) -> Result<Self, StatementError> {
        let example = message.example.map(|example| LossExample {
            asked_in: Epoch(example.asked_in),
            round: example.round,
            text: short(&example.text),
        });
        if message.lost.unsigned_abs().max(message.share_without) > 1_000_000_000 {
            return Err(wrong("losses", "are more than the whole"));
        }
        Ok(Self {
            check: short(&message.check),
            phrase: short(&message.phrase),
            answers: message.answers,
            marks: message.marks,
            lost: message.lost,
            share_without: message.share_without,
            example,
        })
    }
}

impl TryFrom<v1::JudgedAnswer> for JudgedAnswer {
    type Error = StatementError;

    fn try_from(message: v1::JudgedAnswer) -> Result<Self, StatementError> {
        let reason =
            |reason: v1::ToldReason| ToldReason { code: short(&reason.code), text: short(&reason.text) };
        Ok(Self {
            asked_in: Epoch(message.asked_in),
            round: message.round,
            challenge: Digest(bytes32("challenge", &message.challenge)?),
            mark: mark("mark", message.mark)?,
            checked: message.checked,
            reasons: message.reasons.into_iter().map(reason).collect(),
            latency_us: message.latency_us,
        })
    }
}

fn bytes32(field: &'static str, bytes: &[u8]) -> Result<[u8; 32], StatementError> {
    bytes.try_into().map_err(|_| wrong(field, "doesn't have 32 bytes"))
}

fn narrow(field: &'static str, value: u32) -> Result<u16, StatementError> {
    u16::try_from(value).map_err(|_| wrong(field, "is too large"))
}

fn mark(field: &'static str, billionths: i32) -> Result<Mark, StatementError> {
    Mark::from_billionths(billionths.into()).ok_or(wrong(field, "is outside [-1, 1]"))
}

/// A validator's words end up on terminals, where control characters act.
fn short(text: &str) -> String {
    let clean = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    clean.take(TEXT_CHARACTERS_MAX).collect()
}

#[cfg(test)]
mod tests;
