//! Judgements of answers, in fixed point.

mod reason;

use std::fmt;

use parity_scale_codec::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::RegistrationId;
pub use reason::{Detail, Gist, Outcome, Reason, Remark, RemarkError};

/// One part in 10^9: the unit of [`Mark`] and [`Score`].
const UNIT: i32 = 1_000_000_000;

/// A signed, chance-corrected mark in [-1, 1], in billionths: guessing is worth 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Encode, Serialize, Deserialize)]
#[serde(try_from = "i32", into = "i32")]
pub struct Mark(i32);

impl Mark {
    pub const MIN: Self = Self(-UNIT);
    pub const ZERO: Self = Self(0);
    pub const MAX: Self = Self(UNIT);

    /// `None` outside [-1, 1].
    #[inline]
    pub fn from_billionths(value: i64) -> Option<Self> {
        let value = i32::try_from(value).ok()?;
        (-UNIT..=UNIT).contains(&value).then_some(Self(value))
    }

    /// Rounds to the nearest billionth and clamps to [-1, 1]; `None` for NaN. The only way in from floating point.
    pub fn from_f64(value: f64) -> Option<Self> {
        // Clamping hands NaN on, and the cast would make a plain 0 of it.
        if value.is_nan() {
            return None;
        }
        Some(Self((value.clamp(-1.0, 1.0) * f64::from(UNIT)).round() as i32))
    }

    #[inline]
    pub fn billionths(self) -> i64 {
        i64::from(self.0)
    }

    pub fn to_f64(self) -> f64 {
        f64::from(self.0) / f64::from(UNIT)
    }
}

impl TryFrom<i32> for Mark {
    type Error = String;

    fn try_from(value: i32) -> Result<Self, String> {
        Self::from_billionths(i64::from(value))
            .ok_or_else(|| format!("mark {value} is outside [-1, 1] in billionths"))
    }
}

impl From<Mark> for i32 {
    fn from(mark: Mark) -> i32 {
        mark.0
    }
}

// Decoding goes through the same door as every other construction, so that no byte string makes a mark of 2.
impl Decode for Mark {
    fn decode<I: parity_scale_codec::Input>(input: &mut I) -> Result<Self, parity_scale_codec::Error> {
        Self::from_billionths(i64::from(i32::decode(input)?)).ok_or_else(|| "mark outside [-1, 1]".into())
    }
}

impl fmt::Debug for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mark({})", self.to_f64())
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:+.4}", self.to_f64())
    }
}

/// A clipped average of marks in [0, 1], in billionths.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize)]
#[serde(transparent)]
pub struct Score(u32);

impl Score {
    pub const ZERO: Self = Self(0);

    /// Clipping comes last: below zero is zero.
    #[inline]
    pub fn clip(average: Mark) -> Self {
        Self(average.0.max(0).unsigned_abs())
    }

    #[inline]
    pub fn billionths(self) -> u64 {
        u64::from(self.0)
    }

    pub fn to_f64(self) -> f64 {
        f64::from(self.0) / f64::from(UNIT)
    }
}

impl fmt::Debug for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Score({})", self.to_f64())
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.4}", self.to_f64())
    }
}

/// A judge's verdict on one attempt.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Judgement {
    pub mark: Mark,
    pub reasons: Vec<Reason>,
}

impl Judgement {
    /// The first reason that speaks against the miner.
    pub fn complaint(&self) -> Option<&Reason> {
        self.reasons.iter().find(|reason| !reason.outcome().is_praise())
    }

    /// That of its first reason; `None` without any.
    pub fn outcome(&self) -> Option<Outcome> {
        self.reasons.first().map(Reason::outcome)
    }
}

/// The running average that an epoch hands to the next, by registration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Standing {
    pub who: RegistrationId,
    pub average: Mark,
    /// Judgements behind the average since the registration was first seen.
    pub attempts: u64,
    /// The epoch that last judged this registration.
    pub judged_in: crate::Epoch,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn non_finite_never_becomes_a_mark() {
        assert_eq!(Mark::from_f64(f64::NAN), None);
        assert_eq!(Mark::from_f64(f64::INFINITY), Some(Mark::MAX));
        assert_eq!(Mark::from_f64(-0.0), Some(Mark::ZERO));
        assert_eq!(Mark::from_f64(f64::MIN_POSITIVE), Some(Mark::ZERO));
    }

    #[test]
    fn out_of_range_bytes_do_not_decode() {
        assert!(Mark::decode(&mut &i32::MAX.encode()[..]).is_err());
        assert_eq!(Mark::decode(&mut &Mark::MIN.encode()[..]), Ok(Mark::MIN));
    }

    #[test]
    fn clipping_drops_the_sign_side() {
        assert_eq!(Score::clip(Mark::MIN), Score::ZERO);
        assert_eq!(Score::clip(Mark::MAX).billionths(), 1_000_000_000);
    }
}
