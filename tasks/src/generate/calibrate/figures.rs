//! Counts of a calibration, and the table that it prints.

use serde::Serialize;
use weighhouse_types::Reason;

use super::Limits;
use super::answers::Answers;
use crate::calibrate::{RateBound, bounded, significant};
use crate::generate::verdict::mean;
use crate::sequential::{EDGES, LogOddsWalk, Pretence, SequentialTest, Verdict, rate_at_most};
use crate::witness::Testimony;

/// Error rates of the sequential test in the table.
pub(super) const FALSE_ALARM: f64 = 2e-8;
pub(super) const MISS: f64 = 0.01;
/// The false-positive rates at which detection is told.
const RATES: [f64; 2] = [0.01, 0.001];

/// One persona's answers as the reference sees them.
pub(super) struct PersonaSample {
    pub(super) name: String,
    pub(super) is_honest: bool,
    /// Of each answer that was well-formed.
    margins: Vec<Vec<f32>>,
    /// The largest difference of a claimed log-probability, of each such answer.
    differences: Vec<f64>,
    /// Why the others were not.
    pub(super) refused: Vec<String>,
    /// CPU-seconds of one answer, and of one check.
    pub(super) answering: f64,
    pub(super) judging: f64,
    /// As in [`Answers`].
    cost: Option<f64>,
}

/// One row per persona.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Table {
    pub(super) rows: Vec<Row>,
    /// Of the sequential test.
    pub(super) false_alarm: f64,
    pub(super) miss: f64,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Row {
    pub(super) persona: String,
    pub(super) honest: bool,
    /// Share of tokens that are exactly the reference's choice.
    pub(super) exact: f64,
    /// Mean and largest over answers of the mean clipped margin.
    pub(super) mean: f64,
    pub(super) largest: f64,
    /// Share of answers that one check rejects under the limits.
    pub(super) rejected: f64,
    /// The area under the ROC curve of one check's mean margin against the honest; 0.5 is chance.
    pub(super) auc: f64,
    /// Share of answers rejected where 1 in 100, and 1 in 1,000, of honest answers would be.
    pub(super) detected: [f64; 2],
    /// Checks until the sequential test is sure, on average, and the share that it convicts.
    pub(super) checks: f64,
    pub(super) convicted: f64,
    /// Convictions for a CPU-second of the judge; of honest ones, false ones.
    pub(super) power: f64,
}

impl PersonaSample {
    pub(super) fn new(answers: &Answers<'_>) -> Self {
        Self {
            name: answers.name.clone(),
            is_honest: answers.is_honest,
            margins: Vec::new(),
            differences: Vec::new(),
            refused: Vec::new(),
            answering: 0.0,
            judging: 0.0,
            cost: answers.cost,
        }
    }

    pub(super) fn refuse(&mut self, reason: Option<&Reason>) {
        self.refused.push(match reason {
            Some(Reason::Contradicts { what, .. } | Reason::Malformed { what, .. }) => what.clone(),
            Some(reason) => reason.to_string(),
            None => "no reason".to_owned(),
        });
    }

    pub(super) fn take(&mut self, claimed: &[f32], testimony: Testimony) {
        let differences = claimed.iter().zip(&testimony.log_probs);
        let differences = differences.map(|(claimed, own)| (f64::from(*claimed) - f64::from(*own)).abs());
        self.differences.push(differences.fold(0.0, f64::max));
        self.margins.push(testimony.margins);
    }

    /// Answers that limits are set by; the others say how good the limits are.
    fn fitted(&self) -> usize {
        self.margins.len().div_ceil(2)
    }

    pub(super) fn largest_margin(&self) -> f64 {
        let margins = self.margins[..self.fitted()].iter().flatten();
        margins.map(|margin| f64::from(*margin)).fold(0.0, f64::max)
    }

    pub(super) fn largest_mean(&self, clip: f64) -> f64 {
        self.margins[..self.fitted()].iter().map(|margins| mean(clip, margins)).fold(0.0, f64::max)
    }

