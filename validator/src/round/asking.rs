//! A round's requests: connections first, then all requests at once, in an order that nobody can foresee.
//!
//! Miners of a shared challenge that stand in league gain nothing by who is asked first, and one that is slow to take a connection
//! is asked no later than the others. Our own canary is asked with them.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::future::{join, join_all};
use weighhouse_ask::{AskLimits, Asker, Heard, RawAnswer, Ready};
use weighhouse_seams::ClockExt as _;
use weighhouse_types::{Digest, Failure, Hasher, Hotkey};

use crate::dialogue::Dialogue;
use crate::error::ValidatorError;
use crate::parts::Parts;

/// For all connections of a round to come about, before its requests leave.
const CONNECT_MAX: Duration = Duration::from_secs(1);

/// Answers of a round, and what else was heard.
pub(super) struct Answers {
    pub(super) answers: Vec<(Dialogue, Result<RawAnswer, Failure>)>,
    /// How far our clock is ahead of the miners' that refused for it, where these are most of those who were heard.
    pub(super) ahead_ms: Option<i64>,
    /// Of whom nothing came back.
    pub(super) silent: BTreeSet<Hotkey>,
}

/// Asks everybody the stage that is due. Where there are more than may be asked at once, the next ones are asked when these are done.
///
/// # Errors
/// Where nothing came back from anybody, or somebody is silent while our canary is too: that is our own trouble.
pub(super) async fn ask(
    parts: &Parts,
    asker: &Asker,
    mut dialogues: Vec<Dialogue>,
    seed: &[u8; 32],
) -> Result<Answers, ValidatorError> {
    dialogues.sort_by_cached_key(|dialogue| place(dialogue, seed));
    let answer_bytes_max = parts.task.answer_bytes_max().unwrap_or(usize::MAX);
    let answer_bytes_max = answer_bytes_max.min(parts.rounds.answer_bytes_max);
    // What the subnet agreed on goes before what this validator would wait.
    let agreed = parts.task.file().deadline.unwrap_or(Duration::MAX);
    let limits = AskLimits { deadline: parts.rounds.deadline.min(agreed), answer_bytes_max };
    let mut heard = Vec::with_capacity(dialogues.len());
    let (mut dialogues, mut fault) = (dialogues.into_iter(), None);
    loop {
        let together: Vec<_> = dialogues.by_ref().take(parts.rounds.in_flight_max).collect();
        if together.is_empty() {
            break;
        }
        let connect = async |dialogue: &Dialogue| {
            let ready =
                parts.clock.timeout(CONNECT_MAX.min(limits.deadline), dialogue.ready(asker, limits)).await;
            ready.unwrap_or(Err(Failure::Unreachable))
        };
        let ((ready, canary), name) = {
            let name = canary_request(seed, &together);
            (
                join(join_all(together.iter().map(connect)), connect_canary(parts, asker, &name, limits))
                    .await,
                name,
            )
        };
        let ask = async |(dialogue, ready): (Dialogue, Result<_, Failure>)| match ready {
            Ok(ready) => (dialogue, Ready::ask(ready, limits).await),
            Err(failure) => (dialogue, failure.into()),
        };
        let asking = join_all(together.into_iter().zip(ready).map(ask));
        let (answers, canary) = join(asking, ask_canary(canary, limits)).await;
        heard.extend(answers);
        if let (Some(canary), Some(heard)) = (&parts.canary, canary) {
            fault = fault.or(canary.fault(&name, &heard, limits));
        }
    }
    if let Some(asked) = unheard(&heard) {
        return Err(ValidatorError::Unheard { asked });
    }
    // Where everybody answered, nobody would be charged for it.
    if let (Some(why), true) = (fault, heard.iter().any(|(_, heard)| is_silent(&heard.outcome))) {
        return Err(ValidatorError::Canary { why });
    }
    let ahead_ms = ahead(&heard);
    let silent = heard.iter().filter(|(_, heard)| is_silent(&heard.outcome));
    let silent = silent.map(|(dialogue, _)| dialogue.neuron.hotkey).collect();
    let answers = heard.into_iter().map(|(dialogue, heard)| (dialogue, heard.outcome)).collect();
    Ok(Answers { answers, ahead_ms, silent })
}

fn place(dialogue: &Dialogue, seed: &[u8; 32]) -> Digest {
    let Dialogue { neuron, stage, .. } = dialogue;
    Hasher::new("weighhouse/asking-order/v1")
        .part(seed)
        .part(&[*stage])
        .part(neuron.hotkey.as_bytes())
        .finish()
}

/// The number of miners that were asked, where there are several and not a byte came back from any.
fn unheard(heard: &[(Dialogue, Heard)]) -> Option<usize> {
    let outcomes =
        || heard.iter().map(|(_, heard)| &heard.outcome).filter(|it| !matches!(it, Err(Failure::NoAxon)));
    let asked = outcomes().count();
    (asked > 1 && outcomes().all(is_silent)).then_some(asked)
}

fn is_silent(outcome: &Result<RawAnswer, Failure>) -> bool {
    matches!(outcome, Err(Failure::Unreachable | Failure::DeadlineExceeded))
}

/// A request that the canary has not seen before.
fn canary_request(seed: &[u8; 32], together: &[Dialogue]) -> String {
    let mut hasher = Hasher::new("weighhouse/canary/v1").part(seed);
    if let Some(first) = together.first() {
        hasher = hasher.part(&[first.stage]).part(first.neuron.hotkey.as_bytes());
    }
    hasher.finish().to_string()
}

async fn connect_canary(
    parts: &Parts,
    asker: &Asker,
    name: &str,
    limits: AskLimits,
) -> Option<Result<Ready, Failure>> {
    let canary = parts.canary.as_ref()?;
    let ready =
        parts.clock.timeout(CONNECT_MAX.min(limits.deadline), canary.ready(asker, name, limits)).await;
    Some(ready.unwrap_or(Err(Failure::Unreachable)))
}

async fn ask_canary(ready: Option<Result<Ready, Failure>>, limits: AskLimits) -> Option<Heard> {
    Some(match ready? {
        Ok(ready) => ready.ask(limits).await,
        Err(failure) => failure.into(),
    })
}

fn ahead(heard: &[(Dialogue, Heard)]) -> Option<i64> {
    let came_back = |heard: &&(Dialogue, Heard)| {
        !matches!(heard.1.outcome, Err(Failure::NoAxon | Failure::Unreachable | Failure::DeadlineExceeded))
            || heard.1.ahead_ms.is_some()
    };
    let mut ahead: Vec<i64> = heard.iter().filter_map(|(_, heard)| heard.ahead_ms).collect();
    let is_ours = ahead.len() > 1 && ahead.len() * 2 > heard.iter().filter(came_back).count();
    ahead.sort_unstable();
    is_ours.then(|| ahead[ahead.len() / 2])
}
