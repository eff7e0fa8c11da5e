//! The gRPC methods: messages in, domain values to the engine, messages out.
//!
//! Live, ready, metadata and `Describe` are open to all. `ModelInfer` and `ModelStreamInfer` take nothing but a request
//! that carries the evidence of its verification, and give back a [`Signable`]: an answer with its model's digest.

mod failure;

use std::pin::Pin;
use std::sync::Arc;

use futures::stream::{self, Stream, StreamExt as _};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status, Streaming};
use weighhouse_proto::frame;
use weighhouse_proto::inference::grpc_inference_service_server::GrpcInferenceService;
use weighhouse_proto::inference::model_metadata_response::TensorMetadata;
use weighhouse_proto::inference::{
    ModelConfigRequest, ModelConfigResponse, ModelInferRequest, ModelInferResponse, ModelMetadataRequest,
    ModelMetadataResponse, ModelReadyRequest, ModelReadyResponse, ModelStreamInferResponse,
    ServerLiveRequest, ServerLiveResponse, ServerMetadataRequest, ServerMetadataResponse, ServerReadyRequest,
    ServerReadyResponse,
};
use weighhouse_proto::v1::miner_server::Miner;
use weighhouse_proto::v1::{AcknowledgeRequest, AcknowledgeResponse, DescribeRequest, DescribeResponse};
use weighhouse_proto::{ACKNOWLEDGEMENTS_MAX, Description, ModelDescription, ServingLimits};
use weighhouse_types::sealed::SealedRequest;
use weighhouse_types::{Acknowledgement, Digest, Hotkey, InferAnswer, InferRequest};
use weighhouse_wallet::answer::Signable;
use weighhouse_wallet::http::Authenticated;

use self::failure::{ServiceFailure, refuse};
use crate::backend::error::shortened;
use crate::callers::Callers;
use crate::config::MinerLimits;
use crate::engine::{AnswerStream, Engine, EngineError, ServedModel, TensorSpec};
use crate::live::Live;
use crate::metrics;
use crate::receipts::{KeepError, Receipts};
use crate::sealing::{SealedAnswers, SealingError};
use crate::upstream::Upstream;

const NAME: &str = "weighhouse";
const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The extension that `ServerMetadata` names.
const STREAMING: &str = "model_stream_infer";
/// The two services of a miner.
#[derive(Clone, Debug)]
pub(crate) struct MinerService {
    live: Arc<Live>,
    hotkey: Hotkey,
    limits: MinerLimits,
    callers: Arc<Callers>,
    receipts: Arc<Receipts>,
    sealed: Arc<SealedAnswers>,
    ready: watch::Receiver<bool>,
    stop: CancellationToken,
}

impl MinerService {
    pub(crate) fn new(
        live: Arc<Live>,
        (hotkey, limits): (Hotkey, MinerLimits),
        (callers, receipts, sealed): (Arc<Callers>, Arc<Receipts>, Arc<SealedAnswers>),
        ready: watch::Receiver<bool>,
        stop: CancellationToken,
    ) -> Self {
        Self { live, hotkey, limits, callers, receipts, sealed, ready, stop }
    }

