//! A model that a judge can only ask once an answer is there.
//!
//! A [`Witness`] says of each claimed token how far it is from what the agreed model would have said. A language model
//! of ours is one by way of [`TeacherForced`]: one forward pass over prompt and completion, not one per token. An
//! external backend that returns the log-probabilities of a prompt can be one too, for greedy completions.

mod claim;
mod ours;

use std::fmt;
use std::sync::Arc;

use weighhouse_models::encoder::EmbedError;
use weighhouse_models::sampling::{Sampling, log_probs};
use weighhouse_types::Digest;

pub use claim::{Claim, Testimony};
pub use weighhouse_models::encoder::Encoder;

/// Logits that one pass may give: 256 MiB.
const LOGITS_MAX: usize = 1 << 26;

/// Why a witness can't testify: never the miner's fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WitnessError {
    #[error("the reference model: {0}")]
    Model(String),
    /// The server that runs the model can't be asked now, whatever the question.
    #[error("the reference's server is away: {0}; see that it runs, and that task.server names it")]
    Away(String),
    /// The server has its reasons, or says what makes no sense.
    #[error("the reference's server: {0}")]
    Refused(String),
    /// The server speaks of as many other tokens, and not of this answer's.
    #[error("the reference's server fails at this answer, and not at others: {0}")]
    Answer(String),
    /// The task's doing: its questions leave no room for answers.
    #[error(
        "{prompt} prompt tokens and a completion of {completion} are over the reference's context of {context}"
    )]
    Context { prompt: usize, completion: usize, context: usize },
    #[error("this reference can only judge greedy completions")]
    GreedyOnly,
}

impl From<EmbedError> for WitnessError {
    fn from(error: EmbedError) -> Self {
        Self::Model(error.to_string())
    }
}

/// Somebody who can say what the agreed model would have said.
pub trait Witness: Send + Sync + fmt::Debug {
    /// The agreed model's identity, as the task file names it.
    fn digest(&self) -> Digest;

    /// The same model called by another digest of its own: one covers `generation_config.json`, one doesn't.
    fn under(&self, _: Digest) -> Option<Arc<dyn Witness>> {
        None
    }

    /// Refuses what it could say nothing of, whatever is answered: a way of sampling, or a prompt that leaves no room for so
    /// many tokens.
    fn admits(&self, _prompt: &str, _tokens: usize, _sampling: Sampling) -> Result<(), WitnessError> {
        Ok(())
    }

