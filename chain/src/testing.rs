//! A chain for tests and benchmarks of roles, where a ledger would be too much: one subnet that changes when told.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use tokio::sync::watch;
use weighhouse_types::{
    Beacon, Block, Certificate, Coldkey, Digest, Epoch, Head, Hotkey, MechId, Metagraph, Netuid, Neuron, Rao,
    SubnetState, Uid, sample,
};
use weighhouse_wallet::keypair::Keypair;

use crate::{Call, CallOutcome, Chain, ChainError, Refusal, SignedCall};

/// A neuron that has earned nothing yet.
pub fn neuron(uid: u16, hotkey: Hotkey, stake_tao: u64, validator_permit: bool) -> Neuron {
    Neuron {
        hotkey,
        registered_at: Block(0),
        stake: Rao::from_tao(stake_tao),
        validator_permit,
        axon: None,
        ..sample::neuron(uid)
    }
}

/// A chain of one subnet. Each call that is handed in makes a block of its own.
#[derive(Debug)]
pub struct FakeChain {
    state: Mutex<SubnetState>,
    block: watch::Sender<Block>,
    /// Number of axon publications still to be refused for coming too fast.
    pub too_fast: Mutex<u32>,
    pub submitted: Mutex<Vec<Call>>,
    certificates: Mutex<HashMap<Hotkey, Certificate>>,
}

impl FakeChain {
    pub fn new(neurons: Vec<Neuron>) -> Arc<Self> {
        let mut state = sample::subnet(Epoch(0), Block(1), neurons);
        state.schedule.last_epoch_block = Block(0);
        Arc::new(Self {
            state: Mutex::new(state),
            block: watch::Sender::new(Block(1)),
            too_fast: Mutex::new(0),
            submitted: Mutex::default(),
            certificates: Mutex::default(),
        })
    }

    /// Makes a block in which the metagraph changes.
    pub fn change(&self, change: impl FnOnce(&mut Metagraph)) {
        let mut state = self.state.lock().expect("not poisoned");
        let next = Block(state.head.number.0 + 1);
        state.head.number = next;
        state.metagraph.block = next;
        change(&mut state.metagraph);
        drop(state);
        self.block.send_replace(next);
    }

    pub fn metagraph(&self) -> Metagraph {
        self.state.lock().expect("not poisoned").metagraph.clone()
    }
}

#[async_trait]
impl Chain for FakeChain {
    fn genesis(&self) -> Digest {
        Digest::default()
    }

    async fn head(&self) -> Result<Head, ChainError> {
        Ok(self.state.lock().expect("not poisoned").head)
    }

    async fn next_block(&self, after: Block) -> Result<Head, ChainError> {
        self.block.subscribe().wait_for(|block| *block > after).await.expect("the chain lives");
        self.head().await
    }

    async fn subnet(&self, netuid: Netuid) -> Result<SubnetState, ChainError> {
        let state = self.state.lock().expect("not poisoned").clone();
        if state.metagraph.netuid == netuid { Ok(state) } else { Err(ChainError::NoSubnet(netuid)) }
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

    async fn certificate(&self, _: Netuid, hotkey: Hotkey) -> Result<Option<Certificate>, ChainError> {
        Ok(self.certificates.lock().expect("not poisoned").get(&hotkey).cloned())
    }

    async fn balance(&self, _: Coldkey) -> Result<Rao, ChainError> {
        Ok(Rao(0))
    }

    async fn burn(&self, _: Netuid) -> Result<Rao, ChainError> {
        Ok(Rao(0))
    }

    async fn sign(&self, signer: &Keypair, call: Call) -> Result<SignedCall, ChainError> {
        let bytes = parity_scale_codec::Encode::encode(&(signer.hotkey(), call));
        Ok(SignedCall { hash: Digest::of(&bytes), bytes, expires: Block(100) })
    }

    async fn submit(&self, signed: &SignedCall) -> Result<(), ChainError> {
        let (hotkey, call): (Hotkey, Call) =
            parity_scale_codec::Decode::decode(&mut &signed.bytes[..]).expect("made by sign");
        self.submitted.lock().expect("not poisoned").push(call.clone());
        let refused = *self.too_fast.lock().expect("not poisoned") > 0;
        let (axon, certificate) = match call {
            _ if refused => (None, None),
            Call::ServeAxon { axon, .. } => (Some(axon), None),
            Call::ServeAxonTls { axon, certificate, .. } => (Some(axon), Some(certificate)),
            _ => (None, None),
        };
        if let Some(certificate) = certificate {
            self.certificates.lock().expect("not poisoned").insert(hotkey, certificate);
        }
        self.change(|metagraph| {
            let ours = metagraph.neurons.iter_mut().find(|neuron| neuron.hotkey == hotkey);
            if let (Some(_), Some(neuron)) = (axon, ours) {
                neuron.axon = axon;
            }
        });
        Ok(())
    }

    async fn outcome(&self, _: &SignedCall) -> Result<CallOutcome, ChainError> {
        let block = self.head().await?.number;
        let mut too_fast = self.too_fast.lock().expect("not poisoned");
        if *too_fast > 0 {
            *too_fast -= 1;
            return Ok(CallOutcome::Refused {
                block,
                refusal: Refusal::ServingRateLimitExceeded { blocks: 2 },
            });
        }
        Ok(CallOutcome::Included { block, events: Vec::new() })
    }
}