    /// The only way to a model's answer.
    async fn infer(
        &self,
        call: Authenticated<InferRequest>,
    ) -> Result<Signable<ModelInferResponse>, ServiceFailure> {
        let request = call.value();
        // The engine is looked up once and answers for itself: no answer can carry another model's digest.
        let offer = self.live.offer();
        let engine = offer.models.find(&request.model, &request.version)?;
        let infer = async |request: &InferRequest| match offer.upstreams.behind(engine) {
            Some(upstream) => upstream.guard(engine.infer(request)).await,
            None => engine.infer(request).await,
        };
        let answer = match SealedRequest::of(request) {
            None => infer(request).await?,
            Some(SealedRequest::Reveal { id }) => {
                self.sealed(call.caller(), id, |sealed, caller, id| sealed.reveal(caller, id)).await?
            }
            Some(SealedRequest::Commit { question, on_chain }) => {
                let id = question.id.clone();
                let before = self.sealed(call.caller(), id.clone(), move |kept, by, id| {
                    kept.committed(by, (id, on_chain))
                });
                match before.await? {
                    Some(committed) => committed,
                    None => {
                        let answer = infer(&question).await?;
                        let keep = move |kept: &SealedAnswers, by: &Hotkey, id: &str| {
                            kept.commit(by, (id, on_chain), answer)
                        };
                        self.sealed(call.caller(), id, keep).await?
                    }
                }
            }
        };
        let model = engine.model();
        tracing::debug!(caller = %call.caller(), model = model.name.name, inputs = request.inputs.len(), "answered");
        self.receipts.answered(call.caller(), call.body_digest());
        Ok(Signable::whole(answer.try_into()?, model.digest))
    }

    /// Asks for what was committed to, off the reactor: it is on disk.
    async fn sealed<T: Send + 'static>(
        &self,
        caller: Hotkey,
        id: String,
        ask: impl FnOnce(&SealedAnswers, &Hotkey, &str) -> Result<T, SealingError> + Send + 'static,
    ) -> Result<T, ServiceFailure> {
        let sealed = self.sealed.clone();
        let asked = tokio::task::spawn_blocking(move || ask(&sealed, &caller, &id)).await;
        Ok(asked.map_err(|error| EngineError::Failed(error.to_string()))??)
    }

    /// As [`Self::infer`], piece by piece.
    async fn stream(
        &self,
        call: Authenticated<InferRequest>,
    ) -> Result<Signable<AnswerStream>, ServiceFailure> {
        let request = call.value();
        let offer = self.live.offer();
        let engine = offer.models.find(&request.model, &request.version)?;
        let stream = match offer.upstreams.behind(engine).cloned() {
            Some(upstream) => {
                let stream = upstream.guard(engine.stream(request)).await?;
                guarded(upstream, stream)
            }
            None => engine.stream(request).await?,
        };
        let model = engine.model();
        tracing::debug!(caller = %call.caller(), model = model.name.name, inputs = request.inputs.len(), "streaming");
        Ok(Signable::streamed(stream, model.digest))
    }

    /// Keeps the receipts that hold, and gives their number.
    async fn keep(&self, caller: Hotkey, messages: AcknowledgeRequest) -> Result<u32, Status> {
        if messages.acknowledgements.len() > ACKNOWLEDGEMENTS_MAX {
            return Err(Status::invalid_argument("too many acknowledgements"));
        }
        let read = messages.acknowledgements.into_iter().map(Acknowledgement::try_from);
        let Ok(told) = read.collect::<Result<Vec<_>, _>>() else {
            return Err(Status::invalid_argument("malformed acknowledgement"));
        };
        let receipts = self.receipts.clone();
        let keep = move || told.iter().map(|told| receipts.keep(&caller, told)).collect::<Vec<_>>();
        let kept = tokio::task::spawn_blocking(keep).await;
        let kept = kept.map_err(|_| Status::internal("internal error"))?;
        for outcome in &kept {
            metrics::receipt(outcome.is_ok());
            match outcome {
                Ok(()) => {}
                Err(error @ KeepError::Storage(_)) => tracing::warn!(%caller, %error, "a receipt is lost"),
                Err(error) => tracing::debug!(%caller, %error, "no receipt of ours"),
            }
        }
        Ok(u32::try_from(kept.iter().filter(|outcome| outcome.is_ok()).count()).unwrap_or(u32::MAX))
    }

    /// Refuses a proven caller, and tells our operator what may cost money.
    fn refuse(&self, caller: &Hotkey, failure: &ServiceFailure) -> Status {
        if let Some(reason) = failure.reason() {
            let mut why = failure.to_string();
            if let ServiceFailure::Engine(EngineError::NoModel { .. }) = failure {
                let offer = self.live.offer();
                let served: Vec<_> =
                    offer.models.engines().iter().map(|engine| &engine.model().name.name).collect();
                why.push_str(&format!("; this miner serves {served:?}: is it the task file's `model`?"));
            }
            // It may quote the caller.
            self.callers.refused(caller, true, reason, &shortened(&why));
        }
        refuse(failure)
    }

    fn description(&self) -> Description {
        let describe = |engine: &Arc<dyn Engine>| {
            let ServedModel { name, digest, kind, samplers, .. } = engine.model().clone();
            ModelDescription { name: name.name, version: name.version, digest, kind, samplers }
        };
        let models = &self.live.offer().models;
        Description {
            hotkey: self.hotkey,
            software: format!("{NAME} {VERSION}"),
            models: models.engines().iter().map(describe).collect(),
            limits: ServingLimits {
                request_bytes_max: self.limits.request_bytes_max as u64,
                items_max: models.items_max(),
                streams_max: self.limits.streams_per_connection_max,
                request_timeout: self.limits.request_timeout,
            },
        }
    }
}

