//! The object-safe face of a kind, written once for all: values cross it without their types.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use weighhouse_types::{
    Beacon, Digest, Hasher, InferAnswer, InferRequest, JointVerdicts, Judgement, RegistrationId,
};

use crate::calibrate::{CalibrateError, CalibrationPlan, CalibrationProgress, CalibrationReport};
use crate::challenge::Challenge;
use crate::error::TaskError;
use crate::generate::sequential::Budget;
use crate::kind::{JudgeFiles, Kind, NextRequest, Timing, Truth};
use crate::persona::Persona;
use crate::reference::{Recorded, Reference};

/// An answer that its kind has read.
#[derive(Clone)]
pub struct Read(pub(crate) Arc<dyn Any + Send + Sync>);

impl std::fmt::Debug for Read {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Read").finish_non_exhaustive()
    }
}

pub(crate) trait Work: Send + Sync {
    fn request_follows_from_seed(&self) -> bool;
    fn judge_files(&self) -> Option<JudgeFiles>;
    fn draw(&self, task: Digest, items: u32, seeds: &[[u8; 32]]) -> Result<Vec<Challenge>, TaskError>;
    fn secret(&self, challenge: &Challenge) -> Option<Vec<u8>>;
    fn request(&self, challenge: &Challenge) -> InferRequest;
    fn assign(
        &self,
        challenge: &Challenge,
        miners: &[RegistrationId],
    ) -> Result<Option<Vec<InferRequest>>, TaskError>;
    fn stages(&self) -> u8;
    fn follow_up(&self, asked: &[(&Challenge, &[InferAnswer])]) -> Result<Vec<NextRequest>, TaskError>;
    fn timing(&self) -> Timing;
    fn refer(&self, challenges: &[Challenge]) -> Result<Vec<Reference>, TaskError>;
    fn agrees(&self, recorded: &Reference, again: &Reference) -> bool;
    fn read(
        &self,
        challenge: &Challenge,
        earlier: &[InferAnswer],
        answer: &InferAnswer,
    ) -> Result<Read, Judgement>;
    fn testify(&self, answers: &[(&Challenge, &Read)]) -> Result<Option<Vec<Reference>>, TaskError>;
    fn resolve(
        &self,
        challenges: &[&Challenge],
        epochs: u64,
        beacon: &Beacon,
    ) -> Result<Vec<Option<Truth<Reference>>>, TaskError>;
    fn judge(&self, answers: &[(&Challenge, &Reference, &Read)]) -> Result<Vec<Judgement>, TaskError>;
    fn judge_together(
        &self,
        challenge: &Challenge,
        miners: &[RegistrationId],
        answers: &[(RegistrationId, &Reference, &Read)],
    ) -> Result<Option<JointVerdicts>, TaskError>;
    fn alike(
        &self,
        challenge: &Challenge,
        reference: &Reference,
        answers: &[(RegistrationId, &Read)],
    ) -> Option<Vec<Vec<RegistrationId>>>;
    fn personas(&self) -> Vec<Persona>;
    fn calibrate(
        &self,
        plan: &CalibrationPlan<'_>,
        progress: &mut dyn FnMut(CalibrationProgress),
    ) -> Result<CalibrationReport, CalibrateError>;
    fn deadline(&self) -> Duration;
    fn answer_bytes(&self) -> Option<usize>;
    fn budget(&self) -> Option<&Budget>;
    fn bins(&self, reference: &Reference) -> Vec<u32>;
    fn contradict_themselves(&self, answers: &[(&Challenge, &Read)]) -> Result<Vec<bool>, TaskError>;
    fn contradicts(&self, reference: &Reference, read: &Read) -> bool;
    fn fingerprint(&self, answer: Result<&Read, &InferAnswer>) -> Option<Digest>;
    fn spare(&self, read: &Read) -> Judgement;
    #[cfg(test)]
    fn as_any(&self) -> &dyn Any;
}

impl<K: Kind> Work for K {
    fn request_follows_from_seed(&self) -> bool {
        K::REQUEST_FOLLOWS_FROM_SEED
    }

    fn judge_files(&self) -> Option<JudgeFiles> {
        Kind::judge_files(self)
    }

    fn draw(&self, task: Digest, items: u32, seeds: &[[u8; 32]]) -> Result<Vec<Challenge>, TaskError> {
        let questions = Kind::draw(self, seeds)?;
        // A judge outside this process may draw too few.
        counted(seeds.len(), questions.len())?;
        let challenge = |question| Challenge::new(K::digest(task, &question), items, Arc::new(question));
        Ok(questions.into_iter().map(challenge).collect())
    }

