//! Judging all miners of a validator at once: what [`super::asking::VerdictDraw`], [`Track::fold`] and [`Policy::rate`] do one
//! miner at a time, in loops over arrays that compilers turn into vector instructions. The figures are the same ones;
//! policies that need more of a track than an exponential average go the way of the tracks.
//!
//! [`Track::fold`]: weighhouse_scoring::track::Track::fold

use super::asking::{DistributionColumns, Terms, VerdictDraw};
use weighhouse_scoring::policy::{Averaging, Expression, Facts, Fraction, Policy};
use weighhouse_scoring::rate::ramp;
use weighhouse_scoring::track::divide_i64;

const UNIT: f64 = 1e9;

/// Most challenges that the loops take: the sum of as many values, in billionths, is far below 2^52, where floats hold every integer.
const CHALLENGES_MAX: u32 = 4000;

/// Tracks of one validator as columns by slot; all values are integers.
#[derive(Clone, Debug, Default)]
pub(super) struct Averages {
    /// Signed, in billionths.
    average: Vec<f64>,
    attempts: Vec<f64>,
    since: Vec<f64>,
    judged_in: Vec<f64>,
}

/// One epoch's verdicts and scores, by slot; overwritten by each validator in turn.
#[derive(Clone, Debug, Default)]
pub(super) struct ScoreColumns {
    /// Deviates, then sums of values, then their means in billionths.
    values: Vec<f64>,
    /// In billionths; 0 for who is not scored.
    pub(super) scores: Vec<u32>,
    /// For whom the policy's expression has no value; empty without one.
    pub(super) unvalued: Vec<bool>,
}

/// Keys of a policy that the loops need.
#[derive(Clone, Copy, Debug)]
pub(super) struct EmaRule {
    /// The share of an average that a better or a worse epoch leaves, in billionths.
    rise: SplitBillionths,
    fall: SplitBillionths,
    capacity: u32,
    max_age: f64,
    min_attempts: f64,
    floor: f64,
    ramp_epochs: u64,
}

/// Billionths in two digits, so that products with billionths are exact.
#[derive(Clone, Copy, Debug)]
struct SplitBillionths {
    high: f64,
    low: f64,
}

impl SplitBillionths {
    const DIGIT: u64 = 1 << 15;
    const DIGIT_FLOAT: f64 = 32_768.0;
    const ONE: Self = Self::new(1_000_000_000);

    const fn new(billionths: u64) -> Self {
        Self { high: (billionths / Self::DIGIT) as f64, low: (billionths % Self::DIGIT) as f64 }
    }

    #[inline(always)]
    fn billionths(self) -> f64 {
        self.high * Self::DIGIT_FLOAT + self.low
    }

    fn of(value: Fraction) -> Self {
        Self::new(value.billionths())
    }
}

impl EmaRule {
    /// `None` where a policy keeps more than an exponential average, asks for its error, or looks again at some miners only.
    pub(super) fn of(policy: &Policy, terms: &Terms) -> Option<Self> {
        let Averaging::Ema { rise, fall } = policy.averaging() else { return None };
        let looks_closer =
            policy.expression().is_some_and(Expression::reads_error) || policy.standard_errors() > 0.0;
        if looks_closer || terms.spot > 0 || terms.challenges > CHALLENGES_MAX {
            return None;
        }
        Some(Self {
            rise: SplitBillionths::of(rise),
            fall: SplitBillionths::of(fall),
            capacity: policy.capacity(),
            max_age: policy.max_age_epochs() as f64,
            min_attempts: policy.min_attempts() as f64,
            floor: policy.floor().billionths() as f64,
            ramp_epochs: policy.ramp_epochs(),
        })
    }
}

impl Averages {
    pub(super) fn reset(&mut self, slots: usize) {
        let Self { average, attempts, since, judged_in } = self;
        for column in [average, attempts, since, judged_in] {
            column.clear();
            column.resize(slots, 0.0);
        }
    }

    /// A new registration starts from nothing.
    pub(super) fn forget(&mut self, slot: usize) {
        self.attempts[slot] = 0.0;
    }

    /// True if a slot has had the verdicts that a score takes.
    pub(super) fn is_scored(&self, rule: &EmaRule, slot: usize) -> bool {
        self.attempts[slot] >= rule.min_attempts
    }

