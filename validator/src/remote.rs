//! A reference model behind another server: any with OpenAI's completions that echoes a prompt with its
//! log-probabilities (vLLM, SGLang). It judges greedy completions.
//!
//! The model's folder lies here too: its digest pins what the records say was compared with, and its tokenizer says what
//! was asked.

mod echo;

use std::fmt;
use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use tokio::runtime::Handle;
use weighhouse_models::language::LanguageTokens;
use weighhouse_tasks::witness::{Claim, Testimony, Witness, WitnessError};
use weighhouse_types::Digest;

use echo::Scored;

/// Completions that the server looks at together.
const IN_FLIGHT: usize = 16;

/// Where the server is and what it calls the model.
#[derive(Clone)]
pub struct Server {
    /// `http://HOST:PORT`, with or without the `/v1` behind it.
    pub url: http::Uri,
    pub model: String,
    /// Sent as a bearer token.
    pub key: Option<String>,
    /// For one completion, from dialling to the last byte.
    pub deadline: Duration,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("url", &self.url).field("model", &self.model).finish_non_exhaustive()
    }
}

/// A [`Witness`] that asks a server.
#[derive(Debug)]
pub struct RemoteReference {
    tokens: LanguageTokens,
    server: Server,
    runtime: Handle,
}

impl RemoteReference {
    /// `runtime` drives the connections, while the threads that judge wait.
    pub fn new(tokens: LanguageTokens, server: Server, runtime: Handle) -> Self {
        Self { tokens, server, runtime }
    }

    fn prepare(&self, claim: &Claim<'_>) -> Result<Prepared, WitnessError> {
        if claim.sampling.temperature != 0.0 {
            return Err(WitnessError::GreedyOnly);
        }
        let failed = |error: weighhouse_models::language::TextError| WitnessError::Model(error.to_string());
        let mut tokens = self.tokens.encode(claim.prompt).map_err(failed)?;
        let (prompt, shape) = (tokens.len(), self.tokens.shape());
        if prompt + claim.tokens.len() > shape.context {
            let (completion, context) = (claim.tokens.len(), shape.context);
            return Err(WitnessError::Context { prompt, completion, context });
        }
        if prompt == 0 {
            return Err(WitnessError::Model("an empty prompt has nothing to predict from".into()));
        }
        let known = claim.tokens.iter().take_while(|id| (**id as usize) < shape.vocabulary).count();
        tokens.extend(&claim.tokens[..known]);
        Ok(Prepared { tokens, prompt, known })
    }

    fn look(&self, claim: &Claim<'_>, prepared: &Prepared, scored: &[Scored]) -> Testimony {
        // The first token of all is predicted by nothing.
        let own = &scored[prepared.prompt - 1..];
        let mut margins: Vec<f32> = own.iter().map(|scored| (scored.best - scored.chosen).max(0.0)).collect();
        let mut log_probs: Vec<f32> = own.iter().map(|scored| scored.chosen).collect();
        if prepared.known < claim.tokens.len() {
            margins.push(f32::INFINITY);
            log_probs.push(f32::NEG_INFINITY);
        }
        let known = &claim.tokens[..prepared.known];
        let ends = &self.tokens.shape().end_tokens;
        Testimony {
            prompt_tokens: prepared.prompt as u32,
            margins,
            log_probs,
            first_end: known.iter().position(|id| ends.contains(id)).map(|at| at as u32),
            text: self.tokens.decode(known),
        }
    }
}

/// A claim as tokens.
struct Prepared {
    tokens: Vec<u32>,
    prompt: usize,
    /// Tokens before the first that the vocabulary doesn't have.
    known: usize,
}

impl Witness for RemoteReference {
    fn digest(&self) -> Digest {
        self.tokens.digest()
    }

    fn testify(&self, claims: &[Claim<'_>]) -> Result<Vec<Testimony>, WitnessError> {
        let prepared = claims.iter().map(|claim| self.prepare(claim)).collect::<Result<Vec<_>, _>>()?;
        let asking = prepared.iter().map(|prepared| echo::score(&self.server, &prepared.tokens));
        let scored: Result<Vec<_>, _> =
            self.runtime.block_on(stream::iter(asking).buffered(IN_FLIGHT).try_collect());
        let scored = scored.map_err(|error| WitnessError::Model(error.to_string()))?;
        let looked = claims.iter().zip(&prepared).zip(&scored);
        Ok(looked.map(|((claim, prepared), scored)| self.look(claim, prepared, scored)).collect())
    }
}

#[cfg(test)]
mod tests;