    fn secret(&self, challenge: &Challenge) -> Option<Vec<u8>> {
        Kind::secret(self, question::<K>(challenge))
    }

    fn request(&self, challenge: &Challenge) -> InferRequest {
        Kind::request(self, question::<K>(challenge))
    }

    fn assign(
        &self,
        challenge: &Challenge,
        miners: &[RegistrationId],
    ) -> Result<Option<Vec<InferRequest>>, TaskError> {
        let requests = Kind::assign(self, question::<K>(challenge), miners);
        requests.iter().try_for_each(|requests| counted(miners.len(), requests.len()))?;
        Ok(requests)
    }

    fn stages(&self) -> u8 {
        Kind::stages(self)
    }

    fn follow_up(&self, asked: &[(&Challenge, &[InferAnswer])]) -> Result<Vec<NextRequest>, TaskError> {
        let typed: Vec<_> =
            asked.iter().map(|(challenge, answers)| (question::<K>(challenge), *answers)).collect();
        let requests = Kind::follow_up(self, &typed)?;
        counted(asked.len(), requests.len())?;
        Ok(requests)
    }

    fn timing(&self) -> Timing {
        Kind::timing(self)
    }

    fn refer(&self, challenges: &[Challenge]) -> Result<Vec<Reference>, TaskError> {
        let questions: Vec<_> = challenges.iter().map(|challenge| question::<K>(challenge)).collect();
        let words = Kind::refer(self, &questions)?;
        if words.is_empty() {
            let awaited = |challenge: &Challenge| Reference::new(challenge.digest(), Recorded::Awaited);
            return Ok(challenges.iter().map(awaited).collect());
        }
        each::<K>(challenges.iter().map(Challenge::digest), &words)
    }

    fn agrees(&self, recorded: &Reference, again: &Reference) -> bool {
        let words = (K::recall(recorded.recorded()), K::recall(again.recorded()));
        recorded.challenge() == again.challenge()
            && matches!(words, (Some(recorded), Some(again)) if Kind::agrees(self, &recorded, &again))
    }

    fn read(
        &self,
        challenge: &Challenge,
        earlier: &[InferAnswer],
        answer: &InferAnswer,
    ) -> Result<Read, Judgement> {
        Ok(Read(Arc::new(self.read_stages(question::<K>(challenge), earlier, answer)?)))
    }

    fn testify(&self, answers: &[(&Challenge, &Read)]) -> Result<Option<Vec<Reference>>, TaskError> {
        let pairs: Vec<_> =
            answers.iter().map(|(challenge, read)| (question::<K>(challenge), answer::<K>(read))).collect();
        let words = Kind::testify(self, &pairs)?;
        if words.is_empty() {
            return Ok(None);
        }
        each::<K>(answers.iter().map(|(challenge, _)| challenge.digest()), &words).map(Some)
    }

    fn resolve(
        &self,
        challenges: &[&Challenge],
        epochs: u64,
        beacon: &Beacon,
    ) -> Result<Vec<Option<Truth<Reference>>>, TaskError> {
        let asked: Vec<_> = challenges
            .iter()
            .map(|challenge| (question::<K>(challenge), truth_seed(challenge, beacon)))
            .collect();
        let truths = Kind::resolve(self, &asked, epochs)?;
        counted(challenges.len(), truths.len())?;
        let reference = |(challenge, truth): (&&Challenge, Option<Truth<K::Word>>)| {
            let Truth { word, operator } = truth?;
            Some(Truth { word: Reference::new(challenge.digest(), K::record(&word)), operator })
        };
        Ok(challenges.iter().zip(truths).map(reference).collect())
    }

    fn judge(&self, answers: &[(&Challenge, &Reference, &Read)]) -> Result<Vec<Judgement>, TaskError> {
        let words = recalled::<K>(answers.iter().map(|(_, reference, _)| *reference))?;
        let each = answers.iter().zip(&words);
        let typed: Vec<_> = each
            .map(|((challenge, _, read), word)| (question::<K>(challenge), word, answer::<K>(read)))
            .collect();
        let judgements = self.judge_each(&typed)?;
        counted(answers.len(), judgements.len())?;
        Ok(judgements)
    }

