//! Why a mark is what it is, in words and figures that every reader shares.
//!
//! Code that counts, explains or prints a reason asks it for its [`Outcome`], its [`Gist`] or its `Display` form, and
//! doesn't match on its variants: a kind of task added later is then explained like the first ones.

use std::fmt;

use parity_scale_codec::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::Mark;
use crate::Failure;

/// Longest text of a [`Remark`] in bytes.
const REMARK_BYTES_MAX: usize = 256;

/// Outcome of an attempt, for every kind of task.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Judged and found good.
    #[codec(index = 0)]
    Accepted,
    /// Taken without a check.
    #[codec(index = 1)]
    Unchecked,
    /// An answer, but not a good enough one.
    #[codec(index = 2)]
    Wrong,
    /// Something came back that is no answer to this question.
    #[codec(index = 3)]
    Malformed,
    /// Nothing judgeable came back.
    #[codec(index = 4)]
    Silent,
    /// Refused for what all checks of the miner say together.
    #[codec(index = 5)]
    Convicted,
}

impl Outcome {
    /// As in metrics and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Unchecked => "unchecked",
            Self::Wrong => "wrong",
            Self::Malformed => "malformed",
            Self::Silent => "silent",
            Self::Convicted => "convicted",
        }
    }

    /// True if it speaks for the miner.
    pub fn is_praise(self) -> bool {
        matches!(self, Self::Accepted | Self::Unchecked)
    }
}

/// A short text on one line: control characters are spaces, and what is too long is cut.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Remark(String);

/// Why a text is no [`Remark`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a remark has at most {REMARK_BYTES_MAX} bytes and no control characters")]
pub struct RemarkError;

impl Remark {
    /// Makes a remark of any text.
    pub fn new(text: &str) -> Self {
        let clean = text.chars().map(|c| if c.is_control() { ' ' } else { c });
        let mut remark = String::new();
        for c in clean {
            if remark.len() + c.len_utf8() > REMARK_BYTES_MAX {
                break;
            }
            remark.push(c);
        }
        Self(remark)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Remark {
    type Error = RemarkError;

    fn try_from(text: String) -> Result<Self, RemarkError> {
        let is_one = text.len() <= REMARK_BYTES_MAX && !text.chars().any(char::is_control);
        if is_one { Ok(Self(text)) } else { Err(RemarkError) }
    }
}

impl From<Remark> for String {
    fn from(remark: Remark) -> Self {
        remark.0
    }
}

// Decoding goes through the same door as every other construction.
impl Decode for Remark {
    fn decode<I: parity_scale_codec::Input>(input: &mut I) -> Result<Self, parity_scale_codec::Error> {
        Self::try_from(String::decode(input)?)
            .map_err(|_| "a remark that is too long or has control characters".into())
    }
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a mark is what it is. Item numbers count from 0 within one challenge.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Reason {
    /// Every item within the calibrated tolerance of the reference.
    #[codec(index = 0)]
    Conforms { items: u32 },
    /// `outside` of `items` items differ from the reference by more than the tolerance; `worst` differs most.
    #[codec(index = 1)]
    Deviates { items: u32, outside: u32, worst: u32 },
    /// Better than guessing and not below the reference: the chance-corrected skill of the answer and the reference.
    #[codec(index = 2)]
    Skill { answer: Mark, reference: Mark },
    /// Below the reference, which is the floor of a quality task.
    #[codec(index = 3)]
    BelowReference { answer: Mark, reference: Mark },
    /// The answer is not one: NaN, wrong shape, a row that is no distribution. Says which item and what.
    #[codec(index = 4)]
    Malformed { item: u32, what: String },
    /// No answer in time, or none at all. Silence is a verdict, worth 0.
    #[codec(index = 5)]
    Silent { failure: crate::Failure },
    /// Every token of a completion could be the reference's; the mean of their clipped margins in millionths.
    #[codec(index = 6)]
    Attested { tokens: u32, mean: u32 },
    /// The reference would not have said token number `token`, which has this id: its margin and the mean of all `tokens`
    /// clipped margins, in millionths of the logits' unit.
    #[codec(index = 7)]
    Betrayed { token: u32, id: u32, margin: u32, mean: u32, tokens: u32 },
    /// The claimed log-probability of a token differs from the reference's by this many millionths.
    #[codec(index = 8)]
    Doubted { token: u32, difference: u32 },
    /// A completion that contradicts itself or the request: cut short, too long, past its end, or with another text
    /// than its tokens'. Says from which token on and what.
    #[codec(index = 9)]
    Contradicts { token: u32, what: String },
    /// The sequential test over this epoch's checks says that another model answers, whatever this answer alone looks
    /// like: after so many checks, and the log-odds against the agreed model in thousandths.
    #[codec(index = 10)]
    Convicted { checks: u32, log_odds: i32 },
    /// Taken as it came: well-formed, from a miner that the judge is sure of, and not drawn for a check.
    #[codec(index = 11)]
    Spared { tokens: u32 },
    /// A finding of a kind of task that needs no variant of its own.
    #[codec(index = 12)]
    Told { outcome: Outcome, text: Remark },
}

/// A reason as a sentence about several answers needs it: the phrase that they share, and what tells them apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gist {
    /// The words that follow "3 answers": "within tolerance", "malformed".
    pub phrase: String,
    pub detail: Detail,
}

/// Of one answer: "wrong (later than the deadline)", "outside tolerance (3 of 8 items)".
impl fmt::Display for Gist {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { phrase, detail } = self;
        match detail {
            Detail::Example(text) if !text.is_empty() => write!(f, "{phrase} ({text})"),
            Detail::None | Detail::Example(_) => f.write_str(phrase),
            Detail::Items { outside, items } => write!(f, "{phrase} ({outside} of {items} items)"),
            Detail::Skills { answer, reference } => write!(f, "{phrase} (skill {answer} to its {reference})"),
        }
    }
}

/// The sum of the reasons of several answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Nothing to add.
    None,
    /// The first answer's stands for all.
    Example(String),
    /// Items at fault, of all.
    Items { outside: u32, items: u32 },
    /// The skills of the answer and of the reference.
    Skills { answer: Mark, reference: Mark },
}

