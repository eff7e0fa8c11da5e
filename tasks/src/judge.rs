//! Kind `judge`: whatever a program in a process of its own draws and judges, in any language.
//!
//! The task file pins the program by the digest of its files, and says what it does and what one call may hold. The
//! program is asked over [`JudgeClient`]; its questions, secrets, testimonies and verdicts are recorded like any kind's.
//!
//! **Invariants.** An answer is weighed before it is handed on, so that none makes a call too long for a message. A judge
//! never learns who answered. What a judge fails at is an error, and no verdict.

mod client;
mod section;

use std::ops::RangeInclusive;
use std::sync::Arc;

use parity_scale_codec::{Decode, Encode};
use weighhouse_types::{
    DrawSeed, DrawnChallenge, InferAnswer, InferRequest, JudgeAttempt, Judgement, Mark, Reason, Tensor,
};

pub use client::JudgeClient;
use section::{PinnedJudge, Section};

use crate::error::TaskError;
use crate::file::TaskFile;
use crate::kind::{JudgeFiles, Kind};
use crate::references::References;

/// Tensors of one answer at most.
const TENSORS_MAX: usize = 64;
/// Bytes that an answer's tensor has in a message besides its name and data, at most: its shape and its type.
const TENSOR_OVERHEAD: usize = 256;

/// A task that is judged outside.
pub(crate) struct Judged {
    items: u32,
    pinned: PinnedJudge,
    /// `None` in an audit that has no judge at hand.
    client: Option<Arc<dyn JudgeClient>>,
}

/// A question as the judge drew it, with its secret.
#[derive(Debug)]
pub(crate) struct Drawn(DrawnChallenge);

/// What the judge said of an answer before it judged; empty where it had nothing to say.
#[derive(Debug, Encode, Decode)]
pub(crate) struct Testimony(Vec<u8>);

impl Encode for Drawn {
    fn encode_to<T: parity_scale_codec::Output + ?Sized>(&self, dest: &mut T) {
        let DrawnChallenge { question, secret, items } = &self.0;
        let tensor = |tensor: &Tensor| {
            let shape = tensor.shape().to_vec();
            (tensor.name().to_owned(), tensor.datatype(), shape, tensor.data().to_vec())
        };
        let inputs: Vec<_> = question.inputs.iter().map(tensor).collect();
        (inputs, &question.outputs, secret, items).encode_to(dest);
    }
}

impl Kind for Judged {
    const NAME: &'static str = "judge";
    const JUDGES: RangeInclusive<u32> = 1..=u32::MAX;

    type Section = Section;
    type Question = Drawn;
    type Answer = InferAnswer;
    type Word = Testimony;

    fn new(file: &TaskFile, section: Section, references: &dyn References) -> Result<Self, TaskError> {
        let pinned = section.check(file)?;
        let client = references.judge(&pinned.terms)?;
        Ok(Self { items: file.items, pinned, client })
    }

    fn judge_files(&self) -> Option<JudgeFiles> {
        let operator = self.client.as_ref().and_then(|client| client.operator());
        Some(JudgeFiles { digest: self.pinned.terms.digest, operator })
    }

    fn draw(&self, seeds: &[[u8; 32]]) -> Result<Vec<Drawn>, TaskError> {
        let seeds = seeds.iter().map(|seed| DrawSeed { seed: *seed, answers: Vec::new() }).collect();
        Ok(self.client()?.draw(self.items, seeds)?.into_iter().map(Drawn).collect())
    }

    fn request(&self, drawn: &Drawn) -> InferRequest {
        drawn.0.question.clone()
    }

    fn refer(&self, asked: &[&Drawn]) -> Result<Vec<Testimony>, TaskError> {
        if self.pinned.terms.testifies {
            return Ok(Vec::new());
        }
        Ok(asked.iter().map(|_| Testimony(Vec::new())).collect())
    }

    fn read(&self, _: &Drawn, answer: &InferAnswer) -> Result<InferAnswer, Judgement> {
        let weight = |tensor: &Tensor| tensor.name().len() + tensor.data().len() + TENSOR_OVERHEAD;
        let (tensors, bytes) = (answer.outputs.len(), answer.outputs.iter().map(weight).sum::<usize>());
        let what = if tensors > TENSORS_MAX {
            format!("{tensors} tensors, over the limit of {TENSORS_MAX}")
        } else if bytes > self.pinned.answer_bytes_max {
            format!("{bytes} bytes, over the limit of {}", self.pinned.answer_bytes_max)
        } else {
            let outputs = answer.outputs.clone();
            return Ok(InferAnswer {
                model: String::new(),
                version: String::new(),
                id: String::new(),
                outputs,
            });
        };
        Err(Judgement { mark: Mark::ZERO, reasons: vec![Reason::Malformed { item: 0, what }] })
    }

    fn testify(&self, answers: &[(&Drawn, &InferAnswer)]) -> Result<Vec<Testimony>, TaskError> {
        if !self.pinned.terms.testifies {
            return Ok(Vec::new());
        }
        let attempts = answers.iter().map(|(drawn, answer)| attempt(drawn, &[], answer)).collect();
        Ok(self.client()?.testify(attempts)?.into_iter().map(Testimony).collect())
    }

    fn judge(&self, drawn: &Drawn, word: &Testimony, answer: &InferAnswer) -> Result<Judgement, TaskError> {
        let attempts = vec![attempt(drawn, &word.0, answer)];
        let verdict = if self.pinned.terms.together {
            self.client()?.judge_together(attempts)?.verdicts.pop()
        } else {
            self.client()?.judge(attempts)?.pop()
        };
        verdict.ok_or(TaskError::NoTestimony)
    }
}

impl Judged {
    fn client(&self) -> Result<&dyn JudgeClient, TaskError> {
        self.client.as_deref().ok_or(TaskError::NoJudge)
    }
}

fn attempt(drawn: &Drawn, testimony: &[u8], answer: &InferAnswer) -> JudgeAttempt {
    let (challenge, answers) = (drawn.0.clone(), vec![answer.clone()]);
    JudgeAttempt { challenge, answers, testimony: testimony.to_vec() }
}

#[cfg(test)]
mod tests;