    /// One testimony per claim, in order. Belongs on a thread for CPU work.
    fn testify(&self, claims: &[Claim<'_>]) -> Result<Vec<Testimony>, WitnessError>;

    /// The text by which tokens continue a prompt, without running the model. It ends before a token that the vocabulary
    /// doesn't have.
    fn continuation(&self, prompt: &str, tokens: &[u32]) -> Result<String, WitnessError>;

    /// Position of the token that ends a claim's text, as in a testimony, without running the model.
    fn first_end(&self, claim: &Claim<'_>) -> Option<u32>;
}

/// A sequence whose every token from `from` on is to be predicted from those before it.
#[derive(Clone, Copy, Debug)]
pub struct Sequence<'a> {
    pub tokens: &'a [u32],
    pub from: usize,
}

/// A language model, as far as a judge needs one.
pub trait Language: Send + Sync + fmt::Debug + 'static {
    fn digest(&self) -> Digest;
    /// The same model called by another digest of its own.
    fn under(&self, _: Digest) -> Option<Self>
    where
        Self: Sized,
    {
        None
    }
    fn vocabulary(&self) -> usize;
    /// Tokens that prompt and completion may have together.
    fn context(&self) -> usize;
    /// Tokens of claims that are best judged together.
    fn pack_tokens(&self) -> usize;
    fn end_tokens(&self) -> &[u32];
    /// Tokens at which some servers end a text besides.
    fn other_end_tokens(&self) -> &[u32] {
        &[]
    }
    fn encode(&self, text: &str) -> Result<Vec<u32>, WitnessError>;
    /// The text by which tokens of the vocabulary continue a prompt.
    fn continuation(&self, prompt: &[u32], tokens: &[u32]) -> String;
    /// For each sequence the rows of logits that predict `tokens[from..]`, one after another.
    fn forced(&self, sequences: &[Sequence<'_>]) -> Result<Vec<Vec<f32>>, WitnessError>;
}

/// A language model as a witness.
#[derive(Clone, Debug)]
pub struct TeacherForced<L>(pub L);

/// A claim as tokens.
struct TokenizedClaim {
    tokens: Vec<u32>,
    prompt: usize,
    /// Tokens before the first that the vocabulary doesn't have.
    known: usize,
}

impl<L: Language> Witness for TeacherForced<L> {
    fn digest(&self) -> Digest {
        self.0.digest()
    }

    fn under(&self, digest: Digest) -> Option<Arc<dyn Witness>> {
        Some(Arc::new(TeacherForced(self.0.under(digest)?)))
    }

    fn admits(&self, prompt: &str, tokens: usize, _: Sampling) -> Result<(), WitnessError> {
        self.room(self.0.encode(prompt)?.len(), tokens)
    }

    fn testify(&self, claims: &[Claim<'_>]) -> Result<Vec<Testimony>, WitnessError> {
        let prepared = claims.iter().map(|claim| self.prepare(claim)).collect::<Result<Vec<_>, _>>()?;
        let mut testimonies = Vec::with_capacity(claims.len());
        let mut rest = prepared.as_slice();
        while !rest.is_empty() {
            let (pass, later) = rest.split_at(self.pass(rest));
            let at = testimonies.len();
            let sequences: Vec<_> = pass
                .iter()
                .map(|prepared| Sequence { tokens: &prepared.tokens, from: prepared.prompt })
                .collect();
            let logits = self.0.forced(&sequences)?;
            if logits.len() != pass.len() {
                return Err(WitnessError::Model(format!(
                    "{} results for {} sequences",
                    logits.len(),
                    pass.len()
                )));
            }
            for ((claim, prepared), logits) in claims[at..].iter().zip(pass).zip(&logits) {
                testimonies.push(self.look(claim, prepared, logits)?);
            }
            rest = later;
        }
        Ok(testimonies)
    }

    fn continuation(&self, prompt: &str, tokens: &[u32]) -> Result<String, WitnessError> {
        let known = &tokens[..self.known(tokens)];
        Ok(self.0.continuation(&self.0.encode(prompt)?, known))
    }

    fn first_end(&self, claim: &Claim<'_>) -> Option<u32> {
        claim.first_end(self.known(claim.tokens), self.0.end_tokens(), self.0.other_end_tokens())
    }
}

impl<L: Language> TeacherForced<L> {
    fn prepare(&self, claim: &Claim<'_>) -> Result<TokenizedClaim, WitnessError> {
        let mut tokens = self.0.encode(claim.prompt)?;
        let prompt = tokens.len();
        self.room(prompt, claim.tokens.len())?;
        // An id without logits would fail the pass, and with it all other claims in it.
        let known = self.known(claim.tokens);
        tokens.extend(&claim.tokens[..known]);
        Ok(TokenizedClaim { tokens, prompt, known })
    }

    /// The number of tokens before the first that the vocabulary doesn't have.
    fn known(&self, tokens: &[u32]) -> usize {
        tokens.iter().take_while(|id| (**id as usize) < self.0.vocabulary()).count()
    }

    fn room(&self, prompt: usize, completion: usize) -> Result<(), WitnessError> {
        let context = self.0.context();
        if prompt + completion > context {
            return Err(WitnessError::Context { prompt, completion, context });
        }
        Ok(())
    }

    /// The number of claims that go into one pass.
    fn pass(&self, claims: &[TokenizedClaim]) -> usize {
        let (mut tokens, mut rows) = (0, 0);
        let fits = |prepared: &&TokenizedClaim| {
            tokens += prepared.tokens.len();
            rows += prepared.known;
            tokens <= self.0.pack_tokens() && rows.saturating_mul(self.0.vocabulary()) <= LOGITS_MAX
        };
        // A claim over the limits goes alone.
        claims.iter().take_while(fits).count().max(1)
    }

    fn look(
        &self,
        claim: &Claim<'_>,
        prepared: &TokenizedClaim,
        logits: &[f32],
    ) -> Result<Testimony, WitnessError> {
        let vocabulary = self.0.vocabulary();
        if logits.len() != prepared.known * vocabulary {
            return Err(WitnessError::Model(format!(
                "{} logits for {} tokens",
                logits.len(),
                prepared.known
            )));
        }
        let known = &claim.tokens[..prepared.known];
        let mut margins = Vec::with_capacity(claim.tokens.len());
        let mut own = Vec::with_capacity(claim.tokens.len());
        for ((position, id), row) in (0_u32..).zip(known).zip(logits.chunks_exact(vocabulary)) {
            margins.push(claim.sampling.margin(position, row, *id) as f32);
            own.push(log_probs(row, *id, 0).chosen);
        }
        if prepared.known < claim.tokens.len() {
            margins.push(f32::INFINITY);
            own.push(f32::NEG_INFINITY);
        }
        Ok(Testimony {
            prompt_tokens: prepared.prompt as u32,
            margins,
            log_probs: own,
            first_end: self.first_end(claim),
            text: self.0.continuation(&prepared.tokens[..prepared.prompt], claim.spoken(prepared.known)),
        })
    }
}