/// The same pieces, as long as the server behind doesn't hang.
fn guarded(upstream: Arc<Upstream>, stream: AnswerStream) -> AnswerStream {
    Box::pin(stream::unfold(Some(stream), move |stream| {
        let upstream = upstream.clone();
        async move {
            let mut stream = stream?;
            let piece = upstream.guard(async { stream.next().await.transpose() }).await.transpose()?;
            let goes_on = piece.is_ok();
            Some((piece, goes_on.then_some(stream)))
        }
    }))
}

/// The request in a stream's body, which holds one frame and nothing behind it.
fn read_one(body: &bytes::Bytes) -> Result<InferRequest, ServiceFailure> {
    let message: ModelInferRequest = frame::decode(body)?;
    Ok(message.try_into()?)
}

/// A response that the signing layer will sign.
fn response<M>(answer: Signable<M>) -> Response<M> {
    let (message, extensions) = answer.into_parts();
    Response::from_parts(MetadataMap::new(), message, extensions)
}

fn stream_message(answer: Result<InferAnswer, EngineError>) -> Result<ModelStreamInferResponse, Status> {
    let answer = answer.map_err(|error| refuse(&error.into()))?;
    ModelStreamInferResponse::try_from(answer).map_err(|error| refuse(&error.into()))
}

#[tonic::async_trait]
impl GrpcInferenceService for MinerService {
    type ModelStreamInferStream =
        Pin<Box<dyn Stream<Item = Result<ModelStreamInferResponse, Status>> + Send>>;

    async fn server_live(
        &self,
        _: Request<ServerLiveRequest>,
    ) -> Result<Response<ServerLiveResponse>, Status> {
        Ok(Response::new(ServerLiveResponse { live: true }))
    }

    async fn server_ready(
        &self,
        _: Request<ServerReadyRequest>,
    ) -> Result<Response<ServerReadyResponse>, Status> {
        // Not ready while draining, so that a balancer sends nothing new to a miner that is about to stop.
        let ready = *self.ready.borrow() && !self.stop.is_cancelled();
        // The protocol's rule: a server is ready when all its models are.
        Ok(Response::new(ServerReadyResponse { ready: ready && self.live.offer().upstreams.all_answer() }))
    }

    async fn model_ready(
        &self,
        call: Request<ModelReadyRequest>,
    ) -> Result<Response<ModelReadyResponse>, Status> {
        let ModelReadyRequest { name, version } = call.into_inner();
        let offer = self.live.offer();
        let answers = |engine| offer.upstreams.behind(engine).is_none_or(|upstream| upstream.answers());
        let ready = !self.stop.is_cancelled() && offer.models.find(&name, &version).is_ok_and(answers);
        Ok(Response::new(ModelReadyResponse { ready }))
    }

