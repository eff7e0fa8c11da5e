//! The engine in front of a server that speaks the Open Inference Protocol itself: Triton, KServe, a Python script.
//!
//! It serves any kind of task, because it knows none: it takes inputs and outputs from the server's `ModelMetadata`,
//! holds requests and answers to them, and forwards the tensors as they are. Metadata is asked for at the start, and
//! again when an answer no longer fits or when it was missing; a server without metadata is trusted to check by itself.
//!
//! **Invariant.** A request that the metadata refuses never reaches the server, and a failure of the server is never
//! reported as the caller's.

mod call;
mod pieces;

use std::sync::Arc;

use async_trait::async_trait;
use futures::stream;
use tonic::Code;
use weighhouse_seams::{Clock, ClockExt as _};
use weighhouse_types::{Digest, InferAnswer, InferRequest};

use self::call::UpstreamCall;
use self::pieces::Pieces;
use super::error::EngineError;
use super::generator::Paces;
use super::served::{AnswerStream, Engine, ModelName, ServedModel};
use crate::backend::error::{BackendError, Stage};
use crate::remote::{Remote, Upstream};

/// Serves one model of another server.
#[derive(Debug)]
pub struct PassthroughEngine {
    served: ServedModel,
    remote: Arc<Remote>,
    items_max: u32,
}

impl PassthroughEngine {
    /// Connects when it is first needed. Must be called within a tokio runtime.
    pub fn new(
        (name, digest): (ModelName, Digest),
        upstream: Upstream,
        items_max: u32,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let (inputs, outputs, samplers) = (Vec::new(), Vec::new(), Vec::new());
        let served = ServedModel { name, digest, kind: None, inputs, outputs, samplers };
        Self { served, remote: Arc::new(Remote::new(upstream, clock)), items_max }
    }

    /// The request as the server gets it, once it fits the metadata.
    async fn checked(&self, request: &InferRequest) -> Result<UpstreamCall, EngineError> {
        if let Some(signature) = self.remote.signature().await? {
            if let Some(name) = signature.unknown_output(&request.outputs) {
                return Err(EngineError::UnknownOutput { name: name.clone() });
            }
            signature.check_inputs(&request.inputs, self.items_max).map_err(EngineError::Refused)?;
        }
        // The version is ours to callers; the server's versions are its own business.
        let (model, version) = (self.remote.upstream.model.clone(), String::new());
        let asked = InferRequest { model, version, ..request.clone() };
        Ok(UpstreamCall {
            remote: self.remote.clone(),
            message: asked.try_into()?,
            model: self.served.name.clone(),
            id: request.id.clone(),
            outputs: request.outputs.clone(),
        })
    }
}

#[async_trait]
impl Engine for PassthroughEngine {
    fn model(&self) -> &ServedModel {
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
            // Backends start slower than miners: only what waiting can't mend stops the start.
            Err(error @ (BackendError::Unreachable(_) | BackendError::Slow(_) | BackendError::Busy)) => {
                tracing::warn!(%url, model, %error, "the backend isn't there yet; it is asked again with the first request");
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn upstream(&self) -> Option<Result<String, EngineError>> {
        let Upstream { url, model, .. } = &self.remote.upstream;
        Some(match self.remote.learn().await {
            Ok(Some(signature)) => Ok(format!("{url} serves {model:?}: {signature}")),
            Ok(None) => Ok(format!("{url} has no ModelMetadata: requests go to it unchecked")),
            Err(error) => Err(error.into()),
        })
    }

    async fn metadata(&self) -> ServedModel {
        let mut model = self.served.clone();
        // While the server is away the lists stay empty, which claims nothing about the model.
        if let Ok(Some(signature)) = self.remote.signature().await {
            (model.inputs, model.outputs) = (signature.inputs.clone(), signature.outputs.clone());
        }
        model
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
                let pieces = Pieces::new(call, response.into_inner(), begun);
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
            Err(status) => Err(BackendError::from(&status).into()),
        }
    }
}

#[cfg(test)]
mod tests;
