//! The rounds of an epoch or of a run, and those in which something was wrong for everybody.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use weighhouse_types::{Outcome, Record};

/// Counts of rounds, and the last reason for each that went wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Rounds {
    pub all: usize,
    /// Rounds in which not everybody was judged, by the judge's trouble or our own.
    pub void: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub void_why: Option<String>,
    /// Rounds that had answers, and none that was well-formed.
    pub malformed: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub malformed_why: Option<String>,
}

impl Rounds {
    /// Counts the rounds in an epoch's records.
    pub(crate) fn of(records: &[Record]) -> Self {
        let mut rounds = Self::default();
        let mut begun = BTreeSet::new();
        // By the round in which the answers were asked for: whether one is well-formed yet, and why one isn't.
        let mut answered: BTreeMap<_, (bool, Option<String>)> = BTreeMap::new();
        for record in records {
            match record {
                Record::Asked(asked) => _ = begun.insert((asked.epoch, asked.round)),
                Record::VoidRound(void) => {
                    begun.insert((void.epoch, void.round));
                    rounds.void += 1;
                    rounds.void_why = Some(void.why.clone());
                }
                Record::Judged(judged) => {
                    let Some(reason) = judged.judgement.reasons.first() else { continue };
                    let (is_formed, why) = answered.entry((judged.asked_in, judged.round)).or_default();
                    match reason.outcome() {
                        Outcome::Silent => {}
                        Outcome::Malformed => *why = Some(reason.to_string()),
                        _ => *is_formed = true,
                    }
                }
                _ => {}
            }
        }
        rounds.all = begun.len();
        for why in answered.into_values().filter(|(is_formed, _)| !is_formed).filter_map(|(_, why)| why) {
            rounds.malformed += 1;
            rounds.malformed_why = Some(why);
        }
        rounds
    }

    /// Adds the rounds of a later epoch.
    pub(crate) fn add(&mut self, later: &Self) {
        self.all += later.all;
        self.void += later.void;
        self.void_why = later.void_why.clone().or(self.void_why.take());
        self.malformed += later.malformed;
        self.malformed_why = later.malformed_why.clone().or(self.malformed_why.take());
    }

    /// Tells whether nothing was wrong for everybody at once.
    pub fn went_well(&self) -> bool {
        self.void == 0 && self.malformed == 0
    }

    /// Tells whether there was a round, and every one was void.
    pub fn are_void(&self) -> bool {
        self.void > 0 && self.void == self.all
    }
}

#[cfg(test)]
mod tests;