    /// Scores by the policy's expression, of averages that were just judged: [`Policy::rate_in_steps`] from there on.
    pub(super) fn express(
        &self,
        rule: &EmaRule,
        expression: &Expression,
        distributions: &DistributionColumns,
        draw: &VerdictDraw,
        epoch: u32,
        sheet: &mut ScoreColumns,
    ) {
        let ScoreColumns { scores, unvalued, .. } = sheet;
        unvalued.clear();
        unvalued.resize(self.average.len(), false);
        let share = |part: u32, whole: u32| {
            (u64::from(part.min(whole)) * 1_000_000_000 / u64::from(whole)) as f64 / UNIT
        };
        for (slot, score) in scores.iter_mut().enumerate() {
            *score = 0;
            if self.attempts[slot] < rule.min_attempts || !distributions.is_registered(slot) {
                continue;
            }
            let in_time = draw.in_time(distributions, slot);
            let age = u64::from(epoch) - self.since[slot] as u64;
            let facts = Facts {
                score: self.average[slot].clamp(0.0, UNIT) / UNIT,
                average: self.average[slot] / UNIT,
                error: 0.0,
                answered: share(in_time, draw.whole()),
                capacity: if rule.capacity == 0 { 1.0 } else { share(in_time, rule.capacity) },
                attempts: self.attempts[slot] as i64,
                age: age as i64,
            };
            match expression.value(&facts) {
                Ok(value) if value.max(0) as f64 >= rule.floor => {
                    *score = ramp(value.max(0), rule.ramp_epochs, age + 1) as u32;
                }
                Ok(_) => {}
                Err(_) => unvalued[slot] = true,
            }
        }
    }

    /// One validator's verdicts of an epoch, asked for, folded and rated, with the best instructions that the machine has.
    pub(super) fn judge(
        &mut self,
        rule: &EmaRule,
        distributions: &DistributionColumns,
        draw: &VerdictDraw,
        epoch: u32,
        sheet: &mut ScoreColumns,
    ) {
        pulp::Arch::new().dispatch(Verdicts { averages: self, rule, distributions, draw, epoch, sheet });
    }

    #[inline(always)]
    fn judge_with(
        &mut self,
        rule: &EmaRule,
        distributions: &DistributionColumns,
        draw: &VerdictDraw,
        epoch: u32,
        sheet: &mut ScoreColumns,
    ) {
        let Self { average, attempts, since, judged_in } = self;
        let ScoreColumns { values, scores, .. } = sheet;
        values.resize(average.len(), 0.0);
        scores.resize(average.len(), 0);
        draw.deviates(distributions, values);
        draw.sums(distributions, values);
        average_out(values, draw.whole());
        if rule.capacity > 0 {
            count_capacity(values, distributions, draw, rule.capacity);
        }
        // In this order: each step reads `attempts` as the epochs before left it.
        restart(attempts, judged_in, epoch.into(), rule.max_age);
        begin(attempts, since, epoch.into());
        begin_with(attempts, average, values);
        blend(average, values, rule);
        attempts.iter_mut().for_each(|attempts| *attempts += f64::from(draw.whole()));
        rate(average, attempts, rule, scores);
        if rule.ramp_epochs > 1 {
            for (score, since) in scores.iter_mut().zip(since) {
                let age = u64::from(epoch - *since as u32) + 1;
                *score = ramp((*score).into(), rule.ramp_epochs, age) as u32;
            }
        }
    }
}

struct Verdicts<'a> {
    averages: &'a mut Averages,
    rule: &'a EmaRule,
    distributions: &'a DistributionColumns,
    draw: &'a VerdictDraw,
    epoch: u32,
    sheet: &'a mut ScoreColumns,
}

impl pulp::WithSimd for Verdicts<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) {
        self.averages.judge_with(self.rule, self.distributions, self.draw, self.epoch, self.sheet);
    }
}

/// Sums of values become their means, to the nearest billionth, halves away from zero.
#[inline(always)]
fn average_out(sums: &mut [f64], count: u32) {
    let (by, half, inverse) = (f64::from(count), f64::from(count / 2), 1.0 / f64::from(count));
    for sum in sums {
        // All of these are integers below 2^52, so every operation but the guess is exact.
        let size = whole(sum.abs() * UNIT) + half;
        let guess = whole(size * inverse);
        let rest = size - guess * by;
        let size = guess + one_if(rest >= by) - one_if(rest < 0.0);
        *sum = if *sum < 0.0 { -size } else { size };
    }
}

