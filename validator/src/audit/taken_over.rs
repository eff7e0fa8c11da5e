//! What an epoch's file takes over from the file before it.

use weighhouse_journal::Segment;
use weighhouse_scoring::Closing;
use weighhouse_tasks::{OnRecord, Task};
use weighhouse_types::{CarriedChallenge, EpochContext, Record, StartedFrom, Trail};

use super::{AuditError, checks};
use crate::later::take_over;

/// Everything that isn't as the epoch before left it. A validator that was away goes on from the last epoch that it has.
pub(super) fn problems(
    before: &Segment,
    earlier: &EpochContext,
    segment: &Segment,
    context: &EpochContext,
) -> Result<Vec<String>, AuditError> {
    let mut problems = challenges(before, earlier, segment)?;
    let is_closed = before.records().iter().any(|record| matches!(record, Record::EpochClosed(_)));
    // Version 1 closed none, and named no judge.
    if !is_closed && earlier.judge.is_some() {
        problems.push(format!("epoch {} was never closed", earlier.epoch));
    }
    let Closing { standings, trails } = weighhouse_scoring::closing(before.records())?;
    if standings != context.carried {
        problems.push("the standings are not those that the epoch before left behind".to_owned());
    }
    if trails != trails_of(segment.records()) {
        problems.push("the trails are not those that the epoch before left behind".to_owned());
    }
    let neurons = &context.state.metagraph.neurons;
    let stayed = before.records().iter().filter_map(|record| match record {
        Record::Departed { who, .. } => Some(who),
        _ => None,
    });
    let stayed = stayed.flatten().filter(|who| neurons.iter().any(|neuron| neuron.registration() == **who));
    problems.extend(stayed.map(|who| format!("{} is said to have departed, and is still there", who.hotkey)));
    // Without the task's kind at hand nothing can be said of its checks, as the audit of each file says.
    if let Ok(task) = Task::load(&earlier.task, &OnRecord)
        && !checks::are_taken_over(before.records(), segment.records(), &task)
    {
        problems.push("the checks are not those that the epoch before left behind".to_owned());
    }
    Ok(problems)
}

/// Everything wrong with what a new validator's first epoch took over from another's epoch; `None` where it doesn't say that it did.
pub(super) fn from_another(before: &Segment, segment: &Segment) -> Result<Option<Vec<String>>, AuditError> {
    let (earlier, context) = (super::context_of(before)?, super::context_of(segment)?);
    let Some(StartedFrom { validator, epoch, root }) = context.fields.started_from() else {
        return Ok(None);
    };
    let place = |context: &EpochContext| (context.genesis, context.netuid, context.mechanism);
    if (validator, epoch) != (earlier.validator, earlier.epoch) || place(earlier) != place(context) {
        return Ok(None);
    }
    if root != before.root() {
        let other = format!("it began with another record of epoch {epoch} than this file of {validator}");
        return Ok(Some(vec![other]));
    }
    let Closing { standings, trails } = weighhouse_scoring::closing(before.records())?;
    let is_theirs = standings == context.carried && trails == trails_of(segment.records());
    let other = || format!("its first averages are not those that epoch {epoch} of {validator} left");
    Ok(Some(if is_theirs { Vec::new() } else { vec![other()] }))
}

/// Challenges whose truth was awaited at the end of the epoch before.
fn challenges(
    before: &Segment,
    earlier: &EpochContext,
    segment: &Segment,
) -> Result<Vec<String>, AuditError> {
    let expected = take_over(before, earlier, segment.header().epoch)?;
    let is_missing =
        // Bytes are missed where the records that name them are checked.
        |record: &&Record| !matches!(record, Record::Blob(_)) && !segment.records().contains(record);
    let name = |record: &Record| match record {
        Record::CarriedChallenge(carried) => {
            let CarriedChallenge { asked, .. } = carried.as_ref();
            format!("challenge {} of epoch {} was not taken over as it stood", asked.challenge, asked.epoch)
        }
        _ => "a challenge beyond the limits did not lapse".to_owned(),
    };
    let mut problems: Vec<String> = expected.iter().filter(is_missing).map(name).collect();
    let is_added =
        |record: &&Record| matches!(record, Record::CarriedChallenge(_)) && !expected.contains(record);
    let added = segment.records().iter().filter(is_added);
    problems
        .extend(added.map(|_| "a challenge was taken over that the epoch before doesn't have".to_owned()));
    Ok(problems)
}

fn trails_of(records: &[Record]) -> Vec<Trail> {
    let trails = records.iter().filter_map(|record| match record {
        Record::Trails { trails, .. } => Some(trails),
        _ => None,
    });
    trails.flatten().cloned().collect()
}
