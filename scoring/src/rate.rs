//! From an average to a score: guards, significance, the policy's expression, floor and ramp, in this order. Clipping comes
//! last.

use serde::Serialize;
use weighhouse_types::{Mark, Score};

use crate::policy::{Facts, Policy};
use crate::track::{Track, divide};

const UNIT: i64 = 1_000_000_000;

/// Why a registration's score counts or is zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rating {
    /// The score counts, be it zero.
    Scored,
    /// The average is below the policy's floor; it counts as a score of zero.
    BelowMinMark,
    /// Fewer verdicts than the policy's `min_attempts`: not scored yet.
    TooFewAttempts,
    /// The last verdict is older than the policy's `max_age_epochs`: not scored any more.
    TooOld,
    /// The policy's expression has no value for this miner: not scored.
    NoValue,
    /// Convicted in this epoch of pretending; it counts as a score of zero, whatever its average.
    Convicted,
    /// A newcomer of whose answers checks have not accepted enough yet: not scored yet.
    OnProbation,
}

impl Rating {
    pub fn is_scored(self) -> bool {
        matches!(self, Self::Scored | Self::BelowMinMark | Self::Convicted)
    }
}

/// A rating with the figures on the way to it, in billionths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct RatingFigures {
    /// The signed average.
    pub average: i64,
    /// Its standard error.
    pub error: u64,
    /// The average less the policy's standard errors.
    pub significant: i64,
    /// After the policy's expression; `significant` clipped where there is none.
    pub expressed: i64,
    /// After floor and ramp.
    pub score: Score,
    pub rating: Rating,
}

impl Policy {
    /// Rates an average in `epoch`.
    pub fn rate(&self, track: &Track, epoch: u64) -> (Score, Rating) {
        let rated = self.rate_in_steps(track, epoch);
        (rated.score, rated.rating)
    }

    /// As [`Policy::rate`], with every figure on the way.
    pub fn rate_in_steps(&self, track: &Track, epoch: u64) -> RatingFigures {
        let error =
            // The error costs a square root for each miner and epoch, and most policies don't use it.
            if self.standard_errors_milli == 0 && self.expression.is_none() { 0 } else { track.error() };
        let margin = self.standard_errors_milli.saturating_mul(error) / 1000;
        // Two units take any average to -1 or below; a larger margin changes nothing and might overflow.
        let significant = track.average - i64::try_from(margin).unwrap_or(UNIT * 2).min(UNIT * 2);
        let mut rated = RatingFigures {
            average: track.average,
            error,
            significant,
            expressed: significant.clamp(0, UNIT),
            score: Score::ZERO,
            rating: Rating::Scored,
        };
        // Before everything else: what follows would rate an average that no longer says anything.
        if track.is_too_old(self, epoch) {
            rated.rating = Rating::TooOld;
            return rated;
        }
        if track.attempts < self.min_attempts {
            rated.rating = Rating::TooFewAttempts;
            return rated;
        }
        if let Some(expression) = &self.expression {
            match expression.value(&facts(track, epoch, &rated)) {
                Ok(value) => rated.expressed = value.clamp(0, UNIT),
                Err(_) => {
                    rated.rating = Rating::NoValue;
                    return rated;
                }
            }
        }
        // An expression may give less than 0, which the clamp above has made 0 already.
        if rated.expressed.unsigned_abs() < self.floor.billionths() {
            rated.rating = Rating::BelowMinMark;
            return rated;
        }
        let ramped =
            ramp(rated.expressed, self.ramp_epochs, epoch.saturating_sub(track.since).saturating_add(1));
        rated.score = Mark::from_billionths(ramped).map(Score::clip).unwrap_or_default();
        rated
    }
}

/// A newcomer's share of its score: `age / epochs`, the first epoch counting as 1.
#[inline]
pub fn ramp(score: i64, epochs: u64, age: u64) -> i64 {
    if age >= epochs {
        return score;
    }
    divide(i128::from(score) * i128::from(age), i128::from(epochs))
}

fn facts(track: &Track, epoch: u64, rated: &RatingFigures) -> Facts {
    let unit = |value: i64| value as f64 / UNIT as f64;
    Facts {
        score: unit(rated.expressed),
        average: unit(rated.average),
        error: rated.error as f64 / UNIT as f64,
        answered: unit(i64::from(track.answered)),
        capacity: unit(i64::from(track.capacity)),
        attempts: i64::try_from(track.attempts).unwrap_or(i64::MAX),
        age: i64::try_from(epoch.saturating_sub(track.since)).unwrap_or(i64::MAX),
    }
}
