//! A server of the Open Inference Protocol for tests and benchmarks, of which only what is needed must be written.

use std::pin::Pin;

use tonic::codegen::tokio_stream::Stream;
use tonic::{Request, Response, Status, Streaming};

use crate::inference::grpc_inference_service_server::{GrpcInferenceService, GrpcInferenceServiceServer};
use crate::inference::{
    ModelConfigRequest, ModelConfigResponse, ModelInferRequest, ModelInferResponse, ModelMetadataRequest,
    ModelMetadataResponse, ModelReadyRequest, ModelReadyResponse, ModelStreamInferResponse,
    ServerLiveRequest, ServerLiveResponse, ServerMetadataRequest, ServerMetadataResponse, ServerReadyRequest,
    ServerReadyResponse,
};

/// The messages of a streamed answer.
pub type InferStream = Pin<Box<dyn Stream<Item = Result<ModelStreamInferResponse, Status>> + Send>>;

/// The calls of the protocol that concern one model; those that aren't written are unimplemented.
#[tonic::async_trait]
pub trait FakeInference: Send + Sync + 'static {
    async fn metadata(&self, _: ModelMetadataRequest) -> Result<ModelMetadataResponse, Status> {
        Err(unwritten())
    }

    async fn config(&self, _: ModelConfigRequest) -> Result<ModelConfigResponse, Status> {
        Err(unwritten())
    }

    async fn infer(&self, _: ModelInferRequest) -> Result<ModelInferResponse, Status> {
        Err(unwritten())
    }

    async fn stream(&self, _: Streaming<ModelInferRequest>) -> Result<InferStream, Status> {
        Err(unwritten())
    }
}

/// A fake as a service that a `tonic` server takes.
pub fn service<F: FakeInference>(fake: F) -> GrpcInferenceServiceServer<FakeServer<F>> {
    GrpcInferenceServiceServer::new(FakeServer(fake))
}

fn unwritten() -> Status {
    Status::unimplemented("not part of this fake")
}

/// The protocol's service over a [`FakeInference`].
#[derive(Debug)]
pub struct FakeServer<F>(F);

#[tonic::async_trait]
impl<F: FakeInference> GrpcInferenceService for FakeServer<F> {
    type ModelStreamInferStream = InferStream;

    async fn server_live(
        &self,
        _: Request<ServerLiveRequest>,
    ) -> Result<Response<ServerLiveResponse>, Status> {
        Err(unwritten())
    }

    async fn server_ready(
        &self,
        _: Request<ServerReadyRequest>,
    ) -> Result<Response<ServerReadyResponse>, Status> {
        Err(unwritten())
    }

    async fn model_ready(
        &self,
        _: Request<ModelReadyRequest>,
    ) -> Result<Response<ModelReadyResponse>, Status> {
        Err(unwritten())
    }

    async fn server_metadata(
        &self,
        _: Request<ServerMetadataRequest>,
    ) -> Result<Response<ServerMetadataResponse>, Status> {
        Err(unwritten())
    }

    async fn model_metadata(
        &self,
        call: Request<ModelMetadataRequest>,
    ) -> Result<Response<ModelMetadataResponse>, Status> {
        self.0.metadata(call.into_inner()).await.map(Response::new)
    }

    async fn model_config(
        &self,
        call: Request<ModelConfigRequest>,
    ) -> Result<Response<ModelConfigResponse>, Status> {
        self.0.config(call.into_inner()).await.map(Response::new)
    }

    async fn model_infer(
        &self,
        call: Request<ModelInferRequest>,
    ) -> Result<Response<ModelInferResponse>, Status> {
        self.0.infer(call.into_inner()).await.map(Response::new)
    }

    async fn model_stream_infer(
        &self,
        call: Request<Streaming<ModelInferRequest>>,
    ) -> Result<Response<InferStream>, Status> {
        self.0.stream(call.into_inner()).await.map(Response::new)
    }
}
