//! Completions by the decoder that miners serve from, without a server around it.

use std::collections::BTreeMap;

use weighhouse_models::language::{
    Decoder, DecoderLimits, Finish as Ended, ForwardError, Generation, LanguageModel, SubmitRefusal,
};
use weighhouse_types::text::{Finish, TextAnswer};

/// Why a model doesn't complete.
#[derive(Debug, thiserror::Error)]
pub enum CompleteError {
    #[error(transparent)]
    Refused(#[from] SubmitRefusal),
    #[error(transparent)]
    Forward(#[from] ForwardError),
}

/// Completes each prompt, `batch` sequences at a time.
///
/// # Errors
/// A prompt or settings that the decoder refuses, or a model that doesn't run.
pub fn complete(
    model: &LanguageModel,
    wanted: &[(Vec<u32>, Generation)],
    batch: usize,
) -> Result<Vec<TextAnswer>, CompleteError> {
    let limits = DecoderLimits {
        sequences_max: batch,
        // The cache gives room in blocks of 64.
        cache_tokens_max: batch.saturating_mul(model.context().next_multiple_of(64)),
    };
    let mut decoder = Decoder::new(model.clone(), limits);
    let mut answers: Vec<TextAnswer> = Vec::with_capacity(wanted.len());
    let mut running = BTreeMap::new();
    let mut waiting = wanted.iter();
    loop {
        while running.len() < batch {
            let Some((prompt, generation)) = waiting.next() else { break };
            let id = decoder.join(prompt, generation.clone())?;
            running.insert(id, answers.len());
            answers.push(TextAnswer { prompt_tokens: prompt.len() as u32, ..TextAnswer::default() });
        }
        if running.is_empty() {
            return Ok(answers);
        }
        for event in decoder.step()? {
            let Some(&at) = running.get(&event.sequence) else { continue };
            let answer = &mut answers[at];
            answer.tokens.push(event.token);
            answer.log_probs.push(event.log_prob);
            answer.text.push_str(&event.text);
            if let Some(finish) = event.finish {
                answer.finish = Some(match finish {
                    Ended::Stop => Finish::Stop,
                    Ended::Length => Finish::Length,
                    Ended::End => Finish::End,
                });
                running.remove(&event.sequence);
            }
        }
    }
}
