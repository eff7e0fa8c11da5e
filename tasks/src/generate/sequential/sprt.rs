//! The sequential probability ratio test: log-odds that each checked token moves, between two bounds.

use weighhouse_types::OpenWalk;

/// Upper ends of the bins that a calibration counts margins in, in units of the logits.
pub const EDGES: [f64; 8] = [0.0, 1e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3];

/// Cap on one check's log-likelihood ratio, in either direction, so that a single outlier decides nothing that its own
/// verdict doesn't say already.
const STEP_MAX: f64 = 30.0;

/// The two hypotheses and the error rates between them.
#[derive(Clone, Debug, PartialEq)]
pub struct SequentialTest {
    /// Upper ends of all bins but the last; ascending.
    edges: Vec<f64>,
    /// Log-odds that a token in each bin adds.
    weights: Vec<f64>,
    convict: f64,
    clear: f64,
}

/// State of the test of one miner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Undecided,
    Cleared,
    Convicted,
}

/// One miner's walk.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LogOddsWalk {
    log_odds: f64,
    /// Checks since the walk began at 0, or ended.
    checks: u32,
    tokens: u32,
    /// True once the walk has ended at the lower bound.
    cleared: bool,
    convicted: bool,
}

impl SequentialTest {
    /// `honest` and `cheat` give each bin's share of tokens, in the order of `edges` and one more for what is above the
    /// last. Shares are above 0; they are scaled to sum to 1.
    pub fn new(edges: Vec<f64>, honest: &[f64], cheat: &[f64], false_alarm: f64, miss: f64) -> Self {
        let (all_honest, all_cheat) = (honest.iter().sum::<f64>(), cheat.iter().sum::<f64>());
        let weight = |(honest, cheat): (&f64, &f64)| libm::log((cheat / all_cheat) / (honest / all_honest));
        Self {
            edges,
            weights: honest.iter().zip(cheat).map(weight).collect(),
            convict: libm::log((1.0 - miss) / false_alarm),
            clear: libm::log(miss / (1.0 - false_alarm)),
        }
    }

    /// Tells whether any margin speaks for a cheat: a test without such a bin never convicts.
    pub(super) fn can_convict(&self) -> bool {
        self.weights.iter().any(|weight| *weight > 0.0)
    }

    /// The bin of a margin.
    pub(crate) fn bin(edges: &[f64], margin: f64) -> usize {
        // NaN is below no edge and falls into the last bin, the worst.
        edges.iter().position(|edge| margin <= *edge).unwrap_or(edges.len())
    }

    /// Counts the margins that fall into each bin.
    pub fn count(&self, margins: &[f32]) -> Vec<u32> {
        let mut counts = vec![0; self.weights.len()];
        for margin in margins {
            counts[Self::bin(&self.edges, f64::from(*margin))] += 1;
        }
        counts
    }

    pub(super) fn step(&self, counts: &[u32]) -> f64 {
        let step: f64 =
            self.weights.iter().zip(counts).map(|(weight, count)| weight * f64::from(*count)).sum();
        step.clamp(-STEP_MAX, STEP_MAX)
    }
}

impl LogOddsWalk {
    /// Goes on with a walk of an earlier epoch.
    pub(super) fn resume(open: &OpenWalk) -> Self {
        let OpenWalk { log_odds, checks, tokens } = *open;
        Self { log_odds: f64::from(log_odds) / 1_000.0, checks, tokens, ..Self::default() }
    }

    /// The walk as a later epoch goes on with it; it begins anew where it has ended.
    pub fn leave(&self, test: &SequentialTest) -> OpenWalk {
        match self.verdict(test) {
            Verdict::Undecided => {
                OpenWalk { log_odds: self.log_odds(), checks: self.checks, tokens: self.tokens }
            }
            Verdict::Cleared | Verdict::Convicted => OpenWalk::default(),
        }
    }

    /// Takes in one check: [`SequentialTest::count`] of its margins.
    pub fn take(&mut self, test: &SequentialTest, counts: &[u32]) -> Verdict {
        if self.convicted {
            return Verdict::Convicted;
        }
        // A walk that ended at the lower bound starts anew: an old merit must not weigh against new evidence.
        if self.log_odds <= test.clear {
            (self.log_odds, self.checks, self.tokens) = (0.0, 0, 0);
        }
        self.log_odds += test.step(counts);
        self.checks = self.checks.saturating_add(1);
        self.tokens = counts.iter().fold(self.tokens, |tokens, count| tokens.saturating_add(*count));
        self.convicted = self.log_odds >= test.convict;
        // Kept when a later walk begins: a miner that was cleared once is no newcomer any more.
        self.cleared |= self.log_odds <= test.clear;
        self.verdict(test)
    }

    pub fn verdict(&self, test: &SequentialTest) -> Verdict {
        if self.convicted {
            Verdict::Convicted
        } else if self.log_odds <= test.clear {
            Verdict::Cleared
        } else {
            Verdict::Undecided
        }
    }

    /// Tells whether the evidence speaks against the miner more than for it.
    pub fn is_suspect(&self) -> bool {
        self.log_odds > 0.0
    }

    /// In thousandths.
    pub fn log_odds(&self) -> i32 {
        (self.log_odds * 1_000.0).round() as i32
    }

    pub fn checks(&self) -> u32 {
        self.checks
    }

    pub fn tokens(&self) -> u32 {
        self.tokens
    }

    /// Tells whether the miner was cleared at some time.
    pub fn was_cleared(&self) -> bool {
        self.cleared
    }

    pub fn is_convicted(&self) -> bool {
        self.convicted
    }
}
