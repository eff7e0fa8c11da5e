//! One completion that a server is asked for, streamed or whole.

use std::sync::Arc;

use futures::stream;
use tonic::transport::Channel;
use tonic::{Code, Request, Streaming};
use weighhouse_proto::inference::grpc_inference_service_client::GrpcInferenceServiceClient;
use weighhouse_proto::inference::{ModelInferResponse, ModelStreamInferResponse};
use weighhouse_types::InferAnswer;
use weighhouse_types::text::{Finish, Prompt, TextAnswer, TextRequest};

use super::answer;
use super::plan::Plan;
use super::refusal;
use super::text::TextBuffer;
use crate::backend::error::{BackendError, shortened};

/// Has Triton end a stream that fails with a status, which has a code, instead of a message.
const STATUS_WANTED: &str = "triton_grpc_error";

/// A completion on its way.
pub(super) struct Call {
    client: GrpcInferenceServiceClient<Channel>,
    plan: Arc<Plan>,
    request: TextRequest,
    text: TextBuffer,
    tokens: usize,
    answered: bool,
    state: CallState,
}

enum CallState {
    Begin,
    Reading(Box<Streaming<ModelStreamInferResponse>>),
    Ended,
}

impl Call {
    /// `echoes`: the server answers with the prompt before its continuation.
    pub(super) fn new(
        client: GrpcInferenceServiceClient<Channel>,
        plan: Arc<Plan>,
        request: TextRequest,
        echoes: bool,
    ) -> Self {
        let echo = match &request.prompt {
            Prompt::Text(text) if echoes => Some(text.clone()),
            _ => None,
        };
        let text = TextBuffer::new(echo);
        Self { client, plan, request, text, tokens: 0, answered: false, state: CallState::Begin }
    }

    /// Whether anything came yet.
    pub(super) fn answered(&self) -> bool {
        self.answered
    }

    /// The next piece; the last says why it is the last.
    pub(super) async fn next(&mut self) -> Result<Option<TextAnswer>, BackendError> {
        loop {
            match std::mem::replace(&mut self.state, CallState::Ended) {
                CallState::Ended => return Ok(None),
                CallState::Begin => {
                    if let Some(whole) = self.begin().await? {
                        return self.piece(whole, true).map(Some);
                    }
                }
                CallState::Reading(mut stream) => {
                    let message = stream.message().await.map_err(|status| refusal::of_status(&status))?;
                    let Some(message) = message else {
                        // A stream that ends without any output has failed without saying so.
                        let answered = self.answered.then_some(ModelInferResponse::default());
                        return self.piece(answered.ok_or(BackendError::Disconnected)?, true).map(Some);
                    };
                    let piece = self.read(message)?;
                    if piece.finish.is_none() {
                        self.state = CallState::Reading(stream);
                    }
                    if piece != TextAnswer::default() {
                        return Ok(Some(piece));
                    }
                }
            }
        }
    }

    /// Opens the stream; `Some` is the whole answer of a server that has no streams.
    async fn begin(&mut self) -> Result<Option<ModelInferResponse>, BackendError> {
        if self.plan.decoupled == Some(false) {
            return self.whole().await.map(Some);
        }
        let mut asking = Request::new(stream::iter([self.plan.question(&self.request, true)?]));
        asking.metadata_mut().insert(STATUS_WANTED, tonic::metadata::MetadataValue::from_static("true"));
        match self.client.model_stream_infer(asking).await {
            Ok(response) => {
                self.state = CallState::Reading(Box::new(response.into_inner()));
                Ok(None)
            }
            // Servers without the streaming call, such as KServe's, answer in one piece.
            Err(status) if status.code() == Code::Unimplemented => self.whole().await.map(Some),
            Err(status) => Err(refusal::of_status(&status)),
        }
    }

    async fn whole(&mut self) -> Result<ModelInferResponse, BackendError> {
        let response = self.client.model_infer(self.plan.question(&self.request, false)?).await;
        Ok(response.map_err(|status| refusal::of_status(&status))?.into_inner())
    }

    fn read(&mut self, message: ModelStreamInferResponse) -> Result<TextAnswer, BackendError> {
        if !message.error_message.is_empty() {
            return Err(refusal::of_message(&message.error_message));
        }
        let Some(response) = message.infer_response else {
            return Err(BackendError::Malformed("a message without a response".into()));
        };
        self.piece(response, false)
    }

    fn piece(&mut self, response: ModelInferResponse, last: bool) -> Result<TextAnswer, BackendError> {
        // Triton ends a decoupled answer with a message that has nothing but a flag, where asked to.
        let read = if response.outputs.is_empty() {
            answer::Piece::default()
        } else {
            let malformed =
                |error: weighhouse_types::TensorError| BackendError::Malformed(shortened(&error.to_string()));
            self.answered = true;
            answer::read(&InferAnswer::try_from(response).map_err(malformed)?, &self.request)?
        };
        let mut piece = read.answer;
        self.tokens += read.count;
        if last && piece.finish.is_none() {
            piece.finish = Some(self.untold());
        }
        if piece.finish == Some(Finish::End) && self.request.ignore_end && !self.plan.goes_on() {
            let why = "it ended at its end token, and its model has no input by which it goes on";
            return Err(BackendError::Unsuited(why.into()));
        }
        piece.text = self.text.add(&read.text, piece.finish.is_some())?;
        Ok(piece)
    }

    /// Why the answer of a server that doesn't say it has ended.
    fn untold(&self) -> Finish {
        let full = usize::try_from(self.request.max_tokens).is_ok_and(|max| self.tokens >= max);
        // One that doesn't count its tokens either went on to the last of them, where it was told to.
        let went_on = self.tokens == 0 && self.request.ignore_end && self.plan.goes_on();
        if went_on || full { Finish::Length } else { Finish::End }
    }
}
