//! One epoch's journal file, checked by somebody who trusts nothing but the rules.
//!
//! The records are walked in their order (`walk`): proofs and requests, signatures, and verdicts where the judge is at hand.
//! Where it isn't, everything else is checked all the same, and the audit says whose word the verdicts are.

mod audited;
mod blobs;
mod chain;
mod checks;
mod closing;
mod elsewhere;
mod intents;
mod joint;
mod later;
mod log;
mod proven;
mod receipts;
mod records;
mod rounds;
mod stages;
mod taken_over;
mod verdicts;
#[cfg(test)]
mod version_1;
mod walk;

use weighhouse_journal::{JournalError, Segment, SegmentError, publications};
use weighhouse_scoring::Decision;
use weighhouse_tasks::{OnRecord, Task, TaskError, TaskFileError, TaskLoader};
use weighhouse_types::{Acknowledgement, EpochContext, IntentState, JudgeIdentity, Record, StartedFrom};

use crate::log::Fork;
use walk::Walk;

pub use audited::AuditReport;
pub use chain::{ChainFindings, audit_chain};
pub use log::{CheckpointReport, LogReport};
pub use proven::{AnswerProof, ProvenAnswer, ProvenError, prove};

#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    #[error(transparent)]
    Journal(#[from] SegmentError),
    #[error("no record opens the epoch")]
    NoContext,
    #[error("no epoch was opened in it: it has no records")]
    NothingOpened,
    #[error("the epoch's task: {0}")]
    Task(#[from] TaskError),
    #[error("the epoch before: {0}")]
    TakenOver(#[from] JournalError),
    #[error(transparent)]
    Weigh(#[from] weighhouse_scoring::WeighError),
}

/// How the report's word on a validator's start begins.
pub const STARTED: &str = "that it began with the averages that ";

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
    if segment.leaves().is_empty() {
        return Err(AuditError::NothingOpened);
    }
    if let Some(context) = opening(segment.records()).filter(|context| context.fields.are_scored_elsewhere())
    {
        return Ok(elsewhere::audit(&segment, context));
    }
    let mut audited = check_records((segment.records(), segment.removed()), loader)?;
    audited.root = segment.root();
    if let Some(context) = opening(segment.records()) {
        log::check(&segment, context, &mut audited);
    }
    audited.not_shown = closing::not_shown(&segment);
    weigh_again(segment.records(), &mut audited)?;
    Ok(audited)
}

/// Holds miners' receipts against an epoch's file: whatever the validator has signed for has to be on record as it was. Receipts of
/// other epochs and validators are passed over; gives the number of those that were compared, and what they prove.
///
/// # Errors
/// A file that can't be read as an epoch.
pub fn audit_receipts(file: &[u8], held: &[Acknowledgement]) -> Result<(usize, Vec<String>), AuditError> {
    let segment = Segment::read(file)?;
    let context = context_of(&segment)?;
    Ok(receipts::held_against(held, segment.records(), context))
}

/// What two files of one validator say of each other.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct TakenOver {
    /// The proof that these are two files of one epoch.
    pub fork: Option<Fork>,
    /// The first is another validator's epoch, which the second says that it began with.
    pub is_start: bool,
    /// Files that there must be between these two, and what can't be compared without them.
    pub missing: Vec<String>,
    /// Everything that is not as it should be.
    pub problems: Vec<String>,
    /// Everything that is other than before, and that a validator may change: whether it had a right to is for the reader to say.
    pub changed: Vec<String>,
}

/// Everything wrong with what an epoch took over from the one before it; nothing where these are no two such files of one
/// validator's.
///
/// # Errors
/// As [`audit`].
pub fn audit_taken_over(before: &[u8], file: &[u8]) -> Result<TakenOver, AuditError> {
    let (before, segment) = (Segment::read(before)?, Segment::read(file)?);
    let mut found = TakenOver::default();
    let (left, epoch) = (before.header().epoch, segment.header().epoch);
    if before.header().identity != segment.header().identity {
        let start = taken_over::from_another(&before, &segment)?;
        found.is_start = start.is_some();
        found.problems.extend(start.into_iter().flatten());
        return Ok(found);
    }
    if left == epoch {
        found.fork = log::fork(&before, &segment);
    }
    if left >= epoch {
        return Ok(found);
    }
    let (earlier, context) = (context_of(&before)?, context_of(&segment)?);
    if earlier.fields.are_scored_elsewhere() != context.fields.are_scored_elsewhere() {
        found.problems.push(format!(
            "the scores of one of epochs {left} and {epoch} were made elsewhere: these are two journals"
        ));
        return Ok(found);
    }
    if context.fields.are_scored_elsewhere() {
        return Ok(found);
    }
    if earlier.policy != context.policy {
        found.changed.push(format!("the policy is another one than epoch {left}'s"));
    }
    if earlier.task != context.task {
        found.changed.push(format!("the task is another one than epoch {left}'s"));
    }
    if earlier.fields.rounds() != context.fields.rounds() {
        let rounds =
            |context: &EpochContext| context.fields.rounds().map_or("?".to_owned(), |n| n.to_string());
        let (now, then) = (rounds(context), rounds(earlier));
        found.changed.push(format!("{now} rounds instead of {then}"));
    }
    if earlier.software != context.software {
        found.changed.push(format!("{} instead of {}", context.software, earlier.software));
    }
    if left.0.checked_add(1) != Some(epoch.0) {
        found.changed.push(format!("no file here is of the epochs between {left} and {epoch}"));
    }
    log::compare(&before, earlier, context, &mut found);
    found.changed.extend(log::unanchored(&before, earlier, context));
    let problems = taken_over::problems(&before, earlier, &segment, context)?;
    // Where epochs between these two were kept, neither file shows what they left.
    match found.missing.is_empty() {
        true => found.problems.extend(problems),
        false => found.missing.push(format!("what epoch {epoch} took over from them is not compared")),
    }
    Ok(found)
}

fn context_of(segment: &Segment) -> Result<&EpochContext, AuditError> {
    opening(segment.records()).ok_or(AuditError::NoContext)
}

/// The record that opens an epoch.
pub(crate) fn opening(records: &[Record]) -> Option<&EpochContext> {
    records.iter().find_map(|record| match record {
        Record::EpochOpened(context) => Some(context.as_ref()),
        _ => None,
    })
}

/// Checks an epoch's records, whoever signed for their file; the vector is not worked out.
pub(crate) fn check_records(
    (records, removed): (&[Record], usize),
    loader: &(impl TaskLoader + ?Sized),
) -> Result<AuditReport, AuditError> {
    let context = opening(records).ok_or(AuditError::NoContext)?;
    let mut audited = AuditReport::new(context, records);
    audited.removed = removed;
    if let Some(StartedFrom { validator, epoch, root }) = context.fields.started_from() {
        audited.on_trust.push(format!(
            "{STARTED}epoch {epoch} of validator {validator} left (Merkle root {root}): give that file before this one"
        ));
    }
    let task = load_task(context, loader, &mut audited)?;
    if let Some(task) = &task {
        if context.fields.have_derived_requests() && !task.request_follows_from_seed() {
            audited.problems.push("requests are left out that no seed gives".to_owned());
        }
        audited.problems.extend(checks::check(records, context, task));
    }
    Walk::new((records, removed), context, task).check(&mut audited);
    audited.problems.extend(closing::check(records, context));
    audited.problems.extend(blobs::check(records, removed));
    audited.problems.extend(receipts::check(records, context));
    rounds::check(records, context, &mut audited);
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
    let abstained = records.iter().any(|record| matches!(record, Record::Abstained { .. }));
    if abstained && audited.vector.is_some() {
        audited.problems.push("the validator abstained, and the records give a vector".to_owned());
    }
    let Some(context) = opening(records) else { return Ok(()) };
    intents::check(records, context, audited);
    let Some(publication) = publications(records).remove(&context.epoch) else {
        return Ok(());
    };
    if let Some(IntentState::Published { block }) = publication.state {
        audited.published_at = Some(block);
        let is_plain = !context.state.hyperparameters.commit_reveal_weights_enabled;
        let end = context.state.schedule.next_epoch_block().filter(|_| is_plain);
        audited.late_after = end.filter(|end| block >= *end);
    }
    Ok(())
}
