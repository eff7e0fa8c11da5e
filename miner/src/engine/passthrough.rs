//! The engine in front of a server that speaks the Open Inference Protocol itself: Triton, KServe, a Python script.
//!
//! It serves any kind of task, because it knows none: it takes inputs and outputs from the server's `ModelMetadata`,
//! holds requests and answers to them, and forwards the tensors as they are. Metadata is asked for at the start, and
//! again when an answer no longer fits or when it was missing; a server without metadata is trusted to check by itself.
//!
//! **Invariant.** A request that the metadata refuses never reaches the server, and a failure of the server is never
//! reported as the caller's.

mod signature;

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use futures::stream;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Streaming};
use weighhouse_proto::inference::grpc_inference_service_client::GrpcInferenceServiceClient;
use weighhouse_proto::inference::{
    ModelInferRequest, ModelInferResponse, ModelMetadataRequest, ModelStreamInferResponse,
};
use weighhouse_seams::{Clock, ClockExt as _};
use weighhouse_types::{Digest, InferAnswer, InferRequest};

use self::signature::Signature;
use super::{AnswerStream, Engine, EngineError, Paces, ServedModel};
use crate::backend::{BackendError, Stage, oip_failure, shortened};

/// Bytes of one message from the server.
const MESSAGE_BYTES_MAX: usize = 4 << 20;

/// The server behind a pass-through model.
#[derive(Clone, Debug)]
pub struct Upstream {
    pub url: http::Uri,
    /// What the server calls the model.
    pub model: String,
    pub connect_timeout: Duration,
    /// How long one unstreamed answer, or the metadata, may take.
    pub answer_timeout: Duration,
    pub paces: Paces,
}

/// Serves one model of another server.
#[derive(Debug)]
pub struct PassthroughEngine {
    served: [ServedModel; 1],
    remote: Arc<Remote>,
    items_max: u32,
}

#[derive(Debug)]
struct Remote {
    upstream: Upstream,
    channel: Channel,
    clock: Arc<dyn Clock>,
    /// `None` until the server has said it.
    signature: RwLock<Option<Arc<Signature>>>,
}

impl PassthroughEngine {
    /// Connects when it is first needed, and again when the connection broke. Must be called within a tokio runtime.
    pub fn new(
        (name, version, digest): (String, String, Digest),
        upstream: Upstream,
        items_max: u32,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let endpoint = Endpoint::from(upstream.url.clone());
        let channel = endpoint.connect_timeout(upstream.connect_timeout).tcp_nodelay(true).connect_lazy();
        let served = ServedModel {
            name,
            version,
            digest,
            kind: None,
            inputs: Vec::new(),
            outputs: Vec::new(),
            samplers: Vec::new(),
        };
        let remote = Arc::new(Remote { upstream, channel, clock, signature: RwLock::default() });
        Self { served: [served], remote, items_max }
    }

    /// The request as the server gets it.
    async fn checked(&self, request: &InferRequest) -> Result<Call, EngineError> {
        let served =
            self.find(&request.model, &request.version).ok_or_else(|| EngineError::no_model(request))?;
        let signature = match self.remote.known() {
            Some(signature) => Some(signature),
            None => self.remote.learn().await?,
        };
        if let Some(signature) = &signature {
            if let Some(name) = signature.unknown_output(&request.outputs) {
                return Err(EngineError::UnknownOutput { name: name.clone() });
            }
            signature.check_inputs(&request.inputs, self.items_max).map_err(EngineError::Refused)?;
        }
        let asked = InferRequest {
            model: self.remote.upstream.model.clone(),
            version: String::new(),
            ..request.clone()
        };
        Ok(Call {
            remote: self.remote.clone(),
            message: asked.try_into()?,
            model: served.name.clone(),
            version: served.version.clone(),
            id: request.id.clone(),
            outputs: request.outputs.clone(),
        })
    }
}

impl Remote {
    fn client(&self) -> GrpcInferenceServiceClient<Channel> {
        GrpcInferenceServiceClient::new(self.channel.clone()).max_decoding_message_size(MESSAGE_BYTES_MAX)
    }

    fn known(&self) -> Option<Arc<Signature>> {
        self.signature.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Asks for the model's metadata; `None` of a server that has no such call.
    async fn learn(&self) -> Result<Option<Arc<Signature>>, BackendError> {
        let asked = ModelMetadataRequest { name: self.upstream.model.clone(), version: String::new() };
        let mut client = self.client();
        let asking = client.model_metadata(asked);
        let answered = self.clock.timeout(self.upstream.answer_timeout, asking).await;
        let metadata = match answered.map_err(|_| BackendError::Slow(Stage::Whole))? {
            Ok(response) => response.into_inner(),
            Err(status) if status.code() == Code::Unimplemented => return Ok(None),
            Err(status) if status.code() == Code::NotFound => {
                let Upstream { url, model, .. } = &self.upstream;
                return Err(BackendError::Misconfigured(format!(
                    "{url} has no model {model:?}; check `model` and `url` of this [[model]]"
                )));
            }
            Err(status) => return Err(oip_failure(&status)),
        };
        let signature = Signature::read(&metadata)
            .map_err(|why| BackendError::Malformed(shortened(&format!("its metadata: {why}"))))?;
        let signature = Arc::new(signature);
        *self.signature.write().unwrap_or_else(PoisonError::into_inner) = Some(signature.clone());
        Ok(Some(signature))
    }
}

#[async_trait]
impl Engine for PassthroughEngine {
    fn models(&self) -> &[ServedModel] {
        &self.served
    }

