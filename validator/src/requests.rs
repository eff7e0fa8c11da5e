//! Requests that a journal names by digest alone, given back by their challenges' seeds.

use std::borrow::Cow;

use weighhouse_journal::Segment;
use weighhouse_tasks::{OnRecord, Task};
use weighhouse_types::{ChallengeRecord, Digest, EpochContext, Record};
use weighhouse_wallet::vrf::vrf_verify;

use crate::audit::opening;
use crate::dialogue::framed;
use crate::round::vrf_input;

/// The framed request with this digest: as it stands in the file, or as its challenge's seed gives it. `None` where neither
/// does.
pub fn request_bytes<'a>(segment: &'a Segment, request: &Digest) -> Option<Cow<'a, [u8]>> {
    if let Some(bytes) = segment.blob(request) {
        return Some(Cow::Borrowed(bytes));
    }
    let context = opening(segment.records())?;
    let asked = segment.records().iter().find_map(|record| match record {
        Record::Asked(asked) if asked.request.as_ref() == Some(request) => Some(asked),
        _ => None,
    })?;
    let bytes = draw_again(context, asked)?;
    (Digest::of(&bytes) == *request).then_some(Cow::Owned(bytes))
}

fn draw_again(context: &EpochContext, asked: &ChallengeRecord) -> Option<Vec<u8>> {
    let task = Task::load(&context.task, &OnRecord).ok().filter(Task::request_follows_from_seed)?;
    let preout = asked.vrf_output.as_slice().try_into().ok()?;
    let input = vrf_input(context, asked.round, asked.scope);
    let seed = vrf_verify(&context.validator, &input, preout, &asked.vrf_proof).ok()?;
    let challenge = task.challenge(&seed).ok()?;
    Some(framed(asked, task.request(&challenge, String::new())).bytes().to_vec())
}
