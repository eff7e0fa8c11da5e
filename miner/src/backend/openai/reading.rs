//! A completion that is being read: events in, pieces of an answer out.

use std::cmp::Ordering;
use std::time::Duration;

use weighhouse_ask::completions::CompletionEvents;
use weighhouse_types::text::{Finish, TextAnswer, TextRequest};

use super::abilities::{Abilities, TokenForm};
use super::reply::{Read, Reader, Told};
use super::spelling::{Spelling, off_reactor};
use super::stop_words::StopWords;
use crate::backend::error::BackendError;

/// Wait for the counts that some servers send behind the end of an answer.
const COUNTS_TIMEOUT: Duration = Duration::from_secs(1);

/// A completion that is being read; dropping it hangs up.
pub(super) struct Reading {
    events: CompletionEvents,
    reader: Reader,
    stop: StopWords,
    spelling: Option<Spelling>,
    /// Tokens that the server counts must all have been named.
    counts: bool,
    /// Tokens must be named, as they were when the server was asked what it can do.
    names: bool,
    max_tokens: usize,
    goes_on: bool,
    ended: bool,
}

impl Reading {
    pub(super) fn new(events: CompletionEvents, request: &TextRequest, abilities: &Abilities) -> Self {
        let reader = Reader::new(request, abilities.model.clone());
        let (stop, goes_on) = (StopWords::new(&request.stop), request.ignore_end);
        let names = abilities.tokens == TokenForm::Ids && request.wants_lists();
        let max_tokens = usize::try_from(request.max_tokens).unwrap_or(usize::MAX);
        let counts = abilities.counts;
        Self { events, reader, stop, spelling: None, counts, names, max_tokens, goes_on, ended: false }
    }

    /// The same, with ids found by the words.
    pub(super) fn spelled(self, spelling: Option<Spelling>) -> Self {
        Self { spelling, ..self }
    }

    /// What the chunks told besides the pieces.
    pub(super) fn into_told(self) -> Told {
        self.reader.told
    }

    /// The next piece; `None` after the last.
    pub(super) async fn next(&mut self) -> Result<Option<TextAnswer>, BackendError> {
        while !self.ended {
            let event = self.events.next().await?;
            let mut piece = match self.reader.read(&event)? {
                Read::Piece(piece) => piece,
                Read::Nothing => continue,
                Read::Done => self.unsaid()?,
            };
            let (text, is_stopped) = self.stop.push(&piece.text, piece.finish.is_some());
            piece.text = text;
            if is_stopped {
                piece.finish = Some(Finish::Stop);
                self.ended = true;
            } else if let Some(finish) = piece.finish {
                self.ended = true;
                self.end(finish).await?;
            }
            piece.prompt_tokens = self.reader.told.prompt_tokens;
            if let Some(mut spelling) = self.spelling.take_if(|_| self.ended) {
                let told = std::mem::take(&mut self.reader.told);
                piece = off_reactor(move || spelling.add(&mut piece, &told).map(|()| piece)).await??;
            } else if let Some(spelling) = &mut self.spelling {
                spelling.add(&mut piece, &self.reader.told)?;
            }
            if piece.finish.is_some() || !piece.text.is_empty() || !piece.log_probs.is_empty() {
                return Ok(Some(piece));
            }
        }
        Ok(None)
    }

    /// The last piece of a stream that said `[DONE]` and not why: only an answer of full length needs no reason.
    fn unsaid(&self) -> Result<TextAnswer, BackendError> {
        let Told { tokens, completion_tokens, .. } = self.reader.told;
        if completion_tokens.unwrap_or(tokens) != self.max_tokens {
            return Err(BackendError::Malformed("[DONE] before it said why its answer ended".into()));
        }
        Ok(TextAnswer { finish: Some(Finish::Length), ..TextAnswer::default() })
    }

    /// Reads what stands behind the end, and holds the answer against it.
    async fn end(&mut self, finish: Finish) -> Result<(), BackendError> {
        if finish == Finish::End && self.goes_on {
            return Err(BackendError::Unsuited("it doesn't go on after its end token".into()));
        }
        let misses_count = self.counts && self.reader.told.completion_tokens.is_none();
        if self.reader.told.prompt_tokens == 0 || misses_count {
            // A server that says no more, or keeps the connection open, costs a moment and no answer.
            tokio::time::timeout(COUNTS_TIMEOUT, self.counts()).await.unwrap_or(Ok(()))?;
        }
        self.check_count(finish)
    }

    async fn counts(&mut self) -> Result<(), BackendError> {
        while let Ok(event) = self.events.next().await {
            match self.reader.read(&event) {
                Ok(Read::Piece(piece)) if !piece.text.is_empty() || !piece.log_probs.is_empty() => {
                    return Err(BackendError::Malformed("it goes on after the end of its answer".into()));
                }
                Ok(Read::Done) | Err(_) => break,
                Ok(_) => {}
            }
        }
        Ok(())
    }

    /// A stream may leave out tokens, or their first event may be lost: the answer would be signed with a hole in it.
    fn check_count(&self, finish: Finish) -> Result<(), BackendError> {
        let told = &self.reader.told;
        let Told { tokens: named, completion_tokens, .. } = *told;
        if named == 0 && self.names {
            return Err(BackendError::Malformed("it named none of its tokens, and did before".into()));
        }
        // A server that reached its context instead counts as few as it names.
        let is_short = finish == Finish::Length && named < self.max_tokens;
        if self.names && is_short && completion_tokens.is_some_and(|counted| counted != named) {
            let asked = self.max_tokens;
            return Err(BackendError::Malformed(format!(
                "it named {named} of the {asked} tokens that were asked for"
            )));
        }
        let Some(counted) = completion_tokens.filter(|_| self.counts && named > 0) else { return Ok(()) };
        // Some count the end token without naming it, or the reverse: then every other token has its text, and the last
        // is no other's copy.
        let is_end_alone = match counted.cmp(&named) {
            Ordering::Less => !told.repeats_last(),
            _ => !told.has_nameless_text,
        };
        let slack = usize::from(finish == Finish::End && is_end_alone);
        if finish == Finish::Stop || counted.abs_diff(named) <= slack {
            return Ok(());
        }
        Err(BackendError::Malformed(format!("it named {named} of {counted} tokens")))
    }
}
