//! A generation held to its pace, its length and a proper end.

use std::sync::Arc;
use std::time::Duration;

use futures::stream::{self, StreamExt as _};
use weighhouse_seams::{Clock, ClockExt as _};
use weighhouse_types::text::TextAnswer;

use crate::backend::error::{BackendError, Stage};
use crate::engine::error::EngineError;
use crate::engine::generator::{Paces, PieceStream};

/// Bytes of text for each token that was asked for, on average: no real tokenizer comes near.
const BYTES_PER_TOKEN_MAX: usize = 256;
/// Pieces for each token that was asked for: some servers send a piece of text in more than one.
const PIECES_PER_TOKEN_MAX: usize = 4;

struct PieceBuffer {
    pieces: PieceStream,
    paces: Paces,
    clock: Arc<dyn Clock>,
    /// When it was first polled.
    begun: Option<Duration>,
    seen: usize,
    tokens: usize,
    bytes: usize,
    max_tokens: usize,
}

/// The same pieces, ended by an error where one takes too long, there are too many, or the last is missing.
pub(super) fn paced(
    pieces: PieceStream,
    max_tokens: u32,
    paces: Paces,
    clock: Arc<dyn Clock>,
) -> PieceStream {
    let max_tokens = usize::try_from(max_tokens).unwrap_or(usize::MAX);
    let held = PieceBuffer { pieces, paces, clock, begun: None, seen: 0, tokens: 0, bytes: 0, max_tokens };
    Box::pin(stream::unfold(Some(held), |held| async {
        let mut held = held?;
        let piece = held.next().await;
        // Whatever ends the stream also drops the generation at once.
        let goes_on = piece.as_ref().is_ok_and(|piece| piece.finish.is_none());
        Some((piece, goes_on.then_some(held)))
    }))
}

impl PieceBuffer {
    async fn next(&mut self) -> Result<TextAnswer, EngineError> {
        let now = self.clock.monotonic();
        // From the first poll, not from the request: waiting for a permit isn't the backend's time.
        let spent = now.saturating_sub(*self.begun.get_or_insert(now));
        let left = self.paces.whole.saturating_sub(spent);
        let (pace, stage) = match self.seen {
            0 => (self.paces.first, Stage::First),
            _ => (self.paces.next, Stage::Next),
        };
        let (limit, stage) = if left < pace { (left, Stage::Whole) } else { (pace, stage) };
        let piece = match self.clock.timeout(limit, self.pieces.next()).await {
            Ok(Some(piece)) => piece?,
            Ok(None) => return Err(BackendError::Disconnected.into()),
            Err(_) => return Err(BackendError::Slow(stage).into()),
        };
        self.count(&piece)?;
        Ok(piece)
    }

    fn count(&mut self, piece: &TextAnswer) -> Result<(), BackendError> {
        self.seen += 1;
        // Some servers can't name their tokens but give a log-probability for each.
        self.tokens += piece.tokens.len().max(piece.log_probs.len());
        self.bytes += piece.text.len();
        let over = |what: &str| Err(BackendError::Malformed(format!("more {what} than were asked for")));
        // More than was asked for is a broken backend; passed on, it would be judged as our answer.
        if self.tokens > self.max_tokens {
            return over("tokens");
        }
        // One more for a piece that only says why generation finished.
        if self.seen > self.max_tokens.saturating_mul(PIECES_PER_TOKEN_MAX).saturating_add(1) {
            return over("pieces");
        }
        if self.bytes > self.max_tokens.saturating_mul(BYTES_PER_TOKEN_MAX) {
            return over("bytes");
        }
        Ok(())
    }
}
