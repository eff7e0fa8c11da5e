//! The chain as the roles see it: the trait [`Chain`] and two chains behind it. [`ledger`] is a whole chain embedded in
//! this crate, in process or served over gRPC; `subtensor` (a feature) speaks to Bittensor's own nodes. [`rules`] are what
//! both check alike, [`address`] is how either is named, and [`timelock`] seals weights until the chain opens them.
//!
//! Reads are taken at one finalised block and say which. A call is signed once ([`Chain::sign`]) and the signed
//! bytes can be handed in again ([`Chain::submit`]) until they expire; what became of them is asked for
//! ([`Chain::outcome`]), never assumed.

pub mod address;
mod call;
pub mod certificate;
pub mod earnings;
mod error;
pub mod explain;
pub mod grpc;
mod preflight;
mod refusal;

pub mod rules;

#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
pub mod ledger;
#[doc(hidden)]
pub mod testing;
pub mod timelock;
pub mod verify;
pub mod votes;

#[cfg(feature = "subtensor")]
pub mod subtensor;

#[cfg(test)]
mod vectors;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use weighhouse_types::{
    Axon, Beacon, Block, Certificate, Coldkey, Commitment, Delegation, Digest, Head, Hotkey, MechId,
    MechanismRows, Mechanisms, Netuid, Rao, SubnetState, Timelock, Uid, WeightCommit,
};
use weighhouse_wallet::keypair::Keypair;

pub use call::{Call, CallOutcome, Event, Reveal, SetWeights, SignedCall};
pub use error::ChainError;
pub use preflight::{Preflight, preflight};
pub use refusal::Refusal;

/// A chain that pays neurons by the weights that validators publish.
#[async_trait]
pub trait Chain: Send + Sync + std::fmt::Debug {
    /// The genesis hash, pinned when the connection was made.
    fn genesis(&self) -> Digest;

    /// The newest finalised block.
    async fn head(&self) -> Result<Head, ChainError>;

    /// Waits for the first finalised block after `after` and returns the newest then.
    async fn next_block(&self, after: Block) -> Result<Head, ChainError>;

    /// Metagraph, hyperparameters and schedule at one finalised block.
    async fn subnet(&self, netuid: Netuid) -> Result<SubnetState, ChainError>;

    /// The randomness fixed with a finalised block.
    async fn beacon(&self, block: Block) -> Result<Beacon, ChainError>;

    /// The weights the chain stores for a uid, after its own upscaling; empty when it never set any.
    async fn weights(
        &self,
        netuid: Netuid,
        mechanism: MechId,
        uid: Uid,
    ) -> Result<Vec<(Uid, u16)>, ChainError>;

    /// The stored bonds of a uid.
    async fn bonds(&self, netuid: Netuid, mechanism: MechId, uid: Uid)
    -> Result<Vec<(Uid, u16)>, ChainError>;

    async fn certificate(&self, netuid: Netuid, hotkey: Hotkey) -> Result<Option<Certificate>, ChainError>;

    /// The certificates of many hotkeys, in their order.
    async fn certificates(
        &self,
        netuid: Netuid,
        hotkeys: &[Hotkey],
    ) -> Result<Vec<Option<Certificate>>, ChainError> {
        futures::future::try_join_all(hotkeys.iter().map(|hotkey| self.certificate(netuid, *hotkey))).await
    }

    /// Free balance of a coldkey.
    async fn balance(&self, coldkey: Coldkey) -> Result<Rao, ChainError>;

    /// Price of a registration in the subnet now.
    async fn burn(&self, netuid: Netuid) -> Result<Rao, ChainError>;

    /// Price of one of the subnet's own tokens, by its pool: the whole TAO where they are one currency.
    async fn alpha_price(&self, _netuid: Netuid) -> Result<Rao, ChainError> {
        Err(ChainError::Unsupported { what: "prices of tokens" })
    }

    /// What an account has to keep to stay in being.
    async fn existential_deposit(&self) -> Result<Rao, ChainError> {
        Err(ChainError::Unsupported { what: "existential deposits" })
    }

    /// What the chain takes for including a call, besides what the call itself pays.
    async fn fee(&self, _call: &Call) -> Result<Rao, ChainError> {
        Err(ChainError::Unsupported { what: "fees" })
    }

