//! Calls that an account can make, and the events and outcomes that the chain reports.

use parity_scale_codec::{Decode, Encode};
use serde::Serialize;
use weighhouse_types::{
    Axon, Block, Certificate, Child, Coldkey, Digest, Hotkey, Hyperparameters, MechId, Mechanisms, Netuid,
    Rao, Uid,
};

use crate::Refusal;

/// The payload of a weights publication. A retry carries exactly the same.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct SetWeights {
    pub netuid: Netuid,
    pub mechanism: MechId,
    pub uids: Vec<Uid>,
    pub values: Vec<u16>,
    pub version_key: u64,
}

/// One of the weights that a batch reveals, all of mechanism 0.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct Reveal {
    pub uids: Vec<Uid>,
    pub values: Vec<u16>,
    pub salt: Vec<u16>,
    pub version_key: u64,
}

/// A call. The SCALE index is its identity on the wire and in stored blocks.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize)]
#[serde(tag = "call", rename_all = "snake_case")]
pub enum Call {
    /// Hotkey-signed.
    #[codec(index = 0)]
    SetWeights(SetWeights),
    /// Hotkey-signed: the BLAKE2b-256 hash of weights to be revealed later.
    #[codec(index = 1)]
    CommitWeights { netuid: Netuid, mechanism: MechId, hash: Digest },
    /// Hotkey-signed: the weights behind an earlier commit.
    #[codec(index = 2)]
    RevealWeights { weights: SetWeights, salt: Vec<u16> },
    /// Hotkey-signed: weights encrypted to a future beacon round.
    #[codec(index = 3)]
    CommitTimelockedWeights {
        netuid: Netuid,
        mechanism: MechId,
        ciphertext: Vec<u8>,
        reveal_round: u64,
        version: u16,
    },
    /// Hotkey-signed. The block in the axon is set by the chain.
    #[codec(index = 4)]
    ServeAxon { netuid: Netuid, axon: Axon },
    /// Hotkey-signed: an axon together with the neuron's certificate.
    #[codec(index = 5)]
    ServeAxonTls { netuid: Netuid, axon: Axon, certificate: Certificate },
    /// Coldkey-signed: pays the burn price, at most `limit`, for a uid.
    #[codec(index = 6)]
    Register { netuid: Netuid, hotkey: Hotkey, limit: Rao },
    /// Coldkey-signed.
    #[codec(index = 7)]
    AddStake { netuid: Netuid, hotkey: Hotkey, amount: Rao },
    /// Coldkey-signed.
    #[codec(index = 8)]
    RemoveStake { netuid: Netuid, hotkey: Hotkey, amount: Rao },
    /// Coldkey-signed.
    #[codec(index = 9)]
    Transfer { to: Coldkey, amount: Rao },
    /// Signed by the subnet owner's coldkey.
    #[codec(index = 10)]
    SetHyperparameters { netuid: Netuid, hyperparameters: Box<Hyperparameters> },
    /// Hotkey-signed: several reveals at once; all of them are in time, or none is revealed.
    #[codec(index = 11)]
    BatchRevealWeights { netuid: Netuid, reveals: Vec<Reveal> },
    /// Hotkey-signed: where the neuron's metrics are. The block in the endpoint is set by the chain.
    #[codec(index = 12)]
    ServePrometheus { netuid: Netuid, endpoint: Axon },
    /// Hotkey-signed: bytes for anyone to read, at most 128 of them.
    #[codec(index = 13)]
    SetCommitment { netuid: Netuid, data: Vec<u8> },
    /// Coldkey-signed: at most five hotkeys that speak for parts of a hotkey's stake, after a cooldown.
    #[codec(index = 14)]
    SetChildren { netuid: Netuid, hotkey: Hotkey, children: Vec<Child> },
    /// Coldkey-signed: what the hotkey keeps of its parents' dividends, as a fraction of 65535.
    #[codec(index = 15)]
    SetChildkeyTake { netuid: Netuid, hotkey: Hotkey, take: u16 },
    /// Coldkey-signed: what the hotkey keeps of the dividends of those who stake on it, as a fraction of 65535.
    #[codec(index = 16)]
    SetTake { hotkey: Hotkey, take: u16 },
    /// Signed by the subnet owner's coldkey. The epoch's cycle starts anew.
    #[codec(index = 17)]
    SetTempo { netuid: Netuid, tempo: u16 },
    /// Signed by the subnet owner's coldkey: an epoch ahead of time.
    #[codec(index = 18)]
    TriggerEpoch { netuid: Netuid },
    /// Signed by the subnet owner's coldkey.
    #[codec(index = 19)]
    SetActivityCutoffFactor { netuid: Netuid, factor_milli: u32 },
    /// Signed by the subnet owner's coldkey.
    #[codec(index = 20)]
    SetMechanisms { netuid: Netuid, mechanisms: Mechanisms },
}

