//! Tracks: a registration's average so far, and its change by one epoch of verdicts.
//!
//! Marks are signed and averaged first; clipping to a score comes last ([`crate::rate`]), so that bad luck and good luck
//! cancel. All of it is integer arithmetic, every division rounds to nearest with halves away from zero, and nothing
//! allocates once a window is full: the validator folds its records through here, the simulator its draws.

use std::collections::VecDeque;

use crate::policy::{Averaging, Fraction, Policy};

#[cfg(test)]
mod tests;

const UNIT: i64 = 1_000_000_000;
const MILLION: i64 = 1_000_000;

/// No variance of marks in [-1, 1], nor of a median of them, is larger; in 10^-12.
pub(crate) const VARIANCE_MAX: u64 = 4_000_000_000_000;

/// One epoch's verdicts on one registration, as the sums that averages need. At most 4 million verdicts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Tally {
    pub count: u32,
    /// Of the verdicts' values, in billionths.
    pub sum: i64,
    /// Of the values' squares, in millionths squared.
    pub squares: u64,
    /// Verdicts on an answer that came in time.
    pub in_time: u32,
    /// Verdicts on answers that were not checked, and the sum of their values.
    pub unchecked: u32,
    pub unchecked_sum: i64,
}

impl Tally {
    /// Verdicts of one tally at most: their squares sum to less than 2^64.
    pub const MAX: u32 = 4_000_000;

    /// Counts one verdict: its mark in billionths, and how long the answer took in microseconds, if there was one.
    pub fn add(&mut self, policy: &Policy, mark: i64, latency_us: Option<u64>) {
        self.add_marked(policy, mark, latency_us, false);
    }

    /// As [`Tally::add`], of an answer that was not checked: it holds an average, and never raises it.
    pub fn add_unchecked(&mut self, policy: &Policy, mark: i64, latency_us: Option<u64>) {
        self.add_marked(policy, mark, latency_us, true);
    }

    fn add_marked(&mut self, policy: &Policy, mark: i64, latency_us: Option<u64>, is_unchecked: bool) {
        let in_time =
            latency_us.is_some_and(|latency| policy.deadline_us().is_none_or(|deadline| latency <= deadline));
        let (of_mark, of_answer) = policy.mix();
        // Without a deadline of its own the policy takes a mark for what it is, whatever came back.
        let mark = if in_time || policy.deadline_us().is_none() { mark } else { mark.min(0) };
        let value = if of_answer == Fraction::ZERO {
            mark
        } else {
            let answered = if in_time { UNIT } else { 0 };
            divide(
                i128::from(mark) * i128::from(of_mark.billionths())
                    + i128::from(answered) * i128::from(of_answer.billionths()),
                i128::from(UNIT),
            )
        };
        if is_unchecked && self.count < Self::MAX {
            self.unchecked += 1;
            self.unchecked_sum += value;
        }
        self.add_value(value, in_time);
    }

    /// Counts one verdict by its value in billionths, in [-1, 1].
    pub fn add_value(&mut self, value: i64, in_time: bool) {
        if self.count == Self::MAX {
            return;
        }
        // Squares of billionths would not fit 64 bits over four million verdicts.
        let millionths = (value / 1000).unsigned_abs();
        self.count += 1;
        self.sum += value;
        self.squares += millionths * millionths;
        self.in_time += u32::from(in_time);
    }

    /// The mean value in billionths; 0 without verdicts.
    pub fn mean(&self) -> i64 {
        match i64::from(self.count) {
            0 => 0,
            count => divide_i64(self.sum, count),
        }
    }

    /// The mean value of the checked in billionths; `None` without any.
    fn checked_mean(&self) -> Option<i64> {
        let checked = i64::from(self.count - self.unchecked);
        (checked > 0).then(|| divide_i64(self.sum - self.unchecked_sum, checked))
    }
}

/// One epoch in a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochMean {
    pub epoch: u64,
    /// In billionths, capacity counted.
    pub mean: i64,
    pub count: u32,
    /// Variance of the epoch's values, in 10^-12.
    pub variance: u64,
}

