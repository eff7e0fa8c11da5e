//! Ids of tokens that a server names by their words or not at all, found with the tokenizer of its model.
//!
//! A text has many spellings, and a wrong id is judged as another model's. An answer is given ids only where exactly one of
//! the tokenizer's own spellings has as many tokens as the server generated, each with the word that it named, if it did. Of an
//! answer that ended by itself, where nothing was counted, exactly one spelling has to exist.

use weighhouse_models::language::LanguageTokens;
use weighhouse_types::text::{Finish, Prompt, TextAnswer, TextRequest};

use super::json::TextBytes;
use super::reply::Told;
use crate::backend::error::BackendError;

/// Characters by which servers show that a word is a vocabulary's entry, or part of a character, and not plain text.
const MARKS: [char; 5] = [char::REPLACEMENT_CHARACTER, 'Ġ', 'Ċ', '▁', '\\'];

/// Does the tokenizer's work on a whole prompt or answer, which takes milliseconds: too long for the reactor.
pub(super) async fn off_reactor<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, BackendError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| BackendError::Failed(error.to_string()))
}

/// The answer so far: ids are found at its end.
pub(super) struct Spelling {
    tokenizer: LanguageTokens,
    prompt: Prompt,
    max_tokens: usize,
    text: String,
    log_probs: Vec<f32>,
}

impl Spelling {
    pub(super) fn new(tokenizer: LanguageTokens, request: &TextRequest) -> Self {
        let max_tokens = usize::try_from(request.max_tokens).unwrap_or(usize::MAX);
        Self {
            tokenizer,
            prompt: request.prompt.clone(),
            max_tokens,
            text: String::new(),
            log_probs: Vec::new(),
        }
    }

    /// Keeps a piece's log-probabilities back, and adds all of them with their ids to the last piece.
    pub(super) fn add(&mut self, piece: &mut TextAnswer, told: &Told) -> Result<(), BackendError> {
        self.text.push_str(&piece.text);
        self.log_probs.append(&mut piece.log_probs);
        let Some(finish) = piece.finish else { return Ok(()) };
        piece.tokens = self.ids(told, finish).ok_or_else(|| {
            BackendError::Unsuited(
                "the tokens of this text can't be told beyond doubt, and it names no ids".into(),
            )
        })?;
        piece.log_probs = std::mem::take(&mut self.log_probs);
        Ok(())
    }

    fn ids(&self, told: &Told, finish: Finish) -> Option<Vec<u32>> {
        let (prompt, text) = match &self.prompt {
            Prompt::Text(text) => (self.tokenizer.encode(text).ok()?, Some(text.as_str())),
            Prompt::Ids(ids) => (ids.clone(), None),
        };
        let names = &told.names;
        let count = match (names.len(), finish) {
            (0, Finish::Length) => Some(told.completion_tokens.unwrap_or(self.max_tokens)),
            // Without a count an end is told apart from other spellings where there are none.
            (0, Finish::End) => told.completion_tokens,
            (0, _) => Some(told.completion_tokens?),
            (count, _) => Some(count),
        };
        let mut found = self.tokenizer.spellings(&prompt, text, &self.text).ok()?;
        found.retain_mut(|tokens| {
            let count = count.unwrap_or_else(|| (tokens.len() + 1).min(self.max_tokens));
            // The end token has no text, though it may have a name.
            if let (Finish::End, [end]) = (finish, self.tokenizer.end_tokens())
                && tokens.len() + 1 == count
            {
                tokens.push(*end);
            } else if finish == Finish::End && names.is_empty() {
                // Whether the end token was counted is not known.
                return false;
            }
            tokens.len() == count && tokens.iter().zip(names).all(|(id, name)| self.may_be(*id, name))
        });
        found.pop().filter(|_| found.is_empty())
    }

    /// Tells whether a token could have this name.
    fn may_be(&self, id: u32, name: &TextBytes) -> bool {
        let (own, name) = (self.tokenizer.continuation(&[], &[id]), name.to_text());
        own.is_empty() || name.contains(MARKS) || own.contains(MARKS) || own.trim() == name.trim()
    }
}

#[cfg(test)]
mod tests;
