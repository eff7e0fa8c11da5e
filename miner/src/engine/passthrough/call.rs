//! One request to the server behind, and its answer under our own names.

use std::sync::Arc;

use weighhouse_proto::inference::{ModelInferRequest, ModelInferResponse};
use weighhouse_seams::ClockExt as _;
use weighhouse_types::InferAnswer;

use crate::backend::error::{BackendError, Stage, shortened};
use crate::engine::served::ModelName;
use crate::remote::Remote;
use crate::remote::signature::Signature;

/// One request on its way, and the names that its answer carries besides the tensors.
pub(super) struct UpstreamCall {
    pub(super) remote: Arc<Remote>,
    pub(super) message: ModelInferRequest,
    pub(super) model: ModelName,
    pub(super) id: String,
    pub(super) outputs: Vec<String>,
}

impl UpstreamCall {
    /// Asks for the whole answer.
    pub(super) async fn whole(&self) -> Result<InferAnswer, BackendError> {
        let mut client = self.remote.client();
        let asking = client.model_infer(self.message.clone());
        let answered = self.remote.clock.timeout(self.remote.upstream.answer_timeout, asking).await;
        let response = answered.map_err(|_| BackendError::Slow(Stage::Whole))?;
        let answer = self.read(response.map_err(|status| BackendError::from(&status))?.into_inner()).await?;
        let missing = self.outputs.iter().find(|name| answer.output(name).is_err());
        match missing {
            Some(name) => Err(BackendError::Malformed(format!("no output {name:?}, which was asked for"))),
            None => Ok(answer),
        }
    }

    /// Reads an answer under our own names. One that no longer fits the metadata is held to metadata asked for anew.
    pub(super) async fn read(&self, response: ModelInferResponse) -> Result<InferAnswer, BackendError> {
        let malformed = |why: String| BackendError::Malformed(shortened(&why));
        let answer = InferAnswer::try_from(response).map_err(|error| malformed(error.to_string()))?;
        let unfit = |signature: Arc<Signature>| signature.check_outputs(&answer.outputs).is_err();
        // A server that was redeployed may have changed its model's outputs; one more question tells.
        if self.remote.known().is_some_and(unfit) {
            tracing::info!(
                model = self.model.name,
                "the backend's answer doesn't fit its metadata; asking for it again"
            );
            if let Some(signature) = self.remote.learn().await? {
                signature.check_outputs(&answer.outputs).map_err(malformed)?;
            }
        }
        // Our name and id, not the server's: the caller asked for a model of ours.
        let ModelName { name: model, version } = self.model.clone();
        Ok(InferAnswer { model, version, id: self.id.clone(), outputs: answer.outputs })
    }
}
