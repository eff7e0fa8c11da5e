//! The service's handlers: a message in, the ledger's word out.

use std::sync::Arc;
use std::time::Duration;

use parity_scale_codec::Encode;
use tokio::sync::watch;
use tonic::metadata::MetadataValue;
use tonic::{Request, Response, Status, async_trait};
use weighhouse_proto::v1::{self, chain_server::Chain, outcome_response};
use weighhouse_proto::{ChainMessageError, bytes32, narrow};
use weighhouse_types::{Block, Coldkey, Hotkey, MechId, Netuid, Uid};

use super::{EVENTS_BYTES_MAX, EVENTS_HEADER, GENESIS_HEADER};
use crate::ledger::{Ledger, Snapshot};
use crate::{CallOutcome, Chain as _, ChainError};

type Reply<T> = Result<Response<T>, Status>;

#[derive(Debug)]
pub(super) struct LedgerService {
    ledger: Ledger,
    next_block_wait: Duration,
    stopping: watch::Receiver<bool>,
}

impl LedgerService {
    pub(super) fn new(ledger: Ledger, next_block_wait: Duration, stopping: watch::Receiver<bool>) -> Self {
        Self { ledger, next_block_wait, stopping }
    }

    fn reply<T>(&self, message: T) -> Reply<T> {
        let mut response = Response::new(message);
        let genesis = self.ledger.genesis().to_string();
        let genesis = genesis.parse().expect("hexadecimal digits are ASCII");
        response.metadata_mut().insert(GENESIS_HEADER, genesis);
        Ok(response)
    }

    async fn row(&self, row: v1::RowRequest, bonds: bool) -> Reply<v1::RowResponse> {
        let netuid = Netuid(narrow("netuid", row.netuid).map_err(bad)?);
        let mechanism = MechId(narrow("mechanism", row.mechanism).map_err(bad)?);
        let uid = Uid(narrow("uid", row.uid).map_err(bad)?);
        let row = match bonds {
            true => self.ledger.bonds(netuid, mechanism, uid).await,
            false => self.ledger.weights(netuid, mechanism, uid).await,
        };
        self.reply(row.map_err(status)?.into())
    }
}

#[async_trait]
impl Chain for LedgerService {
    async fn describe(&self, _: Request<v1::ChainDescribeRequest>) -> Reply<v1::ChainDescribeResponse> {
        let block_time = self.ledger.block_time().unwrap_or_default();
        self.reply(v1::ChainDescribeResponse {
            genesis: self.ledger.genesis().0.to_vec(),
            name: self.ledger.name().to_owned(),
            block_time_ms: u64::try_from(block_time.as_millis()).unwrap_or(u64::MAX),
        })
    }

    async fn head(&self, _: Request<v1::HeadRequest>) -> Reply<v1::HeadResponse> {
        self.reply(head(&self.ledger.newest()))
    }

    async fn next_block(&self, request: Request<v1::NextBlockRequest>) -> Reply<v1::HeadResponse> {
        let after = Block(request.into_inner().after);
        let clock = Arc::clone(&self.ledger.0.clock);
        let mut stopping = self.stopping.clone();
        tokio::select! {
            newer = self.ledger.next_block(after) => {
                newer.map_err(status)?;
            }
            () = clock.sleep(self.next_block_wait) => {}
            // Else a call that waits for a block would hold up the server's end.
            _ = stopping.wait_for(|stop| *stop) => return Err(Status::unavailable("shutting down")),
        }
        self.reply(head(&self.ledger.newest()))
    }

    async fn subnet(&self, request: Request<v1::SubnetRequest>) -> Reply<v1::SubnetResponse> {
        let netuid = Netuid(narrow("netuid", request.into_inner().netuid).map_err(bad)?);
        self.reply(self.ledger.subnet(netuid).await.map_err(status)?.into())
    }

    async fn beacon(&self, request: Request<v1::BeaconRequest>) -> Reply<v1::BeaconResponse> {
        let beacon = self.ledger.beacon(Block(request.into_inner().block)).await.map_err(status)?;
        let mut reply =
            self.reply(v1::BeaconResponse { block: beacon.block.0, value: beacon.value.0.to_vec() })?;
        // Of blocks that are kept; a beacon is known of all.
        let events = self.ledger.hook_events(beacon.block).await.ok().map(|events| events.encode());
        if let Some(events) = events.filter(|events| events.len() <= EVENTS_BYTES_MAX) {
            reply.metadata_mut().insert_bin(EVENTS_HEADER, MetadataValue::from_bytes(&events));
        }
        Ok(reply)
    }

