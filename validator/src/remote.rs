//! Helpers of a validator in other processes: judges, and a reference model behind a completion server.
//!
//! The reference may run behind any server with OpenAI's completions that echoes a prompt with its log-probabilities
//! (vLLM, SGLang). It judges greedy completions. The model's folder lies here too: its digest pins what the records say
//! was compared with, and its tokenizer says what was asked.

mod judges;

use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use tokio::runtime::Handle;
use weighhouse_ask::completions::{CompletionServer, TokenScore};
use weighhouse_models::language::LanguageTokens;
use weighhouse_tasks::witness::{Claim, Testimony, Witness, WitnessError};
use weighhouse_types::Digest;

pub use judges::RemoteJudges;

/// Completions that the server looks at together.
const IN_FLIGHT: usize = 16;

/// A [`Witness`] that asks a server.
#[derive(Clone, Debug)]
pub struct RemoteReference {
    tokens: LanguageTokens,
    server: CompletionServer,
    /// For one completion, from dialling to the last byte.
    deadline: Duration,
    runtime: Handle,
}

impl RemoteReference {
    /// `runtime` drives the connections, while the threads that judge wait.
    pub fn new(
        tokens: LanguageTokens,
        server: CompletionServer,
        deadline: Duration,
        runtime: Handle,
    ) -> Self {
        Self { tokens, server, deadline, runtime }
    }

    fn prepare(&self, claim: &Claim<'_>) -> Result<TokenizedClaim, WitnessError> {
        if claim.sampling.temperature != 0.0 {
            return Err(WitnessError::GreedyOnly);
        }
        let mut tokens = self.encode(claim.prompt)?;
        let (prompt, shape) = (tokens.len(), self.tokens.shape());
        if prompt + claim.tokens.len() > shape.context {
            let (completion, context) = (claim.tokens.len(), shape.context);
            return Err(WitnessError::Context { prompt, completion, context });
        }
        if prompt == 0 {
            return Err(WitnessError::Model("an empty prompt has nothing to predict from".into()));
        }
        let known = self.known(claim.tokens);
        tokens.extend(&claim.tokens[..known]);
        Ok(TokenizedClaim { tokens, prompt, known })
    }

    fn encode(&self, prompt: &str) -> Result<Vec<u32>, WitnessError> {
        self.tokens.encode(prompt).map_err(|error| WitnessError::Model(error.to_string()))
    }

    /// The number of tokens before the first that the vocabulary doesn't have.
    fn known(&self, tokens: &[u32]) -> usize {
        tokens.iter().take_while(|id| (**id as usize) < self.tokens.shape().vocabulary).count()
    }

    fn look(&self, claim: &Claim<'_>, prepared: &TokenizedClaim, scored: &[TokenScore]) -> Testimony {
        // The first token of all is predicted by nothing.
        let own = &scored[prepared.prompt - 1..];
        let mut margins: Vec<f32> = own.iter().map(|scored| (scored.best - scored.chosen).max(0.0)).collect();
        let mut log_probs: Vec<f32> = own.iter().map(|scored| scored.chosen).collect();
        if prepared.known < claim.tokens.len() {
            // A token outside the vocabulary can't be this model's, so it is as wrong as a token can be.
            margins.push(f32::INFINITY);
            log_probs.push(f32::NEG_INFINITY);
        }
        let (ends, other) = (self.tokens.end_tokens(), self.tokens.other_end_tokens());
        Testimony {
            prompt_tokens: prepared.prompt as u32,
            margins,
            log_probs,
            first_end: claim.first_end(prepared.known, ends, other),
            text: self.tokens.continuation(&prepared.tokens[..prepared.prompt], claim.spoken(prepared.known)),
        }
    }
}

/// A claim as tokens.
struct TokenizedClaim {
    tokens: Vec<u32>,
    prompt: usize,
    /// Tokens before the first that the vocabulary doesn't have.
    known: usize,
}

impl Witness for RemoteReference {
    fn digest(&self) -> Digest {
        self.tokens.digest()
    }

    fn under(&self, digest: Digest) -> Option<Arc<dyn Witness>> {
        Some(Arc::new(Self { tokens: self.tokens.under(digest)?, ..self.clone() }))
    }

    fn testify(&self, claims: &[Claim<'_>]) -> Result<Vec<Testimony>, WitnessError> {
        let prepared = claims.iter().map(|claim| self.prepare(claim)).collect::<Result<Vec<_>, _>>()?;
        let asking = prepared.iter().map(|prepared| self.server.score(&prepared.tokens, self.deadline));
        let scored: Result<Vec<_>, _> =
            self.runtime.block_on(stream::iter(asking).buffered(IN_FLIGHT).try_collect());
        let scored = scored.map_err(|error| WitnessError::Model(format!("elsewhere: {error}")))?;
        let looked = claims.iter().zip(&prepared).zip(&scored);
        Ok(looked.map(|((claim, prepared), scored)| self.look(claim, prepared, scored)).collect())
    }

    fn continuation(&self, prompt: &str, tokens: &[u32]) -> Result<String, WitnessError> {
        Ok(self.tokens.continuation(&self.encode(prompt)?, &tokens[..self.known(tokens)]))
    }
}

#[cfg(test)]
mod tests;
