//! Judging all miners of a validator at once: what [`super::asking::Draw`], [`Track::fold`] and [`Policy::rate`] do one
//! miner at a time, in loops over arrays that compilers turn into vector instructions. The figures are the same ones;
//! policies that need more of a track than an exponential average go the way of the tracks.
//!
//! [`Track::fold`]: crate::track::Track::fold

use pulp::{Simd, WithSimd};

use super::asking::{Columns, Draw, Terms};
use crate::policy::{Averaging, Policy};
use crate::rate::ramp;

const UNIT: i32 = 1_000_000_000;

/// The sum of so many values, in billionths, is far below 2^52, where floats hold every integer.
const CHALLENGES_MAX: u32 = 4000;

/// What the tracks of one validator hold, by slot.
#[derive(Clone, Debug, Default)]
pub(super) struct Averages {
    /// Signed, in billionths.
    average: Vec<i32>,
    attempts: Vec<u64>,
    since: Vec<u32>,
    judged_in: Vec<u32>,
}

/// One epoch's verdicts and scores, by slot; overwritten by each validator in turn.
#[derive(Clone, Debug, Default)]
pub(super) struct Sheet {
    /// Deviates, then sums of values.
    values: Vec<f64>,
    /// In billionths.
    means: Vec<i32>,
    /// In billionths; 0 for who is not scored.
    pub(super) scores: Vec<i32>,
}

/// What of a policy the loops need.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rule {
    /// The share of an average that a better or a worse epoch leaves, in billionths.
    rise: i32,
    fall: i32,
    capacity: u32,
    max_age: u64,
    min_attempts: u64,
    floor: i32,
    ramp_epochs: u64,
}

impl Rule {
    /// `None` where a policy keeps more than an exponential average, asks for its error, reads a track in an expression,
    /// or looks again at some miners only.
    pub(super) fn of(policy: &Policy, terms: &Terms) -> Option<Self> {
        let Averaging::Ema { rise, fall } = policy.averaging() else { return None };
        let looks_closer = policy.expression().is_some() || policy.standard_errors_milli > 0;
        if looks_closer || terms.spot > 0 || terms.challenges > CHALLENGES_MAX {
            return None;
        }
        let billionths = |value: crate::policy::Fraction| i32::try_from(value.billionths()).unwrap_or(UNIT);
        Some(Self {
            rise: billionths(rise),
            fall: billionths(fall),
            capacity: policy.capacity(),
            max_age: policy.max_age_epochs(),
            min_attempts: policy.min_attempts(),
            floor: billionths(policy.floor()),
            ramp_epochs: policy.ramp_epochs(),
        })
    }
}

impl Averages {
    pub(super) fn reset(&mut self, slots: usize) {
        let Self { average, attempts, since, judged_in } = self;
        average.clear();
        average.resize(slots, 0);
        attempts.clear();
        attempts.resize(slots, 0);
        for column in [since, judged_in] {
            column.clear();
            column.resize(slots, 0);
        }
    }

    /// A new registration starts from nothing.
    pub(super) fn forget(&mut self, slot: usize) {
        self.attempts[slot] = 0;
    }

    /// Whether a slot has had the verdicts that a score takes.
    pub(super) fn is_scored(&self, rule: &Rule, slot: usize) -> bool {
        self.attempts[slot] >= rule.min_attempts
    }
}

/// One validator's verdicts of an epoch, asked for, folded and rated with the best instructions that the machine has.
pub(super) struct Verdicts<'a> {
    pub(super) averages: &'a mut Averages,
    pub(super) rule: &'a Rule,
    pub(super) lots: &'a Columns,
    pub(super) draw: &'a Draw,
    pub(super) epoch: u32,
    pub(super) sheet: &'a mut Sheet,
}

impl WithSimd for Verdicts<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { averages, rule, lots, draw, epoch, sheet } = self;
        let Averages { average, attempts, since, judged_in } = averages;
        let Sheet { values, means, scores } = sheet;
        values.resize(average.len(), 0.0);
        [&mut *means, scores].into_iter().for_each(|column| column.resize(average.len(), 0));
        draw.deviates(lots, values);
        draw.sums(lots, values);
        average_out(values, means, draw.whole());
        if rule.capacity > 0 {
            draw.in_time(lots, scores);
            count_capacity(means, scores, rule.capacity);
        }
        restart(attempts, judged_in, epoch, rule.max_age);
        begin(attempts, since, epoch);
        begin_with(attempts, average, means);
        blend(average, means, rule);
        attempts.iter_mut().for_each(|attempts| *attempts += u64::from(draw.whole()));
        rate(average, attempts, rule, scores);
        if rule.ramp_epochs > 1 {
            for (score, since) in scores.iter_mut().zip(since) {
                let ramped = ramp((*score).into(), rule.ramp_epochs, u64::from(epoch - *since) + 1);
                *score = i32::try_from(ramped).unwrap_or(UNIT);
            }
        }
    }
}

