//! Generation of text: the trait that backends implement, and the deadlines that the engine holds it to.

use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::Stream;
use weighhouse_types::Digest;
use weighhouse_types::text::{TextAnswer, TextRequest};

use super::error::EngineError;
use crate::config::limits::Text;

/// Pieces of one answer as they come.
pub type PieceStream = Pin<Box<dyn Stream<Item = Result<TextAnswer, EngineError>> + Send>>;

/// A model that continues texts.
#[async_trait]
pub trait Generator: Send + Sync + fmt::Debug {
    /// Digest of the weights, or of the model's name where they are out of reach.
    fn digest(&self) -> Digest;

    /// Names of the samplers that it offers.
    fn samplers(&self) -> Vec<&'static str>;

    /// Generates; begins when it is polled, and ends when it is dropped. The last piece says why it is the last.
    fn generate(&self, request: TextRequest) -> PieceStream;

    /// Tells whether an answer comes whole, so that nothing of it can be awaited before the rest.
    fn answers_whole(&self, _: &TextRequest) -> bool {
        false
    }

    /// Asks the server behind, if any, what it can do; once, before serving. A server that isn't there yet is no error: it
    /// is asked again.
    async fn prepare(&self) -> Result<(), EngineError> {
        Ok(())
    }

    /// Asks the server behind whether it would answer now: what it can do, in words. `None` where no server stands behind.
    async fn upstream(&self) -> Option<Result<String, EngineError>> {
        None
    }

    /// As [`Self::upstream`], at the least cost and often: whether the server answers at all.
    async fn look(&self) -> Option<Result<(), EngineError>> {
        self.upstream().await.map(|told| told.map(drop))
    }
}

/// Deadlines of a generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paces {
    /// Until the first piece.
    pub first: Duration,
    /// Between one piece and the next.
    pub next: Duration,
    /// From the first poll to the last piece.
    pub whole: Duration,
}

impl From<&Text> for Paces {
    fn from(text: &Text) -> Self {
        Self { first: text.first_token_timeout, next: text.token_timeout, whole: text.stream_timeout }
    }
}