    pub(super) fn largest_difference(&self) -> f64 {
        self.differences[..self.fitted()].iter().copied().fold(0.0, f64::max)
    }

    /// The share of tokens in each bin.
    pub(super) fn shares(&self) -> Vec<f64> {
        // From 1 and not 0, so that no bin is impossible: the test takes logarithms of these shares' ratios.
        let counts = self.counts().map(|count| count + 1);
        let total: u32 = counts.iter().sum();
        counts.iter().map(|count| significant(f64::from(*count) / f64::from(total))).collect()
    }

    /// The largest share of tokens in each bin that their number allows (95 % confidence): an honest miner's false
    /// convictions are bounded by it.
    fn shares_at_most(&self) -> Vec<f64> {
        let counts = self.counts();
        let total = counts.iter().sum();
        counts.iter().map(|count| significant(rate_at_most(total, *count))).collect()
    }

    fn counts(&self) -> [u32; EDGES.len() + 1] {
        let mut counts = [0; EDGES.len() + 1];
        for margin in self.margins.iter().flatten() {
            counts[SequentialTest::bin(&EDGES, f64::from(*margin))] += 1;
        }
        counts
    }

    /// What the sequential test says of it as a way of pretending; `honest` is what an honest answer costs.
    fn pretence(&self, limits: &Limits, honest: f64) -> Pretence {
        let walks = self.walks(&test(limits));
        let rejected = (0..self.margins.len()).filter(|at| self.is_beyond(*at, limits)).count();
        Pretence {
            name: self.name.clone(),
            cost: significant(self.cost.unwrap_or(self.answering / honest.max(f64::MIN_POSITIVE)).min(1.0)),
            checks: walks.checks,
            convicted: walks.convicted,
            refused: significant(self.refused.len() as f64 / self.answers().max(1) as f64),
            rejected: significant(rejected as f64 / self.margins.len().max(1) as f64),
        }
    }

    /// Checks its answers, a walk after another.
    fn walks(&self, test: &SequentialTest) -> Walks {
        let mut walks = Walks { checks: self.margins.len() as u32, ..Walks::default() };
        let mut walk = LogOddsWalk::default();
        for margins in &self.margins {
            match walk.take(test, &test.count(margins)) {
                Verdict::Undecided => continue,
                verdict => walks.convicted += u32::from(verdict == Verdict::Convicted),
            }
            walks.ended += 1;
            walk = LogOddsWalk::default();
        }
        walks
    }

    fn is_beyond(&self, at: usize, limits: &Limits) -> bool {
        let margins = &self.margins[at];
        margins.iter().any(|margin| f64::from(*margin) > limits.token_max)
            || mean(limits.clip, margins) > limits.tolerance
            || self.differences[at] > limits.log_prob_max
    }

    /// The share of tokens that are not exactly the reference's choice.
    fn away(&self) -> f64 {
        1.0 - self.shares()[0]
    }

    fn answers(&self) -> usize {
        self.margins.len() + self.refused.len()
    }

    /// Each answer's mean clipped margin.
    fn means(&self, clip: f64) -> Vec<f64> {
        let means = self.margins.iter().map(|margins| mean(clip, margins));
        // An answer that was refused is further off than any.
        means.chain(self.refused.iter().map(|_| f64::INFINITY)).collect()
    }
}

/// Walks through one persona's answers.
#[derive(Default)]
struct Walks {
    checks: u32,
    ended: u32,
    convicted: u32,
}

/// The honest histogram with the most tokens away from 0: what is honest on the worst backend is honest.
pub(super) fn most_spread(honest: &[&PersonaSample]) -> Vec<f64> {
    let worst = honest.iter().max_by(|a, b| a.away().total_cmp(&b.away()));
    worst.map_or_else(Vec::new, |seen| seen.shares_at_most())
}