    async fn server_metadata(
        &self,
        _: Request<ServerMetadataRequest>,
    ) -> Result<Response<ServerMetadataResponse>, Status> {
        let (name, version) = (NAME.to_owned(), VERSION.to_owned());
        Ok(Response::new(ServerMetadataResponse { name, version, extensions: vec![STREAMING.to_owned()] }))
    }

    async fn model_metadata(
        &self,
        call: Request<ModelMetadataRequest>,
    ) -> Result<Response<ModelMetadataResponse>, Status> {
        let ModelMetadataRequest { name, version } = call.into_inner();
        match self.live.offer().models.find(&name, &version) {
            Ok(engine) => Ok(Response::new(metadata(&engine.metadata().await))),
            Err(error) => Err(refuse(&error.into())),
        }
    }

    async fn model_config(
        &self,
        _: Request<ModelConfigRequest>,
    ) -> Result<Response<ModelConfigResponse>, Status> {
        Err(Status::unimplemented("see ModelMetadata"))
    }

    async fn model_infer(
        &self,
        mut call: Request<ModelInferRequest>,
    ) -> Result<Response<ModelInferResponse>, Status> {
        let evidence =
            Authenticated::take(call.extensions_mut()).ok_or_else(|| refuse(&ServiceFailure::Unsigned))?;
        // tonic decoded these from the verified bytes: the layer below puts them back in the body's place.
        let caller = evidence.caller();
        let answered = match evidence.try_map(|_| InferRequest::try_from(call.into_inner())) {
            Ok(verified) => self.infer(verified).await,
            Err(error) => Err(error.into()),
        };
        answered.map(response).map_err(|failure| self.refuse(&caller, &failure))
    }

    async fn model_stream_infer(
        &self,
        mut call: Request<Streaming<ModelInferRequest>>,
    ) -> Result<Response<Self::ModelStreamInferStream>, Status> {
        let evidence =
            Authenticated::take(call.extensions_mut()).ok_or_else(|| refuse(&ServiceFailure::Unsigned))?;
        // The verified bytes are the whole of the caller's stream; tonic's own reading of them isn't needed.
        let caller = evidence.caller();
        let refuse = |failure| self.refuse(&caller, &failure);
        let verified = evidence.try_map(|body| read_one(&body)).map_err(refuse)?;
        let answers = self.stream(verified).await.map_err(refuse)?;
        Ok(response(
            answers.map(|answers| -> Self::ModelStreamInferStream { Box::pin(answers.map(stream_message)) }),
        ))
    }
}

#[tonic::async_trait]
impl Miner for MinerService {
    async fn describe(&self, _: Request<DescribeRequest>) -> Result<Response<DescribeResponse>, Status> {
        Ok(Response::new(self.description().into()))
    }

    async fn acknowledge(
        &self,
        mut call: Request<AcknowledgeRequest>,
    ) -> Result<Response<AcknowledgeResponse>, Status> {
        let evidence = Authenticated::<bytes::Bytes>::take(call.extensions_mut())
            .ok_or_else(|| refuse(&ServiceFailure::Unsigned))?;
        let kept = self.keep(evidence.caller(), call.into_inner()).await?;
        // No model answers this.
        Ok(response(Signable::whole(AcknowledgeResponse { kept }, Digest::default())))
    }
}

fn metadata(model: &ServedModel) -> ModelMetadataResponse {
    // The protocol writes a dimension of any size as -1.
    let dimension = |size: &Option<u64>| size.and_then(|size| i64::try_from(size).ok()).unwrap_or(-1);
    let tensor = |spec: &TensorSpec| TensorMetadata {
        name: spec.name.clone(),
        datatype: spec.datatype.name().to_owned(),
        shape: spec.shape.iter().map(dimension).collect(),
    };
    ModelMetadataResponse {
        name: model.name.name.clone(),
        versions: vec![model.name.version.clone()],
        platform: NAME.to_owned(),
        inputs: model.inputs.iter().map(tensor).collect(),
        outputs: model.outputs.iter().map(tensor).collect(),
    }
}
