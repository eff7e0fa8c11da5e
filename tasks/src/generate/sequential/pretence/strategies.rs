//! Strategies of being honest for some epochs and pretending for others, followed exactly: a Markov chain over a miner's
//! standing, epoch by epoch.
//!
//! A miner's state is the number of epochs that it still has to serve unpaid; 0 is settled. An epoch of pretending
//! convicts with the chance that one of its answers is checked and the test then says so. All that is not followed is in
//! the cheat's favour: a check that doesn't convict leaves no suspicion, no mark below the others' and no walk, and an
//! answer that isn't found out counts as one that a check accepted. What is still to be served unpaid at the end counts.

use serde::Serialize;

use super::epoch::PretendingEpoch;
use super::{Pretence, Stakes};

/// Epochs over which a strategy is followed.
pub(super) const EPOCHS: u32 = 200;

/// Honest for so many epochs, then pretending for so many, again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Strategy {
    pub honest: u32,
    pub pretending: u32,
    /// After a conviction it is honest until its standing is back, and begins anew; else it goes on by the calendar.
    pub regains: bool,
}

/// What a strategy is worth, in units of a settled miner's pay for one answer and beside honest work in its place.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct StrategyWorth {
    pub strategy: Strategy,
    /// Over all epochs, from a newcomer's first.
    pub gain: f64,
    /// One stretch of pretending by a settled miner, with all that follows until standing is back.
    pub stretch: f64,
    /// The standard deviation of that.
    pub spread: f64,
}

/// Strategies around one way of pretending.
#[derive(Clone, Copy, Debug)]
pub struct Strategies<'a> {
    pretence: &'a Pretence,
    stakes: Stakes,
    settled: PretendingEpoch,
    waiting: PretendingEpoch,
}

impl<'a> Strategies<'a> {
    pub fn new(pretence: &'a Pretence, stakes: Stakes) -> Self {
        let settled = PretendingEpoch::settled(pretence, &stakes, stakes.rounds);
        let waiting = PretendingEpoch::waiting(pretence, &stakes, stakes.rounds);
        Self { pretence, stakes, settled, waiting }
    }

    /// Every strategy of up to so many epochs of each sort, the nearest to honest work first; of the two ways of going on after
    /// a conviction the better one.
    pub fn all(&self, epochs_max: u32) -> Vec<StrategyWorth> {
        let mut worths = Vec::new();
        for honest in 1..=epochs_max {
            for pretending in 1..=epochs_max {
                let [one, other] =
                    [false, true].map(|regains| self.worth(Strategy { honest, pretending, regains }));
                worths.push(if one.gain >= other.gain { one } else { other });
            }
        }
        worths.sort_by(|one, other| other.gain.total_cmp(&one.gain));
        worths
    }

    pub fn worth(&self, strategy: Strategy) -> StrategyWorth {
        let gain = match strategy.regains {
            true => self.with_regaining(strategy),
            false => self.by_calendar(strategy),
        };
        // Honest work in the same place waits as long for its first pay.
        let (stretch, spread) = self.stretch(strategy.pretending);
        StrategyWorth { strategy, gain: gain + self.stakes.loss(), stretch, spread }
    }

    /// The most that any strategy of a settled miner gains, whatever it does in which epoch and in how many of its answers:
    /// backward induction over all of them. Honest work is 0.
    pub fn best(&self) -> f64 {
        let rounds = f64::from(self.stakes.rounds);
        let choices: Vec<_> = (0..=self.stakes.rounds)
            .map(|answers| {
                let settled = PretendingEpoch::settled(self.pretence, &self.stakes, answers);
                (settled, PretendingEpoch::waiting(self.pretence, &self.stakes, answers))
            })
            .collect();
        let wait = self.stakes.wait as usize;
        let mut worth: Vec<f64> = (0..=wait).map(|left| -(left as f64) * rounds).collect();
        for _ in 0..EPOCHS {
            let of = |left: usize| {
                let goes_on = |epoch: &PretendingEpoch| {
                    let kept = worth[left.saturating_sub(1)];
                    epoch.gain() + epoch.convicted * worth[wait] + (1.0 - epoch.convicted) * kept
                };
                let choice = |(settled, waiting): &(PretendingEpoch, PretendingEpoch)| {
                    goes_on(if left == 0 { settled } else { waiting })
                };
                choices.iter().map(choice).fold(f64::NEG_INFINITY, f64::max)
            };
            worth = (0..=wait).map(of).collect();
        }
        worth[0]
    }

