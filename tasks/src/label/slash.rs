//! When a worker's gold says that it labels worse than the policy allows: a test that may be looked at after every item.
//!
//! The test bets against "right with at least the least accuracy". Its wealth is a supermartingale while that holds, so by Ville's inequality it
//! ever exceeds 1/a with a chance of at most a.

/// Stakes that are bet side by side, as shares of the largest.
const STAKES: [f64; 8] = [0.05, 0.1, 0.2, 0.3, 0.45, 0.6, 0.8, 0.95];
/// Wealth at which a worker is slashed: wrongly in one lifetime of 10,000 at most.
pub const SLASH_AT: f64 = 1e4;

/// The wealth of a bet against one worker.
#[derive(Clone, Debug, PartialEq)]
pub struct Wager {
    least: f64,
    /// Of each stake.
    wealth: [f64; STAKES.len()],
}

impl Wager {
    /// Against an accuracy of at least `least`, which lies strictly between 0 and 1.
    pub fn new(least: f64) -> Self {
        Self { least, wealth: [1.0; STAKES.len()] }
    }

    /// Takes in whether one more gold item was labelled right.
    pub fn take(&mut self, is_right: bool) {
        let miss = self.least - f64::from(u8::from(is_right));
        for (wealth, stake) in self.wealth.iter_mut().zip(STAKES) {
            // The largest stake loses all with one right label.
            *wealth *= 1.0 + stake / (1.0 - self.least) * miss;
        }
    }

    /// The mean wealth of all stakes: a supermartingale as each of them is.
    pub fn wealth(&self) -> f64 {
        self.wealth.iter().fold(0.0, |sum, wealth| sum + wealth) / STAKES.len() as f64
    }

    pub fn slashes(&self) -> bool {
        self.wealth() >= SLASH_AT
    }
}
