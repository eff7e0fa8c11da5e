//! Checks of earlier epochs, which an epoch takes over where its task leaves unproven answers unchecked.

use parity_scale_codec::{Decode, Encode, Error, Input};
use serde::{Deserialize, Serialize};

use super::Fields;
use crate::{Beacon, Epoch, Mark, RegistrationId};

/// Everything that the checks of earlier epochs left behind. An epoch without this record judges by the terms of before it:
/// unchecked answers count in full, and a conviction refuses answers but leaves an average as it is.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct EarlierChecks {
    pub epoch: Epoch,
    /// Answers of a newcomer that checks have to accept before it is settled: as the task file says.
    pub newcomer_checks: u64,
    /// Ascending by registration.
    pub miners: Vec<CheckedMiner>,
    #[serde(default, skip_serializing_if = "Fields::is_empty")]
    pub fields: Fields,
}

impl EarlierChecks {
    /// Whoever comes now isn't paid before it is settled: others are settled, or wait already.
    pub fn make_newcomers_wait(&self) -> bool {
        self.miners.iter().any(|miner| miner.on_probation || miner.accepted >= self.newcomer_checks)
    }
}

/// What checks have shown of one registration.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct CheckedMiner {
    pub who: RegistrationId,
    /// Its answers that a check accepted, since it came or since it was last convicted.
    pub accepted: u64,
    /// It isn't paid before it is settled: it came when others were settled already, or was convicted.
    pub on_probation: bool,
    /// The marks of its newest checked answers.
    pub recent: RecentMarks,
    /// Its sequential test, where that has not ended.
    pub walk: OpenWalk,
}

/// The beacon by which a round's answers are drawn for checks: of a block that came once the answers were in, so that no miner
/// knew it, and of the same one for all validators, so that they check the same miners and convict them together.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct CheckDraw {
    pub epoch: Epoch,
    pub round: u32,
    pub beacon: Beacon,
    #[serde(default, skip_serializing_if = "Fields::is_empty")]
    pub fields: Fields,
}

/// A sequential test that has not ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct OpenWalk {
    /// In thousandths.
    pub log_odds: i32,
    pub checks: u32,
    pub tokens: u32,
}

/// Marks of the newest checked answers, at most [`RecentMarks::MAX`] of them, equal ones side by side taken together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Serialize, Deserialize)]
#[serde(try_from = "Vec<(Mark, u8)>", into = "Vec<(Mark, u8)>")]
pub struct RecentMarks(Vec<(Mark, u8)>);

impl RecentMarks {
    /// Checked answers that an unchecked one is held to.
    pub const MAX: u8 = 50;

    /// Takes in the newest mark, which displaces the oldest beyond the limit.
    pub fn push(&mut self, mark: Mark) {
        match self.0.last_mut() {
            Some((last, count)) if *last == mark => *count += 1,
            _ => self.0.push((mark, 1)),
        }
        if self.count() > usize::from(Self::MAX) {
            self.0[0].1 -= 1;
            self.0.retain(|(_, count)| *count > 0);
        }
    }

    /// The mean, rounded to the nearest billionth with halves away from zero; `None` without marks.
    pub fn mean(&self) -> Option<Mark> {
        let count = i64::try_from(self.count()).ok().filter(|count| *count > 0)?;
        let sum: i64 = self.0.iter().map(|(mark, count)| mark.billionths() * i64::from(*count)).sum();
        Mark::from_billionths((sum + sum.signum() * (count / 2)) / count)
    }

    pub fn count(&self) -> usize {
        self.0.iter().map(|(_, count)| usize::from(*count)).sum()
    }
}

impl TryFrom<Vec<(Mark, u8)>> for RecentMarks {
    type Error = &'static str;

    fn try_from(runs: Vec<(Mark, u8)>) -> Result<Self, Self::Error> {
        let marks = Self(runs);
        let is_merged = marks.0.windows(2).all(|pair| pair[0].0 != pair[1].0);
        if marks.count() > usize::from(Self::MAX)
            || !is_merged
            || marks.0.iter().any(|(_, count)| *count == 0)
        {
            return Err("recent marks are at most 50, equal ones side by side together");
        }
        Ok(marks)
    }
}

impl From<RecentMarks> for Vec<(Mark, u8)> {
    fn from(marks: RecentMarks) -> Self {
        marks.0
    }
}

// Decoding goes through the same door, so that no byte string holds more marks.
impl Decode for RecentMarks {
    fn decode<I: Input>(input: &mut I) -> Result<Self, Error> {
        Vec::<(Mark, u8)>::decode(input)?.try_into().map_err(Error::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(billionths: i64) -> Mark {
        Mark::from_billionths(billionths).expect("a mark")
    }

    #[test]
    fn the_mean_is_that_of_the_newest_fifty() {
        let mut recent = RecentMarks::default();
        assert_eq!(recent.mean(), None);
        (0..10).for_each(|_| recent.push(Mark::MIN));
        (0..49).for_each(|_| recent.push(Mark::MAX));
        assert_eq!((recent.count(), recent.mean()), (50, Some(mark(960_000_000))));
        recent.push(Mark::MAX);
        assert_eq!((recent.count(), recent.mean()), (50, Some(Mark::MAX)));
        recent.push(Mark::ZERO);
        assert_eq!(recent.mean(), Some(mark(980_000_000)));
    }

    #[test]
    fn halves_are_rounded_away_from_zero() {
        for (one, other, mean) in [(1, 0, 1), (-1, 0, -1), (1, -1, 0), (3, -2, 1)] {
            let mut recent = RecentMarks::default();
            recent.push(mark(one));
            recent.push(mark(other));
            assert_eq!(recent.mean(), Some(mark(mean)), "{one} and {other}");
        }
    }

    #[test]
    fn more_marks_than_there_may_be_do_not_decode() {
        let decode = |runs: Vec<(Mark, u8)>| RecentMarks::decode(&mut &runs.encode()[..]);
        assert!(decode(vec![(Mark::MAX, 50)]).is_ok() && decode(Vec::new()).is_ok());
        assert!(decode(vec![(Mark::MAX, 50), (Mark::MIN, 1)]).is_err());
        assert!(decode(vec![(Mark::MAX, 0)]).is_err());
        assert!(decode(vec![(Mark::MAX, 1), (Mark::MAX, 1)]).is_err());
    }
}
