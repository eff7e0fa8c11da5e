//! The object-safe face of a kind, written once for all: values cross it without their types.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use weighhouse_types::{Digest, InferAnswer, InferRequest, Judgement, RegistrationId};

use crate::challenge::Challenge;
use crate::error::TaskError;
use crate::generate::sequential::Budget;
use crate::kind::{JudgeFiles, Kind};
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
    fn judge_files(&self) -> Option<JudgeFiles>;
    fn draw(&self, task: Digest, items: u32, seeds: &[[u8; 32]]) -> Result<Vec<Challenge>, TaskError>;
    fn request(&self, challenge: &Challenge) -> InferRequest;
    fn refer(&self, challenges: &[Challenge]) -> Result<Vec<Reference>, TaskError>;
    fn read(&self, challenge: &Challenge, answer: &InferAnswer) -> Result<Read, Judgement>;
    fn testify(&self, answers: &[(&Challenge, &Read)]) -> Result<Option<Vec<Reference>>, TaskError>;
    fn judge(
        &self,
        challenge: &Challenge,
        reference: &Reference,
        read: &Read,
    ) -> Result<Judgement, TaskError>;
    fn alike(
        &self,
        challenge: &Challenge,
        reference: &Reference,
        answers: &[(RegistrationId, &Read)],
    ) -> Option<Vec<Vec<RegistrationId>>>;
    fn personas(&self) -> Vec<Persona>;
    fn deadline(&self) -> Duration;
    fn budget(&self) -> Option<&Budget>;
    fn bins(&self, reference: &Reference) -> Vec<u32>;
    fn fingerprint(&self, answer: &InferAnswer) -> Option<Digest>;
    fn spare(&self, read: &Read) -> Judgement;
    fn as_any(&self) -> &dyn Any;
}

impl<K: Kind> Work for K {
    fn judge_files(&self) -> Option<JudgeFiles> {
        Kind::judge_files(self)
    }

    fn draw(&self, task: Digest, items: u32, seeds: &[[u8; 32]]) -> Result<Vec<Challenge>, TaskError> {
        let questions = Kind::draw(self, seeds)?;
        counted(seeds.len(), questions.len())?;
        let challenge = |question| Challenge::new(K::digest(task, &question), items, Arc::new(question));
        Ok(questions.into_iter().map(challenge).collect())
    }

    fn request(&self, challenge: &Challenge) -> InferRequest {
        Kind::request(self, question::<K>(challenge))
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

    fn read(&self, challenge: &Challenge, answer: &InferAnswer) -> Result<Read, Judgement> {
        Ok(Read(Arc::new(Kind::read(self, question::<K>(challenge), answer)?)))
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

    fn judge(
        &self,
        challenge: &Challenge,
        reference: &Reference,
        read: &Read,
    ) -> Result<Judgement, TaskError> {
        let word = K::recall(reference.recorded()).ok_or(TaskError::NoTestimony)?;
        Kind::judge(self, question::<K>(challenge), &word, answer::<K>(read))
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

    fn deadline(&self) -> Duration {
        K::DEADLINE
    }

    fn budget(&self) -> Option<&Budget> {
        Kind::budget(self)
    }

    fn bins(&self, reference: &Reference) -> Vec<u32> {
        K::recall(reference.recorded()).map_or_else(Vec::new, |word| Kind::bins(self, &word))
    }

    fn fingerprint(&self, answer: &InferAnswer) -> Option<Digest> {
        Kind::fingerprint(self, answer)
    }

    fn spare(&self, read: &Read) -> Judgement {
        Kind::spare(self, answer::<K>(read))
    }

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

fn counted(expected: usize, actual: usize) -> Result<(), TaskError> {
    if expected == actual { Ok(()) } else { Err(TaskError::Count { expected, actual }) }
}

fn question<K: Kind>(challenge: &Challenge) -> &K::Question {
    challenge.question().expect("a task only ever sees challenges that it drew")
}

fn answer<K: Kind>(read: &Read) -> &K::Answer {
    read.0.downcast_ref().expect("a task only ever sees answers that it read")
}