    /// The pay of always pretending over a settled honest miner's. As one of a validator's first, which is paid from the
    /// start: its every answer is checked until it would be settled.
    pub fn always_paid(&self) -> f64 {
        let escapes = 1.0 - self.waiting.convicted;
        let wait = self.stakes.wait.min(EPOCHS);
        let escapes_all = |epochs: u32| libm::pow(escapes, f64::from(epochs));
        let as_newcomer: f64 = (1..=wait).map(escapes_all).sum();
        let (mut chance, mut paid) = (vec![0.0; self.stakes.wait as usize + 1], as_newcomer);
        chance[0] = escapes_all(wait);
        *chance.last_mut().unwrap_or(&mut 0.0) += 1.0 - escapes_all(wait);
        for _ in self.stakes.wait..EPOCHS {
            paid += chance[0] * (1.0 - self.settled.convicted);
            chance = self.pretend(&chance);
        }
        paid * (1.0 - self.pretence.refused) / f64::from(EPOCHS)
    }

    /// The standings after an epoch of pretending.
    fn pretend(&self, chance: &[f64]) -> Vec<f64> {
        let mut next = vec![0.0; chance.len()];
        for (left, chance) in chance.iter().enumerate() {
            let epoch = if left == 0 { &self.settled } else { &self.waiting };
            next[left.saturating_sub(1)] += chance * (1.0 - epoch.convicted);
            next[self.stakes.wait as usize] += chance * epoch.convicted;
        }
        next
    }

    fn by_calendar(&self, strategy: Strategy) -> f64 {
        let mut chance = vec![0.0; self.stakes.wait as usize + 1];
        chance[self.stakes.wait as usize] = 1.0;
        let mut gain = 0.0;
        for epoch in 0..EPOCHS {
            let unpaid = 1.0 - chance[0];
            if epoch % (strategy.honest + strategy.pretending) < strategy.honest {
                gain -= unpaid * f64::from(self.stakes.rounds);
                let settled = chance.remove(0);
                chance.push(0.0);
                chance[0] += settled;
            } else {
                gain += unpaid * self.waiting.gain() + chance[0] * self.settled.gain();
                chance = self.pretend(&chance);
            }
        }
        gain - self.owed(&chance)
    }

    fn with_regaining(&self, strategy: Strategy) -> f64 {
        let (wait, rounds) = (self.stakes.wait as usize, f64::from(self.stakes.rounds));
        let mut regaining = vec![0.0; wait + 1];
        // By the epoch of the strategy that is next.
        let mut standing = vec![0.0; (strategy.honest + strategy.pretending) as usize];
        regaining[wait] = 1.0;
        let mut gain = 0.0;
        for _ in 0..EPOCHS {
            gain -= regaining[1..].iter().sum::<f64>() * rounds;
            regaining.remove(0);
            regaining.push(0.0);
            let pretends: f64 = standing[strategy.honest as usize..].iter().sum();
            gain += pretends * self.settled.gain();
            regaining[wait] += pretends * self.settled.convicted;
            for chance in &mut standing[strategy.honest as usize..] {
                *chance *= 1.0 - self.settled.convicted;
            }
            standing.rotate_right(1);
            standing[0] += std::mem::take(&mut regaining[0]);
        }
        gain - self.owed(&regaining)
    }

    /// The mean of a stretch of so many epochs, and its standard deviation.
    fn stretch(&self, pretending: u32) -> (f64, f64) {
        let PretendingEpoch { convicted, kept, caught } = self.settled;
        let (mut mean, mut square, mut chance) = (0.0, 0.0, 1.0);
        let mut ends = |chance: f64, worth: f64| {
            mean += chance * worth;
            square += chance * worth * worth;
        };
        for epochs in 0..pretending {
            ends(chance * convicted, f64::from(epochs) * kept + caught - self.stakes.loss());
            chance *= 1.0 - convicted;
        }
        ends(chance, f64::from(pretending) * kept);
        (mean, libm::sqrt((square - mean * mean).max(0.0)))
    }

    /// What is still to be served unpaid.
    fn owed(&self, chance: &[f64]) -> f64 {
        let left: f64 = chance.iter().enumerate().map(|(left, chance)| left as f64 * chance).sum();
        left * f64::from(self.stakes.rounds)
    }
}