impl Reason {
    /// A reason in a kind's own words.
    pub fn told(outcome: Outcome, text: &str) -> Self {
        Self::Told { outcome, text: Remark::new(text) }
    }

    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Conforms { .. } | Self::Skill { .. } | Self::Attested { .. } => Outcome::Accepted,
            Self::Spared { .. } => Outcome::Unchecked,
            Self::Deviates { .. }
            | Self::BelowReference { .. }
            | Self::Betrayed { .. }
            | Self::Doubted { .. } => Outcome::Wrong,
            Self::Malformed { .. } | Self::Contradicts { .. } => Outcome::Malformed,
            Self::Silent { .. } => Outcome::Silent,
            Self::Convicted { .. } => Outcome::Convicted,
            Self::Told { outcome, .. } => *outcome,
        }
    }

    /// The name of the check that gave it, in snake case: `betrayed`, `deadline_exceeded`. A kind's own words are named by their
    /// outcome.
    pub fn code(&self) -> String {
        let code = match self {
            Self::Conforms { .. } => "conforms",
            Self::Deviates { .. } => "deviates",
            Self::Skill { .. } => "skill",
            Self::BelowReference { .. } => "below_reference",
            Self::Malformed { .. } => "malformed",
            Self::Silent { failure } => return failure.code().replace(' ', "_"),
            Self::Attested { .. } => "attested",
            Self::Betrayed { .. } => "betrayed",
            Self::Doubted { .. } => "doubted",
            Self::Contradicts { .. } => "contradicts",
            Self::Convicted { .. } => "convicted",
            Self::Spared { .. } => "spared",
            Self::Told { outcome, .. } => outcome.name(),
        };
        code.to_owned()
    }

    /// Why there is no answer to judge.
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Silent { failure } => Some(failure),
            _ => None,
        }
    }

    pub fn gist(&self) -> Gist {
        let gist = |phrase: &str, detail| Gist { phrase: phrase.to_owned(), detail };
        match self {
            Self::Conforms { .. } | Self::Attested { .. } => gist("within tolerance", Detail::None),
            Self::Skill { answer, reference } => {
                let detail = Detail::Skills { answer: *answer, reference: *reference };
                gist("no worse than the reference", detail)
            }
            Self::Spared { .. } => gist("taken unchecked", Detail::None),
            Self::Deviates { items, outside, .. } => {
                gist("outside tolerance", Detail::Items { outside: *outside, items: *items })
            }
            Self::BelowReference { answer, reference } => {
                gist("below the reference", Detail::Skills { answer: *answer, reference: *reference })
            }
            Self::Malformed { item, what } => {
                gist("malformed", Detail::Example(format!("item {item}: {what}")))
            }
            Self::Silent { failure } => gist(&failure.to_string(), Detail::None),
            Self::Betrayed { token, .. } | Self::Doubted { token, .. } => {
                gist("not by the agreed model", Detail::Example(format!("at token {token}")))
            }
            Self::Contradicts { token, what } => {
                gist("contradicting themselves", Detail::Example(format!("token {token}: {what}")))
            }
            Self::Convicted { .. } => gist("of a miner convicted by the sequential test", Detail::None),
            // The phrase must be one for many answers, which a kind's own text need not be.
            Self::Told { outcome, text } => gist(outcome.name(), Detail::Example(text.to_string())),
        }
    }
}