fn count_capacity(means: &mut [f64], distributions: &DistributionColumns, draw: &VerdictDraw, full: u32) {
    for (slot, mean) in means.iter_mut().enumerate() {
        let share = u64::from(draw.in_time(distributions, slot).min(full)) * 1_000_000_000 / u64::from(full);
        *mean = divide_i64(*mean as i64 * share.cast_signed(), 1_000_000_000) as f64;
    }
}

/// An average that is too old starts anew.
#[inline(always)]
fn restart(attempts: &mut [f64], judged_in: &mut [f64], epoch: f64, max_age: f64) {
    for (attempts, judged_in) in attempts.iter_mut().zip(judged_in) {
        // Selected and not branched, as vector instructions need it.
        *attempts = if epoch - *judged_in > max_age { 0.0 } else { *attempts };
        *judged_in = epoch;
    }
}

#[inline(always)]
fn begin(attempts: &[f64], since: &mut [f64], epoch: f64) {
    for (attempts, since) in attempts.iter().zip(since) {
        *since = if *attempts == 0.0 { epoch } else { *since };
    }
}

/// Seeds the average with the first mean, so that the blend below is a no-op in the first epoch.
#[inline(always)]
fn begin_with(attempts: &[f64], averages: &mut [f64], means: &[f64]) {
    for ((attempts, average), mean) in attempts.iter().zip(averages).zip(means) {
        *average = if *attempts == 0.0 { *mean } else { *average };
    }
}

/// `(kept x average + (1 - kept) x mean)` to the nearest billionth, halves away from zero, as `mean` plus what is kept
/// of the difference.
#[inline(always)]
fn blend(averages: &mut [f64], means: &[f64], rule: &EmaRule) {
    let EmaRule { rise, fall, .. } = *rule;
    let (rise_billionths, fall_billionths) = (rise.billionths(), fall.billionths());
    for (average, mean) in averages.iter_mut().zip(means) {
        let more = *average - *mean;
        let falls = more > 0.0;
        let billionths = if falls { fall_billionths } else { rise_billionths };
        let high = if falls { fall.high } else { rise.high };
        let low = if falls { fall.low } else { rise.low };
        // A guess, and the exact rest digit by digit: |more| is below 2^31, a digit below 2^15.
        let guess = nearest(more * billionths * (1.0 / UNIT));
        let rest_high = high * more - guess * SplitBillionths::ONE.high;
        let rest = rest_high * SplitBillionths::DIGIT_FLOAT + (low * more - guess * SplitBillionths::ONE.low);
        let (below, above) = (one_if(rest < 0.0), one_if(rest >= UNIT));
        let floor = *mean + guess - below + above;
        let rest = rest + (below - above) * UNIT;
        let up = (rest > UNIT / 2.0) | ((rest == UNIT / 2.0) & (floor >= 0.0));
        *average = floor + one_if(up);
    }
}

#[inline(always)]
fn rate(averages: &[f64], attempts: &[f64], rule: &EmaRule, scores: &mut [u32]) {
    for ((average, attempts), score) in averages.iter().zip(attempts).zip(scores) {
        // Without short circuits, which would be branches.
        let counts = (*attempts >= rule.min_attempts) & (*average >= rule.floor) & (*average > 0.0);
        *score = low_bits(if counts { *average } else { 0.0 });
    }
}

#[inline(always)]
fn one_if(condition: bool) -> f64 {
    if condition { 1.0 } else { 0.0 }
}

/// Rounded down, for floats in [0, 2^52): beyond 2^52 a float has no fraction.
#[inline(always)]
fn whole(value: f64) -> f64 {
    let near = (value + WHOLE) - WHOLE;
    near - one_if(near > value)
}

const WHOLE: f64 = 4_503_599_627_370_496.0;

/// An integer in [0, 2^32).
#[inline(always)]
fn low_bits(value: f64) -> u32 {
    (value + WHOLE).to_bits() as u32
}

/// The nearest integer, or a neighbour of it, for floats in (-2^51, 2^51).
#[inline(always)]
fn nearest(value: f64) -> f64 {
    const WHOLE_AND_HALF: f64 = 6_755_399_441_055_744.0;
    (value + WHOLE_AND_HALF) - WHOLE_AND_HALF
}
