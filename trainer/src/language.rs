//! Training of language models: a byte-pair tokenizer, then next-token prediction with AdamW, one thread of randomness
//! from one seed.

mod parameters;
mod size;
mod vocabulary;

use std::collections::BTreeMap;
use std::f64::consts::PI;
use std::time::Duration;

use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Int, Tensor, TensorData};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use weighhouse_models::draw::below;
use weighhouse_models::language::{
    AttentionMask, ForcedSequence, ForwardError, LanguageModel, TensorNetwork, attend_each,
};
use weighhouse_models::sampling::log_probs;

use crate::error::TrainError;
use parameters::{Optimizer, Parameters};

pub(crate) use size::Size;
pub(crate) use vocabulary::tokenizer;

/// Tokens of a training sequence.
const WINDOW: usize = 128;
const BATCH: usize = 16;
/// One document of this many is held out.
const HELD_OUT_EACH: usize = 20;
/// Share of the steps over which the rate rises.
const WARM: f64 = 0.05;
const RATE: f64 = 4e-3;
/// Tokens over which the held-out perplexity is measured at most.
const HELD_OUT_TOKENS: usize = 1 << 16;

/// A model to train.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LanguageRecipe {
    pub(crate) size: Size,
    pub(crate) steps: u32,
    pub(crate) seed: u64,
}

/// Progress after each 50 steps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct LanguageProgress {
    pub(crate) step: u32,
    pub(crate) steps: u32,
    /// Mean cross-entropy of the last steps, in nats per token.
    pub(crate) loss: f64,
    pub(crate) elapsed: Duration,
}

/// A model's files, and how well it predicts text it has not seen.
#[derive(Clone, Debug)]
pub(crate) struct TrainedLanguage {
    pub(crate) config: String,
    pub(crate) weights: Vec<u8>,
    /// The perplexity of one token, over documents that were held out.
    pub(crate) held_out_perplexity: f64,
    pub(crate) held_out_tokens: usize,
}

/// Trains a model on documents. `elapsed` is asked for the time since the start, so that nothing here has a clock.
///
/// # Errors
/// Too little text, a loss that isn't finite, a tokenizer that can't be read.
pub(crate) fn train_language(
    recipe: &LanguageRecipe,
    documents: &[String],
    tokenizer: &str,
    elapsed: &dyn Fn() -> Duration,
    progress: &mut dyn FnMut(LanguageProgress),
) -> Result<TrainedLanguage, TrainError> {
    let (training, held_out) = vocabulary::tokens(documents, tokenizer, HELD_OUT_EACH)?;
    let needed = WINDOW * BATCH + 1;
    // Perplexity is measured over whole windows, so that at least one has to be held out.
    if training.len() < needed || held_out.len() <= WINDOW {
        return Err(TrainError::TooLittle { tokens: training.len(), needed });
    }
    let shape = recipe.size.shape();
    let mut rng = ChaCha20Rng::seed_from_u64(recipe.seed);
    let mut parameters = Parameters::random(&shape, &mut rng);
    let mut optimizer = Optimizer::new(&parameters);
    let mut recent = (0.0, 0);
    for step in 0..recipe.steps {
        let windows: Vec<&[u32]> = (0..BATCH)
            .map(|_| below((training.len() - WINDOW) as u32, &mut rng) as usize)
            // One token more than a window: the last one is only predicted.
            .map(|start| &training[start..=start + WINDOW])
            .collect();
        let loss = optimizer.step(&mut parameters, rate(step, recipe.steps), |leaves| {
            loss(&leaves.network(&shape, &Device::flex().autodiff()), &windows)
        })?;
        if !loss.is_finite() {
            return Err(TrainError::Diverged { step: step + 1 });
        }
        recent = (recent.0 + loss, recent.1 + 1);
        if (step + 1).is_multiple_of(50) || step + 1 == recipe.steps {
            let loss = recent.0 / f64::from(recent.1);
            progress(LanguageProgress { step: step + 1, steps: recipe.steps, loss, elapsed: elapsed() });
            recent = (0.0, 0);
        }
    }
    let metadata = BTreeMap::from([
        ("data".to_owned(), "documentation of the Rust toolchain, MIT or Apache-2.0".to_owned()),
        ("model".to_owned(), format!("weighhouse language {}", recipe.size)),
        ("seed".to_owned(), recipe.seed.to_string()),
        ("steps".to_owned(), recipe.steps.to_string()),
    ]);
    let weights = parameters.file(&shape, &metadata)?;
    let config = recipe.size.config();
    let (json, words) = (config.clone().into_bytes(), tokenizer.as_bytes().to_vec());
    // Measured as written: bfloat16 has lost digits by then.
    let model = LanguageModel::from_files(json, words, weights.clone())?;
    let held_out = &held_out[..held_out.len().min(HELD_OUT_TOKENS)];
    let held_out_perplexity = perplexity(&model, held_out)?;
    Ok(TrainedLanguage { config, weights, held_out_perplexity, held_out_tokens: held_out.len() })
}

/// Rises over the first steps, then falls by a half cosine.
fn rate(step: u32, steps: u32) -> f64 {
    // Counted from 1: at a rate of 0 the first step would change nothing.
    let done = f64::from(step + 1) / f64::from(steps);
    if done < WARM {
        return RATE * done / WARM;
    }
    RATE * (0.05 + 0.95 * 0.5 * (1.0 + libm::cos(PI * (done - WARM) / (1.0 - WARM))))
}

/// Mean cross-entropy of each window's tokens but the first.
fn loss(network: &TensorNetwork, windows: &[&[u32]]) -> Tensor<1> {
    let tokens: Vec<u32> = windows.iter().flat_map(|window| &window[..WINDOW]).copied().collect();
    let next: Vec<i32> =
        windows.iter().flat_map(|window| &window[1..]).map(|token| token.cast_signed()).collect();
    let (rows, lengths) = (tokens.len(), vec![WINDOW; windows.len()]);
    let positions = windows.iter().flat_map(|_| 0..WINDOW);
    let hidden = network
        .hidden(&tokens, positions, |_, projected| attend_each(&lengths, projected, AttentionMask::Before));
    let next = Tensor::<2, Int>::from_data(TensorData::new(next, [rows, 1]), &network.device);
    -log_softmax(network.logits(hidden), 1).gather(1, next).mean()
}

/// The exponential of the mean cross-entropy per token, in windows of 128 tokens, each from its second on.
///
/// # Errors
/// As [`LanguageModel::forced`].
pub(crate) fn perplexity(model: &LanguageModel, tokens: &[u32]) -> Result<f64, ForwardError> {
    let (mut total, mut count) = (0.0, 0);
    let windows: Vec<ForcedSequence<'_>> =
        tokens.chunks_exact(WINDOW).map(|tokens| ForcedSequence { tokens, from: 1 }).collect();
    for pack in windows.chunks(8) {
        for (logits, window) in model.forced(pack)?.iter().zip(pack) {
            for (row, token) in logits.chunks_exact(model.vocabulary()).zip(&window.tokens[1..]) {
                total -= f64::from(log_probs(row, *token, 0).chosen);
                count += 1;
            }
        }
    }
    Ok(libm::exp(total / f64::from(count.max(1))))
}

#[cfg(test)]
mod tests;