    fn items_max(&self) -> u32 {
        self.items_max
    }

    async fn prepare(&self) -> Result<(), EngineError> {
        let Upstream { url, model, .. } = &self.remote.upstream;
        match self.remote.learn().await {
            Ok(Some(_)) => Ok(()),
            Ok(None) => {
                tracing::warn!(%url, model, "the backend has no ModelMetadata: requests go to it unchecked");
                Ok(())
            }
            Err(error @ (BackendError::Unreachable(_) | BackendError::Slow(_) | BackendError::Busy)) => {
                tracing::warn!(%url, model, %error, "the backend isn't there yet; it is asked again with the first request");
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn metadata(&self, name: &str, version: &str) -> Option<ServedModel> {
        let mut model = self.find(name, version)?.clone();
        let signature = match self.remote.known() {
            Some(signature) => Some(signature),
            None => self.remote.learn().await.ok().flatten(),
        };
        if let Some(signature) = signature {
            (model.inputs, model.outputs) = (signature.inputs.clone(), signature.outputs.clone());
        }
        Some(model)
    }

    async fn infer(&self, request: &InferRequest) -> Result<InferAnswer, EngineError> {
        Ok(self.checked(request).await?.whole().await?)
    }

    async fn stream(&self, request: &InferRequest) -> Result<AnswerStream, EngineError> {
        let call = self.checked(request).await?;
        let Paces { first, whole, .. } = self.remote.upstream.paces;
        let begun = self.remote.clock.monotonic();
        let (mut client, message) = (self.remote.client(), call.message.clone());
        let opening = client.model_stream_infer(stream::iter([message]));
        let opened = self.remote.clock.timeout(first.min(whole), opening).await;
        match opened.map_err(|_| BackendError::Slow(Stage::First))? {
            Ok(response) => {
                let pieces = Pieces { call, stream: response.into_inner(), begun, answered: false };
                Ok(Box::pin(stream::try_unfold(Some(pieces), |pieces| async {
                    match pieces {
                        Some(pieces) => pieces.next().await.map_err(EngineError::Backend),
                        None => Ok(None),
                    }
                })))
            }
            Err(status) if status.code() == Code::Unimplemented => {
                let answer = call.whole().await?;
                Ok(Box::pin(stream::once(async { Ok(answer) })))
            }
            Err(status) => Err(oip_failure(&status).into()),
        }
    }
}

/// One request on its way, and what its answer is to say besides the tensors.
struct Call {
    remote: Arc<Remote>,
    message: ModelInferRequest,
    model: String,
    version: String,
    id: String,
    outputs: Vec<String>,
}

impl Call {
    async fn whole(&self) -> Result<InferAnswer, BackendError> {
        let mut client = self.remote.client();
        let asking = client.model_infer(self.message.clone());
        let answered = self.remote.clock.timeout(self.remote.upstream.answer_timeout, asking).await;
        let response = answered.map_err(|_| BackendError::Slow(Stage::Whole))?;
        let answer = self.read(response.map_err(|status| oip_failure(&status))?.into_inner()).await?;
        let missing = self.outputs.iter().find(|name| answer.output(name).is_err());
        match missing {
            Some(name) => Err(BackendError::Malformed(format!("no output {name:?}, which was asked for"))),
            None => Ok(answer),
        }
    }

    /// Reads an answer under our own names. One that no longer fits the metadata is held to metadata asked for anew.
    async fn read(&self, response: ModelInferResponse) -> Result<InferAnswer, BackendError> {
        let malformed = |why: String| BackendError::Malformed(shortened(&why));
        let answer = InferAnswer::try_from(response).map_err(|error| malformed(error.to_string()))?;
        let unfit = |signature: Arc<Signature>| signature.check_outputs(&answer.outputs).is_err();
        if self.remote.known().is_some_and(unfit) {
            tracing::info!(
                model = self.model,
                "the backend's answer doesn't fit its metadata; asking for it again"
            );
            if let Some(signature) = self.remote.learn().await? {
                signature.check_outputs(&answer.outputs).map_err(malformed)?;
            }
        }
        let (model, version, id) = (self.model.clone(), self.version.clone(), self.id.clone());
        Ok(InferAnswer { model, version, id, outputs: answer.outputs })
    }
}

/// A streamed answer.
struct Pieces {
    call: Call,
    stream: Streaming<ModelStreamInferResponse>,
    /// When the stream was asked for, by the monotonic clock.
    begun: Duration,
    answered: bool,
}

impl Pieces {
    async fn next(mut self) -> Result<Option<(InferAnswer, Option<Self>)>, BackendError> {
        loop {
            let Some(message) = self.message().await? else {
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
        read.map_err(|_| BackendError::Slow(stage))?.map_err(|status| oip_failure(&status))
    }
}

#[cfg(test)]
mod tests;
