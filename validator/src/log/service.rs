//! `WitnessService`: what another validator asks of us as a witness.

use std::sync::Arc;

use bytes::Bytes;
use tonic::{Request, Response, Status, async_trait};
use tracing::debug;
use weighhouse_proto::CosignAsked;
use weighhouse_proto::v1::witness_service_server::WitnessService;
use weighhouse_proto::v1::{
    CosignRequest, CosignResponse, Cosignature, NewestRequest, NewestResponse, WitnessedLog, cosign_response,
};
use weighhouse_seams::{CpuPool, PoolError};
use weighhouse_types::Hotkey;
use weighhouse_wallet::http::Authenticated;

use super::book::{WitnessBook, WitnessRefusal, Witnessing};
use crate::metrics;

/// Logs in one answer: a subnet has as many validators at most.
pub(crate) const NEWEST_LOGS_MAX: usize = 256;

#[derive(Clone, Debug)]
pub(crate) struct Witness {
    pub(crate) book: Arc<WitnessBook>,
    /// Verifies signatures, and waits for the disk.
    pub(crate) cpu: CpuPool,
}

impl Witness {
    async fn on_cpu<T: Send + 'static>(
        &self,
        work: impl FnOnce(&WitnessBook) -> Result<T, WitnessRefusal> + Send + 'static,
    ) -> Result<T, Status> {
        let book = self.book.clone();
        match self.cpu.run(move || work(&book)).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(refusal)) => Err(refused(&refusal)),
            Err(PoolError::Full) => Err(Status::resource_exhausted("overloaded")),
            Err(PoolError::Panicked) => Err(Status::internal("internal error")),
        }
    }

    async fn witness(&self, caller: Hotkey, asked: CosignRequest) -> Result<CosignResponse, Status> {
        let asked = CosignAsked::try_from(asked);
        let asked = asked.map_err(|_| Status::invalid_argument("the request contradicts itself"))?;
        let outcome = match self.on_cpu(move |book| book.cosign(caller, &asked)).await? {
            Witnessing::Cosigned { key, line } => {
                cosign_response::Outcome::Cosignature(Cosignature { key: Some(key.into()), line })
            }
            Witnessing::Held(held) => cosign_response::Outcome::Held(held),
        };
        Ok(CosignResponse { outcome: Some(outcome) })
    }
}

/// Short and constant, as everything that strangers are told.
fn refused(why: &WitnessRefusal) -> Status {
    match why {
        WitnessRefusal::Elsewhere => Status::invalid_argument("another subnet or mechanism"),
        WitnessRefusal::OtherHotkey | WitnessRefusal::Certificate(_) => {
            Status::permission_denied("the key is not the caller's")
        }
        WitnessRefusal::Note(_) | WitnessRefusal::Origin => {
            Status::invalid_argument("no checkpoint of this log")
        }
        WitnessRefusal::Proof(_) => Status::failed_precondition("no growth of what was witnessed before"),
        WitnessRefusal::Forked => {
            Status::failed_precondition("another checkpoint of this size was witnessed")
        }
        WitnessRefusal::Superseded => {
            Status::failed_precondition("a later log of this hotkey was witnessed before")
        }
        WitnessRefusal::OtherEpoch => {
            Status::failed_precondition("a new log begins with the epoch that the chain is in")
        }
        WitnessRefusal::Folder(error) => {
            debug!(%error, "what was witnessed can't be read or written");
            Status::internal("internal error")
        }
    }
}

fn caller<T>(call: &mut Request<T>) -> Result<Hotkey, Status> {
    let proof = Authenticated::<Bytes>::take(call.extensions_mut());
    proof.map(|proof| proof.caller()).ok_or_else(|| Status::unauthenticated("unsigned request"))
}

#[async_trait]
impl WitnessService for Witness {
    async fn cosign(&self, mut call: Request<CosignRequest>) -> Result<Response<CosignResponse>, Status> {
        let caller = caller(&mut call)?;
        let answer = self.witness(caller, call.into_inner()).await;
        metrics::witnessed(answer.as_ref().map_or_else(Status::code, |_| tonic::Code::Ok));
        debug!(%caller, ?answer, "asked to witness a checkpoint");
        answer.map(Response::new)
    }

    async fn newest(&self, mut call: Request<NewestRequest>) -> Result<Response<NewestResponse>, Status> {
        caller(&mut call)?;
        let logs = self.on_cpu(|book| Ok(book.newest(NEWEST_LOGS_MAX)?)).await?;
        let logs = logs.into_iter();
        let logs = logs.map(|(key, checkpoint)| WitnessedLog { key: Some(key.into()), checkpoint }).collect();
        Ok(Response::new(NewestResponse { logs, witness: Some(self.book.key().clone().into()) }))
    }
}
