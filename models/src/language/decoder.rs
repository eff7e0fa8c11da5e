//! Continuous batching: sequences join and leave a running batch, and each step gives every one of them a token.
//!
//! A sequence is admitted only if the cache has room for the longest that it may become, so none is ever put off or cut short
//! for want of memory. Over slices its logits don't depend on which others share the batch.

use std::fmt;

use super::error::ForwardError;
use super::kernels::{Batch, cache_room};
use super::model::LanguageModel;
use super::pieces::Pieces;
use crate::sampling::{Sampling, log_probs};

/// Limits of a decoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecoderLimits {
    pub sequences_max: usize,
    /// Tokens in the cache of keys and values: every sequence has the room of the longest, in blocks of 64.
    pub cache_tokens_max: usize,
}

/// The request for one sequence.
#[derive(Clone, Debug, PartialEq)]
pub struct Generation {
    pub max_tokens: u32,
    pub sampling: Sampling,
    /// The text ends before the first of these.
    pub stop: Vec<String>,
    /// The number of most probable tokens that are told with each.
    pub top_log_probs: u8,
    /// Go on after a token that ends a text.
    pub ignore_end: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SequenceId(u64);

/// Why a sequence is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// A stop string.
    Stop,
    /// The limit on tokens is reached.
    Length,
    /// The model ended the text.
    End,
}

impl Finish {
    /// `stop`, `length` or `end`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Length => "length",
            Self::End => "end",
        }
    }
}

/// A sequence's next token.
#[derive(Clone, Debug, PartialEq)]
pub struct DecoderEvent {
    pub sequence: SequenceId,
    pub token: u32,
    /// Text that is certain by now; empty within a character, or where a stop string may have begun.
    pub text: String,
    /// The token's, in the model's distribution before temperature and filters.
    pub log_prob: f32,
    pub top: Vec<(u32, f32)>,
    pub finish: Option<Finish>,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubmitRefusal {
    #[error(transparent)]
    Prompt(#[from] ForwardError),
    #[error("no token is wanted")]
    NoTokens,
    #[error("a prompt of {prompt} tokens and {max_tokens} more are over the model's context of {context}")]
    Context { prompt: usize, max_tokens: u32, context: usize },
    #[error("a sequence of {tokens} tokens is over the cache of {cache_tokens_max}")]
    Cache { tokens: usize, cache_tokens_max: usize },
    #[error("{sequences} sequences are running, or the cache is full")]
    Busy { sequences: usize },
}

#[derive(Debug)]
struct Running {
    id: SequenceId,
    what: Generation,
    pieces: Pieces,
    /// Most tokens that this will be.
    longest: usize,
    /// Tokens that have been chosen.
    generated: u32,
    /// The last of them, whose keys and values are not held yet.
    last: u32,
}

/// A running batch. Belongs to one thread.
pub struct Decoder {
    model: LanguageModel,
    limits: DecoderLimits,
    batch: Box<dyn Batch>,
    running: Vec<Running>,
    /// The first token of sequences that joined since the last step.
    joined: Vec<DecoderEvent>,
    next: u64,
}

impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoder").field("model", &self.model).field("running", &self.running.len()).finish()
    }
}

impl Decoder {
    pub fn new(model: LanguageModel, limits: DecoderLimits) -> Self {
        let batch = model.batch();
        Self { model, limits, batch, running: Vec::new(), joined: Vec::new(), next: 0 }
    }

    pub fn model(&self) -> &LanguageModel {
        &self.model
    }

    /// Nothing runs and nothing waits to be told.
    pub fn is_idle(&self) -> bool {
        self.running.is_empty() && self.joined.is_empty()
    }

    /// Computes a prompt and its first token, which the next [`Decoder::step`] tells.
    ///
    /// # Errors
    /// [`SubmitRefusal::Busy`] while there is no room; all others for good.
    pub fn join(&mut self, prompt: &[u32], what: Generation) -> Result<SequenceId, SubmitRefusal> {
        let longest = self.admit(prompt, &what)?;
        let id = SequenceId(self.next);
        self.next += 1;
        let logits = self.batch.join(prompt, longest).ok_or(ForwardError::Backend)?;
        let pieces = Pieces::new(self.model.tokens().text.clone(), prompt, what.stop.clone());
        let mut sequence = Running { id, what, pieces, longest, generated: 0, last: 0 };
        let event = sequence.choose(&logits, self.model.end_tokens());
        self.running.push(sequence);
        // Before the event is put aside: leaving drops those that wait.
        if event.finish.is_some() {
            self.leave(id);
        }
        self.joined.push(event);
        Ok(id)
    }

