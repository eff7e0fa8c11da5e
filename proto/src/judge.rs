//! `JudgeService`'s messages to and from the values in [`weighhouse_types`].
//!
//! A judge's words are checked here on entry: marks within their range and no praise for a wrong answer, questions that
//! are well-formed, groups that name answers that there are.

use weighhouse_types::{
    Digest, DrawSeed, DrawnChallenge, InferRequest, JointVerdicts, JudgeAttempt, JudgeDescription,
    JudgeLimits, Judgement, Mark, Outcome, Reason, TensorError,
};

use crate::v1;

/// The version of the contract that is spoken.
const PROTOCOL: u32 = 1;
/// Most questions that one challenge may put to a miner.
const EXCHANGES_MAX: u32 = 8;
/// Longest text that a judge says of itself.
const TEXT_BYTES_MAX: usize = 200;

/// Why a judge's message is not believed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum JudgeMessageError {
    #[error("it speaks version {version} of the contract, and this program version {PROTOCOL}")]
    Protocol { version: u32 },
    #[error("its digest has {length} bytes instead of 32")]
    Digest { length: usize },
    #[error("it says {value} for {what}, which may be {allowed}")]
    Range { what: &'static str, value: u64, allowed: &'static str },
    #[error("there is no {what} in it")]
    Missing { what: &'static str },
    #[error("a question: {0}")]
    Question(#[from] TensorError),
    #[error("a mark of {billionths} billionths is outside [-1, 1]")]
    Mark { billionths: i32 },
    #[error("a mark of {billionths} billionths for an answer that it doesn't accept")]
    Praise { billionths: i32 },
    #[error("{value} is no outcome of a verdict")]
    Outcome { value: i32 },
    #[error("a group of alike answers that names none, one twice, or one that there isn't")]
    Alike,
}

impl TryFrom<v1::JudgeServiceDescribeResponse> for JudgeDescription {
    type Error = JudgeMessageError;

    fn try_from(message: v1::JudgeServiceDescribeResponse) -> Result<Self, JudgeMessageError> {
        if message.protocol != PROTOCOL {
            return Err(JudgeMessageError::Protocol { version: message.protocol });
        }
        let digest: [u8; 32] = message
            .digest
            .try_into()
            .map_err(|bytes: Vec<u8>| JudgeMessageError::Digest { length: bytes.len() })?;
        let limits = message.limits.ok_or(JudgeMessageError::Missing { what: "limits" })?;
        if !(1..=EXCHANGES_MAX).contains(&message.exchanges) {
            let value = u64::from(message.exchanges);
            return Err(JudgeMessageError::Range { what: "exchanges", value, allowed: "1 to 8" });
        }
        Ok(Self {
            name: short(message.name),
            version: positive("version", message.version)?,
            digest: Digest(digest),
            limits: limits.try_into()?,
            testifies: message.testifies,
            together: message.together,
            resolves: message.resolves,
            exchanges: message.exchanges,
            runtime: short(message.runtime),
        })
    }
}

impl TryFrom<v1::JudgeLimits> for JudgeLimits {
    type Error = JudgeMessageError;

    fn try_from(message: v1::JudgeLimits) -> Result<Self, JudgeMessageError> {
        if message.message_bytes_max == 0 {
            let (what, allowed) = ("limits.message_bytes_max", "at least 1");
            return Err(JudgeMessageError::Range { what, value: 0, allowed });
        }
        Ok(Self {
            challenges_max: positive("limits.challenges_max", message.challenges_max)?,
            attempts_max: positive("limits.attempts_max", message.attempts_max)?,
            together_max: positive("limits.together_max", message.together_max)?,
            message_bytes_max: message.message_bytes_max,
        })
    }
}

fn positive(what: &'static str, value: u32) -> Result<u32, JudgeMessageError> {
    match value {
        0 => Err(JudgeMessageError::Range { what, value: 0, allowed: "at least 1" }),
        positive => Ok(positive),
    }
}

fn short(text: String) -> String {
    let mut kept = String::new();
    // A judge's own words end up in logs and on terminals, where control characters act.
    for c in text.chars().map(|c| if c.is_control() { ' ' } else { c }) {
        if kept.len() + c.len_utf8() > TEXT_BYTES_MAX {
            break;
        }
        kept.push(c);
    }
    kept
}

impl TryFrom<DrawSeed> for v1::Seed {
    type Error = TensorError;

    fn try_from(seed: DrawSeed) -> Result<Self, TensorError> {
        let answers: Result<_, _> = seed.answers.into_iter().map(TryInto::try_into).collect();
        Ok(Self { seed: seed.seed.to_vec(), answers: answers? })
    }
}

impl TryFrom<DrawnChallenge> for v1::Challenge {
    type Error = TensorError;

    fn try_from(challenge: DrawnChallenge) -> Result<Self, TensorError> {
        let DrawnChallenge { question, secret, items } = challenge;
        Ok(Self { question: Some(question.try_into()?), secret, items })
    }
}

impl TryFrom<v1::Challenge> for DrawnChallenge {
    type Error = JudgeMessageError;

    fn try_from(message: v1::Challenge) -> Result<Self, JudgeMessageError> {
        let question = message.question.ok_or(JudgeMessageError::Missing { what: "question" })?;
        let items = positive("items", message.items)?;
        Ok(Self { question: InferRequest::try_from(question)?, secret: message.secret, items })
    }
}

impl TryFrom<JudgeAttempt> for v1::Attempt {
    type Error = TensorError;

    fn try_from(attempt: JudgeAttempt) -> Result<Self, TensorError> {
        let answers: Result<_, _> = attempt.answers.into_iter().map(TryInto::try_into).collect();
        let challenge = Some(attempt.challenge.try_into()?);
        Ok(Self { challenge, answers: answers?, testimony: attempt.testimony })
    }
}

impl TryFrom<v1::Verdict> for Judgement {
    type Error = JudgeMessageError;

    fn try_from(message: v1::Verdict) -> Result<Self, JudgeMessageError> {
        let billionths = message.mark_billionths;
        let outcome = match v1::Outcome::try_from(message.outcome) {
            Ok(v1::Outcome::Accepted) => Outcome::Accepted,
            Ok(v1::Outcome::Wrong) => Outcome::Wrong,
            Ok(v1::Outcome::Malformed) => Outcome::Malformed,
            // 0 is proto3's value for a field that was left out.
            Ok(v1::Outcome::Unspecified) | Err(_) => {
                return Err(JudgeMessageError::Outcome { value: message.outcome });
            }
        };
        let mark = Mark::from_billionths(i64::from(billionths));
        let mark = mark.ok_or(JudgeMessageError::Mark { billionths })?;
        if mark > Mark::ZERO && outcome != Outcome::Accepted {
            return Err(JudgeMessageError::Praise { billionths });
        }
        Ok(Self { mark, reasons: vec![Reason::told(outcome, &message.text)] })
    }
}

impl TryFrom<v1::JudgeTogetherResponse> for JointVerdicts {
    type Error = JudgeMessageError;

    fn try_from(message: v1::JudgeTogetherResponse) -> Result<Self, JudgeMessageError> {
        let verdicts: Result<Vec<Judgement>, _> =
            message.verdicts.into_iter().map(TryInto::try_into).collect();
        let verdicts = verdicts?;
        let alike: Vec<Vec<u32>> = message.alike.into_iter().map(|group| group.attempts).collect();
        let mut seen = vec![false; verdicts.len()];
        for group in &alike {
            if group.len() < 2 || !group.is_sorted() {
                return Err(JudgeMessageError::Alike);
            }
            for position in group {
                let place = seen.get_mut(*position as usize).ok_or(JudgeMessageError::Alike)?;
                if std::mem::replace(place, true) {
                    return Err(JudgeMessageError::Alike);
                }
            }
        }
        Ok(Self { verdicts, alike })
    }
}

#[cfg(test)]
mod tests;
