//! Curves over epochs: what was earned, how weights lay, and who was caught by what.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use weighhouse_types::{Epoch, Uid};

use crate::brief::Brief;
use crate::chain::ChainView;
use crate::consensus::Rows;
use crate::economy::{Economy, rows_json};
use crate::epochs::newest;
use crate::error::ConsoleError;
use crate::folder::Folder;
use crate::limits::EPOCHS_LISTED;

/// Lines of one picture: by what was earned in all.
const LINES: usize = 32;
/// Miners in the list of those who were caught.
const CAUGHT: usize = 256;
const TAO: f64 = 1e9;

pub(crate) fn curves(
    folder: &Folder,
    economy: Option<&Economy>,
    view: Option<&ChainView>,
) -> Result<Value, ConsoleError> {
    let files = folder.list()?;
    let listed = newest(folder, &files, EPOCHS_LISTED);
    let told = economy.map(Economy::told);
    let mut paid: Vec<(Epoch, BTreeMap<Uid, u64>)> = Vec::new();
    let mut maps = Vec::new();
    for brief in &listed.briefs {
        let observed = told.as_ref().and_then(|told| told.of(brief.epoch));
        // The epoch after opens with what this one paid.
        let after = listed.briefs.iter().find(|after| after.epoch == brief.epoch.next());
        let emission = observed.map(|closed| &closed.emission);
        let emission = emission.or_else(|| after?.opened.as_ref().map(|opened| &opened.emission));
        paid.extend(emission.map(|emission| (brief.epoch, emission.iter().copied().collect())));
        let rows = observed.map(|closed| closed.weights.clone()).or_else(|| own_row(brief));
        maps.extend(rows.map(|rows| json!({"epoch": brief.epoch, "rows": rows_json(&rows)})));
    }
    let now = view
        .filter(|view| !view.rows.is_empty())
        .and_then(|view| view.state.as_ref().map(|state| (view, state)));
    let now = now.map(|(view, state)| json!({"block": state.head.number, "rows": rows_json(&view.rows)}));
    Ok(json!({
        "players": told.as_ref().map(|told| &told.players), "ended": told.as_ref().is_some_and(|told| told.ended),
        "epochs": paid.iter().map(|(epoch, _)| epoch).collect::<Vec<_>>(), "lines": lines(&paid),
        "maps": maps, "now": now, "caught": caught(&listed.briefs), "unread": listed.unread,
        "earlier": files.len().saturating_sub(EPOCHS_LISTED),
    }))
}

/// The validator's own weights, where nobody tells of others'.
fn own_row(brief: &Arc<Brief>) -> Option<Rows> {
    let (uid, _) = brief.opened.as_ref()?.own?;
    Some(Rows::from([(uid, brief.vector.as_ref()?.entries().to_vec())]))
}

/// What the neurons that earned most were paid, epoch by epoch, in TAO.
fn lines(paid: &[(Epoch, BTreeMap<Uid, u64>)]) -> Vec<Value> {
    let mut totals: BTreeMap<Uid, u64> = BTreeMap::new();
    for (uid, rao) in paid.iter().flat_map(|(_, emission)| emission) {
        let total = totals.entry(*uid).or_default();
        *total = total.saturating_add(*rao);
    }
    let mut totals: Vec<_> = totals.into_iter().collect();
    totals.sort_by_key(|(uid, total)| (std::cmp::Reverse(*total), *uid));
    let line = |(uid, total): &(Uid, u64)| {
        let tao = |rao: u64| rao as f64 / TAO;
        let points = paid.iter().map(|(_, emission)| tao(emission.get(uid).copied().unwrap_or_default()));
        json!({"uid": uid, "total": tao(*total), "tao": points.collect::<Vec<_>>()})
    };
    totals.iter().take(LINES).map(line).collect()
}

/// Checks that spoke against miners, over all these epochs, the most frequent first.
fn caught(briefs: &[Arc<Brief>]) -> Vec<Value> {
    let mut all: BTreeMap<(Uid, &str), (Epoch, u32)> = BTreeMap::new();
    for brief in briefs {
        for ((uid, check), answers) in &brief.caught {
            // Ascending, so that the first is the earliest.
            let (_, sum) = all.entry((*uid, check)).or_insert((brief.epoch, 0));
            *sum = sum.saturating_add(*answers);
        }
    }
    let mut all: Vec<_> = all.into_iter().collect();
    all.sort_by_key(|((uid, _), (_, answers))| (std::cmp::Reverse(*answers), *uid));
    let row = |((uid, check), (first, answers)): &((Uid, &str), (Epoch, u32))| json!({"uid": uid, "check": check.replace('_', " "), "answers": answers, "first": first});
    all.iter().take(CAUGHT).map(row).collect()
}
