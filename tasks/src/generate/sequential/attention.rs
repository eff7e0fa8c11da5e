//! Choice of the answers that are checked: newcomers, suspects, repeated ones, and a draw among the rest.

use std::collections::{BTreeMap, BTreeSet};

use weighhouse_types::{Hasher, Hotkey, RegistrationId, Standing};

use super::file::Budget;
use super::sprt::LogOddsWalk;

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
    /// It says what was said before, to another question ([`Repetitions`](super::Repetitions)).
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

/// One epoch's checks so far, by miner.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Watch {
    walks: BTreeMap<RegistrationId, LogOddsWalk>,
    settled: BTreeSet<RegistrationId>,
}

impl Watch {
    /// At an epoch's start: `carried` is what the epoch before left behind.
    pub fn new(budget: &Budget, carried: &[Standing]) -> Self {
        let is_settled = |standing: &&Standing| {
            standing.attempts >= budget.settled_after
                && standing.average.billionths() >= SETTLED_AVERAGE_BILLIONTHS
        };
        let settled = carried.iter().filter(is_settled).map(|standing| standing.who);
        Self { walks: BTreeMap::new(), settled: settled.collect() }
    }

    /// Takes in one check ([`SequentialTest::count`](super::SequentialTest::count)); the miner's walk after it.
    pub fn take(&mut self, budget: &Budget, who: RegistrationId, counts: &[u32]) -> LogOddsWalk {
        let walk = self.walks.entry(who).or_default();
        walk.take(&budget.test, counts);
        *walk
    }

    pub fn walk(&self, who: &RegistrationId) -> LogOddsWalk {
        self.walks.get(who).copied().unwrap_or_default()
    }

    /// `seed` is the challenge's, which nobody knows before the answer is in.
    pub fn attention(&self, budget: &Budget, who: &RegistrationId, seed: &[u8; 32]) -> Attention {
        let walk = self.walk(who);
        // First: it is paid nothing, so that no further check of it is worth its cost.
        if walk.is_convicted() {
            Attention::Convicted
        } else if walk.is_suspect() {
            Attention::Suspect
        } else if !walk.was_cleared() && !self.settled.contains(who) {
            Attention::Newcomer
        } else if is_drawn(budget.drawn, seed, &who.hotkey) {
            Attention::Drawn
        } else {
            Attention::Settled
        }
    }
}

/// A draw that follows from the challenge's seed, whose VRF proof is on record.
fn is_drawn(share: f64, seed: &[u8; 32], hotkey: &Hotkey) -> bool {
    let draw = Hasher::new("weighhouse/check/v1").part(seed).part(&hotkey.0).finish();
    // 32 bits, which an f64 holds exactly.
    let draw = draw.as_bytes().iter().take(4).fold(0_u32, |draw, byte| draw << 8 | u32::from(*byte));
    f64::from(draw) < share * 4_294_967_296.0
}
