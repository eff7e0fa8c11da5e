//! A ledger on another host, as a [`Chain`].
//!
//! **Invariant.** Every call has a deadline, a half-open connection is noticed by keepalive, and no answer of a chain
//! with another genesis than the pinned one is believed. Keys stay here: only signed bytes travel.

mod connect;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parity_scale_codec::DecodeAll;
use tonic::transport::Channel;
use tonic::{Code, Response, Status};
use weighhouse_proto::v1::chain_client::ChainClient;
use weighhouse_proto::v1::{self, outcome_response};
use weighhouse_proto::{ChainMessageError, bytes32};
use weighhouse_seams::{Clock, ClockExt as _, Dialer};
use weighhouse_types::{
    Axon, Beacon, Block, Certificate, Coldkey, Commitment, Delegation, Digest, Head, Hotkey, MechId,
    MechanismRows, Mechanisms, Netuid, Rao, SubnetState, Timelock, Uid, WeightCommit,
};
use weighhouse_wallet::keypair::Keypair;

use super::extrinsic;
use super::serve::{EVENTS_HEADER, GENESIS_HEADER};
use super::staking::{ALPHA_PRICE, EXISTENTIAL_DEPOSIT, FEE};
use crate::timelock::SIGNATURE_BYTES;
use crate::{Call, CallOutcome, Chain, ChainError, Event, Refusal, SignedCall};

/// Longest wait for one try; `NextBlock`, which the server holds back, fits in.
const CALL_DEADLINE: Duration = Duration::from_secs(20);
const TRIES: u32 = 4;
/// Before the second try; doubled before each further one.
const BACKOFF: Duration = Duration::from_millis(200);
/// A subnet of 256 neurons needs 64 KiB.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A connection to a served ledger; made anew when it breaks. Clones share it.
#[derive(Clone, Debug)]
pub struct Remote {
    client: ChainClient<Channel>,
    endpoint: String,
    genesis: Digest,
    name: String,
    block_time: Option<Duration>,
    clock: Arc<dyn Clock>,
}

