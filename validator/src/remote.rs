//! Helpers of a validator in other processes: judges, and a reference model behind a completion server.
//!
//! The reference may run behind any server with OpenAI's completions that echoes a prompt with its log-probabilities
//! (vLLM, SGLang). It judges greedy completions. The model's folder lies here too: its digest pins what the records say
//! was compared with, and its tokenizer says what was asked.

mod judges;
mod scoring;

use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use tokio::runtime::Handle;
use weighhouse_ask::completions::CompletionServer;
use weighhouse_models::language::LanguageTokens;
use weighhouse_models::sampling::Sampling;
use weighhouse_tasks::witness::{Claim, Testimony, Witness, WitnessError};
use weighhouse_types::Digest;

pub use judges::RemoteJudges;
use scoring::Scored;

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
        let mut tokens = self.room(claim.prompt, claim.tokens.len(), claim.sampling)?;
        let prompt = tokens.len();
        tokens.extend(&claim.tokens[..self.known(claim.tokens)]);
        Ok(TokenizedClaim { tokens, prompt })
    }

    /// The prompt's tokens, where so many more fit behind them.
    fn room(&self, prompt: &str, completion: usize, sampling: Sampling) -> Result<Vec<u32>, WitnessError> {
        if sampling.temperature != 0.0 {
            return Err(WitnessError::GreedyOnly);
        }
        let tokens = self.encode(prompt)?;
        let (prompt, context) = (tokens.len(), self.tokens.shape().context);
        if prompt + completion > context {
            return Err(WitnessError::Context { prompt, completion, context });
        }
        if prompt == 0 {
            return Err(WitnessError::Model("an empty prompt has nothing to predict from".into()));
        }
        Ok(tokens)
    }

    fn encode(&self, prompt: &str) -> Result<Vec<u32>, WitnessError> {
        self.tokens.encode(prompt).map_err(|error| WitnessError::Model(error.to_string()))
    }

    /// The number of tokens before the first that the vocabulary doesn't have.
    fn known(&self, tokens: &[u32]) -> usize {
        tokens.iter().take_while(|id| (**id as usize) < self.tokens.shape().vocabulary).count()
    }

    fn look(&self, claim: &Claim<'_>, prepared: &TokenizedClaim, scored: &Scored) -> Testimony {
        // The first token of all is predicted by nothing.
        let own = &scored.scores[prepared.prompt - 1..];
        let mut margins: Vec<f32> = own.iter().map(|scored| (scored.best - scored.chosen).max(0.0)).collect();
        let mut log_probs: Vec<f32> = own.iter().map(|scored| scored.chosen).collect();
        if scored.known < claim.tokens.len() {
            // A token outside the vocabulary, or one that the server refuses, can't be this model's: as wrong as can be.
            margins.push(f32::INFINITY);
            log_probs.push(f32::NEG_INFINITY);
        }
        // Whichever the server takes, the tokens say the same, and an auditor goes by it: it shows what was seen of the answer
        // before the server was asked.
        let spoken = claim.spoken(self.known(claim.tokens));
        Testimony {
            prompt_tokens: prepared.prompt as u32,
            margins,
            log_probs,
            first_end: self.first_end(claim),
            text: self.tokens.continuation(&prepared.tokens[..prepared.prompt], spoken),
        }
    }
}

/// A claim as tokens.
struct TokenizedClaim {
    tokens: Vec<u32>,
    prompt: usize,
}

impl Witness for RemoteReference {
    fn digest(&self) -> Digest {
        self.tokens.digest()
    }

    fn under(&self, digest: Digest) -> Option<Arc<dyn Witness>> {
        Some(Arc::new(Self { tokens: self.tokens.under(digest)?, ..self.clone() }))
    }

    fn admits(&self, prompt: &str, tokens: usize, sampling: Sampling) -> Result<(), WitnessError> {
        self.room(prompt, tokens, sampling).map(drop)
    }

    fn testify(&self, claims: &[Claim<'_>]) -> Result<Vec<Testimony>, WitnessError> {
        let prepared = claims.iter().map(|claim| self.prepare(claim)).collect::<Result<Vec<_>, _>>()?;
        let has = |token: u32| self.tokens.has(token);
        let ask = |prepared| scoring::score(&self.server, self.deadline, prepared, has);
        let asking = stream::iter(prepared.iter().map(ask)).buffered(IN_FLIGHT);
        let scored: Vec<_> = self.runtime.block_on(asking.try_collect())?;
        let looked = claims.iter().zip(&prepared).zip(&scored);
        Ok(looked.map(|((claim, prepared), scored)| self.look(claim, prepared, scored)).collect())
    }

    fn continuation(&self, prompt: &str, tokens: &[u32]) -> Result<String, WitnessError> {
        Ok(self.tokens.continuation(&self.encode(prompt)?, &tokens[..self.known(tokens)]))
    }

    fn first_end(&self, claim: &Claim<'_>) -> Option<u32> {
        let (ends, other) = (self.tokens.end_tokens(), self.tokens.other_end_tokens());
        claim.first_end(self.known(claim.tokens), ends, other)
    }
}

#[cfg(test)]
mod tests;