    /// Time between two blocks; `None` where they are made on demand.
    fn block_time(&self) -> Option<Duration> {
        None
    }

    /// Number of the subnet's mechanisms, and their shares of its emission.
    async fn mechanisms(&self, _netuid: Netuid) -> Result<Mechanisms, ChainError> {
        Err(ChainError::Unsupported { what: "mechanisms" })
    }

    /// Last updates and incentive of one mechanism. The metagraph shows mechanism 0's last updates.
    async fn mechanism(&self, _netuid: Netuid, _mechanism: MechId) -> Result<MechanismRows, ChainError> {
        Err(ChainError::Unsupported { what: "mechanisms" })
    }

    /// A hotkey's commits that were neither revealed nor have expired, oldest first.
    async fn commits(
        &self,
        _netuid: Netuid,
        _mechanism: MechId,
        _hotkey: Hotkey,
    ) -> Result<Vec<WeightCommit>, ChainError> {
        Err(ChainError::Unsupported { what: "weight commits" })
    }

    /// The beacon that timelocked weights are encrypted to.
    async fn timelock(&self) -> Result<Timelock, ChainError> {
        Err(ChainError::Unsupported { what: "timelocked weight commits" })
    }

    /// The beacon's signature of a round: the key to what is encrypted to it; `None` while it hasn't come, or where it
    /// is not kept any more.
    async fn pulse(&self, _round: u64) -> Result<Option<[u8; timelock::SIGNATURE_BYTES]>, ChainError> {
        Err(ChainError::Unsupported { what: "timelocked weight commits" })
    }

    /// What the chain did of itself in a finalised block, without a call: timelocked weights that it opened are among it.
    async fn hook_events(&self, _block: Block) -> Result<Vec<Event>, ChainError> {
        Err(ChainError::Unsupported { what: "events of blocks" })
    }

    /// Data that a hotkey has published with [`Call::SetCommitment`].
    async fn commitment(&self, _netuid: Netuid, _hotkey: Hotkey) -> Result<Option<Commitment>, ChainError> {
        Err(ChainError::Unsupported { what: "commitments" })
    }

    /// The same as it stood with a finalised block, where the chain still knows.
    async fn commitment_at(
        &self,
        _netuid: Netuid,
        _hotkey: Hotkey,
        _block: Block,
    ) -> Result<Option<Commitment>, ChainError> {
        Err(ChainError::Unsupported { what: "commitments of earlier blocks" })
    }

    /// Address of a hotkey's metrics.
    async fn prometheus(&self, _netuid: Netuid, _hotkey: Hotkey) -> Result<Option<Axon>, ChainError> {
        Err(ChainError::Unsupported { what: "prometheus endpoints" })
    }

    /// Children, parents and takes of a hotkey; `None` for one that was never registered.
    async fn delegation(&self, _netuid: Netuid, _hotkey: Hotkey) -> Result<Option<Delegation>, ChainError> {
        Err(ChainError::Unsupported { what: "child keys" })
    }

    /// Signs a call with the account's next nonce, to be includable for a bounded number of blocks.
    async fn sign(&self, signer: &Keypair, call: Call) -> Result<SignedCall, ChainError>;

    /// Hands a signed call in. Handing the same bytes in twice has one effect.
    async fn submit(&self, signed: &SignedCall) -> Result<(), ChainError>;

    /// Outcome of a signed call, as far as finalised blocks say.
    async fn outcome(&self, signed: &SignedCall) -> Result<CallOutcome, ChainError>;

    /// Signs, submits and waits for the outcome in finalised blocks. For commands; a validator's publication keeps
    /// the steps apart and journals between them.
    async fn execute(&self, signer: &Keypair, call: Call) -> Result<(Block, Vec<Event>), ChainError> {
        let signed = self.sign(signer, call).await?;
        self.submit(&signed).await?;
        let mut seen = self.head().await?.number;
        loop {
            match self.outcome(&signed).await? {
                CallOutcome::Included { block, events } => return Ok((block, events)),
                CallOutcome::Refused { refusal, .. } => return Err(ChainError::Refused(refusal)),
                CallOutcome::Expired => return Err(ChainError::Expired { last: signed.expires }),
                CallOutcome::Pending => seen = self.next_block(seen).await?.number,
            }
        }
    }
}

/// A chain shared by the roles of one process.
pub type SharedChain = Arc<dyn Chain>;
