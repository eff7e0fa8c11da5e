//! Whom the judge looks at.

use std::collections::BTreeMap;

use weighhouse_types::{Hasher, Hotkey, RegistrationId, Standing};

use super::{Budget, Course};

/// The average of earlier epochs must not be below this for a miner to be settled.
const SETTLED_AVERAGE_BILLIONTHS: i64 = 500_000_000;

/// Why an answer is checked, or isn't.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Attention {
    /// Not yet cleared.
    Newcomer,
    /// The odds are against it.
    Suspect,
    /// The draw fell on it.
    Drawn,
    /// It says what was said before, to another question ([`Heard`](super::Heard)).
    Repeats,
    /// Convicted in this epoch: not checked, not paid.
    Convicted,
    /// Taken as it comes.
    Settled,
}

impl Attention {
    pub fn is_checked(self) -> bool {
        matches!(self, Self::Newcomer | Self::Suspect | Self::Drawn | Self::Repeats)
    }
}

/// What one epoch's checks have said of everybody so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Watch {
    courses: BTreeMap<RegistrationId, Course>,
    settled: BTreeMap<RegistrationId, ()>,
}

impl Watch {
    /// At an epoch's start: `carried` is what the epoch before left behind.
    pub fn new(budget: &Budget, carried: &[Standing]) -> Self {
        let is_settled = |standing: &&Standing| {
            standing.attempts >= budget.settled_after
                && standing.average.billionths() >= SETTLED_AVERAGE_BILLIONTHS
        };
        let settled = carried.iter().filter(is_settled).map(|standing| (standing.who, ()));
        Self { courses: BTreeMap::new(), settled: settled.collect() }
    }

    /// Takes in one check ([`Test::count`](super::Test::count)); the miner's course after it.
    pub fn take(&mut self, budget: &Budget, who: RegistrationId, counts: &[u32]) -> Course {
        let course = self.courses.entry(who).or_default();
        course.take(&budget.test, counts);
        *course
    }

    pub fn course(&self, who: &RegistrationId) -> Course {
        self.courses.get(who).copied().unwrap_or_default()
    }

    /// `seed` is the challenge's, which nobody knows before the answer is in.
    pub fn attention(&self, budget: &Budget, who: &RegistrationId, seed: &[u8; 32]) -> Attention {
        let course = self.course(who);
        match () {
            () if course.is_convicted() => Attention::Convicted,
            () if course.is_suspect() => Attention::Suspect,
            () if !course.was_cleared() && !self.settled.contains_key(who) => Attention::Newcomer,
            () if is_drawn(budget.drawn, seed, &who.hotkey) => Attention::Drawn,
            () => Attention::Settled,
        }
    }
}

/// A draw that follows from the challenge's seed, whose VRF proof is on record.
fn is_drawn(share: f64, seed: &[u8; 32], hotkey: &Hotkey) -> bool {
    let draw = Hasher::new("weighhouse/check/v1").part(seed).part(&hotkey.0).finish();
    let draw = draw.as_bytes().iter().take(4).fold(0_u32, |draw, byte| draw << 8 | u32::from(*byte));
    f64::from(draw) < share * 4_294_967_296.0
}
