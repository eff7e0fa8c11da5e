//! One epoch's miners: how each was judged, and what its answers were worth.

use std::collections::BTreeMap;

use serde::Serialize;
use weighhouse_scoring::{Decision, WeighError, explain, weigh};
use weighhouse_types::{Hotkey, Reason, Record, RegistrationId, Uid, VerdictRecord};

use crate::limits::MARKS_SHOWN;

/// An epoch as its records so far decide it.
#[derive(Debug, Serialize)]
pub(crate) struct Sheet {
    /// Why there would be no vector.
    pub(crate) abstains: Option<String>,
    pub(crate) miners: Vec<MinerRow>,
}

/// One miner in one epoch.
#[derive(Debug, Serialize)]
pub(crate) struct MinerRow {
    pub(crate) uid: Uid,
    pub(crate) hotkey: Hotkey,
    pub(crate) score: f64,
    /// Why the score counts or doesn't; `unscored` without an average.
    rating: String,
    /// In the vector that the records give; absent where they give none.
    pub(crate) weight: Option<u16>,
    /// Of all weights.
    pub(crate) share: Option<f64>,
    /// Verdicts of the epoch, and those that speak for the miner.
    pub(crate) verdicts: u32,
    pub(crate) accepted: u32,
    awaiting: u64,
    /// First reasons by their names, with the number of verdicts.
    pub(crate) reasons: BTreeMap<String, u32>,
    /// Of those, the silences and refusals.
    silences: BTreeMap<String, u32>,
    /// The newest, in the order of their rounds.
    marks: Vec<f64>,
    latency_ms: Option<Latency>,
    /// In words.
    pub(crate) why: String,
}

/// Nearest ranks of the answers' latencies, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Latency {
    pub(crate) p50: f64,
    pub(crate) p90: f64,
    pub(crate) p99: f64,
    pub(crate) max: f64,
    pub(crate) answers: usize,
}

/// Verdicts on one registration.
#[derive(Default)]
struct Seen<'a> {
    verdicts: Vec<&'a VerdictRecord>,
    latencies: Vec<u64>,
}

impl Sheet {
    /// # Errors
    /// As [`weigh`].
    pub(crate) fn of(records: &[Record]) -> Result<Self, WeighError> {
        let decision = weigh(records)?;
        let explained = explain(records)?;
        let mut seen: BTreeMap<RegistrationId, Seen<'_>> = BTreeMap::new();
        for record in records {
            let Record::Judged(judged) = record else { continue };
            let of = seen.entry(judged.who).or_default();
            of.verdicts.push(judged);
            of.latencies.extend(judged.exchange.as_ref().map(|exchange| exchange.latency_us));
        }
        let (vector, abstains) = match &decision {
            Decision::Weights { vector, .. } => (Some(vector), None),
            Decision::Abstain { why, .. } => (None, Some(why.to_string())),
        };
        let total: u64 =
            vector.iter().flat_map(|vector| vector.entries()).map(|(_, weight)| u64::from(*weight)).sum();
        let scores: BTreeMap<Uid, _> = decision.scores().iter().map(|scored| (scored.uid, scored)).collect();
        let miners = explained.into_iter().map(|told| {
            let seen = seen.remove(&told.who).unwrap_or_default();
            let weight = vector.map(|vector| vector.get(told.uid));
            MinerRow {
                uid: told.uid,
                hotkey: told.who.hotkey,
                score: told.score.to_f64(),
                rating: scores
                    .get(&told.uid)
                    .map_or_else(|| "unscored".to_owned(), |scored| rating(scored.rating)),
                weight,
                share: weight.map(|weight| f64::from(weight) / total.max(1) as f64),
                verdicts: u32::try_from(seen.verdicts.len()).unwrap_or(u32::MAX),
                accepted: u32::try_from(seen.accepted()).unwrap_or(u32::MAX),
                awaiting: told.awaiting,
                reasons: seen.count(|reason| Some(reason.code())),
                silences: seen.count(|reason| reason.failure().map(ToString::to_string)),
                marks: seen.marks(),
                latency_ms: Latency::of(seen.latencies),
                why: told.sentence,
            }
        });
        Ok(Self { abstains, miners: miners.collect() })
    }
}

impl Seen<'_> {
    fn accepted(&self) -> usize {
        let is_praised = |verdict: &&&VerdictRecord| {
            verdict.judgement.outcome().is_some_and(|outcome| outcome.is_praise())
        };
        self.verdicts.iter().filter(is_praised).count()
    }

    fn count(&self, name: impl Fn(&Reason) -> Option<String>) -> BTreeMap<String, u32> {
        let mut counts = BTreeMap::new();
        for reason in self.verdicts.iter().filter_map(|verdict| verdict.judgement.reasons.first()) {
            if let Some(name) = name(reason) {
                *counts.entry(name).or_default() += 1;
            }
        }
        counts
    }

    fn marks(&self) -> Vec<f64> {
        let mut in_order = self.verdicts.clone();
        in_order.sort_by_key(|verdict| (verdict.asked_in, verdict.round));
        let newest = in_order.len().saturating_sub(MARKS_SHOWN);
        in_order[newest..].iter().map(|verdict| verdict.judgement.mark.to_f64()).collect()
    }
}

impl Latency {
    pub(crate) fn of(mut micros: Vec<u64>) -> Option<Self> {
        micros.sort_unstable();
        let last = micros.len().checked_sub(1)?;
        let ms = |at: usize| micros[at] as f64 / 1000.0;
        let rank = |percent: usize| ms((micros.len() * percent).div_ceil(100).saturating_sub(1).min(last));
        Some(Self { p50: rank(50), p90: rank(90), p99: rank(99), max: ms(last), answers: micros.len() })
    }
}

pub(crate) fn rating(rating: weighhouse_scoring::Rating) -> String {
    match serde_json::to_value(rating) {
        Ok(serde_json::Value::String(name)) => name.replace('_', " "),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_nearest_ranks() {
        let latency = Latency::of((1..=100).rev().map(|ms| ms * 1000).collect()).expect("some");
        assert_eq!((latency.p50, latency.p90, latency.p99, latency.max), (50.0, 90.0, 99.0, 100.0));
        let one = Latency::of(vec![1500]).expect("one");
        assert_eq!((one.p50, one.p99, one.max, one.answers), (1.5, 1.5, 1.5, 1));
        assert_eq!(Latency::of(Vec::new()), None);
    }
}