impl Remote {
    /// Connects to `http://host:port` and pins the genesis: the expected one, or where none is expected the one that
    /// is found.
    pub async fn connect(
        url: &str,
        expected_genesis: Option<Digest>,
        dialer: Arc<dyn Dialer>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ChainError> {
        let channel = connect::channel(url, dialer, Arc::clone(&clock))?;
        let client = ChainClient::new(channel).max_decoding_message_size(ANSWER_BYTES_MAX);
        let mut remote = Self {
            client,
            endpoint: url.to_owned(),
            genesis: Digest::default(),
            name: String::new(),
            block_time: None,
            clock,
        };
        let describe = |mut client: ChainClient<Channel>| async move {
            client.describe(v1::ChainDescribeRequest {}).await
        };
        // Not `ask`: until the genesis is known there is nothing to hold the answer against.
        let described = remote.attempt(describe).await.map_err(|failed| remote.failed(failed))?.into_inner();
        let actual = Digest(bytes32("genesis", &described.genesis).map_err(undecodable)?);
        if let Some(expected) = expected_genesis.filter(|expected| *expected != actual) {
            return Err(ChainError::WrongGenesis { endpoint: remote.endpoint, expected, actual });
        }
        remote.genesis = actual;
        remote.name = described.name;
        remote.block_time = Some(described.block_time_ms).filter(|ms| *ms > 0).map(Duration::from_millis);
        Ok(remote)
    }

    /// The chain's own name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Between two blocks; `None` where they are made on demand.
    pub fn block_time(&self) -> Option<Duration> {
        self.block_time
    }

    /// One call, tried again while the server can't be reached. Every call may be repeated: reads change nothing,
    /// and the same bytes submitted twice have one effect.
    async fn attempt<T: Send, F>(
        &self,
        call: impl Fn(ChainClient<Channel>) -> F + Send + Sync,
    ) -> Result<Response<T>, CallFailure>
    where
        F: Future<Output = Result<Response<T>, Status>> + Send,
    {
        let mut backoff = BACKOFF;
        let mut tried = 1;
        loop {
            match self.clock.timeout(CALL_DEADLINE, call(self.client.clone())).await {
                Ok(Ok(response)) => return Ok(response),
                Ok(Err(status)) if !is_passing(&status) || tried == TRIES => {
                    return Err(CallFailure::Status(Box::new(status)));
                }
                Ok(Err(_)) => {}
                // Not tried again: the caller has waited for a whole deadline already.
                Err(_) => return Err(CallFailure::TimedOut),
            }
            self.clock.sleep(backoff).await;
            backoff *= 2;
            tried += 1;
        }
    }

    /// As [`Self::attempt`], but believed only from the pinned chain.
    async fn ask<T: Send, F>(
        &self,
        call: impl Fn(ChainClient<Channel>) -> F + Send + Sync,
    ) -> Result<T, CallFailure>
    where
        F: Future<Output = Result<Response<T>, Status>> + Send,
    {
        Ok(self.respond(call).await?.into_inner())
    }

    /// As [`Self::ask`], with the answer's metadata.
    async fn respond<T: Send, F>(
        &self,
        call: impl Fn(ChainClient<Channel>) -> F + Send + Sync,
    ) -> Result<Response<T>, CallFailure>
    where
        F: Future<Output = Result<Response<T>, Status>> + Send,
    {
        // Each answer names its genesis: behind an address there may be another process by now.
        let response = self.attempt(call).await?;
        let header = response.metadata().get(GENESIS_HEADER).and_then(|value| value.to_str().ok());
        match header.and_then(|text| text.parse::<Digest>().ok()) {
            Some(genesis) if genesis == self.genesis => Ok(response),
            other => Err(CallFailure::OtherChain(other.unwrap_or_default())),
        }
    }

    fn failed(&self, failed: CallFailure) -> ChainError {
        let endpoint = self.endpoint.clone();
        match failed {
            CallFailure::TimedOut => ChainError::TimedOut { endpoint, seconds: CALL_DEADLINE.as_secs() },
            CallFailure::OtherChain(actual) => {
                ChainError::WrongGenesis { endpoint, expected: self.genesis, actual }
            }
            CallFailure::Status(status) if is_passing(&status) => {
                ChainError::Unreachable { endpoint, why: reason(&status) }
            }
            CallFailure::Status(status) => match status.code() {
                Code::FailedPrecondition => ChainError::NotAccepted(status.message().to_owned()),
                Code::DeadlineExceeded => ChainError::TimedOut { endpoint, seconds: CALL_DEADLINE.as_secs() },
                Code::Unimplemented => ChainError::Unsupported { what: "such call" },
                // A ledger whose folder is damaged, or a proxy whose stream was reset: another process, which may come back.
                Code::Internal => ChainError::Unreachable {
                    endpoint,
                    why: format!("{} (see the log of the process that serves the chain)", status.message()),
                },
                code => ChainError::Undecodable(format!("{code}: {}", status.message())),
            },
        }
    }

    fn failed_on(&self, netuid: Netuid) -> impl Fn(CallFailure) -> ChainError {
        move |failed| match failed.code() {
            Some(Code::NotFound) => ChainError::NoSubnet(netuid),
            _ => self.failed(failed),
        }
    }

    /// Names the newest block as well, which the status doesn't.
    async fn failed_at(&self, block: Block, failed: CallFailure) -> ChainError {
        if failed.code() != Some(Code::OutOfRange) {
            return self.failed(failed);
        }
        match self.head().await {
            Ok(head) => ChainError::NoBlock { block, head: head.number },
            Err(error) => error,
        }
    }
}

/// Why a call brought no answer.
#[derive(Debug)]
enum CallFailure {
    TimedOut,
    OtherChain(Digest),
    Status(Box<Status>),
}

impl CallFailure {
    fn code(&self) -> Option<Code> {
        match self {
            Self::Status(status) => Some(status.code()),
            Self::TimedOut | Self::OtherChain(_) => None,
        }
    }
}

/// True where the same call may go through in a moment. A status that has a source was made on this side, by a
/// connection that broke.
fn is_passing(status: &Status) -> bool {
    let code = matches!(status.code(), Code::Unavailable | Code::Cancelled | Code::ResourceExhausted);
    code || std::error::Error::source(status).is_some()
}

/// A status' message, or the innermost error below it: tonic's own message for a broken connection says little.
fn reason(status: &Status) -> String {
    let mut inner: &dyn std::error::Error = status;
    while let Some(source) = inner.source() {
        inner = source;
    }
    match inner.downcast_ref::<Status>() {
        Some(status) => format!("{}: {}", status.code(), status.message()),
        None => inner.to_string(),
    }
}

fn undecodable(error: ChainMessageError) -> ChainError {
    ChainError::Undecodable(error.to_string())
}

#[async_trait]
impl Chain for Remote {
    fn genesis(&self) -> Digest {
        self.genesis
    }

