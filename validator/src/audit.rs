//! One epoch's journal file, checked by somebody who trusts nothing but the rules.

mod closing;
#[cfg(test)]
mod version_1;

use std::collections::BTreeMap;

use serde::Serialize;
use weighhouse_journal::{Segment, SegmentError, publications};
use weighhouse_scoring::Decision;
use weighhouse_tasks::{Challenge, OnRecord, Reference, References, Task, TaskError};
use weighhouse_types::{
    Asked, Block, ChallengeScope, Digest, Epoch, EpochContext, Evidence as Said, Hotkey, IntentState, Judged,
    Likeness, Record, RegistrationId, WeightVector,
};
use weighhouse_wallet::{answer, vrf};

use crate::answers::ReadAnswer;
use crate::check::{self, UncheckedAnswer};
use crate::checks::{CheckHistory, Fingerprint};
use crate::round::vrf_input;

/// What an audit found.
#[derive(Debug, Serialize)]
pub struct Audited {
    pub epoch: Epoch,
    pub validator: Hotkey,
    pub records: usize,
    /// The RFC 6962 root over the records.
    pub root: Digest,
    pub challenges: usize,
    /// Answers whose signature was checked.
    pub answers: usize,
    /// Verdicts that were reached again from the recorded reference.
    pub verdicts: usize,
    /// Verdicts on record that were not, for want of the judge.
    #[serde(skip_serializing_if = "is_zero")]
    pub not_rederived: usize,
    /// The judge's failure, or that there is none at hand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub judge_missing: Option<String>,
    /// The operator on whose word alone it rests that the pinned judge's files were run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub judge_operator: Option<String>,
    /// The vector that the records give.
    pub vector: Option<WeightVector>,
    /// Why they give none.
    pub abstains: Option<String>,
    /// Whether it is the vector that the validator meant to publish; absent where it meant none yet.
    pub matches: Option<bool>,
    pub published_at: Option<Block>,
    /// Everything that the version of the records has no place for, so that no audit can show it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_shown: Vec<String>,
    /// Everything that is not as it should be.
    pub problems: Vec<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    #[error(transparent)]
    Journal(#[from] SegmentError),
    #[error("no record opens the epoch")]
    NoContext,
    #[error("the epoch's task: {0}")]
    Task(#[from] TaskError),
    #[error(transparent)]
    Weigh(#[from] weighhouse_scoring::WeighError),
}

/// Tells whether there is nothing to tell.
fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// Checks an epoch's file, without a judge other than those that are part of the software.
///
/// # Errors
/// A file that can't be read as an epoch of a task.
pub fn audit(file: &[u8]) -> Result<Audited, AuditError> {
    audit_with(file, &OnRecord)
}

/// Checks an epoch's file with the judges that `references` has. Blocks while these work.
///
/// # Errors
/// As [`audit`].
pub fn audit_with(file: &[u8], references: &dyn References) -> Result<Audited, AuditError> {
    let segment = Segment::read(file)?;
    let context = segment.records().iter().find_map(|record| match record {
        Record::EpochOpened(context) => Some(context.as_ref()),
        _ => None,
    });
    let context = context.ok_or(AuditError::NoContext)?;
    let mut audited = Audited::new(context, segment.records().len(), segment.root());
    check_each(segment.records(), context, Task::load(&context.task, references)?, &mut audited);
    audited.not_shown = closing::not_shown(&segment);
    audited.problems.extend(closing::check(segment.records()));
    weigh_again(segment.records(), &mut audited)?;
    Ok(audited)
}

impl Audited {
    fn new(context: &EpochContext, records: usize, root: Digest) -> Self {
        Self {
            epoch: context.epoch,
            validator: context.validator,
            records,
            root,
            challenges: 0,
            answers: 0,
            verdicts: 0,
            not_rederived: 0,
            judge_missing: None,
            judge_operator: context.fields.operator().map(ToOwned::to_owned),
            vector: None,
            abstains: None,
            matches: None,
            published_at: None,
            not_shown: Vec::new(),
            problems: Vec::new(),
        }
    }
}

/// What is wrong with records of completions, whoever signed for the file.
#[cfg(test)]
pub(crate) fn check_records(records: &[Record]) -> Vec<String> {
    let context = records.iter().find_map(|record| match record {
        Record::EpochOpened(context) => Some(context.as_ref()),
        _ => None,
    });
    let context = context.expect("an opened epoch");
    let mut audited = Audited::new(context, records.len(), Digest::default());
    check_each(records, context, Task::load(&context.task, &OnRecord).expect("a task"), &mut audited);
    audited.problems
}

/// Checks the records one by one, in their order.
fn check_each(records: &[Record], context: &EpochContext, task: Task, audited: &mut Audited) {
    let mut evidence = Evidence {
        history: CheckHistory::new(&task, &context.carried).unwrap_or_default(),
        context,
        task,
        blobs: BTreeMap::new(),
        challenges: BTreeMap::new(),
        testimonies: BTreeMap::new(),
        judge_missing: None,
    };
    for record in records {
        let checked = match record {
            Record::Blob(blob) => {
                evidence.blobs.insert(blob.digest(), blob.bytes());
                Ok(())
            }
            Record::Asked(asked) => evidence.check_challenge(asked).map(|()| audited.challenges += 1),
            Record::Judged(judged) => evidence.check_verdict(judged).map(|checked| {
                audited.answers += usize::from(checked != CheckedVerdict::NoAnswer);
                match checked {
                    CheckedVerdict::NotRederived => audited.not_rederived += 1,
                    CheckedVerdict::NoAnswer | CheckedVerdict::Rederived => audited.verdicts += 1,
                }
            }),
            Record::Evidence(said) => evidence.check_testimony(said),
            Record::Likeness(likeness) => evidence.check_likeness(likeness, records),
            _ => Ok(()),
        };
        if let Err(problem) = checked {
            audited.problems.push(problem);
        }
    }
    audited.judge_missing = evidence.judge_missing;
}

fn weigh_again(records: &[Record], audited: &mut Audited) -> Result<(), AuditError> {
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

struct Evidence<'a> {
    context: &'a EpochContext,
    task: Task,
    blobs: BTreeMap<Digest, &'a [u8]>,
    challenges: BTreeMap<Digest, Seen>,
    /// What the reference said of an answer, by challenge and miner.
    testimonies: BTreeMap<(Digest, RegistrationId), Reference>,
    history: CheckHistory,
    /// The first failure of the judge, which is none of the record's.
    judge_missing: Option<String>,
}

/// A verdict on record that holds as far as it could be checked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum CheckedVerdict {
    /// There was nothing to judge.
    NoAnswer,
    /// The judge says the same again.
    Rederived,
    /// The answer is the miner's; the judge was not at hand.
    NotRederived,
}

/// A challenge whose proof holds.
struct Seen {
    scope: ChallengeScope,
    /// `None` where the judge that draws it is not at hand.
    challenge: Option<Challenge>,
    reference: Reference,
    seed: [u8; 32],
}

impl Evidence<'_> {
    /// The seed could not be chosen: its VRF proof holds for exactly this epoch, round and miner.
    fn check_challenge(&mut self, asked: &Asked) -> Result<(), String> {
        let id = asked.challenge;
        let input = vrf_input(self.context, asked.round, asked.scope);
        let preout = asked.vrf_output.as_slice().try_into();
        let preout = preout.map_err(|_| format!("challenge {id}: the VRF output is not 32 bytes"))?;
        let seed = vrf::vrf_verify(&self.context.validator, &input, preout, &asked.vrf_proof)
            .map_err(|error| format!("challenge {id}: {error}"))?;
        let reference = asked.reference.and_then(|digest| self.blobs.get(&digest));
        let reference =
            reference.ok_or_else(|| format!("challenge {id}: the reference's output is not recorded"))?;
        let reference =
            Reference::from_bytes(reference).map_err(|error| format!("challenge {id}: {error}"))?;
        let challenge = match self.task.challenge(&seed) {
            Ok(challenge) if challenge.digest() != reference.challenge() => {
                return Err(format!(
                    "challenge {id}: its seed gives another question than the one on record"
                ));
            }
            Ok(challenge) => Some(challenge),
            Err(error) => self
                .without_judge(error)
                .map(|()| None)
                .map_err(|error| format!("challenge {id}: {error}"))?,
        };
        self.challenges.insert(id, Seen { scope: asked.scope, challenge, reference, seed });
        Ok(())
    }

    /// What the reference is on record with is of this challenge, and counts for what is recorded.
    fn check_testimony(&mut self, said: &Said) -> Result<(), String> {
        let name = format!("evidence in round {} of challenge {}", said.round, said.challenge);
        let blob = self.blobs.get(&said.blob).ok_or_else(|| format!("{name}: its bytes are not recorded"))?;
        let reference = Reference::from_bytes(blob).map_err(|error| format!("{name}: {error}"))?;
        if self.task.bins(&reference) != said.bins {
            return Err(format!("{name}: its margins fall into other bins"));
        }
        self.testimonies.insert((said.challenge, said.who), reference);
        Ok(())
    }

    /// The answers on record are as alike as the record says.
    fn check_likeness(&self, likeness: &Likeness, records: &[Record]) -> Result<(), String> {
        let name = format!("likeness in round {}", likeness.round);
        let of_round = |record: &'_ Record| match record {
            Record::Judged(judged) if judged.round == likeness.round => Some(judged.clone()),
            _ => None,
        };
        // A round that a crash cut in two was compared in two parts: each is checked against those it names.
        let judged: Vec<Judged> = records
            .iter()
            .filter_map(of_round)
            .filter(|judged| judged.exchange.is_none() || likeness.compared.contains(&judged.who))
            .collect();
        let challenge = judged.first().and_then(|judged| self.challenges.get(&judged.challenge));
        let Seen { challenge, reference, .. } =
            challenge.ok_or_else(|| format!("{name}: its challenge is not recorded"))?;
        let Some(challenge) = challenge else { return Ok(()) };
        let read = |judged: &Judged| {
            let framed = self.blobs.get(&judged.exchange.as_ref()?.answer)?;
            Some((judged.who, ReadAnswer::new(&self.task, challenge, framed)))
        };
        let answers: Vec<_> = judged.iter().filter_map(read).collect();
        let answers: Vec<_> = answers.iter().map(|(who, answer)| (*who, answer)).collect();
        let of = (likeness.epoch, likeness.round);
        let again = check::alike(&self.task, challenge, reference, of, &answers);
        match again {
            Some(again) if again == *likeness => Ok(()),
            _ => Err(format!("{name}: the answers on record say something else")),
        }
    }

