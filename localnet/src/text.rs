//! Disguises that fake texts: they change the request or the answer of a real engine.

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use rand::Rng as _;
use weighhouse_miner::engine::{Engine, EngineError};
use weighhouse_models::language::LanguageModel;
use weighhouse_seams::Entropy;
use weighhouse_types::text::{Prompt, TextAnswer, TextLimits, TextRequest, TextsAnswer, TextsLimits};
use weighhouse_types::{Digest, InferAnswer, InferRequest};

use crate::disguise::Disguise;

/// A challenge of a localnet is far below these.
const LIMITS: TextLimits = TextLimits { prompt_bytes: 1 << 16, prompt_tokens: 1 << 12, max_tokens: 1 << 12 };
const ROWS: TextsLimits = TextsLimits { texts: 1 << 10, bytes: 1 << 20, dimensions: 1 << 14 };

/// Ways to fake completions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fake {
    Repeats,
    Truncates,
    Edits,
    Reseeds,
    Heats,
    Ignores,
}

#[derive(Debug)]
pub(crate) struct Faked {
    how: Fake,
    model: LanguageModel,
    first: Mutex<Option<TextAnswer>>,
}

impl Faked {
    pub(crate) fn new(how: Fake, model: LanguageModel) -> Self {
        Self { how, model, first: Mutex::new(None) }
    }

    fn asked(&self, mut request: TextRequest) -> TextRequest {
        match self.how {
            Fake::Reseeds => request.seed = request.seed.wrapping_add(1),
            Fake::Heats => request.temperature += 0.5,
            Fake::Ignores => request.prompt = Prompt::Text("The".to_owned()),
            Fake::Repeats | Fake::Truncates | Fake::Edits => {}
        }
        request
    }

    fn said(&self, mut answer: TextAnswer) -> TextAnswer {
        match self.how {
            Fake::Truncates => {
                let half = answer.tokens.len().div_ceil(2);
                answer.tokens.truncate(half);
                answer.log_probs.truncate(half);
                answer.text = self.model.decode(&answer.tokens);
            }
            Fake::Edits => {
                let at = answer.tokens.len() / 2;
                if let Some(token) = answer.tokens.get_mut(at) {
                    *token = (*token + 7) % self.model.vocabulary() as u32;
                }
                answer.text = self.model.decode(&answer.tokens);
            }
            Fake::Repeats => {
                let mut first = self.first.lock().unwrap_or_else(PoisonError::into_inner);
                return first.get_or_insert(answer).clone();
            }
            Fake::Reseeds | Fake::Heats | Fake::Ignores => {}
        }
        answer
    }
}

#[async_trait]
impl Disguise for Faked {
    async fn infer(&self, honest: &dyn Engine, request: &InferRequest) -> Result<InferAnswer, EngineError> {
        let asked = self.asked(TextRequest::from_infer(request, &LIMITS)?);
        let changed =
            InferRequest { version: request.version.clone(), ..asked.to_infer(&request.model, &request.id)? };
        let answer = honest.infer(&changed).await?;
        let said = self.said(TextAnswer::from_infer(&answer, &LIMITS)?);
        Ok(said.to_infer(&answer.model, &answer.version, &answer.id)?)
    }
}

/// Ways to fake embeddings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rows {
    Guessed,
    Repeated,
    Nan,
}

#[derive(Debug)]
pub(crate) struct FakedRows {
    how: Rows,
    entropy: Entropy,
    first: Mutex<Option<TextsAnswer>>,
}

impl FakedRows {
    pub(crate) fn new(how: Rows, guesses: Digest) -> Self {
        Self { how, entropy: Entropy::seeded(guesses.0), first: Mutex::new(None) }
    }
}

#[async_trait]
impl Disguise for FakedRows {
    async fn infer(&self, honest: &dyn Engine, request: &InferRequest) -> Result<InferAnswer, EngineError> {
        let answer = honest.infer(request).await?;
        let mut rows = TextsAnswer::from_infer(&answer, &ROWS)?;
        match self.how {
            Rows::Guessed => {
                for value in rows.rows.iter_mut().flatten() {
                    let mut byte = [0];
                    self.entropy.clone().fill_bytes(&mut byte);
                    *value = f32::from(byte[0]) - 127.5;
                }
            }
            Rows::Repeated => {
                let mut first = self.first.lock().unwrap_or_else(PoisonError::into_inner);
                rows = first.get_or_insert(rows).clone();
            }
            Rows::Nan => rows.rows.iter_mut().flatten().for_each(|value| *value = f32::NAN),
        }
        Ok(rows.to_infer(&answer.model, &answer.version, &answer.id)?)
    }
}
