//! A streamed answer of the server behind, held to its pace.

use std::time::Duration;

use tonic::Streaming;
use weighhouse_proto::inference::ModelStreamInferResponse;
use weighhouse_seams::ClockExt as _;
use weighhouse_types::InferAnswer;

use super::call::UpstreamCall;
use crate::backend::error::{BackendError, Stage, shortened};

/// A streamed answer.
pub(super) struct Pieces {
    call: UpstreamCall,
    stream: Streaming<ModelStreamInferResponse>,
    /// The time at which the stream was asked for, by the monotonic clock.
    begun: Duration,
    answered: bool,
}

impl Pieces {
    pub(super) fn new(
        call: UpstreamCall,
        stream: Streaming<ModelStreamInferResponse>,
        begun: Duration,
    ) -> Self {
        Self { call, stream, begun, answered: false }
    }

    /// The next piece, and the rest behind it; `None` at a proper end.
    pub(super) async fn next(mut self) -> Result<Option<(InferAnswer, Option<Self>)>, BackendError> {
        loop {
            let Some(message) = self.message().await? else {
                // A stream that ends without any output has failed without saying so.
                return if self.answered { Ok(None) } else { Err(BackendError::Disconnected) };
            };
            if !message.error_message.is_empty() {
                return Err(BackendError::Failed(shortened(&message.error_message)));
            }
            let Some(response) = message.infer_response else {
                return Err(BackendError::Malformed("a message without a response".into()));
            };
            // Triton ends a decoupled answer with a message that has nothing but a flag.
            if response.outputs.is_empty() {
                continue;
            }
            let answer = self.call.read(response).await?;
            self.answered = true;
            return Ok(Some((answer, Some(self))));
        }
    }

    async fn message(&mut self) -> Result<Option<ModelStreamInferResponse>, BackendError> {
        let (clock, paces) = (&self.call.remote.clock, self.call.remote.upstream.paces);
        let (pace, stage) =
            if self.answered { (paces.next, Stage::Next) } else { (paces.first, Stage::First) };
        let left = paces.whole.saturating_sub(clock.monotonic().saturating_sub(self.begun));
        let (limit, stage) = if left < pace { (left, Stage::Whole) } else { (pace, stage) };
        let read = clock.timeout(limit, self.stream.message()).await;
        read.map_err(|_| BackendError::Slow(stage))?.map_err(|status| BackendError::from(&status))
    }
}
