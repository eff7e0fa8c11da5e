//! Answers to one challenge that are judged together: who is in, and what was found.
//!
//! Validator and auditor come here with the same answers in the same order, ascending by miner, so that both get the same
//! verdicts.

use std::collections::BTreeMap;

use weighhouse_tasks::{Challenge, Read, Reference, Task, TaskError};
use weighhouse_types::{
    ChallengeRecord, Epoch, Fields, JointJudgement, JointMember, Judgement, Likeness, RegistrationId,
};

use crate::answers::ReadAnswer;

/// One challenge's answers as they were judged together.
pub(crate) struct Joint {
    pub(crate) record: JointJudgement,
    /// Groups of members whose answers are too alike, as records have them.
    alike: Vec<Vec<RegistrationId>>,
}

/// The verdict on each member.
pub(crate) type Verdicts = BTreeMap<RegistrationId, Judgement>;

/// Judges the answers to one challenge together; `None` where the kind judges each alone. A challenge without a readable
/// answer has nothing to be judged.
pub(crate) fn judge(
    task: &Task,
    asked: &ChallengeRecord,
    epoch: Epoch,
    challenge: &Challenge,
    mut answers: Vec<(RegistrationId, &Reference, &Read)>,
) -> Result<Option<(Option<Joint>, Verdicts)>, TaskError> {
    if answers.is_empty() {
        return Ok(Some((None, Verdicts::new())));
    }
    // A judge of many answers may depend on their order; by registration it is the same for an auditor.
    answers.sort_by_key(|(who, ..)| *who);
    let Some(joint) =
        task.judge_together(challenge, &asked.fields.asked_of().unwrap_or_default(), &answers)?
    else {
        return Ok(None);
    };
    let who: Vec<_> = answers.into_iter().map(|(who, ..)| who).collect();
    let group = |positions: &Vec<u32>| positions.iter().map(|position| who[*position as usize]).collect();
    let mut alike: Vec<Vec<_>> = joint.alike.iter().map(group).collect();
    alike.sort();
    let record = JointJudgement {
        epoch,
        round: asked.round,
        asked_in: asked.epoch,
        members: who.iter().map(|who| JointMember { challenge: asked.challenge, who: *who }).collect(),
        findings: None,
        fields: Fields::default(),
    };
    Ok(Some((Some(Joint { record, alike }), who.into_iter().zip(joint.verdicts).collect())))
}

impl Joint {
    /// Likeness that was found between the answers to a shared challenge.
    pub(crate) fn likeness(
        &self,
        (epoch, round): (Epoch, u32),
        answers: &[(RegistrationId, &ReadAnswer)],
    ) -> Likeness {
        let messages = answers.iter().filter(|(_, answer)| answer.is_message);
        let mut compared: Vec<_> = messages.map(|(who, _)| *who).collect();
        compared.sort();
        Likeness { epoch, round, compared, groups: self.alike.clone() }
    }
}
