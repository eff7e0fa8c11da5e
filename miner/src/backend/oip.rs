//! Any server of the Open Inference Protocol, version 2: Triton with an LLM backend, or one like it.
//!
//! Asks with `ModelStreamInfer` and takes decoupled answers until the stream ends; a server that doesn't know that call
//! is asked with `ModelInfer`, and its whole answer is the only piece.

use futures::stream;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Streaming};
use weighhouse_proto::inference::grpc_inference_service_client::GrpcInferenceServiceClient;
use weighhouse_proto::inference::{ModelInferRequest, ModelInferResponse, ModelStreamInferResponse};
use weighhouse_types::text::{Finish, GREEDY, TextAnswer, TextLimits, TextRequest};
use weighhouse_types::{Digest, InferAnswer};

use super::error::{BackendError, shortened};
use crate::engine::error::EngineError;
use crate::engine::generator::{Generator, PieceStream};

/// A connection that is made when it is first needed, and again when it broke.
#[derive(Debug)]
pub struct Oip {
    channel: Channel,
    model: String,
    digest: Digest,
    limits: TextLimits,
}

impl Oip {
    /// A server at a URL such as `http://127.0.0.1:8001`. Must be called within a tokio runtime.
    pub fn new(
        url: &http::Uri,
        connect_timeout: std::time::Duration,
        model: String,
        digest: Digest,
        limits: TextLimits,
    ) -> Self {
        // Tokens are small messages; Nagle's algorithm would gather them.
        let endpoint = Endpoint::from(url.clone()).connect_timeout(connect_timeout).tcp_nodelay(true);
        Self { channel: endpoint.connect_lazy(), model, digest, limits }
    }
}

impl Generator for Oip {
    fn digest(&self) -> Digest {
        self.digest
    }

    fn samplers(&self) -> Vec<&'static str> {
        vec![GREEDY]
    }

    fn generate(&self, request: TextRequest) -> PieceStream {
        let call = OipCall {
            client: GrpcInferenceServiceClient::new(self.channel.clone()),
            model: self.model.clone(),
            // An answer is held to what this request asked for, not to the most that any may ask for.
            limits: TextLimits { max_tokens: request.max_tokens, ..self.limits },
            tokens: 0,
            answered: false,
            state: OipState::Begin(Box::new(request)),
        };
        Box::pin(stream::try_unfold(call, |mut call| async {
            let piece = call.next().await.map_err(EngineError::Backend)?;
            Ok(piece.map(|piece| (piece, call)))
        }))
    }
}

enum OipState {
    Begin(Box<TextRequest>),
    Reading(Box<Streaming<ModelStreamInferResponse>>),
    Ended,
}

struct OipCall {
    client: GrpcInferenceServiceClient<Channel>,
    model: String,
    limits: TextLimits,
    tokens: usize,
    answered: bool,
    state: OipState,
}

impl OipCall {
    async fn next(&mut self) -> Result<Option<TextAnswer>, BackendError> {
        loop {
            match std::mem::replace(&mut self.state, OipState::Ended) {
                OipState::Ended => return Ok(None),
                OipState::Begin(request) => {
                    if let Some(whole) = self.begin(&request).await? {
                        return Ok(Some(self.ended(whole)));
                    }
                }
                OipState::Reading(mut stream) => {
                    let message = stream.message().await.map_err(|status| BackendError::from(&status))?;
                    let Some(message) = message else {
                        let answered = self.answered.then(|| self.ended(TextAnswer::default()));
                        return answered.map(Some).ok_or(BackendError::Disconnected);
                    };
                    let piece = self.read_piece(message)?;
                    if piece.finish.is_none() {
                        self.state = OipState::Reading(stream);
                    }
                    if piece != TextAnswer::default() {
                        return Ok(Some(piece));
                    }
                }
            }
        }
    }

    /// Opens the stream; `Some` is the whole answer of a server that has no streams.
    async fn begin(&mut self, request: &TextRequest) -> Result<Option<TextAnswer>, BackendError> {
        let message = request
            // An empty version leaves the choice to the server, by the protocol.
            .to_infer(&self.model, "")
            .map_err(|error| BackendError::Refused(error.to_string()))
            .and_then(|request| {
                ModelInferRequest::try_from(request).map_err(|error| BackendError::Refused(error.to_string()))
            })?;
        let unstreamed = message.clone();
        match self.client.model_stream_infer(stream::iter([message])).await {
            Ok(response) => {
                self.state = OipState::Reading(Box::new(response.into_inner()));
                Ok(None)
            }
            // Servers without the streaming call, such as KServe's simplest runtimes, answer in one piece.
            Err(status) if status.code() == Code::Unimplemented => {
                let response = self.client.model_infer(unstreamed).await;
                self.read(response.map_err(|status| BackendError::from(&status))?.into_inner()).map(Some)
            }
            Err(status) => Err(BackendError::from(&status)),
        }
    }

    fn read_piece(&mut self, message: ModelStreamInferResponse) -> Result<TextAnswer, BackendError> {
        if !message.error_message.is_empty() {
            return Err(BackendError::Failed(shortened(&message.error_message)));
        }
        let Some(response) = message.infer_response else {
            return Err(BackendError::Malformed("a message without a response".into()));
        };
        // Triton ends a decoupled answer with a message that has nothing but this flag, where asked to.
        if response.outputs.is_empty() {
            return Ok(TextAnswer::default());
        }
        self.read(response)
    }

    fn read(&mut self, response: ModelInferResponse) -> Result<TextAnswer, BackendError> {
        let malformed = |error: String| BackendError::Malformed(shortened(&error));
        let answer = InferAnswer::try_from(response).map_err(|error| malformed(error.to_string()))?;
        let piece =
            TextAnswer::from_infer(&answer, &self.limits).map_err(|error| malformed(error.to_string()))?;
        self.tokens += piece.tokens.len();
        self.answered = true;
        Ok(piece)
    }

    /// The last piece of a server that doesn't say why it is the last.
    fn ended(&self, mut piece: TextAnswer) -> TextAnswer {
        let full = usize::try_from(self.limits.max_tokens).is_ok_and(|max| self.tokens >= max);
        piece.finish = piece.finish.or(Some(if full { Finish::Length } else { Finish::End }));
        piece
    }
}

#[cfg(test)]
mod tests;
