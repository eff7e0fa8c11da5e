//! A server of the Open Inference Protocol behind a model, and the metadata that it last told.

pub(crate) mod signature;

use std::collections::HashSet;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tonic::Code;
use tonic::transport::{Channel, Endpoint};
use weighhouse_proto::inference::grpc_inference_service_client::GrpcInferenceServiceClient;
use weighhouse_proto::inference::{ModelConfigRequest, ModelMetadataRequest};
use weighhouse_seams::{Clock, ClockExt as _};

use self::signature::Signature;
use crate::backend::error::{BackendError, Stage, shortened};
use crate::engine::generator::Paces;

/// Bytes of one message from the server.
const MESSAGE_BYTES_MAX: usize = 4 << 20;

/// A server and its model, and the deadlines that it is held to.
#[derive(Clone, Debug)]
pub struct Upstream {
    pub url: http::Uri,
    /// The model's name at the server.
    pub model: String,
    pub connect_timeout: Duration,
    /// The deadline of an unstreamed answer, and of the metadata.
    pub answer_timeout: Duration,
    pub paces: Paces,
}

/// What Triton says of a model besides its metadata.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Configuration {
    /// Answers only to `ModelStreamInfer`.
    pub(crate) decoupled: bool,
    /// Names of the inputs that may be left out.
    pub(crate) optional: HashSet<String>,
}

/// A connection to the server, made when it is first needed, and again when it broke.
#[derive(Debug)]
pub(crate) struct Remote {
    pub(crate) upstream: Upstream,
    channel: Channel,
    pub(crate) clock: Arc<dyn Clock>,
    /// `None` until the server has told it.
    pub(crate) signature: RwLock<Option<Arc<Signature>>>,
}

impl Remote {
    /// Must be called within a tokio runtime.
    pub(crate) fn new(upstream: Upstream, clock: Arc<dyn Clock>) -> Self {
        let endpoint = Endpoint::from(upstream.url.clone());
        let channel = endpoint.connect_timeout(upstream.connect_timeout).tcp_nodelay(true).connect_lazy();
        Self { upstream, channel, clock, signature: RwLock::default() }
    }

    pub(crate) fn client(&self) -> GrpcInferenceServiceClient<Channel> {
        // The same cap as for answers of our own: the signing layer would refuse more.
        GrpcInferenceServiceClient::new(self.channel.clone()).max_decoding_message_size(MESSAGE_BYTES_MAX)
    }

    /// Gives the metadata that was told before.
    pub(crate) fn known(&self) -> Option<Arc<Signature>> {
        self.signature.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Asks for the model's metadata; `None` of a server that has no such call.
    pub(crate) async fn learn(&self) -> Result<Option<Arc<Signature>>, BackendError> {
        let asked = ModelMetadataRequest { name: self.upstream.model.clone(), version: String::new() };
        let mut client = self.client();
        let asking = client.model_metadata(asked);
        let answered = self.clock.timeout(self.upstream.answer_timeout, asking).await;
        let metadata = match answered.map_err(|_| BackendError::Slow(Stage::Whole))? {
            Ok(response) => response.into_inner(),
            // The call is optional in the protocol; a server without it is used as it is.
            Err(status) if status.code() == Code::Unimplemented => return Ok(None),
            // Triton's word for a model that it hasn't loaded yet.
            Err(status) if status.message().contains("no available versions") => {
                return Err(BackendError::Unreachable(shortened(status.message())));
            }
            Err(status) if status.code() == Code::NotFound => {
                let Upstream { url, model, .. } = &self.upstream;
                return Err(BackendError::Misconfigured(format!(
                    "{url} has no model {model:?}; check `model` and `url` of this [[model]]"
                )));
            }
            Err(status) => return Err(BackendError::from(&status)),
        };
        let signature = Signature::read(&metadata)
            .map_err(|why| BackendError::Malformed(shortened(&format!("its metadata: {why}"))))?;
        let signature = Arc::new(signature);
        // The lock isn't held while asking: two callers may both ask, and either answer is fresh.
        *self.signature.write().unwrap_or_else(PoisonError::into_inner) = Some(signature.clone());
        Ok(Some(signature))
    }

    /// The metadata that is known, or else is asked for now.
    pub(crate) async fn signature(&self) -> Result<Option<Arc<Signature>>, BackendError> {
        match self.known() {
            Some(signature) => Ok(Some(signature)),
            None => self.learn().await,
        }
    }

    /// Asks for the model's configuration; `None` of a server that has no such call or doesn't tell.
    pub(crate) async fn configuration(&self) -> Option<Configuration> {
        let asked = ModelConfigRequest { name: self.upstream.model.clone(), version: String::new() };
        let mut client = self.client();
        let asking = client.model_config(asked);
        let told = self.clock.timeout(self.upstream.answer_timeout, asking).await.ok()?.ok()?;
        let config = told.into_inner().config?;
        let optional = config.input.into_iter().filter(|input| input.optional).map(|input| input.name);
        let decoupled = config.model_transaction_policy.is_some_and(|policy| policy.decoupled);
        Some(Configuration { decoupled, optional: optional.collect() })
    }
}
