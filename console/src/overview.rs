//! The first thing a page shows: where the chain is, what became of the newest epochs' weights, and the folder.

use std::sync::Arc;

use serde_json::{Value, json};
use weighhouse_seams::Clock;
use weighhouse_types::{Hotkey, WeightVector};

use crate::brief::Brief;
use crate::chain::ChainView;
use crate::consensus::{MECHANISM, consensus};
use crate::epochs::{Listed, brief_json, newest};
use crate::error::ConsoleError;
use crate::folder::{EpochFile, Folder};
use crate::limits::FILES_LISTED;

/// Epochs whose publications the first view has.
const EPOCHS: usize = 12;

pub(crate) fn overview(
    folder: &Folder,
    view: Option<&ChainView>,
    clock: &dyn Clock,
) -> Result<Value, ConsoleError> {
    let files = folder.list()?;
    let listed = newest(folder, &files, EPOCHS);
    let owner = listed.briefs.last().map(|brief| brief.owner);
    let opened = listed.briefs.iter().rev().find_map(|brief| brief.opened.as_ref());
    let (consensus, no_consensus) = match (view, owner) {
        (Some(view), Some(owner)) if owner.mechanism == MECHANISM => trust(view, owner.validator, &listed),
        (Some(_), Some(_)) => (Value::Null, "vtrust is the first mechanism's alone".to_owned()),
        _ => {
            (Value::Null, "no chain is at hand: the journal holds this validator's weights alone".to_owned())
        }
    };
    Ok(json!({
        "validator": owner.map(|owner| owner.validator), "netuid": owner.map(|owner| owner.netuid),
        "mechanism": owner.map(|owner| owner.mechanism), "genesis": owner.map(|owner| owner.genesis),
        "uid": opened.and_then(|opened| opened.own).map(|(uid, _)| uid),
        "task": opened.and_then(|opened| opened.task.clone()), "software": opened.map(|opened| opened.software.clone()),
        "chain": view.map(|view| chain(view, clock)),
        "epochs": listed.briefs.iter().rev().map(|brief| brief_json(brief, &listed)).collect::<Vec<_>>(),
        "consensus": consensus, "no_consensus": no_consensus,
        "journal": disk(folder, &files, &listed),
    }))
}

fn chain(view: &ChainView, clock: &dyn Clock) -> Value {
    let Some(state) = &view.state else {
        return json!({"trouble": view.trouble.clone().unwrap_or_else(|| "not asked yet".to_owned())});
    };
    let (head, next) = (state.head.number, state.schedule.next_epoch_block());
    json!({
        "block": head, "epoch": state.schedule.epoch, "began_at": state.schedule.last_epoch_block,
        "ends_at": next, "blocks_left": next.map(|next| next.saturating_since(head)),
        "tempo": state.schedule.tempo, "block_ms": view.block_time.map(|time| time.as_millis() as u64),
        "seen_ms_ago": clock.monotonic().saturating_sub(view.seen_at).as_millis() as u64, "trouble": view.trouble,
    })
}

fn trust(view: &ChainView, validator: Hotkey, listed: &Listed) -> (Value, String) {
    let Some(state) = &view.state else {
        return (Value::Null, view.trouble.clone().unwrap_or_else(|| "the chain wasn't read yet".to_owned()));
    };
    // A vector of this epoch or the one before may not be on the chain yet; an older one is, or never will be.
    let newest = listed.briefs.iter().rev().take(2).find_map(|brief: &Arc<Brief>| brief.vector.as_ref());
    let newest: Option<&WeightVector> = newest.filter(|_| is_registered(listed));
    match consensus(state, &view.rows, validator, newest) {
        Ok(Some(found)) => (json!(found), String::new()),
        Ok(None) => (Value::Null, "the validator isn't registered in its subnet now".to_owned()),
        Err(error) => (Value::Null, format!("what the chain shows isn't a state of Yuma's: {error}")),
    }
}

fn is_registered(listed: &Listed) -> bool {
    listed
        .briefs
        .iter()
        .rev()
        .find_map(|brief| brief.opened.as_ref())
        .is_some_and(|opened| opened.own.is_some())
}

fn disk(folder: &Folder, files: &[EpochFile], listed: &Listed) -> Value {
    let room =
        rustix::fs::statvfs(folder.path()).ok().map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize));
    let owner = listed.briefs.last().map(|brief| brief.owner);
    let dir = std::fs::canonicalize(folder.path()).unwrap_or_else(|_| folder.path().to_owned());
    let file = |file: &EpochFile| {
        let state = match folder.known_brief(file) {
            None => "not read yet".to_owned(),
            Some(Err(error)) => error.to_string(),
            Some(Ok(brief)) if Some(brief.owner) != owner => {
                "of another validator, subnet or chain".to_owned()
            }
            Some(Ok(brief)) if brief.unfinished_bytes > 0 => {
                format!("readable; {} bytes of a last commit aren't whole", brief.unfinished_bytes)
            }
            Some(Ok(_)) => "readable".to_owned(),
        };
        json!({"epoch": file.epoch, "bytes": file.stamp.bytes, "state": state})
    };
    json!({
        "dir": dir.display().to_string(), "files": files.len(),
        "bytes": files.iter().map(|file| file.stamp.bytes).sum::<u64>(), "free_bytes": room,
        "newest": files.iter().rev().take(FILES_LISTED).map(file).collect::<Vec<_>>(),
    })
}
