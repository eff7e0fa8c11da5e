//! A test-only kind whose answers the roles keep sealed until everybody has committed to one: guesses judged against one another.

use std::time::Duration;

use weighhouse_types::{InferAnswer, InferRequest, JointVerdicts, Judgement, RegistrationId};

use super::{bytes, number, numbers, request, sealed};
use crate::kind::{Kind, NoSection};
use crate::verdict::malformed;
use crate::{Persona, References, Scope, TaskError, TaskFile};

pub(super) struct Hidden;

impl Kind for Hidden {
    const NAME: &'static str = "hidden";
    const SCOPES: &'static [Scope] = &[Scope::Shared];
    const SEALED: bool = true;
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
        InferRequest { outputs: vec!["answer".to_owned()], ..request("guess", *question) }
    }

    fn read(&self, _: &u32, answer: &InferAnswer) -> Result<u32, Judgement> {
        number(bytes(answer)).ok_or_else(|| malformed(0, "no guess"))
    }

    fn judge_together(
        &self,
        _: &u32,
        _: &[RegistrationId],
        answers: &[(RegistrationId, &(), &u32)],
    ) -> Result<Option<JointVerdicts>, TaskError> {
        Ok(Some(sealed::by_the_mean(answers)))
    }

    fn personas(&self) -> Vec<Persona> {
        super::personas::hidden()
    }
}
