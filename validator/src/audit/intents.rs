//! The intents of an epoch: the first is the vector that the records give; a later one names the one it supersedes, and means the same
//! shares under rules that changed in mid-epoch.

use std::collections::BTreeMap;

use weighhouse_types::{Block, EpochContext, Intent, Record, Uid, WeightVector};

use super::audited::AuditReport;

/// The epoch's intents in their order.
pub(super) fn of<'a>(records: &'a [Record], context: &EpochContext) -> Vec<&'a Intent> {
    let intents = records.iter().filter_map(|record| match record {
        Record::Intent(intent) if intent.epoch == context.epoch => Some(intent),
        _ => None,
    });
    intents.collect()
}

/// Checks them against the vector of the records, and notes whether it is the one that was meant.
pub(super) fn check(records: &[Record], context: &EpochContext, audited: &mut AuditReport) {
    let intents = of(records, context);
    audited.problems.extend(news(records, &intents, context));
    let Some((&first, later)) = intents.split_first() else { return };
    let version_key = context.state.hyperparameters.weights_version_key;
    let matches = audited.vector.as_ref() == Some(&first.weights) && is_named_right(first);
    if !matches {
        audited.problems.push("the intended vector is not the one that the records give".to_owned());
    }
    if first.supersedes.is_some() || first.version_key != version_key || !is_here(first, context) {
        audited.problems.push("the intent is for another subnet, mechanism or version key".to_owned());
    }
    let mut before = first;
    for intent in later {
        if !is_named_right(intent) || !is_here(intent, context) {
            audited.problems.push("a later intent is for another subnet or mechanism".to_owned());
        }
        match &intent.supersedes {
            Some((superseded, why)) if *superseded == before.id => {
                audited.on_trust.push(format!("that the rules changed in mid-epoch, by the chain: {why}"));
            }
            _ => audited.problems.push("the epoch has an intent that supersedes none".to_owned()),
        }
        if !means_the_same(&first.weights, &intent.weights) {
            audited.problems.push("a later intent means other shares than the records give".to_owned());
        }
        before = intent;
    }
    audited.matches = Some(matches);
}

fn is_named_right(intent: &Intent) -> bool {
    let Intent { epoch, netuid, mechanism, weights, version_key, .. } = intent;
    Intent::digest(*epoch, *netuid, *mechanism, weights, *version_key) == intent.id
}

fn is_here(intent: &Intent, context: &EpochContext) -> bool {
    (intent.netuid, intent.mechanism) == (context.netuid, context.mechanism)
}

/// Whether a vector is another with zeros added or its largest entries cut, which is all that a chain's limits ask for: nobody who got
/// nothing gets something, and nobody overtakes anybody.
fn means_the_same(first: &WeightVector, later: &WeightVector) -> bool {
    let of = |vector: &WeightVector| vector.entries().iter().copied().collect::<BTreeMap<Uid, u16>>();
    let (first, later) = (of(first), of(later));
    let value = |vector: &BTreeMap<Uid, u16>, uid: &Uid| vector.get(uid).copied().unwrap_or(0);
    let uids = first.keys().chain(later.keys());
    let mut pairs: Vec<(u16, u16)> = uids.map(|uid| (value(&first, uid), value(&later, uid))).collect();
    pairs.sort_unstable();
    let keeps_order = pairs.windows(2).all(|pair| pair[0].0 == pair[1].0 || pair[0].1 <= pair[1].1);
    let equals_stay = pairs.windows(2).all(|pair| pair[0].0 != pair[1].0 || pair[0].1 == pair[1].1);
    keeps_order && equals_stay && pairs.iter().all(|(first, later)| *first > 0 || *later == 0)
}

/// News of this epoch's intents that name another, or come from before the epoch.
pub(super) fn news(records: &[Record], intents: &[&Intent], context: &EpochContext) -> Vec<String> {
    let opened: Block = context.state.head.number;
    let mut problems = Vec::new();
    for record in records {
        let Record::IntentUpdate(update) = record else { continue };
        let is_known = intents.iter().any(|intent| intent.id == update.intent);
        if update.epoch == context.epoch && !is_known {
            problems.push(format!("news of intent {}, which the epoch doesn't have", update.intent));
        }
        // Of an earlier epoch's weights this one may be the first to hear.
        let is_own = update.epoch == context.epoch;
        if let Some(block) = update.state.block().filter(|block| is_own && *block < opened) {
            problems.push(format!("news of block {block}, which was before the epoch was opened"));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use weighhouse_types::{Epoch, sample};

    use super::*;

    fn vector(entries: &[(u16, u16)]) -> WeightVector {
        let entries = entries.iter().map(|(uid, value)| (Uid(*uid), *value)).collect();
        WeightVector::new(entries).expect("a vector")
    }

    fn context() -> EpochContext {
        let mut context = sample::context(sample::subnet(Epoch(3), Block(10), Vec::new()));
        context.state.hyperparameters.weights_version_key = 1;
        context
    }

    fn intent(weights: &WeightVector, version_key: u64, supersedes: Option<&Intent>) -> Intent {
        let EpochContext { epoch, netuid, mechanism, .. } = context();
        let id = Intent::digest(epoch, netuid, mechanism, weights, version_key);
        let supersedes = supersedes.map(|old| (old.id, "the version key".to_owned()));
        Intent { id, epoch, netuid, mechanism, weights: weights.clone(), version_key, supersedes }
    }

    fn checked(intents: &[Intent], given: &WeightVector) -> AuditReport {
        let records: Vec<Record> = intents.iter().cloned().map(Record::Intent).collect();
        let mut audited = AuditReport::new(&context(), &records);
        audited.vector = Some(given.clone());
        check(&records, &context(), &mut audited);
        audited
    }

    #[test]
    fn an_intent_that_supersedes_means_the_same_shares() {
        let meant = vector(&[(1, 40_000), (2, 65_535)]);
        let first = intent(&meant, 1, None);
        let sound = checked(std::slice::from_ref(&first), &meant);
        assert_eq!((sound.problems, sound.matches), (vec![], Some(true)));
        for later in
            [meant.clone(), vector(&[(0, 0), (1, 40_000), (2, 65_535)]), vector(&[(1, 65_535), (2, 65_535)])]
        {
            let audited = checked(&[first.clone(), intent(&later, 2, Some(&first))], &meant);
            assert_eq!((audited.problems, audited.matches), (vec![], Some(true)), "{later:?}");
            assert_eq!(audited.on_trust.len(), 1);
        }
        for other in [vector(&[(1, 65_535), (2, 40_000)]), vector(&[(1, 40_000), (2, 65_535), (3, 1)])] {
            let audited = checked(&[first.clone(), intent(&other, 2, Some(&first))], &meant);
            assert_eq!(audited.problems.len(), 1, "{other:?}: {:?}", audited.problems);
        }
        let unnamed = checked(&[first.clone(), intent(&meant, 2, None)], &meant);
        assert!(unnamed.problems.iter().any(|problem| problem.contains("supersedes none")));
        let alone = checked(&[intent(&meant, 2, Some(&first))], &meant);
        assert!(!alone.problems.is_empty());
    }
}
