//! The methods: a caller's hotkey in, its statement out, signed; or whether its axon answers.

use std::sync::Arc;

use bytes::Bytes;
use tonic::{Code, Request, Response, Status, async_trait};
use tracing::{debug, error};
use weighhouse_proto::v1::verdicts_service_server::VerdictsService;
use weighhouse_proto::v1::{ExplainRequest, ExplainResponse, ReachRequest, ReachResponse};
use weighhouse_proto::{encode_statement, statement_digest};
use weighhouse_scoring::path::PathError;
use weighhouse_seams::{CpuPool, PoolError};
use weighhouse_types::{Epoch, Hotkey, Netuid, PayStatement};
use weighhouse_wallet::http::Authenticated;
use weighhouse_wallet::keypair::Keypair;

use super::find::{FindError, Miner, Which, find};
use super::reach::Reacher;
use super::shelf::{Shelf, ShelfError};
use crate::metrics;

/// What the service answers from.
#[derive(Clone, Debug)]
pub(super) struct Verdicts {
    pub(super) shelf: Shelf,
    pub(super) netuid: Netuid,
    pub(super) keypair: Arc<Keypair>,
    /// Reads files and replays epochs, one at a time: a large epoch is in memory once.
    pub(super) cpu: CpuPool,
    pub(super) reacher: Arc<Reacher>,
}

impl Verdicts {
    async fn explain(&self, caller: Hotkey, asked: ExplainRequest) -> Result<ExplainResponse, Status> {
        if asked.netuid != u32::from(self.netuid.0) {
            return Err(Status::invalid_argument("another subnet"));
        }
        let which = match asked.epoch {
            Some(epoch) => Which::ThisIfPublished(Epoch(epoch)),
            None => Which::NewestPublished,
        };
        let (shelf, keypair) = (self.shelf.clone(), self.keypair.clone());
        let finding = self.cpu.run(move || {
            find(&shelf, Miner::Hotkey(caller), which).map(|statement| signed(&keypair, statement))
        });
        match finding.await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(why)) => Err(refused(&why)),
            Err(PoolError::Full) => Err(Status::resource_exhausted("overloaded")),
            Err(PoolError::Panicked) => Err(Status::internal("internal error")),
        }
    }
}

fn signed(keypair: &Keypair, statement: PayStatement) -> ExplainResponse {
    let statement = encode_statement(statement);
    let signature = keypair.sign(statement_digest(&statement).as_bytes()).to_vec();
    ExplainResponse { statement, signature }
}

/// Short and constant, as everything that strangers are told.
fn refused(why: &FindError<ShelfError>) -> Status {
    match why {
        FindError::NoEpoch { .. } => Status::not_found("no such epoch here"),
        FindError::NotPublic { .. } | FindError::NonePublic => {
            Status::failed_precondition("the weights of this epoch are not public yet")
        }
        FindError::NotRegistered { .. } => Status::not_found("not registered when the epoch was opened"),
        FindError::Path(PathError::Unknown { .. }) => Status::not_found("not judged in this epoch"),
        FindError::Path(PathError::Weigh(_)) | FindError::Read(_) => {
            error!(error = %why, "a statement can't be made of the journal");
            Status::internal("internal error")
        }
    }
}

#[async_trait]
impl VerdictsService for Verdicts {
    async fn explain(&self, mut call: Request<ExplainRequest>) -> Result<Response<ExplainResponse>, Status> {
        // The layer before has put it there, or has refused the request.
        let Some(proof) = Authenticated::<Bytes>::take(call.extensions_mut()) else {
            return Err(Status::unauthenticated("unsigned request"));
        };
        let caller = proof.caller();
        let answer = self.explain(caller, call.into_inner()).await;
        let code = answer.as_ref().map_or_else(Status::code, |_| Code::Ok);
        metrics::explained(code);
        debug!(%caller, ?code, "asked for its verdicts");
        answer.map(Response::new)
    }

    async fn reach(&self, mut call: Request<ReachRequest>) -> Result<Response<ReachResponse>, Status> {
        let Some(proof) = Authenticated::<Bytes>::take(call.extensions_mut()) else {
            return Err(Status::unauthenticated("unsigned request"));
        };
        let caller = proof.caller();
        let answer = self.reacher.reach(caller, call.into_inner()).await;
        metrics::reached(answer.as_ref().map_or_else(Status::code, |_| Code::Ok));
        debug!(%caller, ?answer, "asked whether it can be reached");
        answer.map(Response::new)
    }
}
