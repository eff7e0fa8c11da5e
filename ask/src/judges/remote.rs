//! One judge: a call, its deadline, and the check that it is the judge that the task file pins.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tonic::transport::Channel;
use tonic::{Code, Response, Status};
use weighhouse_proto::JudgeMessageError;
use weighhouse_proto::v1;
use weighhouse_proto::v1::judge_service_client::JudgeServiceClient;
use weighhouse_seams::{Clock, ClockExt as _};
use weighhouse_types::{JudgeDescription, JudgeTerms};

use super::address::JudgeAddress;
use super::channel::{JudgeDialing, channel};
use super::error::JudgeError;

/// Longest account of a failure that is repeated.
const WHY_CHARS_MAX: usize = 300;

/// A judge at one address.
#[derive(Clone, Debug)]
pub(super) struct RemoteJudge {
    client: JudgeServiceClient<Channel>,
    address: String,
    deadline: Duration,
    clock: Arc<dyn Clock>,
    /// It was last found away, slow or another, and this was told.
    is_out: Arc<AtomicBool>,
}

impl RemoteJudge {
    pub(super) fn new(
        address: &JudgeAddress,
        deadline: Duration,
        bytes_max: usize,
        dialing: &JudgeDialing,
    ) -> Self {
        let client = JudgeServiceClient::new(channel(address, dialing))
            .max_decoding_message_size(bytes_max)
            .max_encoding_message_size(bytes_max);
        Self {
            client,
            address: address.to_string(),
            deadline,
            clock: Arc::clone(&dialing.clock),
            is_out: Arc::default(),
        }
    }

    /// Takes note that it takes part, and tells it where it didn't before.
    pub(super) fn is_in(&self) {
        if self.is_out.swap(false, Ordering::Relaxed) {
            tracing::info!(address = self.address, "a judge is back");
        }
    }

    /// Takes note that it takes no part, and tells it once.
    pub(super) fn is_out(&self, error: &JudgeError) {
        if !self.is_out.swap(true, Ordering::Relaxed) {
            tracing::warn!(%error, "a judge is left out");
        }
    }

    /// Asks the judge who it is. Before every batch of work, since it may have been started anew with other files.
    pub(super) async fn describe(&self, terms: &JudgeTerms) -> Result<JudgeDescription, JudgeError> {
        let asking = |mut client: JudgeServiceClient<Channel>| async move {
            client.describe(v1::JudgeServiceDescribeRequest {}).await
        };
        let message = self.call(asking).await?;
        let description = JudgeDescription::try_from(message).map_err(|source| self.wrong(source))?;
        let (pinned, actual) = (terms.digest, description.digest);
        if actual != pinned {
            return Err(JudgeError::OtherJudge { address: self.address.clone(), pinned, actual });
        }
        let pairs = [
            ("version", terms.version.to_string(), description.version.to_string()),
            ("testifies", terms.testifies.to_string(), description.testifies.to_string()),
            ("together", terms.together.to_string(), description.together.to_string()),
            ("resolves", terms.resolves.to_string(), description.resolves.to_string()),
            ("exchanges", terms.exchanges.to_string(), description.exchanges.to_string()),
        ];
        match pairs.into_iter().find(|(_, expected, actual)| expected != actual) {
            Some((key, expected, actual)) => {
                Err(JudgeError::OtherTerms { address: self.address.clone(), key, expected, actual })
            }
            None => Ok(description),
        }
    }

    pub(super) async fn call<T, F>(
        &self,
        call: impl FnOnce(JudgeServiceClient<Channel>) -> F,
    ) -> Result<T, JudgeError>
    where
        T: Send,
        F: Future<Output = Result<Response<T>, Status>> + Send,
    {
        let address = self.address.clone();
        match self.clock.timeout(self.deadline, call(self.client.clone())).await {
            Ok(Ok(response)) => Ok(response.into_inner()),
            Ok(Err(status)) => Err(failed(address, &status)),
            Err(_) => Err(JudgeError::Slow { address, deadline: self.deadline }),
        }
    }

    pub(super) fn wrong(&self, source: JudgeMessageError) -> JudgeError {
        JudgeError::Wrong { address: self.address.clone(), source }
    }

    /// A result for every question, each read into a value.
    pub(super) fn each<M, T>(&self, expected: usize, messages: Vec<M>) -> Result<Vec<T>, JudgeError>
    where
        T: TryFrom<M, Error = JudgeMessageError>,
    {
        self.counted(expected, messages.len())?;
        messages
            .into_iter()
            .map(|message| T::try_from(message).map_err(|source| self.wrong(source)))
            .collect()
    }

    pub(super) fn counted(&self, expected: usize, actual: usize) -> Result<(), JudgeError> {
        if expected == actual {
            return Ok(());
        }
        Err(JudgeError::Count { address: self.address.clone(), expected, actual })
    }
}

fn failed(address: String, status: &Status) -> JudgeError {
    let why: String = status.message().chars().take(WHY_CHARS_MAX).collect();
    match status.code() {
        Code::Unavailable => JudgeError::Unreachable { address, why },
        Code::Internal if !why.is_empty() => JudgeError::Failed { address, why },
        code => JudgeError::Failed { address, why: format!("{code:?}: {why}") },
    }
}