/// A signed call, as it is handed in.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct SignedCall {
    pub bytes: Vec<u8>,
    pub hash: Digest,
    /// The last block that may include it.
    pub expires: Block,
}

/// Something that happened in a block.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    #[codec(index = 0)]
    WeightsSet { netuid: Netuid, mechanism: MechId, uid: Uid },
    #[codec(index = 1)]
    AxonServed { netuid: Netuid, hotkey: Hotkey },
    #[codec(index = 2)]
    NeuronRegistered { netuid: Netuid, uid: Uid, hotkey: Hotkey, burned: Rao },
    #[codec(index = 3)]
    NeuronPruned { netuid: Netuid, uid: Uid, hotkey: Hotkey },
    #[codec(index = 4)]
    StakeAdded { hotkey: Hotkey, amount: Rao },
    #[codec(index = 5)]
    StakeRemoved { hotkey: Hotkey, amount: Rao },
    #[codec(index = 6)]
    Transferred { from: Coldkey, to: Coldkey, amount: Rao },
    #[codec(index = 7)]
    HyperparametersSet { netuid: Netuid },
    /// An epoch was computed: what the owner, the miners and the validators were paid.
    #[codec(index = 8)]
    EpochRun { netuid: Netuid, owner: Rao, incentive: Rao, dividends: Rao },
    #[codec(index = 9)]
    WeightsCommitted { netuid: Netuid, mechanism: MechId, hotkey: Hotkey, hash: Digest },
    #[codec(index = 10)]
    WeightsRevealed { netuid: Netuid, mechanism: MechId, hotkey: Hotkey, hash: Digest },
    /// The hash is the ciphertext's.
    #[codec(index = 11)]
    TimelockedWeightsCommitted {
        netuid: Netuid,
        mechanism: MechId,
        hotkey: Hotkey,
        hash: Digest,
        reveal_round: u64,
    },
    /// The chain has opened and stored timelocked weights.
    #[codec(index = 12)]
    TimelockedWeightsRevealed { netuid: Netuid, mechanism: MechId, hotkey: Hotkey },
    #[codec(index = 13)]
    PrometheusServed { netuid: Netuid, hotkey: Hotkey },
    #[codec(index = 14)]
    CommitmentSet { netuid: Netuid, hotkey: Hotkey },
    /// The children take effect at the first epoch from block `at` on.
    #[codec(index = 15)]
    SetChildrenScheduled { netuid: Netuid, hotkey: Hotkey, at: Block },
    /// The children have taken effect.
    #[codec(index = 16)]
    ChildrenSet { netuid: Netuid, hotkey: Hotkey },
    #[codec(index = 17)]
    ChildkeyTakeSet { netuid: Netuid, hotkey: Hotkey, take: u16 },
    #[codec(index = 18)]
    TakeSet { hotkey: Hotkey, take: u16 },
    #[codec(index = 19)]
    TempoSet { netuid: Netuid, tempo: u16 },
    #[codec(index = 20)]
    EpochTriggered { netuid: Netuid, fires_at: Block },
    #[codec(index = 21)]
    ActivityCutoffFactorSet { netuid: Netuid, factor_milli: u32 },
    #[codec(index = 22)]
    MechanismsSet { netuid: Netuid, mechanisms: Mechanisms },
}

/// Outcome of a signed call.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum CallOutcome {
    /// Not in a finalised block yet, and still includable.
    #[codec(index = 0)]
    Pending,
    #[codec(index = 1)]
    Included { block: Block, events: Vec<Event> },
    /// In a finalised block, but the call had no effect.
    #[codec(index = 2)]
    Refused { block: Block, refusal: Refusal },
    /// Can't be included any more.
    #[codec(index = 3)]
    Expired,
}
