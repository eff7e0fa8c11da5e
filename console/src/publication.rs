//! What became of an epoch's weights, in the journal's words.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;
use weighhouse_journal::{Publication, publications};
use weighhouse_types::{Epoch, IntentState, Record};

use crate::brief::Brief;

/// State of an epoch's publication.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Published {
    /// `open`, `abstained`, `undecided`, `intended`, or the state of the intent.
    pub(crate) state: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) block: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) why: Option<String>,
}

/// States of all these epochs, which come in their order: news of one may stand in a later one's file.
pub(crate) fn states(briefs: &[Arc<Brief>]) -> BTreeMap<Epoch, Published> {
    let news: Vec<Record> = briefs.iter().flat_map(|brief| brief.news.iter().cloned()).collect();
    let known = publications(&news);
    let newest = briefs.last().map(|brief| brief.epoch);
    let state = |brief: &Arc<Brief>| {
        let published = match known.get(&brief.epoch) {
            Some(publication) => of_intent(publication),
            None => without_intent(brief, newest == Some(brief.epoch)),
        };
        (brief.epoch, published)
    };
    briefs.iter().map(state).collect()
}

fn of_intent(publication: &Publication) -> Published {
    let Some(state) = &publication.state else {
        return Published { state: "intended".to_owned(), block: None, why: None };
    };
    let why = match state {
        IntentState::Failed { why } | IntentState::Missed { why } => Some(why.clone()),
        _ => publication
            .intent
            .supersedes
            .as_ref()
            .map(|(_, why)| format!("replaces an earlier vector: {why}")),
    };
    Published { state: name(state), block: state.block().map(|block| block.0), why }
}

fn without_intent(brief: &Brief, is_newest: bool) -> Published {
    let (state, why) = match (&brief.abstained, is_newest && brief.closed_at.is_none()) {
        (Some(why), _) => ("abstained", Some(why.clone())),
        (None, true) => ("open", None),
        (None, false) => ("undecided", Some("the epoch ended before it was weighed".to_owned())),
    };
    Published { state: state.to_owned(), block: None, why }
}

/// As in the journal's JSON.
fn name(state: &IntentState) -> String {
    match serde_json::to_value(state).map(|mut value| value["state"].take()) {
        Ok(Value::String(name)) => name,
        _ => String::new(),
    }
}
