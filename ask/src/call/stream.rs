//! A miner's streamed answer: whole messages as they come, then its status.

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use weighhouse_proto::method::MODEL_STREAM_INFER;
use weighhouse_seams::{Clock, ClockExt as _};

use super::error::CallError;
use super::messages::Messages;
use crate::asker::{Asker, OpenResponse, Target};
use crate::limits::ProxyLimits;

/// A stream that one signed request opened; dropping it tells the miner to stop.
pub struct AnswerStream {
    response: OpenResponse,
    messages: Messages,
    clock: Arc<dyn Clock>,
    limits: ProxyLimits,
}

impl std::fmt::Debug for AnswerStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AnswerStream").field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl AnswerStream {
    /// Signs and sends one framed request.
    ///
    /// # Errors
    /// A miner that can't be reached, is late, or isn't one.
    pub async fn open(
        asker: &Asker,
        to: Target,
        framed: Bytes,
        limits: ProxyLimits,
    ) -> Result<Self, CallError> {
        let opening = asker.send(to, MODEL_STREAM_INFER, HeaderMap::new(), framed, limits.body_bytes_max);
        let response = asker.clock.timeout(limits.deadline, opening).await.map_err(|_| CallError::Late)??;
        CallError::check_head(response.response.status(), response.response.headers())?;
        let messages = Messages::new(limits.body_bytes_max, limits.body_bytes_max);
        Ok(Self { response, messages, clock: asker.clock.clone(), limits })
    }

    /// Gives the next message with its frame; `None` where the miner has ended well.
    ///
    /// The deadline starts anew with each message: a long completion is no stalled one.
    ///
    /// # Errors
    /// A status other than OK, a deadline or a cap that is passed, an end within a message.
    pub async fn next(&mut self) -> Result<Option<Bytes>, CallError> {
        let clock = self.clock.clone();
        clock.timeout(self.limits.deadline, self.read()).await.map_err(|_| CallError::Late)?
    }

    async fn read(&mut self) -> Result<Option<Bytes>, CallError> {
        loop {
            if let Some(message) = self.messages.next() {
                return Ok(Some(message));
            }
            let frame = self.response.frame().await.transpose().map_err(|_| CallError::BrokenOff)?;
            let Some(frame) = frame else {
                // A refusal may come with headers only, its status among them.
                CallError::read_status(self.response.response.headers(), self.clock.now())?;
                return self.end();
            };
            if let Some(trailers) = frame.trailers_ref() {
                CallError::read_status(trailers, self.clock.now())?;
                return self.end();
            }
            self.messages.push(&frame.into_data().unwrap_or_default())?;
        }
    }

    fn end(&self) -> Result<Option<Bytes>, CallError> {
        // Half a message in the buffer is a broken answer, even behind a status of OK.
        if self.messages.is_empty() { Ok(None) } else { Err(CallError::BrokenOff) }
    }
}