/// A registration's average and what it rests on.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Track {
    /// Signed, in billionths.
    pub average: i64,
    /// Variance of the average (its standard error squared), in 10^-12.
    pub variance: u64,
    /// Verdicts since the first, unchecked answers not counted.
    pub attempts: u64,
    /// The epoch of the first verdict.
    pub since: u64,
    /// The epoch of the newest verdict.
    pub judged_in: u64,
    /// Share of the newest judged epoch's challenges answered in time, in billionths.
    pub answered: u32,
    /// The newest judged epoch's capacity over the policy's, in billionths.
    pub capacity: u32,
    /// The place among the ranked when the epoch before was weighed, the best being 0.
    pub place: Option<u16>,
    /// The newest epochs, oldest first; empty for an exponential average.
    pub window: VecDeque<EpochMean>,
}

impl Track {
    /// True if the newest verdict is too old to count in `epoch`.
    pub fn is_too_old(&self, policy: &Policy, epoch: u64) -> bool {
        epoch.saturating_sub(self.judged_in) > policy.max_age_epochs()
    }

    /// Takes in an epoch's verdicts. An epoch without any changes nothing; one that follows an average that is too old
    /// starts a new one.
    pub fn fold(&mut self, policy: &Policy, epoch: u64, tally: &Tally) {
        if tally.count == 0 {
            return;
        }
        // An old average says nothing about the miner of today, so the new one starts from this epoch.
        if self.attempts > 0 && self.is_too_old(policy, epoch) {
            self.restart();
        }
        let fresh = fresh(policy, epoch, tally, self);
        self.answered = if tally.in_time >= tally.count {
            1_000_000_000
        } else {
            (u64::from(tally.in_time) * 1_000_000_000 / u64::from(tally.count)) as u32
        };
        if self.attempts == 0 {
            self.since = epoch;
        }
        match policy.averaging() {
            Averaging::Ema { rise, fall } => self.blend(&fresh, rise, fall),
            Averaging::Window { epochs } => {
                self.push(fresh, epochs);
                self.average_window();
            }
            Averaging::MedianOfMeans { epochs } => {
                self.push(fresh, epochs);
                self.average_sorted(MedianOr::Median);
            }
            Averaging::Trimmed { epochs, trim } => {
                self.push(fresh, epochs);
                self.average_sorted(MedianOr::Trimmed(trim));
            }
        }
        self.attempts = self.attempts.saturating_add(u64::from(tally.count - tally.unchecked));
        self.judged_in = epoch;
    }

    /// The standard error of the average, in billionths, rounded down.
    pub fn error(&self) -> u64 {
        // sqrt(v x 10^-12) in billionths is sqrt(v x 10^6).
        root(self.variance.saturating_mul(1_000_000))
    }

    fn restart(&mut self) {
        let mut window = std::mem::take(&mut self.window);
        window.clear();
        *self = Self { window, place: self.place, ..Self::default() };
    }

    fn blend(&mut self, fresh: &EpochMean, rise: Fraction, fall: Fraction) {
        let error = fresh.variance / u64::from(fresh.count);
        if self.attempts == 0 {
            self.average = fresh.mean;
            self.variance = error;
            return;
        }
        // Two half-lives: losing a reputation may be faster than earning one.
        let kept = if fresh.mean < self.average { fall } else { rise };
        let (kept, new) = (kept.billionths() as i64, (Fraction::ONE.billionths() - kept.billionths()) as i64);
        // Two products of at most 10^18 that weigh to at most 10^18 together.
        self.average = divide_i64(kept * self.average + new * fresh.mean, UNIT);
        // Shares in millionths: their squares sum to at most 10^12, times a variance of at most 10^12.
        let (kept, new) = ((kept / 1000) as u64, (new / 1000) as u64);
        self.variance = (kept * kept / 1_000_000 * self.variance + new * new / 1_000_000 * error) / 1_000_000;
    }

    fn push(&mut self, fresh: EpochMean, epochs: usize) {
        while self.window.len() >= epochs {
            self.window.pop_front();
        }
        self.window.push_back(fresh);
    }

    fn average_window(&mut self) {
        let (mut sum, mut squares, mut count) = (0_i128, 0_u128, 0_u64);
        for epoch in &self.window {
            let weight = u64::from(epoch.count);
            sum += i128::from(epoch.mean) * i128::from(weight);
            squares += u128::from(epoch.variance) * u128::from(weight);
            count += weight;
        }
        self.average = divide(sum, i128::from(count));
        self.variance = u64::try_from(squares / u128::from(count) / u128::from(count)).unwrap_or(u64::MAX);
    }