    async fn weights(&self, request: Request<v1::RowRequest>) -> Reply<v1::RowResponse> {
        self.row(request.into_inner(), false).await
    }

    async fn bonds(&self, request: Request<v1::RowRequest>) -> Reply<v1::RowResponse> {
        self.row(request.into_inner(), true).await
    }

    async fn neuron_certificate(
        &self,
        request: Request<v1::NeuronCertificateRequest>,
    ) -> Reply<v1::NeuronCertificateResponse> {
        let request = request.into_inner();
        let netuid = Netuid(narrow("netuid", request.netuid).map_err(bad)?);
        let hotkey = Hotkey(bytes32("hotkey", &request.hotkey).map_err(bad)?);
        let certificate = self.ledger.certificate(netuid, hotkey).await.map_err(status)?;
        self.reply(v1::NeuronCertificateResponse { certificate: certificate.map(Into::into) })
    }

    async fn balance(&self, request: Request<v1::BalanceRequest>) -> Reply<v1::BalanceResponse> {
        let coldkey = Coldkey(bytes32("coldkey", &request.into_inner().coldkey).map_err(bad)?);
        let balance = self.ledger.balance(coldkey).await.map_err(status)?;
        self.reply(v1::BalanceResponse { balance: balance.0 })
    }

    async fn registration_price(
        &self,
        request: Request<v1::RegistrationPriceRequest>,
    ) -> Reply<v1::RegistrationPriceResponse> {
        let netuid = Netuid(narrow("netuid", request.into_inner().netuid).map_err(bad)?);
        let price = self.ledger.burn(netuid).await.map_err(status)?;
        self.reply(v1::RegistrationPriceResponse { price: price.0 })
    }

    async fn mechanisms(&self, request: Request<v1::MechanismsRequest>) -> Reply<v1::MechanismsResponse> {
        let netuid = Netuid(narrow("netuid", request.into_inner().netuid).map_err(bad)?);
        self.reply(self.ledger.mechanisms(netuid).await.map_err(status)?.into())
    }

    async fn mechanism(&self, request: Request<v1::MechanismRequest>) -> Reply<v1::MechanismResponse> {
        let request = request.into_inner();
        let netuid = Netuid(narrow("netuid", request.netuid).map_err(bad)?);
        let mechanism = MechId(narrow("mechanism", request.mechanism).map_err(bad)?);
        self.reply(self.ledger.mechanism(netuid, mechanism).await.map_err(status)?.into())
    }

    async fn weight_commits(
        &self,
        request: Request<v1::WeightCommitsRequest>,
    ) -> Reply<v1::WeightCommitsResponse> {
        let request = request.into_inner();
        let netuid = Netuid(narrow("netuid", request.netuid).map_err(bad)?);
        let mechanism = MechId(narrow("mechanism", request.mechanism).map_err(bad)?);
        let hotkey = Hotkey(bytes32("hotkey", &request.hotkey).map_err(bad)?);
        let commits = self.ledger.commits(netuid, mechanism, hotkey).await.map_err(status)?;
        self.reply(v1::WeightCommitsResponse { commits: commits.into_iter().map(Into::into).collect() })
    }

    async fn timelock(&self, _: Request<v1::TimelockRequest>) -> Reply<v1::TimelockResponse> {
        self.reply(self.ledger.timelock().await.map_err(status)?.into())
    }

    async fn pulse(&self, request: Request<v1::PulseRequest>) -> Reply<v1::PulseResponse> {
        let signature = self.ledger.pulse(request.into_inner().round).await.map_err(status)?;
        self.reply(v1::PulseResponse { signature: signature.map(Vec::from) })
    }

    async fn commitment(&self, request: Request<v1::NeuronRequest>) -> Reply<v1::CommitmentResponse> {
        let (netuid, hotkey) = neuron(request)?;
        let commitment = self.ledger.commitment(netuid, hotkey).await.map_err(status)?;
        self.reply(v1::CommitmentResponse { commitment: commitment.map(Into::into) })
    }

