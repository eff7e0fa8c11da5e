//! The walk through an epoch's records: what is known after those that were walked, and the proofs of challenges and answers.

use std::collections::{BTreeMap, BTreeSet};

use weighhouse_tasks::{Challenge, Reference, Task, TaskError};
use weighhouse_types::{
    CarriedChallenge, ChallengeRecord, ChallengeScope, Digest, Epoch, EpochContext, Exchange, FollowUp,
    InferAnswer, Judgement, Record, RegistrationId, StageRecord,
};
use weighhouse_wallet::{answer, vrf};

use crate::answers::decode;
use crate::checks::CheckHistory;
use crate::dialogue::framed;
use crate::resolve;
use crate::round::{challenge_id, vrf_input};
use crate::together::Joint;

/// One miner's part in one challenge.
pub(super) type Part = (Digest, RegistrationId);

/// An epoch's records under the eyes of an auditor, and what is known after those that were walked.
pub(super) struct Walk<'a> {
    pub(super) records: &'a [Record],
    pub(super) context: &'a EpochContext,
    /// `None` where its judge isn't at hand.
    pub(super) task: Option<Task>,
    pub(super) blobs: BTreeMap<Digest, &'a [u8]>,
    /// Blobs that were removed from the file.
    removed: usize,
    pub(super) challenges: BTreeMap<Digest, ProvenChallenge<'a>>,
    pub(super) follow_ups: BTreeMap<(Part, u8), &'a FollowUp>,
    pub(super) answered: BTreeMap<Part, Vec<&'a StageRecord>>,
    /// The reference's word on an answer.
    pub(super) testimonies: BTreeMap<Part, Reference>,
    /// The truth about a challenge, where it came later.
    pub(super) truths: BTreeMap<Digest, Reference>,
    /// Answers that were judged together, by challenge, and the verdicts that follow.
    pub(super) joint: BTreeMap<Digest, Joint>,
    pub(super) joint_verdicts: BTreeMap<Part, Judgement>,
    pub(super) judged: BTreeSet<Part>,
    /// Rounds of this epoch with a verdict, or void.
    pub(super) ended_rounds: BTreeSet<u32>,
    /// Answers with a verdict, wherever it stands.
    pub(super) judged_answers: BTreeSet<Part>,
    pub(super) history: CheckHistory,
    /// Seeds of the rounds' draws so far.
    pub(super) draws: BTreeMap<u32, [u8; 32]>,
}

/// A challenge whose proof holds.
pub(super) struct ProvenChallenge<'a> {
    pub(super) asked: &'a ChallengeRecord,
    /// The record that took it over, where an earlier epoch asked it.
    pub(super) carried: Option<&'a CarriedChallenge>,
    /// `None` where it can't be drawn here.
    pub(super) challenge: Option<Challenge>,
    /// `None` where it was removed with other blobs.
    pub(super) reference: Option<Reference>,
    pub(super) seed: [u8; 32],
}

impl ProvenChallenge<'_> {
    /// The reference's word before anybody answered.
    pub(super) fn word(&self) -> Result<&Reference, Finding> {
        let removed = || Finding::NotAtHand("references: they were removed from the file".to_owned());
        self.reference.as_ref().ok_or_else(removed)
    }
}

/// A complaint, or the reason for which a record can't be checked here.
pub(super) enum Finding {
    Problem(String),
    /// The judge that would reach it again is not at hand.
    NotAtHand(String),
    /// It rests on an operator's word, as it says itself.
    OnTrust(String),
}

impl Finding {
    /// An error of the task's: either nobody is at hand to ask, or the record contradicts itself.
    pub(super) fn of(name: &str, error: TaskError) -> Self {
        match error {
            TaskError::NoJudge | TaskError::NoReference | TaskError::Judge(_) => {
                Self::NotAtHand(format!("records: {error}"))
            }
            _ => Self::Problem(format!("{name}: {error}")),
        }
    }
}

