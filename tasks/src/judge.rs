//! Kind `judge`: whatever a program in a process of its own draws and judges, in any language.
//!
//! The task file pins the program by the digest of its files, and says what it does and what one call may hold. The
//! program is asked over [`JudgeClient`], a round's questions or answers in one call; its questions, secrets, testimonies,
//! truths and verdicts are recorded like any kind's.
//!
//! **Invariants.** An answer is weighed before it is handed on, so that none makes a call too long for a message. A judge
//! never learns who answered. What a judge fails at is an error, and no verdict.

pub(crate) mod client;
mod question;
mod section;

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use weighhouse_types::{
    DrawSeed, InferAnswer, InferRequest, JointVerdicts, JudgeAttempt, Judgement, LaterChallenge,
    RegistrationId,
};

pub use client::JudgeClient;
use question::{DrawnQuestion, Testimony, nameless, weigh};
use section::{PinnedJudge, Section};

use crate::error::TaskError;
use crate::file::TaskFile;
use crate::kind::{JudgeFiles, Kind, NextRequest, Timing, Truth};
use crate::references::References;

/// A number on the wire may take more bytes than in a tensor, by which answers are weighed.
const WIDEST: usize = 3;

/// A task that is judged outside.
pub(crate) struct OutsideTask {
    items: u32,
    pinned: PinnedJudge,
    /// `None` in an audit that has no judge at hand.
    client: Option<Arc<dyn JudgeClient>>,
}

impl Kind for OutsideTask {
    const NAME: &'static str = "judge";
    const JUDGES: RangeInclusive<u32> = 1..=u32::MAX;
    /// Miners may run models of any size.
    const DEADLINE: Duration = Duration::from_secs(10);

    type Section = Section;
    type Question = DrawnQuestion;
    /// A miner's answers to all exchanges, in order.
    type Answer = Vec<InferAnswer>;
    type Word = Testimony;

    fn new(file: &TaskFile, section: Section, references: &dyn References) -> Result<Self, TaskError> {
        let pinned = section.check(file)?;
        let client = references.judge(&pinned.terms)?;
        Ok(Self { items: file.items, pinned, client })
    }

    fn judge_files(&self) -> Option<JudgeFiles> {
        Some(JudgeFiles { digest: self.pinned.terms.digest, operator: self.operator() })
    }

    fn draw(&self, seeds: &[[u8; 32]]) -> Result<Vec<DrawnQuestion>, TaskError> {
        let asked = seeds.iter().map(|seed| DrawSeed { seed: *seed, answers: Vec::new() }).collect();
        let drawn = self.client()?.draw(self.items, asked)?.into_iter().zip(seeds);
        Ok(drawn.map(|(challenge, seed)| DrawnQuestion { challenge, seed: *seed }).collect())
    }

    fn answer_bytes(&self) -> Option<usize> {
        Some(self.pinned.answer_bytes_max.saturating_mul(WIDEST))
    }

    fn request(&self, drawn: &DrawnQuestion) -> InferRequest {
        drawn.challenge.question.clone()
    }

    fn stages(&self) -> u8 {
        self.pinned.exchanges
    }

    fn follow_up(&self, asked: &[(&DrawnQuestion, &[InferAnswer])]) -> Result<Vec<NextRequest>, TaskError> {
        // Earlier answers were weighed when they came in.
        let newest = |answers: &[InferAnswer]| answers.last().map_or(Ok(()), |answer| self.weigh(answer));
        let weighed: Vec<_> = asked.iter().map(|(_, answers)| newest(answers)).collect();
        let light = asked.iter().zip(&weighed).filter(|(_, weighed)| weighed.is_ok());
        let seeds: Vec<_> = light.map(|((drawn, answers), _)| drawn.next(answers)).collect();
        let expected = seeds.len();
        let mut next = match expected {
            // An empty call would still cost a judge's time.
            0 => Vec::new(),
            _ => self.client()?.draw(self.items, seeds)?,
        }
        .into_iter();
        let missing = TaskError::Count { expected, actual: next.len() };
        let request = |weighed: Result<(), Judgement>| match weighed {
            Err(judgement) => Ok(Err(judgement)),
            Ok(()) => next.next().map(|drawn| Ok(drawn.question)).ok_or_else(|| missing.clone()),
        };
        weighed.into_iter().map(request).collect()
    }