    async fn commitment_at(
        &self,
        request: Request<v1::CommitmentAtRequest>,
    ) -> Reply<v1::CommitmentResponse> {
        let request = request.into_inner();
        let netuid = Netuid(narrow("netuid", request.netuid).map_err(bad)?);
        let hotkey = Hotkey(bytes32("hotkey", &request.hotkey).map_err(bad)?);
        let commitment = self.ledger.commitment_at(netuid, hotkey, Block(request.block)).await;
        self.reply(v1::CommitmentResponse { commitment: commitment.map_err(status)?.map(Into::into) })
    }

    async fn prometheus(&self, request: Request<v1::NeuronRequest>) -> Reply<v1::PrometheusResponse> {
        let (netuid, hotkey) = neuron(request)?;
        let endpoint = self.ledger.prometheus(netuid, hotkey).await.map_err(status)?;
        self.reply(v1::PrometheusResponse { endpoint: endpoint.map(Into::into) })
    }

    async fn delegation(&self, request: Request<v1::NeuronRequest>) -> Reply<v1::DelegationResponse> {
        let (netuid, hotkey) = neuron(request)?;
        let delegation = self.ledger.delegation(netuid, hotkey).await.map_err(status)?;
        self.reply(v1::DelegationResponse { delegation: delegation.map(Into::into) })
    }

    async fn next_nonce(&self, request: Request<v1::NextNonceRequest>) -> Reply<v1::NextNonceResponse> {
        let account = bytes32("account", &request.into_inner().account).map_err(bad)?;
        let (nonce, head) = self.ledger.0.next_nonce(&account);
        self.reply(v1::NextNonceResponse { nonce, head: head.0 })
    }

    async fn submit(&self, request: Request<v1::SubmitRequest>) -> Reply<v1::SubmitResponse> {
        let bytes = request.into_inner().extrinsic;
        self.ledger.submit_bytes(bytes).await.map_err(status)?;
        self.reply(v1::SubmitResponse {})
    }

    async fn outcome(&self, request: Request<v1::OutcomeRequest>) -> Reply<v1::OutcomeResponse> {
        let bytes = request.into_inner().extrinsic;
        let outcome = match self.ledger.outcome_of(bytes).await.map_err(status)? {
            CallOutcome::Pending => outcome_response::Outcome::Pending(outcome_response::Pending {}),
            CallOutcome::Expired => outcome_response::Outcome::Expired(outcome_response::Expired {}),
            CallOutcome::Included { block, events } => {
                let events = events.iter().map(Encode::encode).collect();
                outcome_response::Outcome::Included(outcome_response::Included { block: block.0, events })
            }
            CallOutcome::Refused { block, refusal } => {
                let (message, refusal) = (refusal.to_string(), refusal.encode());
                outcome_response::Outcome::Refused(outcome_response::Refused {
                    block: block.0,
                    refusal,
                    message,
                })
            }
        };
        self.reply(v1::OutcomeResponse { outcome: Some(outcome) })
    }
}

fn head(snapshot: &Snapshot) -> v1::HeadResponse {
    const NANOS: u64 = 1_000_000_000;
    let time = snapshot.header.time;
    v1::HeadResponse {
        number: snapshot.head.number.0,
        hash: snapshot.head.hash.0.to_vec(),
        time: Some(prost_types::Timestamp {
            seconds: i64::try_from(time / NANOS).unwrap_or(i64::MAX),
            nanos: i32::try_from(time % NANOS).unwrap_or(0),
        }),
    }
}

fn neuron(request: Request<v1::NeuronRequest>) -> Result<(Netuid, Hotkey), Status> {
    let v1::NeuronRequest { netuid, hotkey } = request.into_inner();
    Ok((Netuid(narrow("netuid", netuid).map_err(bad)?), Hotkey(bytes32("hotkey", &hotkey).map_err(bad)?)))
}

fn bad(error: ChainMessageError) -> Status {
    Status::invalid_argument(error.to_string())
}

/// The one place where the ledger's errors become codes; the details of our own failures go to our log.
fn status(error: ChainError) -> Status {
    match error {
        ChainError::NoSubnet(_) => Status::not_found(error.to_string()),
        ChainError::NoBlock { .. } => Status::out_of_range(error.to_string()),
        ChainError::NotAccepted(why) => Status::failed_precondition(why),
        ChainError::Unreachable { why, .. } => Status::unavailable(why),
        error => {
            tracing::error!(%error, "the ledger failed");
            Status::internal("the ledger failed")
        }
    }
}