    fn judge_together(
        &self,
        challenge: &Challenge,
        miners: &[RegistrationId],
        answers: &[(RegistrationId, &Reference, &Read)],
    ) -> Result<Option<JointVerdicts>, TaskError> {
        let words = recalled::<K>(answers.iter().map(|(_, reference, _)| *reference))?;
        let each = answers.iter().zip(&words);
        let typed: Vec<_> = each.map(|((who, _, read), word)| (*who, word, answer::<K>(read))).collect();
        let Some(joint) = Kind::judge_together(self, question::<K>(challenge), miners, &typed)? else {
            return Ok(None);
        };
        counted(answers.len(), joint.verdicts.len())?;
        // A judge out of process may name answers that there are not.
        let positions = joint.alike.iter().flatten();
        match positions.into_iter().find(|position| **position as usize >= answers.len()) {
            Some(position) => Err(TaskError::Count { expected: answers.len(), actual: *position as usize }),
            None => Ok(Some(joint)),
        }
    }

    fn alike(
        &self,
        challenge: &Challenge,
        reference: &Reference,
        answers: &[(RegistrationId, &Read)],
    ) -> Option<Vec<Vec<RegistrationId>>> {
        let word = K::recall(reference.recorded())?;
        let answers: Vec<_> = answers.iter().map(|(who, read)| (*who, answer::<K>(read))).collect();
        Kind::alike(self, question::<K>(challenge), &word, &answers)
    }

    fn personas(&self) -> Vec<Persona> {
        Kind::personas(self)
    }

    fn calibrate(
        &self,
        plan: &CalibrationPlan<'_>,
        progress: &mut dyn FnMut(CalibrationProgress),
    ) -> Result<CalibrationReport, CalibrateError> {
        Kind::calibrate(self, plan, progress)
    }

    fn deadline(&self) -> Duration {
        K::DEADLINE
    }

    fn answer_bytes(&self) -> Option<usize> {
        Kind::answer_bytes(self)
    }

    fn budget(&self) -> Option<&Budget> {
        Kind::budget(self)
    }

    fn bins(&self, reference: &Reference) -> Vec<u32> {
        K::recall(reference.recorded()).map_or_else(Vec::new, |word| Kind::bins(self, &word))
    }

    fn contradict_themselves(&self, answers: &[(&Challenge, &Read)]) -> Result<Vec<bool>, TaskError> {
        let pairs: Vec<_> =
            answers.iter().map(|(challenge, read)| (question::<K>(challenge), answer::<K>(read))).collect();
        Kind::contradict_themselves(self, &pairs)
    }

    fn contradicts(&self, reference: &Reference, read: &Read) -> bool {
        K::recall(reference.recorded()).is_some_and(|word| Kind::contradicts(self, &word, answer::<K>(read)))
    }

    fn fingerprint(&self, message: Result<&Read, &InferAnswer>) -> Option<Digest> {
        Kind::fingerprint(self, message.map(answer::<K>))
    }

    fn spare(&self, read: &Read) -> Judgement {
        Kind::spare(self, answer::<K>(read))
    }

    #[cfg(test)]
    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// One reference for each question, or an error that says how many words there are.
fn each<K: Kind>(
    challenges: impl ExactSizeIterator<Item = Digest>,
    words: &[K::Word],
) -> Result<Vec<Reference>, TaskError> {
    counted(challenges.len(), words.len())?;
    Ok(challenges.zip(words).map(|(challenge, word)| Reference::new(challenge, K::record(word))).collect())
}

/// The words as they are on record.
fn recalled<'a, K: Kind>(references: impl Iterator<Item = &'a Reference>) -> Result<Vec<K::Word>, TaskError> {
    references.map(|reference| K::recall(reference.recorded()).ok_or(TaskError::NoTestimony)).collect()
}

/// The chance of which the truth about a challenge may be drawn: another for each, and known to nobody before the beacon.
fn truth_seed(challenge: &Challenge, beacon: &Beacon) -> [u8; 32] {
    let Digest(seed) = Hasher::new("weighhouse/truth/v1")
        .part(beacon.value.as_bytes())
        .part(challenge.digest().as_bytes())
        .finish();
    seed
}

fn counted(expected: usize, actual: usize) -> Result<(), TaskError> {
    if expected == actual { Ok(()) } else { Err(TaskError::Count { expected, actual }) }
}

fn question<K: Kind>(challenge: &Challenge) -> &K::Question {
    challenge.question().expect("a task only ever sees challenges that it drew")
}

fn answer<K: Kind>(read: &Read) -> &K::Answer {
    read.0.downcast_ref().expect("a task only ever sees answers that it read")
}