    fn timing(&self) -> Timing {
        self.pinned.resolves_within.map_or(Timing::AtOnce, |epochs_max| Timing::Later { epochs_max })
    }

    fn refer(&self, asked: &[&DrawnQuestion]) -> Result<Vec<Testimony>, TaskError> {
        // The judge's word comes later: on the answers, or as the truth.
        if self.pinned.terms.testifies || self.pinned.terms.resolves {
            return Ok(Vec::new());
        }
        Ok(asked.iter().map(|_| Testimony::none()).collect())
    }

    fn read(&self, drawn: &DrawnQuestion, answer: &InferAnswer) -> Result<Self::Answer, Judgement> {
        self.read_stages(drawn, &[], answer)
    }

    fn read_stages(
        &self,
        _: &DrawnQuestion,
        earlier: &[InferAnswer],
        answer: &InferAnswer,
    ) -> Result<Self::Answer, Judgement> {
        self.weigh(answer)?;
        Ok(earlier.iter().chain([answer]).map(nameless).collect())
    }

    fn testify(&self, answers: &[(&DrawnQuestion, &Self::Answer)]) -> Result<Vec<Testimony>, TaskError> {
        if !self.pinned.terms.testifies {
            return Ok(Vec::new());
        }
        let attempt =
            |(drawn, answers): &(&DrawnQuestion, &Self::Answer)| drawn.attempt(&Testimony::none(), answers);
        let said = self.client()?.testify(answers.iter().map(attempt).collect())?;
        Ok(said.into_iter().map(Testimony).collect())
    }

    fn resolve(
        &self,
        asked: &[(&DrawnQuestion, [u8; 32])],
        epochs: u64,
    ) -> Result<Vec<Option<Truth<Testimony>>>, TaskError> {
        let later = |(drawn, seed): &(&DrawnQuestion, [u8; 32])| LaterChallenge {
            challenge: drawn.challenge.clone(),
            seed: *seed,
        };
        let truths = self.client()?.resolve(asked.iter().map(later).collect(), epochs)?.into_iter();
        let truth = |truth: Vec<u8>| Truth { word: Testimony(truth), operator: self.operator() };
        Ok(truths.map(|told| told.map(truth)).collect())
    }

    fn judge(
        &self,
        drawn: &DrawnQuestion,
        word: &Testimony,
        answers: &Self::Answer,
    ) -> Result<Judgement, TaskError> {
        let verdict = self.judge_each(&[(drawn, word, answers)])?.pop();
        verdict.ok_or(TaskError::Count { expected: 1, actual: 0 })
    }

    fn judge_each(
        &self,
        answers: &[(&DrawnQuestion, &Testimony, &Self::Answer)],
    ) -> Result<Vec<Judgement>, TaskError> {
        self.client()?.judge(answers.iter().map(attempt).collect())
    }

    fn judge_together(
        &self,
        drawn: &DrawnQuestion,
        _: &[RegistrationId],
        answers: &[(RegistrationId, &Testimony, &Self::Answer)],
    ) -> Result<Option<JointVerdicts>, TaskError> {
        if !self.pinned.terms.together {
            return Ok(None);
        }
        let attempts = answers.iter().map(|(_, word, answers)| drawn.attempt(word, answers));
        self.client()?.judge_together(attempts.collect()).map(Some)
    }
}

impl OutsideTask {
    fn client(&self) -> Result<&dyn JudgeClient, TaskError> {
        self.client.as_deref().ok_or(TaskError::NoJudge)
    }

    fn operator(&self) -> Option<String> {
        self.client.as_ref()?.operator()
    }

    fn weigh(&self, answer: &InferAnswer) -> Result<(), Judgement> {
        weigh(answer, self.pinned.answer_bytes_max)
    }
}

fn attempt((drawn, word, answers): &(&DrawnQuestion, &Testimony, &Vec<InferAnswer>)) -> JudgeAttempt {
    drawn.attempt(word, answers)
}

#[cfg(test)]
mod tests;
