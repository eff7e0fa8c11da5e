//! Clusters of miners whose answers are more alike than the judge expects, over an epoch's shared rounds.

use std::collections::BTreeMap;

use weighhouse_types::{Likeness, RegistrationId};

use crate::policy::Fraction;

#[cfg(test)]
mod tests;

/// Numbers every registration that is one cluster with another: two are joined where they were of one group in at least
/// `agreement` of the rounds that compared both, and joining is transitive. Numbers count from 0 in the order of the
/// clusters' least registrations.
pub(crate) fn clusters(rounds: &[&Likeness], agreement: Fraction) -> BTreeMap<RegistrationId, u32> {
    let mut alike: BTreeMap<(RegistrationId, RegistrationId), u64> = BTreeMap::new();
    for group in rounds.iter().flat_map(|round| &round.groups) {
        for (at, one) in group.iter().enumerate() {
            for other in &group[at + 1..] {
                *alike.entry((*one.min(other), *one.max(other))).or_default() += 1;
            }
        }
    }
    let compared = |who: &RegistrationId, round: &&&Likeness| round.compared.contains(who);
    let mut leaders: BTreeMap<RegistrationId, RegistrationId> = BTreeMap::new();
    for ((one, other), times) in alike {
        let common = rounds.iter().filter(|round| compared(&one, round) && compared(&other, round)).count();
        // A share of the rounds in which both answered: two that rarely meet are not excused by the rest.
        if times * Fraction::ONE.billionths() < common as u64 * agreement.billionths() {
            continue;
        }
        let (one, other) = (leader(&leaders, one), leader(&leaders, other));
        leaders.insert(one.max(other), one.min(other));
        // A leader leads itself too, so that it gets a number below.
        leaders.entry(one.min(other)).or_insert(one.min(other));
    }
    let mut numbers: BTreeMap<RegistrationId, u32> = BTreeMap::new();
    let mut clusters = BTreeMap::new();
    for who in leaders.keys() {
        let next = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
        let number = *numbers.entry(leader(&leaders, *who)).or_insert(next);
        clusters.insert(*who, number);
    }
    clusters
}

fn leader(leaders: &BTreeMap<RegistrationId, RegistrationId>, mut who: RegistrationId) -> RegistrationId {
    while let Some(next) = leaders.get(&who).filter(|next| **next != who) {
        who = *next;
    }
    who
}