/// Means of the sums of values, to the nearest billionth, halves away from zero.
#[inline(always)]
fn average_out(sums: &[f64], means: &mut [i32], count: u32) {
    const BILLION: f64 = 1e9;
    let (by, half, inverse) = (f64::from(count), f64::from(count / 2), 1.0 / f64::from(count));
    for (sum, mean) in sums.iter().zip(means) {
        // All of these are integers below 2^52, so every operation but the guess is exact.
        let size = whole(sum.abs() * BILLION) + half;
        let guess = whole(size * inverse);
        let rest = size - guess * by;
        let step = f64::from(i8::from(rest >= by)) - f64::from(i8::from(rest < 0.0));
        let size = low_bits(guess + step);
        *mean = if *sum < 0.0 { -size } else { size };
    }
}

/// Rounded down, for floats in [0, 2^52).
#[inline(always)]
fn whole(value: f64) -> f64 {
    let near = (value + WHOLE) - WHOLE;
    near - if near > value { 1.0 } else { 0.0 }
}

/// 2^52, beyond which a float has no fraction.
const WHOLE: f64 = 4_503_599_627_370_496.0;

/// As an integer, for whole floats in [0, 2^31).
#[inline(always)]
fn low_bits(value: f64) -> i32 {
    (value + WHOLE).to_bits() as i32
}

fn count_capacity(means: &mut [i32], in_time: &[i32], full: u32) {
    for (mean, in_time) in means.iter_mut().zip(in_time) {
        let share = u64::from(in_time.unsigned_abs().min(full)) * 1_000_000_000 / u64::from(full);
        *mean = by_unit(i64::from(*mean) * share.cast_signed());
    }
}

/// An average that is too old starts anew.
#[inline(always)]
fn restart(attempts: &mut [u64], judged_in: &mut [u32], epoch: u32, max_age: u64) {
    for (attempts, judged_in) in attempts.iter_mut().zip(judged_in) {
        *attempts = if u64::from(epoch - *judged_in) > max_age { 0 } else { *attempts };
        *judged_in = epoch;
    }
}

#[inline(always)]
fn begin(attempts: &[u64], since: &mut [u32], epoch: u32) {
    for (attempts, since) in attempts.iter().zip(since) {
        *since = if *attempts == 0 { epoch } else { *since };
    }
}

/// A first mean blended with itself is itself.
#[inline(always)]
fn begin_with(attempts: &[u64], averages: &mut [i32], means: &[i32]) {
    for ((attempts, average), mean) in attempts.iter().zip(averages).zip(means) {
        *average = if *attempts == 0 { *mean } else { *average };
    }
}

#[inline(always)]
fn blend(averages: &mut [i32], means: &[i32], rule: &Rule) {
    for (average, mean) in averages.iter_mut().zip(means) {
        let kept = if *mean < *average { rule.fall } else { rule.rise };
        *average = by_unit(i64::from(kept) * i64::from(*average) + i64::from(UNIT - kept) * i64::from(*mean));
    }
}

/// Billionths of billionths to the nearest billionth, halves away from zero: a float's guess, which the rest corrects.
#[inline(always)]
fn by_unit(value: i64) -> i32 {
    let size = value.abs() + i64::from(UNIT / 2);
    let guess = low_bits(float(size) * 1e-9);
    let rest = size - i64::from(guess) * i64::from(UNIT);
    let size = guess + i32::from(rest >= i64::from(UNIT)) - i32::from(rest < 0);
    if value < 0 { -size } else { size }
}

/// `value as f64` for what is not negative, from halves that many machines convert several at a time.
#[inline(always)]
fn float(value: i64) -> f64 {
    const WHOLE_HIGH: f64 = WHOLE * 4_294_967_296.0;
    let low = f64::from_bits((value.cast_unsigned() & 0xffff_ffff) | WHOLE.to_bits());
    let high = f64::from_bits((value.cast_unsigned() >> 32) | WHOLE_HIGH.to_bits());
    (high - WHOLE_HIGH) + (low - WHOLE)
}

#[inline(always)]
fn rate(averages: &[i32], attempts: &[u64], rule: &Rule, scores: &mut [i32]) {
    for ((average, attempts), score) in averages.iter().zip(attempts).zip(scores) {
        let clipped = (*average).max(0).min(UNIT);
        let counts = *attempts >= rule.min_attempts && clipped >= rule.floor;
        *score = if counts { clipped } else { 0 };
    }
}
