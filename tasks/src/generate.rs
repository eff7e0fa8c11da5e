//! Kind `generate`: completions by an agreed language model, checked token by token.
//!
//! What is right depends on what was answered, so the reference is asked after the answers: in packed passes, and only
//! about those that a budget spends its checks on.

mod calibrate;
mod complete;
mod personas;
mod section;
pub mod sequential;
mod verdict;
pub mod witness;

use std::sync::Arc;
use std::time::Duration;

use parity_scale_codec::{Encode, Output};
use rand_chacha::rand_core::Rng;
use weighhouse_models::sampling::Sampling;
use weighhouse_types::profile::Paid;
use weighhouse_types::{Digest, Hasher, InferAnswer, InferRequest, Judgement};

use crate::calibrate::{CalibrateError, CalibrationPlan, CalibrationProgress, CalibrationReport};
use crate::challenge::Challenge;
use crate::error::{TaskError, TaskFileError};
use crate::file::TaskFile;
use crate::kind::{Kind, per_seed};
use crate::persona::Persona;
use crate::reference::{Recorded, Reference};
use crate::references::References;
pub use complete::{CompleteError, complete};
pub use section::{Generate, Margins};
use sequential::{Budget, Repetitions};
pub(crate) use verdict::{Completion, read};
use witness::{Claim, Testimony, Witness, WitnessError};

/// Prompts that a task's room for answers is measured by when it is loaded.
const PROMPTS_TRIED: u8 = 64;

/// Of an answer, for each token: its number, its log-probability and its text, each as wide as may be.
const TOKEN_BYTES: usize = 256;

/// A task of completions.
pub(crate) struct Completions {
    settings: Generate,
    tolerance: f64,
    witness: Option<Arc<dyn Witness>>,
}

impl Completions {
    pub(crate) fn settings(&self) -> &Generate {
        &self.settings
    }

    /// Refuses a task whose questions the reference could say nothing of, by a sample of its prompts.
    fn check_room(&self) -> Result<(), TaskError> {
        let Some(witness) = &self.witness else { return Ok(()) };
        let seeds: Vec<_> = (0..PROMPTS_TRIED).map(|at| [at; 32]).collect();
        for Prompt { text, sampling } in self.draw(&seeds)? {
            match witness.admits(&text, self.settings.max_tokens as usize, sampling) {
                Err(WitnessError::Context { prompt, completion, context }) => {
                    let what = format!(
                        "= {completion} and a prompt of {prompt} tokens are over the reference's context of {context}: \
                         lower it, or generate.prompt_words"
                    );
                    return Err(TaskFileError::Value { key: "generate.max_tokens", what }.into());
                }
                admitted => admitted?,
            }
        }
        Ok(())
    }
}

/// A text to continue, and how its tokens are to be chosen.
#[derive(Debug)]
pub(crate) struct Prompt {
    text: String,
    sampling: Sampling,
}

impl Encode for Prompt {
    fn encode_to<T: Output + ?Sized>(&self, out: &mut T) {
        (self.sampling.seed, &self.text).encode_to(out);
    }
}

impl Kind for Completions {
    const NAME: &'static str = "generate";
    const FILES: &'static [(&'static str, &'static str)] =
        &[("generate", crate::GENERATE), ("generate-greedy", crate::GENERATE_GREEDY)];
    const PAYS: &'static [Paid] = &[Paid::Conformance];
    const HAS_REFERENCE: bool = true;
    const DEADLINE: Duration = Duration::from_secs(60);

    type Section = section::Section;
    type Question = Prompt;
    type Answer = Completion;
    type Word = Testimony;

    fn reference(references: &dyn References, named: Option<Digest>) -> Result<Option<Digest>, TaskError> {
        let Some(witness) = references.language()? else { return Ok(None) };
        let own = named.filter(|named| witness.under(*named).is_some());
        Ok(Some(own.unwrap_or_else(|| witness.digest())))
    }

    fn new(
        file: &TaskFile,
        section: section::Section,
        references: &dyn References,
    ) -> Result<Self, TaskError> {
        let settings = section.check(file.items)?;
        let witness = match (references.language()?, file.reference) {
            (Some(witness), Some(named)) => Some(pinned(witness, named)?),
            (witness, _) => witness,
        };
        let tolerance = file.tolerance()?;
        let task = Self { settings, tolerance, witness };
        task.check_room()?;
        Ok(task)
    }

    fn answer_bytes(&self) -> Option<usize> {
        Some(self.settings.max_tokens as usize * TOKEN_BYTES)
    }

    fn draw(&self, seeds: &[[u8; 32]]) -> Result<Vec<Prompt>, TaskError> {
        Ok(per_seed(seeds, |rng| {
            // Drawn before the text: the order is part of the challenge, which replay draws from its seed again.
            let sampling = Sampling { seed: rng.next_u64(), ..self.settings.sampling };
            Prompt { text: self.settings.prompts.draw(self.settings.prompt_words, rng), sampling }
        }))
    }

