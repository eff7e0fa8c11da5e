//! A chain that knows one miner and accepts whatever it says.

use async_trait::async_trait;
use weighhouse_chain::{Call, Chain, ChainError, Outcome, Signed};
use weighhouse_types::{
    Beacon, Block, Certificate, Coldkey, Digest, Epoch, Head, Hotkey, Hyperparameters, MechId, Metagraph,
    Netuid, Neuron, Rao, Schedule, SubnetState, Uid,
};
use weighhouse_wallet::keypair::Keypair;

const HEAD: Head = Head { number: Block(1), hash: Digest([0; 32]) };

#[derive(Debug)]
pub(super) struct One(Hotkey);

impl One {
    pub(super) fn new(miner: Hotkey) -> Self {
        Self(miner)
    }

    fn neuron(&self) -> Neuron {
        Neuron {
            uid: Uid(0),
            hotkey: self.0,
            coldkey: Coldkey([0; 32]),
            registered_at: Block(0),
            stake: Rao(0),
            validator_permit: false,
            active: true,
            last_update: Block(0),
            axon: None,
            incentive: 0,
            dividends: 0,
            consensus: 0,
            validator_trust: 0,
            emission: Rao(0),
        }
    }
}

#[async_trait]
impl Chain for One {
    fn genesis(&self) -> Digest {
        Digest::default()
    }

    async fn head(&self) -> Result<Head, ChainError> {
        Ok(HEAD)
    }

    async fn next_block(&self, _: Block) -> Result<Head, ChainError> {
        std::future::pending().await
    }

    async fn subnet(&self, netuid: Netuid) -> Result<SubnetState, ChainError> {
        let neurons = vec![self.neuron()];
        Ok(SubnetState {
            head: HEAD,
            metagraph: Metagraph { netuid, block: HEAD.number, owner: None, neurons },
            hyperparameters: Hyperparameters::default(),
            schedule: Schedule {
                epoch: Epoch(0),
                last_epoch_block: Block(0),
                tempo: 10,
                pending_epoch_at: None,
                blocks_since_last_step: 0,
            },
        })
    }

    async fn beacon(&self, _: Block) -> Result<Beacon, ChainError> {
        Err(ChainError::Unsupported { what: "beacon" })
    }

    async fn weights(&self, _: Netuid, _: MechId, _: Uid) -> Result<Vec<(Uid, u16)>, ChainError> {
        Err(ChainError::Unsupported { what: "weights" })
    }

    async fn bonds(&self, _: Netuid, _: MechId, _: Uid) -> Result<Vec<(Uid, u16)>, ChainError> {
        Err(ChainError::Unsupported { what: "bonds" })
    }

    async fn certificate(&self, _: Netuid, _: Hotkey) -> Result<Option<Certificate>, ChainError> {
        Ok(None)
    }

    async fn balance(&self, _: Coldkey) -> Result<Rao, ChainError> {
        Ok(Rao(0))
    }

    async fn burn(&self, _: Netuid) -> Result<Rao, ChainError> {
        Ok(Rao(0))
    }

    async fn sign(&self, _: &Keypair, _: Call) -> Result<Signed, ChainError> {
        Ok(Signed { hash: Digest::default(), bytes: Vec::new(), expires: Block(100) })
    }

    async fn submit(&self, _: &Signed) -> Result<(), ChainError> {
        Ok(())
    }

    async fn outcome(&self, _: &Signed) -> Result<Outcome, ChainError> {
        Ok(Outcome::Included { block: HEAD.number, events: Vec::new() })
    }
}