    fn average_sorted(&mut self, kind: MedianOr) {
        let mut means = [0_i64; crate::policy::WINDOW_MAX];
        let means = &mut means[..self.window.len()];
        means.iter_mut().zip(&self.window).for_each(|(mean, epoch)| *mean = epoch.mean);
        means.sort_unstable();
        let count = means.len();
        let kept = match kind {
            MedianOr::Median => &means[(count - 1) / 2..count / 2 + 1],
            MedianOr::Trimmed(trim) => {
                // Rounded down, and the trim is below a half, so that something is left to average.
                let drop = (trim.billionths() as usize * count) / 1_000_000_000;
                &means[drop..count - drop]
            }
        };
        let sum: i128 = kept.iter().map(|mean| i128::from(*mean)).sum();
        self.average = divide(sum, kept.len() as i128);
        self.variance = self.variance_of_means(means, kind);
    }

    /// The variance of a mean of epoch means; a median's is pi/2 times that (the asymptotic figure for normal errors).
    /// With a single epoch, that epoch's own.
    fn variance_of_means(&self, means: &[i64], kind: MedianOr) -> u64 {
        let newest = self.window.back().map_or(0, |epoch| epoch.variance / u64::from(epoch.count));
        let count = means.len() as i128;
        if count < 2 {
            return newest;
        }
        let sum: i128 = means.iter().map(|mean| i128::from(*mean)).sum();
        let mean = divide(sum, count);
        let squares: i128 =
            means.iter().map(|other| i128::from(*other - mean) * i128::from(*other - mean)).sum();
        let of_mean = squares / (count - 1) / count / i128::from(MILLION);
        let of_kind = match kind {
            MedianOr::Median => of_mean * 1_570_796 / 1_000_000,
            MedianOr::Trimmed(_) => of_mean,
        };
        u64::try_from(of_kind).unwrap_or(VARIANCE_MAX).min(VARIANCE_MAX)
    }
}

#[derive(Clone, Copy)]
enum MedianOr {
    Median,
    Trimmed(Fraction),
}

/// The epoch's mean with its capacity counted, and the variance of its values: of the sample, or with a single verdict
/// the largest that values in [-1, 1] with its mean can have, `1 - mean^2`. Unchecked answers don't lift it above both the
/// average so far and the mean of the checked.
fn fresh(policy: &Policy, epoch: u64, tally: &Tally, track: &mut Track) -> EpochMean {
    let mean = tally.mean();
    let full = policy.capacity();
    let share = match full {
        0 => 1_000_000_000,
        full => u64::from(tally.in_time.min(full)) * 1_000_000_000 / u64::from(full),
    };
    track.capacity = u32::try_from(share).unwrap_or(u32::MAX);
    // At most 10^9 x 10^9, which fits an i64.
    let count = |mean: i64| if full == 0 { mean } else { divide_i64(mean * share as i64, UNIT) };
    let mut counted = count(mean);
    if tally.unchecked > 0 {
        let most = tally.checked_mean().map_or(track.average, |checked| count(checked).max(track.average));
        counted = counted.min(most);
    }
    EpochMean { epoch, mean: counted, count: tally.count, variance: sample_variance(tally, mean) }
}

fn sample_variance(tally: &Tally, mean: i64) -> u64 {
    let millionths = (mean / 1000).unsigned_abs();
    let square = millionths * millionths;
    let count = u64::from(tally.count);
    if count < 2 {
        return 1_000_000_000_000_u64.saturating_sub(square);
    }
    // Rounding may leave the mean's square a trace above the mean of squares.
    (tally.squares / count).saturating_sub(square) * count / (count - 1)
}

/// The integer square root: the rounded root of a float, moved down or up by one where rounding missed. Both are exact,
/// and this one is several times as fast as the standard library's.
fn root(value: u64) -> u64 {
    const ROOT_MOST: u64 = u32::MAX as u64;
    // IEEE 754 fixes every bit of a square root, so that this one is the same on all machines.
    let near = ((value as f64).sqrt() as u64).min(ROOT_MOST);
    if near * near > value {
        near - 1
    } else if near < ROOT_MOST && (near + 1) * (near + 1) <= value {
        near + 1
    } else {
        near
    }
}

/// To the nearest integer, halves away from zero; `by` is positive.
pub(crate) fn divide(value: i128, by: i128) -> i64 {
    let half = if value < 0 { -(by / 2) } else { by / 2 };
    i64::try_from((value + half) / by).expect("an average of marks lies between them")
}

/// As `divide`, where the value is far from the limits.
#[inline]
pub fn divide_i64(value: i64, by: i64) -> i64 {
    let half = if value < 0 { -(by / 2) } else { by / 2 };
    (value + half) / by
}