    async fn head(&self) -> Result<Head, ChainError> {
        let ask = |mut client: ChainClient<Channel>| async move { client.head(v1::HeadRequest {}).await };
        let answer = self.ask(ask).await.map_err(|failed| self.failed(failed))?;
        Head::try_from(answer).map_err(undecodable)
    }

    async fn next_block(&self, after: Block) -> Result<Head, ChainError> {
        let request = v1::NextBlockRequest { after: after.0 };
        // The server lets go of a long wait after a while with the block that there was.
        loop {
            let ask = |mut client: ChainClient<Channel>| async move { client.next_block(request).await };
            let answer = self.ask(ask).await.map_err(|failed| self.failed(failed))?;
            let head = Head::try_from(answer).map_err(undecodable)?;
            if head.number > after {
                return Ok(head);
            }
        }
    }

    async fn subnet(&self, netuid: Netuid) -> Result<SubnetState, ChainError> {
        let request = v1::SubnetRequest { netuid: netuid.0.into() };
        let ask = |mut client: ChainClient<Channel>| async move { client.subnet(request).await };
        let answer = self.ask(ask).await.map_err(self.failed_on(netuid))?;
        SubnetState::try_from(answer).map_err(undecodable)
    }

    async fn beacon(&self, block: Block) -> Result<Beacon, ChainError> {
        let request = v1::BeaconRequest { block: block.0 };
        let ask = |mut client: ChainClient<Channel>| async move { client.beacon(request).await };
        match self.ask(ask).await {
            Ok(answer) if answer.block == block.0 => {
                let value = bytes32("beacon", &answer.value).map_err(undecodable)?;
                Ok(Beacon { block, value: Digest(value) })
            }
            Ok(_) => Err(ChainError::Undecodable("the beacon of another block".to_owned())),
            Err(failed) => Err(self.failed_at(block, failed).await),
        }
    }

    async fn hook_events(&self, block: Block) -> Result<Vec<Event>, ChainError> {
        let request = v1::BeaconRequest { block: block.0 };
        let ask = |mut client: ChainClient<Channel>| async move { client.beacon(request).await };
        let answer = match self.respond(ask).await {
            Ok(answer) => answer,
            Err(failed) => return Err(self.failed_at(block, failed).await),
        };
        // An older server says nothing, and so does one that keeps the block no more.
        let Some(header) = answer.metadata().get_bin(EVENTS_HEADER) else {
            return Err(ChainError::Unsupported { what: "events of that block" });
        };
        let bytes = header.to_bytes().map_err(|error| ChainError::Undecodable(error.to_string()))?;
        Vec::decode_all(&mut &bytes[..]).map_err(|error| ChainError::Undecodable(format!("events: {error}")))
    }

    async fn weights(
        &self,
        netuid: Netuid,
        mechanism: MechId,
        uid: Uid,
    ) -> Result<Vec<(Uid, u16)>, ChainError> {
        let request = row_request(netuid, mechanism, uid);
        let ask = |mut client: ChainClient<Channel>| async move { client.weights(request).await };
        Vec::try_from(self.ask(ask).await.map_err(self.failed_on(netuid))?).map_err(undecodable)
    }

    async fn bonds(
        &self,
        netuid: Netuid,
        mechanism: MechId,
        uid: Uid,
    ) -> Result<Vec<(Uid, u16)>, ChainError> {
        let request = row_request(netuid, mechanism, uid);
        let ask = |mut client: ChainClient<Channel>| async move { client.bonds(request).await };
        Vec::try_from(self.ask(ask).await.map_err(self.failed_on(netuid))?).map_err(undecodable)
    }

    async fn certificate(&self, netuid: Netuid, hotkey: Hotkey) -> Result<Option<Certificate>, ChainError> {
        let request = v1::NeuronCertificateRequest { netuid: netuid.0.into(), hotkey: hotkey.0.to_vec() };
        let ask = |mut client: ChainClient<Channel>| {
            let request = request.clone();
            async move { client.neuron_certificate(request).await }
        };
        let answer = self.ask(ask).await.map_err(self.failed_on(netuid))?;
        answer.certificate.map(Certificate::try_from).transpose().map_err(undecodable)
    }