    /// The answer is the miner's, and the judge says of it what is recorded.
    fn check_verdict(&mut self, judged: &Judged) -> Result<CheckedVerdict, String> {
        let name = format!("verdict on uid {} in round {}", judged.uid, judged.round);
        let challenge = self.challenges.get(&judged.challenge);
        let Seen { scope, challenge, reference, seed } =
            challenge.ok_or_else(|| format!("{name}: its challenge is not recorded"))?;
        if matches!(scope, ChallengeScope::Private { miner } if *miner != judged.who.hotkey) {
            return Err(format!("{name}: the challenge was another miner's"));
        }
        let Some(exchange) = &judged.exchange else {
            return if judged.judgement.mark.billionths() == 0 {
                Ok(CheckedVerdict::NoAnswer)
            } else {
                Err(format!("{name}: a mark without an answer"))
            };
        };
        let blob = |digest: &Digest| {
            self.blobs.get(digest).copied().ok_or_else(|| format!("{name}: bytes {digest} are not recorded"))
        };
        let (request, framed) = (blob(&exchange.request)?, blob(&exchange.answer)?);
        let signature = answer::AnswerSignature::decode(&exchange.signature)
            .map_err(|error| format!("{name}: {error}"))?;
        let signed = answer::answer_digest(&Digest::of(request), &Digest::of(framed), &exchange.model);
        signature.verify(&judged.who.hotkey, &signed).map_err(|error| format!("{name}: {error}"))?;
        let Some(challenge) = challenge else { return Ok(CheckedVerdict::NotRederived) };
        let read = ReadAnswer::new(&self.task, challenge, framed);
        let Judged { who, round, challenge: id, .. } = *judged;
        let fingerprint = read.fingerprint;
        let answer = UncheckedAnswer { who, round, challenge: id, seed, fingerprint };
        let attention = check::attention(&self.task, &self.history, &answer);
        let seen = (&read, attention, self.testimonies.get(&(id, who)).unwrap_or(reference));
        let again = check::verdict(&self.task, &mut self.history.watch, who, challenge, seen);
        let fingerprint = fingerprint.map(|said| Fingerprint { round, challenge: id, said });
        fingerprint.into_iter().for_each(|fingerprint| self.history.hear(fingerprint));
        match again {
            Ok(again) if again == judged.judgement => Ok(CheckedVerdict::Rederived),
            Ok(_) => Err(format!("{name}: the judge says something else")),
            Err(error) => match self.without_judge(error) {
                Ok(()) => Ok(CheckedVerdict::NotRederived),
                Err(error) => Err(format!("{name}: {error}")),
            },
        }
    }

    /// Notes that the judge is not at hand; any other error is the record's.
    fn without_judge(&mut self, error: TaskError) -> Result<(), TaskError> {
        if !matches!(error, TaskError::NoJudge | TaskError::Judge(_)) {
            return Err(error);
        }
        self.judge_missing.get_or_insert_with(|| error.to_string());
        Ok(())
    }
}