/// The words that stand in exported tables. They are part of that format: a query compares with them.
impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conforms { items } => write!(f, "conforms: {items} items"),
            Self::Deviates { items, outside, worst } => {
                write!(f, "deviates: {outside} of {items} items outside, item {worst} most")
            }
            Self::Skill { answer, reference } => write!(f, "skill: {answer} to the reference's {reference}"),
            Self::BelowReference { answer, reference } => {
                write!(f, "below reference: {answer} to its {reference}")
            }
            Self::Malformed { item, what } => write!(f, "malformed: item {item}: {what}"),
            Self::Silent { failure } => write!(f, "silent: {}", failure.code()),
            Self::Attested { tokens, mean } => write!(f, "attested: {tokens} tokens, mean margin {mean} ppm"),
            Self::Betrayed { token, id, margin, mean, tokens } => {
                write!(
                    f,
                    "betrayed: token {token} ({id}), margin {margin} ppm, mean {mean} ppm over {tokens}"
                )
            }
            Self::Doubted { token, difference } => {
                write!(f, "doubted: the log-probability of token {token} is {difference} ppm off")
            }
            Self::Contradicts { token, what } => write!(f, "contradicts: token {token}: {what}"),
            Self::Convicted { checks, log_odds } => {
                write!(f, "convicted: after {checks} checks, log-odds {log_odds} thousandths")
            }
            Self::Spared { tokens } => write!(f, "spared: {tokens} tokens"),
            // A kind's own words may be left empty.
            Self::Told { outcome, text } if text.as_str().is_empty() => f.write_str(outcome.name()),
            Self::Told { outcome, text } => write!(f, "{}: {text}", outcome.name()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remark_is_one_short_line_whatever_it_is_made_of() {
        let remark = Remark::new(&"ä\n\u{1b}".repeat(200));
        assert!(remark.as_str().len() <= REMARK_BYTES_MAX && !remark.as_str().contains(char::is_control));
        assert_eq!(Remark::decode(&mut &remark.encode()[..]), Ok(remark));
        for wrong in ["x".repeat(REMARK_BYTES_MAX + 1), "\n".to_owned()] {
            assert!(Remark::decode(&mut &wrong.encode()[..]).is_err());
        }
    }

    #[test]
    fn a_reason_told_by_a_kind_has_its_place_on_disk() {
        let reason = Reason::told(Outcome::Wrong, "later than the deadline");
        assert_eq!(reason.encode()[..2], [12, 2]);
        assert_eq!(
            (reason.outcome(), reason.to_string()),
            (Outcome::Wrong, "wrong: later than the deadline".into())
        );
        assert_eq!(reason.gist().to_string(), "wrong (later than the deadline)");
    }

    #[test]
    fn a_check_has_a_name() {
        let code = |reason: Reason| reason.code();
        assert_eq!(code(Reason::Silent { failure: Failure::DeadlineExceeded }), "deadline_exceeded");
        assert_eq!(code(Reason::Silent { failure: Failure::Status { code: 8 } }), "grpc_status_8");
        assert_eq!(code(Reason::Deviates { items: 8, outside: 1, worst: 0 }), "deviates");
        assert_eq!(code(Reason::told(Outcome::Wrong, "too long")), "wrong");
    }

    #[test]
    fn a_reason_without_words_of_its_own_is_its_outcome() {
        let reason = Reason::told(Outcome::Accepted, "");
        assert_eq!((reason.to_string(), reason.gist().to_string()), ("accepted".into(), "accepted".into()));
    }
}
