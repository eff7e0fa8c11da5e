//! Several hotkeys in one process: each with an axon, quotas, receipts and state of its own, over the same models.

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::{MinerError, Parts, run};
use crate::metrics;

/// Serves as all of them, until `shutdown` or until none is left. One that has no place in its subnet is told and left out: the
/// others earn. Any other failure is the process's. `ready` is true while all that are left can answer.
pub async fn run_all(
    identities: Vec<Parts>,
    ready: watch::Sender<bool>,
    shutdown: &CancellationToken,
) -> Result<(), MinerError> {
    let stop = shutdown.child_token();
    let (mut each, mut serving) = (Vec::new(), JoinSet::new());
    let several = identities.len() > 1;
    for mut parts in identities {
        each.push(parts.ready.subscribe());
        parts.shutdown = stop.child_token();
        let hotkey = parts.keypair.hotkey();
        let span = if several { tracing::error_span!("as", %hotkey) } else { tracing::Span::none() };
        serving.spawn(run(parts).instrument(span));
    }
    metrics::identities(serving.len());
    let told = tokio::spawn(all_ready(each, ready));
    let mut outcome = Ok(());
    while let Some(ended) = serving.join_next().await {
        metrics::identities(serving.len());
        outcome = match ended.unwrap_or(Err(MinerError::Panicked)) {
            Err(error @ MinerError::NotRegistered { .. }) if !serving.is_empty() && outcome.is_ok() => {
                tracing::error!(state = "registration", turned = "bad", %error, left = serving.len(), "one of the hotkeys serves no more, until a restart after it is registered");
                continue;
            }
            Err(error) if outcome.is_ok() => {
                stop.cancel();
                Err(error)
            }
            _ => outcome,
        };
    }
    told.abort();
    outcome
}

/// Tells whether all can answer, each time that every one of them has told anew: one that hangs holds the word up, as it should.
async fn all_ready(mut each: Vec<watch::Receiver<bool>>, ready: watch::Sender<bool>) {
    while !each.is_empty() {
        let mut left = Vec::new();
        for mut one in each {
            if one.changed().await.is_ok() {
                left.push(one);
            }
        }
        each = left;
        ready.send_replace(!each.is_empty() && each.iter().all(|one| *one.borrow()));
    }
}
