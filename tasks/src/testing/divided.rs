//! A test-only kind whose question is divided: each miner is asked for the double of a number of its own.

use std::time::Duration;

use weighhouse_types::{InferAnswer, InferRequest, JointVerdicts, Judgement, RegistrationId};

use super::{bytes, number, numbers, request};
use crate::kind::{Kind, NoSection};
use crate::verdict::{accepted, malformed, wrong};
use crate::{Persona, References, Scope, TaskError, TaskFile};

pub(super) struct Divided;

impl Kind for Divided {
    const NAME: &'static str = "divided";
    const SCOPES: &'static [Scope] = &[Scope::Shared];
    const DEADLINE: Duration = Duration::from_secs(1);
    type Section = NoSection;
    type Question = u32;
    type Answer = u32;
    type Word = ();

    fn new(_: &TaskFile, _: NoSection, _: &dyn References) -> Result<Self, TaskError> {
        Ok(Self)
    }

    fn draw(&self, seeds: &[[u8; 32]]) -> Result<Vec<u32>, TaskError> {
        Ok(numbers(seeds))
    }

    fn request(&self, question: &u32) -> InferRequest {
        asking(*question)
    }

    fn assign(&self, question: &u32, miners: &[RegistrationId]) -> Option<Vec<InferRequest>> {
        Some((0..miners.len()).map(|at| asking(part(*question, at))).collect())
    }

    fn read(&self, _: &u32, answer: &InferAnswer) -> Result<u32, Judgement> {
        number(bytes(answer)).ok_or_else(|| malformed(0, "no number"))
    }

    fn judge_together(
        &self,
        question: &u32,
        miners: &[RegistrationId],
        answers: &[(RegistrationId, &(), &u32)],
    ) -> Result<Option<JointVerdicts>, TaskError> {
        let told = |(who, (), double): &(RegistrationId, &(), &u32)| match miners
            .binary_search(who)
            .is_ok_and(|at| **double == 2 * part(*question, at))
        {
            true => accepted(1.0, "its own number's double"),
            false => wrong(-1.0, "another number's"),
        };
        Ok(Some(JointVerdicts { verdicts: answers.iter().map(told).collect(), alike: Vec::new() }))
    }

    fn personas(&self) -> Vec<Persona> {
        super::personas::divided()
    }
}

fn part(question: u32, at: usize) -> u32 {
    1_000 * at as u32 + question
}

fn asking(number: u32) -> InferRequest {
    InferRequest { outputs: vec!["answer".to_owned()], ..request("number", number) }
}