    /// One more token for every sequence, in the order of their joining.
    ///
    /// # Errors
    /// The backend failed: the decoder is of no more use.
    pub fn step(&mut self) -> Result<Vec<DecoderEvent>, ForwardError> {
        // Told before anything else is computed, so that each sequence's tokens come in order.
        if !self.joined.is_empty() {
            return Ok(std::mem::take(&mut self.joined));
        }
        if self.running.is_empty() {
            return Ok(Vec::new());
        }
        let tokens: Vec<u32> = self.running.iter().map(|sequence| sequence.last).collect();
        let logits = self.batch.step(&tokens).ok_or(ForwardError::Backend)?;
        let vocabulary = self.model.vocabulary();
        let rows = logits.chunks_exact(vocabulary);
        let end = self.model.end_tokens();
        let choose = |(sequence, row): (&mut Running, &[f32])| sequence.choose(row, end);
        let events: Vec<DecoderEvent> = self.running.iter_mut().zip(rows).map(choose).collect();
        self.retain(|index| events[index].finish.is_none());
        Ok(events)
    }

    /// Frees a sequence that nobody waits for.
    pub fn leave(&mut self, sequence: SequenceId) {
        let ids: Vec<SequenceId> = self.running.iter().map(|running| running.id).collect();
        if ids.contains(&sequence) {
            self.retain(|index| ids[index] != sequence);
        }
        self.joined.retain(|event| event.sequence != sequence);
    }

    fn retain(&mut self, stays: impl Fn(usize) -> bool) {
        let kept: Vec<usize> = (0..self.running.len()).filter(|index| stays(*index)).collect();
        if kept.len() == self.running.len() {
            return;
        }
        self.batch.keep(&kept);
        let mut index = 0;
        self.running.retain(|_| {
            index += 1;
            stays(index - 1)
        });
    }

    fn admit(&self, prompt: &[u32], what: &Generation) -> Result<usize, SubmitRefusal> {
        self.model.check(prompt)?;
        let (context, max_tokens) = (self.model.context(), what.max_tokens);
        if max_tokens == 0 {
            return Err(SubmitRefusal::NoTokens);
        }
        let longest = prompt.len().saturating_add(max_tokens as usize);
        if longest > context {
            return Err(SubmitRefusal::Context { prompt: prompt.len(), max_tokens, context });
        }
        let cache_tokens_max = self.limits.cache_tokens_max;
        if cache_room(1, longest) > cache_tokens_max {
            return Err(SubmitRefusal::Cache { tokens: longest, cache_tokens_max });
        }
        let sequences = self.running.len();
        let others = self.running.iter().map(|running| running.longest).max().unwrap_or(0);
        let room = cache_room(sequences + 1, longest.max(others));
        if sequences >= self.limits.sequences_max || room > cache_tokens_max {
            return Err(SubmitRefusal::Busy { sequences });
        }
        Ok(longest)
    }
}

impl Running {
    fn choose(&mut self, logits: &[f32], end: &[u32]) -> DecoderEvent {
        let token = self.what.sampling.choose(self.generated, logits);
        let probable = log_probs(logits, token, self.what.top_log_probs);
        self.generated += 1;
        self.last = token;
        let ended = !self.what.ignore_end && end.contains(&token);
        let (mut text, finish) = if ended {
            // The end token is no part of the text, special or not.
            (String::new(), Some(Finish::End))
        } else {
            let piece = self.pieces.push(token);
            let is_longest = self.generated >= self.what.max_tokens;
            let finish =
                if piece.stopped { Some(Finish::Stop) } else { is_longest.then_some(Finish::Length) };
            (piece.text, finish)
        };
        // Not after a stop string: what is still held back lies behind it.
        if matches!(finish, Some(Finish::End | Finish::Length)) {
            text.push_str(&self.pieces.finish());
        }
        DecoderEvent { sequence: self.id, token, text, log_prob: probable.chosen, top: probable.top, finish }
    }
}