    async fn balance(&self, coldkey: Coldkey) -> Result<Rao, ChainError> {
        let ask = |mut client: ChainClient<Channel>| {
            let request = v1::BalanceRequest { coldkey: coldkey.0.to_vec() };
            async move { client.balance(request).await }
        };
        Ok(Rao(self.ask(ask).await.map_err(|failed| self.failed(failed))?.balance))
    }

    async fn burn(&self, netuid: Netuid) -> Result<Rao, ChainError> {
        let request = v1::RegistrationPriceRequest { netuid: netuid.0.into() };
        let ask = |mut client: ChainClient<Channel>| async move { client.registration_price(request).await };
        Ok(Rao(self.ask(ask).await.map_err(self.failed_on(netuid))?.price))
    }

    async fn alpha_price(&self, netuid: Netuid) -> Result<Rao, ChainError> {
        // Known without asking, but of a subnet that there is.
        self.burn(netuid).await?;
        Ok(ALPHA_PRICE)
    }

    async fn existential_deposit(&self) -> Result<Rao, ChainError> {
        Ok(EXISTENTIAL_DEPOSIT)
    }

    async fn fee(&self, _: &Call) -> Result<Rao, ChainError> {
        Ok(FEE)
    }

    fn block_time(&self) -> Option<Duration> {
        Self::block_time(self)
    }

    async fn mechanisms(&self, netuid: Netuid) -> Result<Mechanisms, ChainError> {
        let request = v1::MechanismsRequest { netuid: netuid.0.into() };
        let ask = |mut client: ChainClient<Channel>| async move { client.mechanisms(request).await };
        Mechanisms::try_from(self.ask(ask).await.map_err(self.failed_on(netuid))?).map_err(undecodable)
    }

    async fn mechanism(&self, netuid: Netuid, mechanism: MechId) -> Result<MechanismRows, ChainError> {
        let request = v1::MechanismRequest { netuid: netuid.0.into(), mechanism: mechanism.0.into() };
        let ask = |mut client: ChainClient<Channel>| async move { client.mechanism(request).await };
        MechanismRows::try_from(self.ask(ask).await.map_err(self.failed_on(netuid))?).map_err(undecodable)
    }

    async fn commits(
        &self,
        netuid: Netuid,
        mechanism: MechId,
        hotkey: Hotkey,
    ) -> Result<Vec<WeightCommit>, ChainError> {
        let ask = |mut client: ChainClient<Channel>| {
            let (netuid, mechanism) = (netuid.0.into(), mechanism.0.into());
            let request = v1::WeightCommitsRequest { netuid, mechanism, hotkey: hotkey.0.to_vec() };
            async move { client.weight_commits(request).await }
        };
        let answer = self.ask(ask).await.map_err(self.failed_on(netuid))?;
        answer.commits.into_iter().map(WeightCommit::try_from).collect::<Result<_, _>>().map_err(undecodable)
    }

    async fn timelock(&self) -> Result<Timelock, ChainError> {
        let ask =
            |mut client: ChainClient<Channel>| async move { client.timelock(v1::TimelockRequest {}).await };
        Timelock::try_from(self.ask(ask).await.map_err(|failed| self.failed(failed))?).map_err(undecodable)
    }

    async fn pulse(&self, round: u64) -> Result<Option<[u8; SIGNATURE_BYTES]>, ChainError> {
        let ask =
            |mut client: ChainClient<Channel>| async move { client.pulse(v1::PulseRequest { round }).await };
        let answer = self.ask(ask).await.map_err(|failed| self.failed(failed))?;
        let signature = answer.signature.map(<[u8; SIGNATURE_BYTES]>::try_from).transpose();
        signature.map_err(|_| ChainError::Undecodable("a signature that hasn't 48 bytes".to_owned()))
    }

    async fn commitment(&self, netuid: Netuid, hotkey: Hotkey) -> Result<Option<Commitment>, ChainError> {
        let ask = |mut client: ChainClient<Channel>| {
            let request = neuron_request(netuid, hotkey);
            async move { client.commitment(request).await }
        };
        Ok(self.ask(ask).await.map_err(self.failed_on(netuid))?.commitment.map(Commitment::from))
    }