    fn digest(task: Digest, prompt: &Prompt) -> Digest {
        Hasher::new("weighhouse/challenge/generate/v1")
            .part(task.as_bytes())
            .part(&prompt.sampling.seed.to_le_bytes())
            .part(prompt.text.as_bytes())
            .finish()
    }

    fn request(&self, prompt: &Prompt) -> InferRequest {
        let request = verdict::asked(&self.settings, &prompt.text, &prompt.sampling).to_infer("", "");
        request.expect("the task file's numbers and lengths fit a request")
    }

    fn refer(&self, _: &[&Prompt]) -> Result<Vec<Testimony>, TaskError> {
        Ok(Vec::new())
    }

    fn read(&self, _: &Prompt, answer: &InferAnswer) -> Result<Completion, Judgement> {
        read(&self.settings, answer)
    }

    fn testify(&self, answers: &[(&Prompt, &Completion)]) -> Result<Vec<Testimony>, TaskError> {
        let witness = self.witness.as_ref().ok_or(TaskError::NoReference)?;
        let claims: Vec<_> = answers.iter().map(|(prompt, completion)| claim(prompt, completion)).collect();
        Ok(witness.testify(&claims)?)
    }

    fn contradict_themselves(&self, answers: &[(&Prompt, &Completion)]) -> Result<Vec<bool>, TaskError> {
        let witness = self.witness.as_ref().ok_or(TaskError::NoReference)?;
        let contradicts = |(prompt, completion): &(&Prompt, &Completion)| {
            let claim = claim(prompt, completion);
            let text = witness.continuation(&prompt.text, claim.spoken(completion.tokens.len()))?;
            let seen = Testimony { first_end: witness.first_end(&claim), text, ..Testimony::default() };
            Ok(self.contradicts(&seen, completion))
        };
        answers.iter().map(contradicts).collect()
    }

    fn contradicts(&self, testimony: &Testimony, completion: &Completion) -> bool {
        verdict::contradicts(&self.settings, completion, testimony).is_some()
    }

    fn judge(
        &self,
        _: &Prompt,
        testimony: &Testimony,
        completion: &Completion,
    ) -> Result<Judgement, TaskError> {
        let (expected, actual) = (completion.tokens.len(), testimony.margins.len());
        // A testimony ends at a token that the vocabulary does not have, with an infinite margin.
        let ends_early = testimony.margins.last().is_some_and(|margin| margin.is_infinite());
        if actual != expected && !(actual < expected && ends_early) {
            return Err(TaskError::Tokens { expected, actual });
        }
        Ok(verdict::judge(&self.settings, self.tolerance, completion, testimony))
    }

    fn personas(&self) -> Vec<Persona> {
        personas::catalogue(&self.settings.sampling)
    }

    fn calibrate(
        &self,
        plan: &CalibrationPlan<'_>,
        progress: &mut dyn FnMut(CalibrationProgress),
    ) -> Result<CalibrationReport, CalibrateError> {
        calibrate::run(self, plan, progress)?.report(plan)
    }

    fn budget(&self) -> Option<&Budget> {
        self.settings.budget.as_ref()
    }

    fn bins(&self, testimony: &Testimony) -> Vec<u32> {
        let budget = self.settings.budget.as_ref();
        budget.map_or_else(Vec::new, |budget| budget.test.count(&testimony.margins))
    }

    fn fingerprint(&self, answer: Result<&Completion, &InferAnswer>) -> Option<Digest> {
        match answer {
            Ok(completion) => Repetitions::fingerprint_of(&completion.tokens),
            Err(message) => Repetitions::fingerprint(message),
        }
    }

    fn spare(&self, completion: &Completion) -> Judgement {
        verdict::spared(completion)
    }

    fn record(testimony: &Testimony) -> Recorded {
        Recorded::Testimony(testimony.clone())
    }

    fn recall(recorded: &Recorded) -> Option<Testimony> {
        match recorded {
            Recorded::Testimony(testimony) => Some(testimony.clone()),
            _ => None,
        }
    }
}

/// The reference by the digest that the task file pins.
fn pinned(witness: Arc<dyn Witness>, named: Digest) -> Result<Arc<dyn Witness>, TaskError> {
    let given = witness.digest();
    if given == named {
        return Ok(witness);
    }
    witness.under(named).ok_or(TaskError::WrongLanguage { named, given })
}

fn claim<'a>(prompt: &'a Prompt, completion: &'a Completion) -> Claim<'a> {
    let (tokens, sampling, ended) = (&completion.tokens[..], prompt.sampling, completion.ended());
    Claim { prompt: &prompt.text, tokens, sampling, ended }
}

impl Challenge {
    /// The text to continue, and how its tokens are to be chosen.
    pub fn prompt(&self) -> Option<(&str, Sampling)> {
        self.question::<Prompt>().map(|prompt| (prompt.text.as_str(), prompt.sampling))
    }
}

impl Reference {
    /// The reference's word on a completion, if it was asked.
    pub fn testimony(&self) -> Option<&Testimony> {
        match self.recorded() {
            Recorded::Testimony(testimony) => Some(testimony),
            _ => None,
        }
    }
}
