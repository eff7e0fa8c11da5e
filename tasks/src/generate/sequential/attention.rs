//! Choice of the answers that are checked: newcomers, suspects, repeated ones, and a draw among the rest.

use std::collections::{BTreeMap, BTreeSet};

use weighhouse_types::{CheckedMiner, EarlierChecks, Hasher, Hotkey, RegistrationId, Standing};

use super::file::{Budget, Terms};
use super::sprt::LogOddsWalk;

/// The average of earlier epochs that a settled miner has at least: one that lost more to silence is checked until it is
/// cleared, so that checked answers and no others raise its average again.
const SETTLED_AVERAGE_BILLIONTHS: i64 = 950_000_000;
/// As above, under [`Terms::Verdicts`].
const SETTLED_AVERAGE_BEFORE_BILLIONTHS: i64 = 500_000_000;

/// Why an answer is checked, or isn't.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Attention {
    /// Not yet settled, or not yet cleared.
    Newcomer,
    /// The odds are against it.
    Suspect,
    /// The draw fell on it.
    Drawn,
    /// It says what was said before, to another question ([`Repetitions`](super::Repetitions)).
    Repeats,
    /// Its text is not what its tokens say.
    Contradicts,
    /// Convicted in this epoch: not checked, not paid.
    Convicted,
    /// Taken as it comes.
    Settled,
}

impl Attention {
    pub fn is_checked(self) -> bool {
        !matches!(self, Self::Convicted | Self::Settled)
    }
}

/// One epoch's checks so far, by miner.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Watch {
    walks: BTreeMap<RegistrationId, LogOddsWalk>,
    /// Miners that are no newcomers; true for those that have to be cleared first.
    settled: BTreeMap<RegistrationId, bool>,
    /// A newcomer is settled as soon as it is cleared.
    clears_newcomers: bool,
}

impl Watch {
    /// At an epoch's start: the standings and the checks that the epochs before left behind.
    pub fn new(budget: &Budget, carried: &[Standing], checks: Option<&EarlierChecks>) -> Self {
        let has_average = |average: i64| move |standing: &&Standing| standing.average.billionths() >= average;
        match budget.terms {
            Terms::Verdicts(least) => {
                let standings = carried.iter().filter(has_average(SETTLED_AVERAGE_BEFORE_BILLIONTHS));
                let settled = standings.filter(|standing| standing.attempts >= least);
                let settled = settled.map(|standing| (standing.who, false)).collect();
                Self { walks: BTreeMap::new(), settled, clears_newcomers: true }
            }
            Terms::Checks(least) => {
                let sound: BTreeSet<_> = carried
                    .iter()
                    .filter(has_average(SETTLED_AVERAGE_BILLIONTHS))
                    .map(|standing| standing.who)
                    .collect();
                let miners = || checks.into_iter().flat_map(|checks| &checks.miners);
                let settled = miners().filter(|miner| miner.accepted >= least);
                let settled = settled.map(|miner| (miner.who, !sound.contains(&miner.who))).collect();
                let walk = |miner: &CheckedMiner| (miner.who, LogOddsWalk::resume(&miner.walk));
                Self { walks: miners().map(walk).collect(), settled, clears_newcomers: false }
            }
        }
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
        let is_new = match self.settled.get(who) {
            Some(has_to_be_cleared) => *has_to_be_cleared && !walk.was_cleared(),
            None => !(self.clears_newcomers && walk.was_cleared()),
        };
        // First: it is paid nothing, so that no further check of it is worth its cost.
        if walk.is_convicted() {
            Attention::Convicted
        } else if walk.is_suspect() {
            Attention::Suspect
        } else if is_new {
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
