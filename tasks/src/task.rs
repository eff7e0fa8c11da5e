//! A task: its file, its reference model, and what a validator does with them.

use std::fmt;
use std::sync::Arc;

use weighhouse_models::{Classifier, ModelError};
use weighhouse_types::{Digest, Failure, InferAnswer, InferRequest, Judgement, Mark, Reason};

use crate::challenge::Challenge;
use crate::file::{Generate, Kind, Mode, TaskFile, TaskFileError, Work};
use crate::reference::Reference;
use crate::sequential::{Budget, Course};
use crate::witness::{Claim, Encoder, Witness, WitnessError};
use crate::{embed, generate, judge, wire};

/// A loaded task. Any number of threads may share one.
#[derive(Clone)]
pub struct Task {
    file: TaskFile,
    digest: Digest,
    model: Model,
}

/// Who is asked what is right. A judge needs none where the answer to that is on record.
#[derive(Clone)]
enum Model {
    Classifier(Classifier),
    Witness(Arc<dyn Witness>),
    Encoder(Arc<dyn Encoder>),
    None,
}

#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum TaskError {
    #[error(transparent)]
    File(#[from] TaskFileError),
    #[error("the task names reference {named}, the weights are {given}")]
    WrongReference { named: Digest, given: Digest },
    #[error("the reference of a task of kind \"{kind}\" is not such a model")]
    WrongKind { kind: &'static str },
    #[error("the reference model: {0}")]
    Model(#[from] ModelError),
    #[error(transparent)]
    Witness(#[from] WitnessError),
    #[error("a reference for challenge {reference} can't judge answers to challenge {challenge}")]
    Mismatch { challenge: Digest, reference: Digest },
    #[error("a reference with {actual} rows can't judge a challenge of {expected} items")]
    Rows { expected: usize, actual: usize },
    #[error("a testimony on {actual} tokens can't judge a completion of {expected}")]
    Tokens { expected: usize, actual: usize },
    #[error("the reference was not asked about this answer")]
    NoTestimony,
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task").field("digest", &self.digest).field("file", &self.file).finish_non_exhaustive()
    }
}

impl Task {
    /// Reads a task file of kind `classify` and the safetensors of the reference model it names.
    ///
    /// # Errors
    /// A file or weights that are refused, or weights that are not those the file names.
    pub fn load(file: &[u8], reference_weights: &[u8]) -> Result<Self, TaskError> {
        let task = Self::without_model(file)?;
        let given = Digest::of(reference_weights);
        task.check(Kind::Classify, given)?;
        Ok(Self { model: Model::Classifier(Classifier::load(reference_weights)?), ..task })
    }

    /// Reads a task file of kind `generate`, whose reference is this one.
    ///
    /// # Errors
    /// A file that is refused or that names another reference.
    pub fn with_witness(file: &[u8], witness: Arc<dyn Witness>) -> Result<Self, TaskError> {
        let task = Self::without_model(file)?;
        task.check(Kind::Generate, witness.digest())?;
        Ok(Self { model: Model::Witness(witness), ..task })
    }

    /// Reads a task file of kind `embed`, whose reference is this one.
    ///
    /// # Errors
    /// A file that is refused or that names another reference.
    pub fn with_encoder(file: &[u8], encoder: Arc<dyn Encoder>) -> Result<Self, TaskError> {
        let task = Self::without_model(file)?;
        task.check(Kind::Embed, encoder.digest())?;
        Ok(Self { model: Model::Encoder(encoder), ..task })
    }

    /// A task that can judge what its reference has said already, and ask it nothing: an auditor's.
    ///
    /// # Errors
    /// A file that is refused.
    pub fn without_model(file: &[u8]) -> Result<Self, TaskError> {
        Ok(Self { file: TaskFile::parse(file)?, digest: Digest::of(file), model: Model::None })
    }

    fn check(&self, kind: Kind, given: Digest) -> Result<(), TaskError> {
        if self.file.kind != kind {
            return Err(TaskError::WrongKind { kind: self.file.kind.name() });
        }
        if given != self.file.reference {
            return Err(TaskError::WrongReference { named: self.file.reference, given });
        }
        Ok(())
    }

    pub fn file(&self) -> &TaskFile {
        &self.file
    }

    /// SHA-256 of the task file's bytes.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Whom the judge checks, where the task leaves it that choice.
    pub fn budget(&self) -> Option<&Budget> {
        self.file.generate()?.budget.as_ref()
    }

    /// The challenge of a seed: the same bits on every machine. Whose seed it is decides whether the challenge is
    /// private or shared (see [`TaskFile::scope`]).
    pub fn challenge(&self, seed: &[u8; 32]) -> Challenge {
        Challenge::draw(self.digest, &self.file, seed)
    }

    /// The question as sent. Of scans: one FP32 input `pixels` `[items, 64]`, one wanted output `probabilities` `[items,
    /// 10]`; of text: as [`weighhouse_types::text`] says.
    pub fn request(&self, challenge: &Challenge, id: String) -> InferRequest {
        let model = &self.file.model;
        let of_text = match &self.file.work {
            Work::Classify { .. } => None,
            Work::Generate(generate) => generate::request(generate, model, challenge, &id),
            Work::Embed(_) => Some(embed::request(model, challenge, &id)),
        };
        match of_text {
            Some(request) => request.expect("the task file's numbers and lengths fit a request"),
            None => wire::request(model, challenge, id),
        }
    }

    /// The reference's answers, in the order of the challenges: one call a round, in passes of a fixed shape. Belongs
    /// on a thread for CPU work. Of completions there is none until there is an answer: see [`Task::testify`].
    ///
    /// # Errors
    /// [`TaskError::Model`] if the backend gives no result.
    pub fn references(&self, challenges: &[Challenge]) -> Result<Vec<Reference>, TaskError> {
        match &self.model {
            Model::Classifier(model) => Ok(Reference::compute(model, challenges)?),
            Model::Encoder(encoder) => challenges
                .iter()
                .map(|challenge| {
                    let texts: Vec<&str> = challenge.texts().iter().map(String::as_str).collect();
                    Ok(Reference::vectors_of(challenge.digest(), encoder.embed(&texts)?))
                })
                .collect(),
            Model::Witness(_) | Model::None => {
                Ok(challenges.iter().map(|challenge| Reference::awaited(challenge.digest())).collect())
            }
        }
    }

    /// What the reference says of these answers, in packed passes: one for each, or `None` where the answer's form alone
    /// decides. Belongs on a thread for CPU work.
    ///
    /// # Errors
    /// [`TaskError::Witness`] if the reference can't say.
    pub fn testify(
        &self,
        answers: &[(&Challenge, &InferAnswer)],
    ) -> Result<Vec<Option<Reference>>, TaskError> {
        let (Model::Witness(witness), Some(generate)) = (&self.model, self.file.generate()) else {
            return Ok(vec![None; answers.len()]);
        };
        let completions: Vec<_> =
            answers.iter().map(|(_, answer)| generate::read(generate, answer).ok()).collect();
        let claims: Vec<_> = answers
            .iter()
            .zip(&completions)
            .filter_map(|((challenge, _), completion)| {
                let (prompt, sampling) = challenge.prompt()?;
                Some(Claim { prompt, tokens: &completion.as_ref()?.tokens, sampling })
            })
            .collect();
        let mut testimonies = witness.testify(&claims)?.into_iter();
        let each = answers.iter().zip(&completions).map(|((challenge, _), completion)| {
            completion.as_ref()?;
            Some(Reference::testimony_on(challenge.digest(), testimonies.next()?))
        });
        Ok(each.collect())
    }

    /// Judges what came back, or that nothing did. No answer panics this or makes it fail.
    ///
    /// # Errors
    /// [`TaskError::Mismatch`], [`TaskError::Rows`] and their like if the reference is not this challenge's or says
    /// nothing of this answer: the caller's fault or a corrupt journal's, never the miner's.
    pub fn judge(
        &self,
        challenge: &Challenge,
        reference: &Reference,
        answer: &Result<InferAnswer, Failure>,
    ) -> Result<Judgement, TaskError> {
        if reference.challenge() != challenge.digest() {
            return Err(TaskError::Mismatch {
                challenge: challenge.digest(),
                reference: reference.challenge(),
            });
        }
        match (&self.file.work, &self.file.mode) {
            (Work::Classify { .. }, mode) => {
                rows(challenge, reference.rows().len())?;
                Ok(judge::judge(mode, challenge, reference, answer))
            }
            (Work::Embed(_), Mode::Conformance { tolerance }) => {
                rows(challenge, reference.vectors().len())?;
                Ok(match answer {
                    Err(failure) => silent(failure),
                    Ok(answer) => embed::judge(*tolerance, reference.vectors(), answer),
                })
            }
            (Work::Generate(generate), Mode::Conformance { tolerance }) => match answer {
                Err(failure) => Ok(silent(failure)),
                Ok(answer) => self.judge_completion(generate, *tolerance, reference, answer),
            },
            (_, Mode::Quality { .. }) => Err(TaskError::WrongKind { kind: self.file.kind.name() }),
        }
    }

    fn judge_completion(
        &self,
        generate: &Generate,
        tolerance: f64,
        reference: &Reference,
        answer: &InferAnswer,
    ) -> Result<Judgement, TaskError> {
        let completion = match generate::read(generate, answer) {
            Ok(completion) => completion,
            Err(judgement) => return Ok(judgement),
        };
        let testimony = reference.testimony().ok_or(TaskError::NoTestimony)?;
        let (expected, actual) = (completion.tokens.len(), testimony.margins.len());
        let ends_early = testimony.margins.last().is_some_and(|margin| margin.is_infinite());
        if actual != expected && !(actual < expected && ends_early) {
            return Err(TaskError::Tokens { expected, actual });
        }
        Ok(generate::judge(generate, tolerance, &completion, testimony))
    }

    /// The verdict that an answer's form alone gives; `None` where the reference is needed.
    pub fn form(&self, answer: &Result<InferAnswer, Failure>) -> Option<Judgement> {
        let generate = self.file.generate()?;
        match answer {
            Err(failure) => Some(silent(failure)),
            Ok(answer) => generate::read(generate, answer).err(),
        }
    }

    /// The verdict on an answer that is not checked: its form's, or that it is taken as it comes.
    pub fn spare(&self, answer: &Result<InferAnswer, Failure>) -> Option<Judgement> {
        let generate = self.file.generate()?;
        Some(match answer {
            Err(failure) => silent(failure),
            Ok(answer) => match generate::read(generate, answer) {
                Ok(completion) => generate::spared(&completion),
                Err(judgement) => judgement,
            },
        })
    }

    /// The verdict on an answer of a miner whom the sequential test has convicted; `judgement` is the answer's own, if it
    /// was checked.
    pub fn convict(&self, judgement: Option<Judgement>, course: &Course) -> Judgement {
        generate::convicted(judgement, course)
    }
}

fn rows(challenge: &Challenge, actual: usize) -> Result<(), TaskError> {
    let expected = challenge.items();
    if expected == actual { Ok(()) } else { Err(TaskError::Rows { expected, actual }) }
}

fn silent(failure: &Failure) -> Judgement {
    Judgement { mark: Mark::ZERO, reasons: vec![Reason::Silent { failure: failure.clone() }] }
}

#[cfg(test)]
mod tests;
