//! One epoch's journal file, checked by somebody who trusts nothing but the rules.
//!
//! The records are walked in their order (`walk`): proofs and requests, signatures, and verdicts where the judge is at hand.
//! Where it isn't, everything else is checked all the same, and the audit says whose word the verdicts are.

mod audited;
mod checks;
mod closing;
mod joint;
mod later;
mod records;
mod stages;
mod verdicts;
#[cfg(test)]
mod version_1;
mod walk;

use weighhouse_journal::{JournalError, Segment, SegmentError, publications};
use weighhouse_scoring::Decision;
use weighhouse_tasks::{OnRecord, Task, TaskError, TaskFileError, TaskLoader};
use weighhouse_types::{CarriedChallenge, EpochContext, IntentState, JudgeIdentity, Record};

use crate::later::take_over;
use walk::Walk;

pub use audited::AuditReport;

#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    #[error(transparent)]
    Journal(#[from] SegmentError),
    #[error("no record opens the epoch")]
    NoContext,
    #[error("the epoch's task: {0}")]
    Task(#[from] TaskError),
    #[error("the epoch before: {0}")]
    TakenOver(#[from] JournalError),
    #[error(transparent)]
    Weigh(#[from] weighhouse_scoring::WeighError),
}

/// Checks an epoch's file by what is on record: no model is needed to judge by it.
///
/// # Errors
/// A file that can't be read as an epoch of a task.
pub fn audit(file: &[u8]) -> Result<AuditReport, AuditError> {
    audit_with(file, &OnRecord)
}

/// Checks an epoch's file with the kinds and judges that are at hand. Blocks while these work.
///
/// # Errors
/// As [`audit`].
pub fn audit_with(file: &[u8], loader: &(impl TaskLoader + ?Sized)) -> Result<AuditReport, AuditError> {
    let segment = Segment::read(file)?;
    let mut audited = check_records(segment.records(), loader)?;
    audited.root = segment.root();
    audited.not_shown = closing::not_shown(&segment);
    weigh_again(segment.records(), &mut audited)?;
    Ok(audited)
}

/// Everything wrong with what an epoch took over from the one right before it; nothing where these are no two such files of one
/// validator's.
///
/// # Errors
/// As [`audit`].
pub fn audit_taken_over(before: &[u8], file: &[u8]) -> Result<Vec<String>, AuditError> {
    let (before, segment) = (Segment::read(before)?, Segment::read(file)?);
    let epoch = segment.header().epoch;
    let is_next = before.header().identity == segment.header().identity
        && before.header().epoch.0.checked_add(1) == Some(epoch.0);
    let Some(context) = context(before.records()).filter(|_| is_next) else { return Ok(Vec::new()) };
    let expected = take_over(&before, context, epoch)?;
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
    if weighhouse_scoring::closing(before.records())?.standings != context_of(&segment)?.carried {
        problems.push("the standings are not those that the epoch before left behind".to_owned());
    }
    // Without the task's kind at hand nothing can be said of its checks, as the audit of each file says.
    if let Ok(task) = Task::load(&context.task, &OnRecord)
        && !checks::are_taken_over(before.records(), segment.records(), &task)
    {
        problems.push("the checks are not those that the epoch before left behind".to_owned());
    }
    Ok(problems)
}

fn context_of(segment: &Segment) -> Result<&EpochContext, AuditError> {
    context(segment.records()).ok_or(AuditError::NoContext)
}

fn context(records: &[Record]) -> Option<&EpochContext> {
    records.iter().find_map(|record| match record {
        Record::EpochOpened(context) => Some(context.as_ref()),
        _ => None,
    })
}

/// Checks an epoch's records, whoever signed for their file; the vector is not worked out.
pub(crate) fn check_records(
    records: &[Record],
    loader: &(impl TaskLoader + ?Sized),
) -> Result<AuditReport, AuditError> {
    let context = context(records).ok_or(AuditError::NoContext)?;
    let mut audited = AuditReport::new(context, records);
    let task = load_task(context, loader, &mut audited)?;
    if let Some(task) = &task {
        audited.problems.extend(checks::check(records, context, task));
    }
    Walk::new(records, context, task).check(&mut audited);
    audited.problems.extend(closing::check(records));
    Ok(audited)
}

/// The task with its judge; `None` where this program doesn't have them, which the audit then says.
fn load_task(
    context: &EpochContext,
    loader: &(impl TaskLoader + ?Sized),
    audited: &mut AuditReport,
) -> Result<Option<Task>, AuditError> {
    let task = match Task::load(&context.task, loader) {
        Ok(task) => task,
        Err(
            error @ (TaskError::JudgeVersion { .. }
            | TaskError::NoJudge
            | TaskError::File(TaskFileError::Kind { .. })),
        ) => {
            audited.not_rederived.push(error.to_string());
            return Ok(None);
        }
        Err(error) => return Err(error.into()),
    };
    let recorded = context.judge.as_ref();
    let JudgeIdentity { kind, version, digest } = task.judge_identity();
    let differs = |recorded: &JudgeIdentity| {
        (&recorded.kind, recorded.version) != (&kind, version)
            || digest.is_some_and(|digest| recorded.digest != Some(digest))
    };
    if recorded.is_some_and(differs) {
        audited.problems.push("the judge on record is not the one that the task file names".to_owned());
    }
    if let Some(operator) = context.fields.operator() {
        audited.on_trust.push(format!("that the pinned judge was run: the word of {operator}"));
    }
    Ok(Some(task))
}

fn weigh_again(records: &[Record], audited: &mut AuditReport) -> Result<(), AuditError> {
    match weighhouse_scoring::weigh(records)? {
        Decision::Weights { vector, .. } => audited.vector = Some(vector),
        Decision::Abstain { why, .. } => audited.abstains = Some(why.to_string()),
    }
    let Some((_, publication)) = publications(records).pop_last() else {
        return Ok(());
    };
    let intent = &publication.intent;
    let id = weighhouse_types::Intent::digest(
        intent.epoch,
        intent.netuid,
        intent.mechanism,
        &intent.weights,
        intent.version_key,
    );
    let matches = audited.vector.as_ref() == Some(&intent.weights) && id == intent.id;
    if !matches {
        audited.problems.push("the intended vector is not the one that the records give".to_owned());
    }
    audited.matches = Some(matches);
    if let Some(IntentState::Published { block }) = publication.state {
        audited.published_at = Some(block);
    }
    Ok(())
}
