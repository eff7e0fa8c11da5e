//! A round's requests: connections first, then all requests at once, in an order that nobody can foresee.
//!
//! Miners of a shared challenge that stand in league gain nothing by who is asked first, and one that is slow to take a connection
//! is asked no later than the others.

use std::time::Duration;

use futures::future::join_all;
use weighhouse_ask::{AskLimits, Asker, Heard, RawAnswer};
use weighhouse_seams::ClockExt as _;
use weighhouse_types::{Digest, Failure, Hasher};

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
}

/// Asks everybody the stage that is due. Where there are more than may be asked at once, the next ones are asked when these are done.
///
/// # Errors
/// Where nothing came back from anybody: that is our own trouble.
pub(super) async fn ask(
    parts: &Parts,
    asker: &Asker,
    mut dialogues: Vec<Dialogue>,
    seed: &[u8; 32],
) -> Result<Answers, ValidatorError> {
    dialogues.sort_by_cached_key(|dialogue| place(dialogue, seed));
    let limits =
        AskLimits { deadline: parts.rounds.deadline, answer_bytes_max: parts.rounds.answer_bytes_max };
    let mut heard = Vec::with_capacity(dialogues.len());
    let mut dialogues = dialogues.into_iter();
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
        let ready = join_all(together.iter().map(connect)).await;
        let ask = async |(dialogue, ready): (Dialogue, Result<_, Failure>)| match ready {
            Ok(ready) => (dialogue, weighhouse_ask::Ready::ask(ready, limits).await),
            Err(failure) => (dialogue, failure.into()),
        };
        heard.extend(join_all(together.into_iter().zip(ready).map(ask)).await);
    }
    if let Some(asked) = unheard(&heard) {
        return Err(ValidatorError::Unheard { asked });
    }
    let ahead_ms = ahead(&heard);
    let answers = heard.into_iter().map(|(dialogue, heard)| (dialogue, heard.outcome)).collect();
    Ok(Answers { answers, ahead_ms })
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
    let nothing =
        |outcome: &Result<_, _>| matches!(outcome, Err(Failure::Unreachable | Failure::DeadlineExceeded));
    let asked = outcomes().count();
    (asked > 1 && outcomes().all(nothing)).then_some(asked)
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