impl From<String> for Finding {
    fn from(problem: String) -> Self {
        Self::Problem(problem)
    }
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        (records, removed): (&'a [Record], usize),
        context: &'a EpochContext,
        task: Option<Task>,
    ) -> Self {
        let earlier = crate::checks::earlier(records);
        let history = task.as_ref().and_then(|task| CheckHistory::new(task, &context.carried, earlier));
        Self {
            records,
            context,
            task,
            blobs: BTreeMap::new(),
            removed,
            challenges: BTreeMap::new(),
            follow_ups: BTreeMap::new(),
            answered: BTreeMap::new(),
            testimonies: BTreeMap::new(),
            truths: BTreeMap::new(),
            joint: BTreeMap::new(),
            joint_verdicts: BTreeMap::new(),
            judged: BTreeSet::new(),
            ended_rounds: ended_rounds(records, context.epoch),
            judged_answers: judged_answers(records),
            history: history.unwrap_or_default(),
            draws: BTreeMap::new(),
        }
    }

    /// The seed could not be chosen: its VRF proof holds for exactly this epoch, round and miner. The request is the one that
    /// the seed gives.
    pub(super) fn check_challenge(
        &mut self,
        asked: &'a ChallengeRecord,
        carried: Option<&'a CarriedChallenge>,
    ) -> Result<(), Finding> {
        let name = format!("challenge {}", asked.challenge);
        let kind = self.context.kind();
        // Version 1 named neither a judge nor, with a challenge, its kind and request.
        if carried.is_none() && self.context.judge.is_some() {
            if kind.is_some_and(|kind| kind != asked.kind) {
                return Err(format!("{name}: it is of another kind than the epoch's task").into());
            }
            if asked.request.is_none() {
                return Err(format!("{name}: its request is not recorded").into());
            }
        }
        let input = match carried {
            Some(carried) => resolve::vrf_input(self.context, carried),
            None => vrf_input(self.context, asked.round, asked.scope),
        };
        let preout = asked.vrf_output.as_slice().try_into();
        let preout = preout.map_err(|_| format!("{name}: the VRF output is not 32 bytes"))?;
        let seed = vrf::vrf_verify(&self.context.validator, &input, preout, &asked.vrf_proof)
            .map_err(|error| format!("{name}: {error}"))?;
        let reference = asked.reference.and_then(|digest| self.blobs.get(&digest));
        if reference.is_none() && self.removed == 0 {
            return Err(format!("{name}: the reference's output is not recorded").into());
        }
        let reference = reference.map(|bytes| Reference::from_bytes(bytes)).transpose();
        let reference = reference.map_err(|error| format!("{name}: {error}"))?;
        let drawn = match (&self.task, carried) {
            (Some(task), Some(carried)) if carried.task != task.digest() => None,
            (Some(task), _) => Some(task.challenge(&seed)),
            (None, _) => None,
        };
        // Version 1 named no judge.
        if self.context.judge.is_some() && asked.challenge != challenge_id(&input, preout) {
            return Err(format!("{name}: its name is not the one that its draw gives").into());
        }
        let (challenge, trouble) = match drawn.transpose() {
            Ok(challenge) => (challenge, None),
            Err(error) => (None, Some(Finding::of(&name, error))),
        };
        if let (Some(task), Some(challenge)) = (&self.task, &challenge) {
            let secret = task.secret(challenge).map(|secret| Digest::of(&secret));
            let is_other = |said: &Reference| said.challenge() != challenge.digest();
            if reference.as_ref().is_some_and(is_other) || secret != asked.secret {
                return Err(format!("{name}: its seed gives another question than the one on record").into());
            }
            let request = framed(asked, task.request(challenge, String::new()));
            if asked.request.is_some_and(|recorded| recorded != request.digest()) {
                return Err(format!("{name}: the request is not the one that its seed gives").into());
            }
            let among = asked.fields.asked_of();
            let divided = task.assign(challenge, among.as_deref().unwrap_or_default());
            if divided.map_err(|error| Finding::of(&name, error))?.is_some() != among.is_some() {
                return Err(format!("{name}: the record doesn't say whom it was divided among").into());
            }
            if among.is_some_and(|among| !among.is_sorted_by(|one, next| one < next)) {
                return Err(format!("{name}: those whom it was divided among are not in order").into());
            }
        }
        self.challenges
            .insert(asked.challenge, ProvenChallenge { asked, carried, challenge, reference, seed });
        trouble.map_or(Ok(()), Err)
    }

