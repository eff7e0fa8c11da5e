//! The exchanges with one miner over one challenge, stage by stage.
//!
//! Most kinds take one. Where a kind takes several, an answer to an earlier stage and the request of the next are journalled
//! together before that request is sent, so that a restarted validator goes on where it was, with the same bytes.

use std::collections::BTreeMap;

use weighhouse_ask::{AskLimits, Asker, RawAnswer, Ready, Target, frame};
use weighhouse_journal::{Journal, JournalError};
use weighhouse_proto::inference::ModelInferRequest;
use weighhouse_tasks::{Task, TaskError};
use weighhouse_types::sealed::{Author, ChainRoot};
use weighhouse_types::{
    Blob, Block, ChallengeRecord, Digest, Exchange, Failure, Fields, FollowUp, InferAnswer, InferRequest,
    Judgement, Netuid, Neuron, Record, RegistrationId, StageRecord,
};

use crate::answers::{Attempt, PreparedChallenge, ReadAnswer, check_signature, decode};
use crate::epoch::OpenEpoch;

/// The exchanges with one miner so far, and the one that is due.
pub(crate) struct Dialogue {
    pub(crate) neuron: Neuron,
    /// Today's address; `None` where there is none to dial.
    pub(crate) target: Option<Target>,
    /// The position of the challenge among the round's.
    pub(crate) at: usize,
    /// The stage that is due.
    pub(crate) stage: u8,
    /// The answers to the stages before.
    pub(crate) earlier: Vec<InferAnswer>,
    /// The framed request of the stage that is due.
    pub(crate) request: Blob,
    /// The last block for commitments, before which the stage that is due may not be asked.
    pub(crate) commit_by: Option<Block>,
    /// What the chain had of this miner's commitments with that block.
    pub(crate) root: Option<ChainRoot>,
}

impl Dialogue {
    /// Connects to the miner, with the request that is due signed. The caller sets the deadline.
    pub(crate) async fn ready(&self, asker: &Asker, limits: AskLimits) -> Result<Ready, Failure> {
        let target = self.target.ok_or(Failure::NoAxon)?;
        asker.ready(target, self.request.bytes().clone(), limits).await
    }

    fn over(self, signed: Option<(Exchange, Blob)>, answer: ReadAnswer) -> Attempt {
        let Self { neuron, at, stage, root, .. } = self;
        Attempt { neuron, at, stage, signed, root, answer }
    }
}

/// The exchanges with a miner that the journal holds of a round that was cut off.
pub(crate) struct CutOff {
    earlier: Vec<InferAnswer>,
    request: Blob,
    commit_by: Option<Block>,
}

impl CutOff {
    /// Goes on with the request that was journalled last.
    pub(crate) fn resume(self, dialogue: &mut Dialogue) {
        dialogue.stage = u8::try_from(self.earlier.len()).unwrap_or(u8::MAX);
        dialogue.earlier = self.earlier;
        dialogue.request = self.request;
        dialogue.commit_by = self.commit_by;
    }
}

/// Takes up the dialogues of a round that have come beyond their first stage.
pub(crate) fn cut_off(
    open: &OpenEpoch,
    round: u32,
    journal: &mut Journal,
) -> Result<BTreeMap<RegistrationId, CutOff>, JournalError> {
    let epoch = open.context().epoch;
    let mut dialogues = BTreeMap::new();
    for follow_up in open.follow_ups(round) {
        let Some(who) = follow_up.who else { continue };
        let mut earlier = Vec::new();
        for answered in open.answered(round).filter(|answered| answered.who == who) {
            if let Ok(exchange) = &answered.outcome {
                earlier.extend(decode(&journal.blob(epoch, &exchange.answer)?).ok());
            }
        }
        // Only the newest request has as many answers before it as its stage says.
        if earlier.len() == usize::from(follow_up.stage) {
            let request = Blob::new(journal.blob(epoch, &follow_up.request)?);
            let commit_by = follow_up.fields.commit_by();
            dialogues.insert(who, CutOff { earlier, request, commit_by });
        }
    }
    Ok(dialogues)
}

/// A stage after which everybody was heard: who is to be asked on, who is done, and the records of it.
#[derive(Default)]
pub(crate) struct StageEnd {
    pub(crate) dialogues: Vec<Dialogue>,
    pub(crate) attempts: Vec<Attempt>,
    /// Durable before the next stage is asked.
    pub(crate) records: Vec<Record>,
}