    async fn commitment_at(
        &self,
        netuid: Netuid,
        hotkey: Hotkey,
        block: Block,
    ) -> Result<Option<Commitment>, ChainError> {
        let ask = |mut client: ChainClient<Channel>| {
            let (netuid, hotkey) = (netuid.0.into(), hotkey.0.to_vec());
            let request = v1::CommitmentAtRequest { netuid, hotkey, block: block.0 };
            async move { client.commitment_at(request).await }
        };
        match self.ask(ask).await {
            Ok(answer) => Ok(answer.commitment.map(Commitment::from)),
            Err(failed) if failed.code() == Some(Code::NotFound) => Err(ChainError::NoSubnet(netuid)),
            Err(failed) => Err(self.failed_at(block, failed).await),
        }
    }

    async fn prometheus(&self, netuid: Netuid, hotkey: Hotkey) -> Result<Option<Axon>, ChainError> {
        let ask = |mut client: ChainClient<Channel>| {
            let request = neuron_request(netuid, hotkey);
            async move { client.prometheus(request).await }
        };
        let answer = self.ask(ask).await.map_err(self.failed_on(netuid))?;
        answer.endpoint.map(Axon::try_from).transpose().map_err(undecodable)
    }

    async fn delegation(&self, netuid: Netuid, hotkey: Hotkey) -> Result<Option<Delegation>, ChainError> {
        let ask = |mut client: ChainClient<Channel>| {
            let request = neuron_request(netuid, hotkey);
            async move { client.delegation(request).await }
        };
        let answer = self.ask(ask).await.map_err(self.failed_on(netuid))?;
        answer.delegation.map(Delegation::try_from).transpose().map_err(undecodable)
    }

    async fn sign(&self, signer: &Keypair, call: Call) -> Result<SignedCall, ChainError> {
        let account = signer.public();
        let ask = |mut client: ChainClient<Channel>| {
            let request = v1::NextNonceRequest { account: account.to_vec() };
            async move { client.next_nonce(request).await }
        };
        let next = self.ask(ask).await.map_err(|failed| self.failed(failed))?;
        Ok(extrinsic::sign(signer, self.genesis, call, next.nonce, Block(next.head)))
    }

    async fn submit(&self, signed: &SignedCall) -> Result<(), ChainError> {
        let ask = |mut client: ChainClient<Channel>| {
            let request = v1::SubmitRequest { extrinsic: signed.bytes.clone() };
            async move { client.submit(request).await }
        };
        self.ask(ask).await.map(|_| ()).map_err(|failed| self.failed(failed))
    }

    async fn outcome(&self, signed: &SignedCall) -> Result<CallOutcome, ChainError> {
        let ask = |mut client: ChainClient<Channel>| {
            let request = v1::OutcomeRequest { extrinsic: signed.bytes.clone() };
            async move { client.outcome(request).await }
        };
        match self.ask(ask).await {
            Ok(answer) => outcome(answer),
            Err(failed) => Err(self.failed_at(signed.expires, failed).await),
        }
    }
}

fn neuron_request(netuid: Netuid, hotkey: Hotkey) -> v1::NeuronRequest {
    v1::NeuronRequest { netuid: netuid.0.into(), hotkey: hotkey.0.to_vec() }
}

fn row_request(netuid: Netuid, mechanism: MechId, uid: Uid) -> v1::RowRequest {
    v1::RowRequest { netuid: netuid.0.into(), mechanism: mechanism.0.into(), uid: uid.0.into() }
}

fn outcome(message: v1::OutcomeResponse) -> Result<CallOutcome, ChainError> {
    let unreadable = |what: &str| ChainError::Undecodable(format!("an outcome's {what}"));
    match message.outcome.ok_or_else(|| unreadable("kind"))? {
        outcome_response::Outcome::Pending(_) => Ok(CallOutcome::Pending),
        outcome_response::Outcome::Expired(_) => Ok(CallOutcome::Expired),
        outcome_response::Outcome::Included(included) => {
            // To the last byte: what is left over would be an event of another version.
            let event = |bytes: &Vec<u8>| Event::decode_all(&mut bytes.as_slice());
            let events = included.events.iter().map(event).collect::<Result<_, _>>();
            Ok(CallOutcome::Included {
                block: Block(included.block),
                events: events.map_err(|_| unreadable("event"))?,
            })
        }
        outcome_response::Outcome::Refused(refused) => {
            let refusal = Refusal::decode_all(&mut refused.refusal.as_slice());
            Ok(CallOutcome::Refused {
                block: Block(refused.block),
                refusal: refusal.map_err(|_| unreadable("refusal"))?,
            })
        }
    }
}