    pub(super) fn seen(&self, name: &str, challenge: &Digest) -> Result<&ProvenChallenge<'a>, String> {
        // Noted even where it can't be drawn here: signatures and stages can be checked all the same.
        self.challenges.get(challenge).ok_or_else(|| format!("{name}: its challenge is not recorded"))
    }

    pub(super) fn blob(&self, name: &str, digest: &Digest) -> Result<&'a [u8], Finding> {
        let blob = self.blobs.get(digest).copied();
        blob.ok_or_else(|| match self.removed {
            0 => format!("{name}: bytes {digest} are not recorded").into(),
            _ => {
                Finding::NotAtHand("records: the bytes that they name were removed from the file".to_owned())
            }
        })
    }

    /// The answer is signed by the miner, and it is one to what the miner was asked at this stage.
    pub(super) fn check_exchange(
        &self,
        name: &str,
        part: Part,
        stage: u8,
        exchange: &Exchange,
    ) -> Result<(), String> {
        let whole = self.seen(name, &part.0)?.asked.request;
        let asked = match self.has_own_request(&part, stage) {
            false => whole,
            true => {
                let own = self.stage_request(part, stage);
                Some(own.ok_or_else(|| format!("{name}: stage {stage} was never asked"))?)
            }
        };
        if asked.is_some_and(|asked| asked != exchange.request) {
            return Err(format!("{name}: the answer is to another request"));
        }
        let signature = answer::AnswerSignature::decode(&exchange.signature)
            .map_err(|error| format!("{name}: {error}"))?;
        let signed = answer::answer_digest(&exchange.request, &exchange.answer, &exchange.model);
        signature.verify(&part.1.hotkey, &signed).map_err(|error| format!("{name}: {error}"))
    }

    /// Tells whether a stage's request was made for this miner: a later stage's, or the part of a question that was divided.
    pub(super) fn has_own_request(&self, part: &Part, stage: u8) -> bool {
        let divided = |seen: &ProvenChallenge<'_>| seen.asked.fields.asked_of().is_some();
        stage > 0 || self.challenges.get(&part.0).is_some_and(divided)
    }

    /// A request that was made for this miner: as it was asked in this epoch, or as it was taken over.
    fn stage_request(&self, part: Part, stage: u8) -> Option<Digest> {
        if let Some(follow_up) = self.follow_ups.get(&(part, stage)) {
            return Some(follow_up.request);
        }
        let carried = self.challenges.get(&part.0)?.carried?;
        let answered =
            carried.answers.iter().find(|answered| answered.who == part.1 && answered.stage == stage)?;
        answered.outcome.as_ref().ok().map(|exchange| exchange.request)
    }

    /// The messages of a miner's answers to the stages before this one.
    pub(super) fn earlier(&self, part: &Part, stage: u8) -> Vec<InferAnswer> {
        let answered =
            self.answered.get(part).into_iter().flatten().filter(|answered| answered.stage < stage);
        let exchanges = answered.filter_map(|answered| answered.outcome.as_ref().ok());
        exchanges.filter_map(|exchange| decode(self.blobs.get(&exchange.answer)?).ok()).collect()
    }

    pub(super) fn is_of(&self, scope: ChallengeScope, who: &RegistrationId) -> bool {
        !matches!(scope, ChallengeScope::Private { miner } if miner != who.hotkey)
    }

    pub(super) fn epoch(&self) -> Epoch {
        self.context.epoch
    }
}

fn ended_rounds(records: &[Record], epoch: Epoch) -> BTreeSet<u32> {
    let ended = records.iter().filter_map(|record| match record {
        Record::Judged(judged) => (judged.asked_in == epoch).then_some(judged.round),
        // Where the reference could speak of no answer.
        Record::VoidRound(void) => Some(void.round),
        _ => None,
    });
    ended.collect()
}

fn judged_answers(records: &[Record]) -> BTreeSet<Part> {
    let answers = records.iter().filter_map(|record| match record {
        Record::Judged(judged) if judged.exchange.is_some() => Some((judged.challenge, judged.who)),
        _ => None,
    });
    answers.collect()
}
