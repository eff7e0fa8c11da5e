//! The audit of an epoch whose vector other software made: what can be shown without judgements.

use weighhouse_journal::{Segment, publications};
use weighhouse_types::{EpochContext, Intent, IntentState, Record};

use super::{AuditReport, intents};

/// Checks that the intents are what they are named by and their news are theirs. Whether the vector is deserved, no record says.
pub(super) fn audit(segment: &Segment, context: &EpochContext) -> AuditReport {
    let records = segment.records();
    let mut audited = AuditReport::new(context, records);
    audited.root = segment.root();
    audited.scored_elsewhere = true;
    audited.on_trust.push("the scores: they were made by other software, and are not re-derived".to_owned());
    let version_key = context.state.hyperparameters.weights_version_key;
    for record in records {
        match record {
            Record::Intent(intent) => audited.problems.extend(of_intent(intent, context, version_key)),
            Record::EpochOpened(_) | Record::IntentUpdate(_) | Record::BlockSeen { .. } => {}
            _ => audited.problems.push(
                "it holds records of judging, though its scores are said to have been made elsewhere"
                    .to_owned(),
            ),
        }
    }
    audited.problems.dedup();
    audited.problems.extend(intents::news(records, &intents::of(records, context), context));
    let Some(publication) = publications(records).remove(&context.epoch) else { return audited };
    if let Some(IntentState::Published { block }) = publication.state {
        audited.published_at = Some(block);
    }
    audited.intended = Some(publication.intent.weights);
    audited
}

fn of_intent(intent: &Intent, context: &EpochContext, version_key: u64) -> Vec<String> {
    let mut problems = Vec::new();
    let Intent { id, epoch, netuid, mechanism, weights, version_key: key, .. } = intent;
    if Intent::digest(*epoch, *netuid, *mechanism, weights, *key) != *id {
        problems.push(format!("intent {id} is not the one of its weights"));
    }
    // The key of one that supersedes is of rules that changed since.
    let is_first_key = *key == version_key || intent.supersedes.is_some();
    if (*netuid, *mechanism) != (context.netuid, context.mechanism) || !is_first_key {
        problems.push("the intent is for another subnet, mechanism or version key".to_owned());
    }
    let strangers = |uid: &weighhouse_types::Uid| context.state.metagraph.neuron(*uid).is_none();
    if let Some(uid) = weights.uids().into_iter().find(strangers) {
        problems.push(format!("uid {uid} has a weight, and was not registered when the epoch was opened"));
    }
    problems
}
