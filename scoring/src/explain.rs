//! Why each miner has the score it has, in one sentence made from the recorded reasons and nothing else.

mod tally;

use std::collections::BTreeMap;

use serde::Serialize;
use weighhouse_types::{LaterAnswers, Mark, Neuron, Record, RegistrationId, Score, Uid};

use crate::error::WeighError;
use crate::rate::Rating;
use crate::standing::{Fold, ScoredMiner};
use crate::weigh::pick;
use tally::ReasonTally;

#[cfg(test)]
mod tests;

/// One miner's epochs in figures and in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explanation {
    pub uid: Uid,
    pub who: RegistrationId,
    /// The last epoch's.
    pub score: Score,
    /// Verdicts of all epochs that were counted.
    pub attempts: u64,
    /// Those with a mark above 0.
    pub accepted: u64,
    /// Answers that await their truth.
    pub awaiting: u64,
    pub sentence: String,
}

/// Explains every miner of an epoch, ascending by uid: neurons that published an axon, were judged, or carry an
/// average; those that departed during the epoch too.
///
/// # Errors
/// As [`crate::weigh::weigh`].
pub fn explain(records: &[Record]) -> Result<Vec<Explanation>, WeighError> {
    Explainer::default().explain(records)
}

/// Explains miners by the verdicts of several epochs, which are counted one after the other.
#[derive(Debug, Default)]
pub struct Explainer {
    tallies: BTreeMap<RegistrationId, ReasonTally>,
    void_rounds: usize,
}

impl Explainer {
    /// Counts the verdicts of an epoch before the last.
    ///
    /// # Errors
    /// As [`crate::weigh::weigh`].
    pub fn count(&mut self, records: &[Record]) -> Result<(), WeighError> {
        self.count_fold(&Fold::new(pick(records)?)?, records);
        Ok(())
    }

    /// Explains like [`explain`], by the verdicts of this epoch and of all that were counted.
    ///
    /// # Errors
    /// As [`crate::weigh::weigh`].
    pub fn explain(mut self, records: &[Record]) -> Result<Vec<Explanation>, WeighError> {
        let fold = Fold::new(pick(records)?)?;
        self.count_fold(&fold, records);
        let mut scores: BTreeMap<Uid, Option<ScoredMiner>> =
            fold.offered().map(|neuron| (neuron.uid, None)).collect();
        scores.extend(fold.scores().into_iter().map(|scored| (scored.uid, Some(scored))));
        let later = LaterAnswers::of(records);
        let neurons = &fold.context.state.metagraph.neurons;
        let explained = |neuron: &Neuron| {
            let awaiting = later.awaiting_of(&neuron.registration());
            scores.get(&neuron.uid).map(|scored| self.one(&fold, neuron, *scored, awaiting))
        };
        Ok(neurons.iter().filter_map(explained).collect())
    }

    fn count_fold(&mut self, fold: &Fold<'_>, records: &[Record]) {
        for neuron in &fold.context.state.metagraph.neurons {
            let tally = self.tallies.entry(neuron.registration()).or_default();
            fold.verdicts(neuron.uid).iter().for_each(|verdict| tally.count(verdict));
        }
        self.void_rounds += records.iter().filter(|record| matches!(record, Record::VoidRound(_))).count();
    }

    fn one(
        &self,
        fold: &Fold<'_>,
        neuron: &Neuron,
        scored: Option<ScoredMiner>,
        awaiting: usize,
    ) -> Explanation {
        let who = neuron.registration();
        let tally = self.tallies.get(&who).filter(|tally| tally.attempts > 0);
        let mut sentence = match tally {
            Some(tally) => tally.sentence(),
            None => self.not_judged(fold, neuron.uid),
        };
        if awaiting > 0 {
            sentence.push_str(&format!("; {}", LaterAnswers::in_words(awaiting)));
        }
        if let Some(scored) = scored {
            sentence.push_str(&rating_clause(fold, &scored));
        }
        if fold.has_departed(neuron) {
            sentence.push_str("; its registration ended before weighing, so it gets nothing");
        }
        Explanation {
            uid: neuron.uid,
            who,
            score: scored.map_or(Score::ZERO, |scored| scored.score),
            attempts: tally.map_or(0, |tally| tally.attempts) as u64,
            accepted: tally.map_or(0, |tally| tally.accepted) as u64,
            awaiting: awaiting as u64,
            sentence,
        }
    }

    fn not_judged(&self, fold: &Fold<'_>, uid: Uid) -> String {
        match (fold.track(uid), self.void_rounds) {
            (Some(track), _) => format!("not judged this epoch, last in epoch {}", track.judged_in),
            (None, 0) => "never judged".to_owned(),
            (None, 1) => "never judged, as 1 round is void".to_owned(),
            (None, void) => format!("never judged, as {void} rounds are void"),
        }
    }
}

fn rating_clause(fold: &Fold<'_>, scored: &ScoredMiner) -> String {
    let policy = &fold.policy;
    match scored.rating {
        Rating::Scored => String::new(),
        // Who earned nothing needs no word about the least mark.
        Rating::BelowMinMark => match fold.rated(scored.uid) {
            Some(rated) if rated.expressed > 0 => {
                let average = Score::clip(Mark::from_billionths(rated.expressed).unwrap_or_default());
                format!("; average {average} is below the least mark of {}", policy.floor())
            }
            _ => String::new(),
        },
        Rating::TooFewAttempts => {
            let attempts = fold.track(scored.uid).map_or(0, |track| track.attempts);
            format!("; {attempts} of {} verdicts needed before a weight", policy.min_attempts())
        }
        Rating::TooOld => {
            format!("; older than {} epochs, so it no longer counts", policy.max_age_epochs())
        }
        Rating::Convicted => "; convicted, so it earns nothing and begins anew as a newcomer".to_owned(),
        Rating::OnProbation => {
            let (accepted, least) =
                fold.newcomers.as_ref().map_or((0, 0), |terms| (terms.accepted(&scored.who), terms.least));
            format!("; {accepted} of {least} answers accepted by checks of earlier epochs before it is paid")
        }
        Rating::NoValue => "; the policy's expression has no value for it".to_owned(),
    }
}