/// Takes in a stage's answers and works out what is asked next.
pub(crate) fn end_stage(
    task: &Task,
    (genesis, netuid, head): (Digest, Netuid, Block),
    challenges: &[PreparedChallenge],
    answers: Vec<(Dialogue, Result<RawAnswer, Failure>)>,
) -> Result<StageEnd, TaskError> {
    let mut end = StageEnd::default();
    let mut pending = Vec::new();
    for (mut dialogue, raw) in answers {
        let checked = raw.and_then(|raw| check_signature(&dialogue.neuron, dialogue.request.digest(), raw));
        let (exchange, blob) = match checked {
            Ok(signed) => signed,
            Err(failure) => {
                let silent = task.unanswered(dialogue.stage, failure);
                end.attempts.push(dialogue.over(None, ReadAnswer::decided(silent)));
                continue;
            }
        };
        match decode(blob.bytes()) {
            Err(judgement) => {
                end.attempts.push(dialogue.over(Some((exchange, blob)), ReadAnswer::decided(judgement)));
            }
            // An earlier answer is only decoded here: its kind reads all stages together, once the last is in.
            Ok(message) if dialogue.stage + 1 < task.stages() => {
                dialogue.earlier.push(message);
                pending.push((dialogue, exchange, blob));
            }
            Ok(message) => {
                let challenge = &challenges[dialogue.at].challenge;
                let asked = challenges[dialogue.at].asked.challenge.to_string();
                let author = Author {
                    genesis,
                    netuid,
                    challenge: asked,
                    hotkey: dialogue.neuron.hotkey,
                    root: dialogue.root,
                };
                let answer = ReadAnswer::of(task, &author, challenge, &dialogue.earlier, &message);
                end.attempts.push(dialogue.over(Some((exchange, blob)), answer));
            }
        }
    }
    if pending.is_empty() {
        return Ok(end);
    }
    let asked: Vec<_> = pending
        .iter()
        .map(|(dialogue, ..)| (&challenges[dialogue.at].challenge, &dialogue.earlier[..]))
        .collect();
    let requests = task.follow_up(&asked)?;
    let commit_by = task.commit_blocks().map(|blocks| Block(head.0.saturating_add(blocks.into())));
    for ((mut dialogue, exchange, blob), request) in pending.into_iter().zip(requests) {
        dialogue.commit_by = commit_by;
        end.next(&challenges[dialogue.at].asked, dialogue, (exchange, blob), request);
    }
    Ok(end)
}

impl StageEnd {
    fn next(
        &mut self,
        asked: &ChallengeRecord,
        mut dialogue: Dialogue,
        (exchange, blob): (Exchange, Blob),
        request: Result<InferRequest, Judgement>,
    ) {
        let request = match request {
            Ok(request) => framed(asked, request),
            Err(judgement) => {
                let answer = ReadAnswer { is_message: true, ..ReadAnswer::decided(judgement) };
                return self.attempts.push(dialogue.over(Some((exchange, blob)), answer));
            }
        };
        let who = dialogue.neuron.registration();
        let answered = answered(asked, &dialogue.neuron, dialogue.stage, exchange, dialogue.root);
        dialogue.stage += 1;
        let mut follow_up = follow_up(asked, who, dialogue.stage, &request);
        follow_up.fields = dialogue.commit_by.map_or_else(Fields::default, Fields::committed_by);
        self.records.extend([
            Record::Blob(blob),
            Record::Answered(answered),
            Record::Blob(request.clone()),
            Record::FollowUp(follow_up),
        ]);
        dialogue.request = request;
        self.dialogues.push(dialogue);
    }
}

/// The record of a request that was made for one miner.
pub(crate) fn follow_up(asked: &ChallengeRecord, who: RegistrationId, stage: u8, request: &Blob) -> FollowUp {
    let ChallengeRecord { challenge, epoch, round, .. } = *asked;
    let (who, request) = (Some(who), request.digest());
    FollowUp { challenge, epoch, round, stage, who, request, fields: Fields::default() }
}

/// The record of a stage's end that no verdict follows yet.
pub(crate) fn answered(
    asked: &ChallengeRecord,
    neuron: &Neuron,
    stage: u8,
    exchange: Exchange,
    root: Option<ChainRoot>,
) -> StageRecord {
    StageRecord {
        challenge: asked.challenge,
        epoch: asked.epoch,
        round: asked.round,
        stage,
        uid: neuron.uid,
        who: neuron.registration(),
        outcome: Ok(exchange),
        fields: Fields::under(root),
    }
}

/// A challenge's request of any stage as it is sent; an auditor derives the same bytes.
pub(crate) fn framed(asked: &ChallengeRecord, request: InferRequest) -> Blob {
    let request = InferRequest { id: asked.challenge.to_string(), ..request };
    let request = ModelInferRequest::try_from(request).expect("a request's dimensions are far below 2^63");
    Blob::new(frame(&request))
}

#[cfg(test)]
mod tests;
