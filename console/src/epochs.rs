//! Lists of epochs, and one epoch whole.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use weighhouse_types::Epoch;

use crate::brief::Brief;
use crate::error::ConsoleError;
use crate::folder::{EpochFile, Folder};
use crate::limits::REQUEST_BYTES_MAX;
use crate::miners::Sheet;
use crate::publication::{Published, states};

/// Epochs behind one in whose files news of its weights may stand.
const NEWS_WITHIN: usize = 4;

/// Epochs that could be read, ascending, and those that could not.
#[derive(Debug, Default)]
pub(crate) struct Listed {
    pub(crate) briefs: Vec<Arc<Brief>>,
    pub(crate) published: BTreeMap<Epoch, Published>,
    /// With the reason.
    pub(crate) unreadable: Vec<(Epoch, String)>,
    /// Files that were left for the next request.
    pub(crate) unread: usize,
}

/// The newest epochs of these files. One request reads so many bytes; what it found stays found.
pub(crate) fn newest(folder: &Folder, files: &[EpochFile], count: usize) -> Listed {
    let (mut listed, mut budget) = (Listed::default(), REQUEST_BYTES_MAX);
    for file in files.iter().rev().take(count) {
        let known = folder.known_brief(file);
        // The newest is read whatever its size.
        if known.is_none() && budget < file.stamp.bytes && !listed.briefs.is_empty() {
            listed.unread += 1;
            continue;
        }
        let brief = known.unwrap_or_else(|| {
            budget = budget.saturating_sub(file.stamp.bytes);
            folder.brief(file)
        });
        match brief {
            Ok(brief) => listed.briefs.push(brief),
            Err(error) => listed.unreadable.push((file.epoch, error.to_string())),
        }
    }
    listed.briefs.reverse();
    listed.published = states(&listed.briefs);
    listed
}

/// The vtrust that an epoch's weights got: the epoch after opens with it.
fn vtrust(epoch: Epoch, briefs: &[Arc<Brief>]) -> Option<f64> {
    let after = briefs.iter().find(|brief| brief.epoch == epoch.next())?;
    let (_, vtrust) = after.opened.as_ref()?.own?;
    Some(f64::from(vtrust) / f64::from(u16::MAX))
}

pub(crate) fn brief_json(brief: &Brief, listed: &Listed) -> Value {
    let opened = brief.opened.as_ref();
    json!({
        "epoch": brief.epoch, "opened_at": opened.map(|opened| opened.block),
        "ends_at": opened.and_then(|opened| opened.ends_at), "tempo": opened.map(|opened| opened.tempo),
        "neurons": opened.map(|opened| opened.neurons), "rounds": opened.and_then(|opened| opened.rounds),
        "void_rounds": brief.void_rounds, "closed_at": brief.closed_at, "counts": brief.counts(),
        "outcomes": brief.verdicts.iter().map(|(outcome, count)| (outcome.name(), *count)).collect::<BTreeMap<_, _>>(),
        "publication": listed.published.get(&brief.epoch), "vtrust": vtrust(brief.epoch, &listed.briefs),
    })
}

/// The newest epochs up to `before`, and those that can't be read.
pub(crate) fn list(folder: &Folder, before: Option<Epoch>, count: usize) -> Result<Value, ConsoleError> {
    let mut files = folder.list()?;
    files.retain(|file| before.is_none_or(|before| file.epoch < before));
    let listed = newest(folder, &files, count);
    Ok(json!({
        "epochs": listed.briefs.iter().rev().map(|brief| brief_json(brief, &listed)).collect::<Vec<_>>(),
        "unreadable": listed.unreadable.iter().map(|(epoch, why)| json!({"epoch": epoch, "why": why})).collect::<Vec<_>>(),
        "unread": listed.unread, "earlier": files.len().saturating_sub(count),
    }))
}

/// One epoch with all its miners.
pub(crate) fn epoch(folder: &Folder, epoch: Epoch) -> Result<Value, ConsoleError> {
    let files = folder.list()?;
    let at = files.iter().position(|file| file.epoch == epoch).ok_or(ConsoleError::NoEpoch(epoch))?;
    let records = folder.records(&files[at])?;
    let around = &files[at..files.len().min(at + NEWS_WITHIN)];
    let listed = newest(folder, around, NEWS_WITHIN);
    let brief =
        listed.briefs.iter().find(|brief| brief.epoch == epoch).ok_or(ConsoleError::NotOpened(epoch))?;
    if brief.opened.is_none() {
        return Err(ConsoleError::NotOpened(epoch));
    }
    let sheet =
        Sheet::of(records.segment.records()).map_err(|source| ConsoleError::Weigh { epoch, source })?;
    let vtrust = vtrust(epoch, &listed.briefs);
    let no_vtrust = "the epoch after opens with it, and isn't in the folder yet";
    Ok(json!({
        "brief": brief_json(brief, &listed), "is_final": brief.closed_at.is_some(), "vtrust": vtrust,
        "no_vtrust": vtrust.is_none().then_some(no_vtrust),
        "no_agreement": "a journal holds its own validator's weights alone: agreement is with what the chain shows now",
        "abstains": sheet.abstains, "miners": sheet.miners,
    }))
}