/// Every way of pretending, and that of passing on another's answer, which costs whoever gives it as much.
pub(super) fn pretences(limits: &Limits, seen: &[PersonaSample]) -> Vec<Pretence> {
    let honest = seen.iter().find(|seen| seen.is_honest).map_or(0.0, |seen| seen.answering);
    let relayed = Pretence {
        name: "relayed".to_owned(),
        cost: 1.0,
        checks: 0,
        convicted: 0,
        refused: 0.0,
        rejected: 0.0,
    };
    let cheats = seen.iter().filter(|seen| !seen.is_honest);
    cheats.map(|seen| seen.pretence(limits, honest)).chain([relayed]).collect()
}

pub(super) fn test(limits: &Limits) -> SequentialTest {
    SequentialTest::new(limits.edges.clone(), &limits.honest, &limits.cheat, FALSE_ALARM, MISS)
}

pub(super) fn bound(seen: &[PersonaSample], limits: &Limits) -> RateBound {
    let honest = seen.iter().filter(|seen| seen.is_honest);
    let (mut checks, mut beyond) = (0, 0);
    for seen in honest {
        let held_out = seen.fitted()..seen.margins.len();
        checks += held_out.len() as u32;
        beyond += held_out.filter(|at| seen.is_beyond(*at, limits)).count() as u32;
    }
    bounded(checks, beyond)
}

pub(super) fn table(limits: &Limits, seen: &[PersonaSample]) -> Table {
    let test = test(limits);
    let mut honest: Vec<f64> =
        seen.iter().filter(|seen| seen.is_honest).flat_map(|seen| seen.means(limits.clip)).collect();
    honest.sort_by(f64::total_cmp);
    let rows = seen.iter().map(|seen| row(limits, &test, &honest, seen)).collect();
    Table { rows, false_alarm: FALSE_ALARM, miss: MISS }
}

fn row(limits: &Limits, test: &SequentialTest, honest: &[f64], seen: &PersonaSample) -> Row {
    let means = seen.means(limits.clip);
    let answers = means.len().max(1) as f64;
    let tokens = seen.margins.iter().map(Vec::len).sum::<usize>();
    let exact = seen.margins.iter().flatten().filter(|margin| **margin == 0.0).count();
    let beyond =
        (0..seen.margins.len()).filter(|at| seen.is_beyond(*at, limits)).count() + seen.refused.len();
    let finite: Vec<f64> = means.iter().copied().filter(|mean| mean.is_finite()).collect();
    let (checks, convicted) = sure(test, seen);
    let seconds = checks * seen.judging;
    Row {
        persona: seen.name.clone(),
        honest: seen.is_honest,
        exact: significant(exact as f64 / tokens.max(1) as f64),
        mean: significant(finite.iter().sum::<f64>() / finite.len().max(1) as f64),
        largest: significant(finite.iter().copied().fold(0.0, f64::max)),
        rejected: significant(beyond as f64 / answers),
        auc: significant(area(honest, &means)),
        detected: RATES.map(|rate| {
            let above = honest[((honest.len() as f64 * (1.0 - rate)) as usize).min(honest.len() - 1)];
            significant(means.iter().filter(|mean| **mean > above).count() as f64 / answers)
        }),
        checks: significant(checks),
        convicted: significant(convicted),
        power: if seconds > 0.0 { significant(convicted / seconds) } else { 0.0 },
    }
}

/// Checks until sure on average, and the share of convictions.
fn sure(test: &SequentialTest, seen: &PersonaSample) -> (f64, f64) {
    if seen.margins.is_empty() {
        // Their form alone decides, at the first look.
        return (1.0, if seen.answers() > 0 { 1.0 } else { 0.0 });
    }
    let walks = seen.walks(test);
    // Where no walk came to an end, all checks belong to one that is still open.
    let ended = f64::from(walks.ended.max(1));
    (f64::from(walks.checks) / ended, f64::from(walks.convicted) / ended)
}

/// The chance that a persona's answer is further off than an honest one; a tie is half.
fn area(honest: &[f64], others: &[f64]) -> f64 {
    let below = |value: f64| {
        let less = honest.partition_point(|own| *own < value);
        let upto = honest.partition_point(|own| *own <= value);
        (less + upto) as f64 / 2.0
    };
    others.iter().map(|other| below(*other)).sum::<f64>() / (honest.len() * others.len()).max(1) as f64
}
