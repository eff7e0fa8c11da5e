//! The chain under a sky: each call meets it first.

use std::time::Duration;

use async_trait::async_trait;
use rand::RngExt as _;
use weighhouse_chain::{Call, CallOutcome, Chain, ChainError, Event, SignedCall};
use weighhouse_types::{
    Beacon, Block, Certificate, Coldkey, Commitment, Digest, Head, Hotkey, MechId, MechanismRows, Mechanisms,
    Netuid, Rao, SubnetState, Timelock, Uid, WeightCommit,
};
use weighhouse_wallet::keypair::Keypair;

use super::{OWN, Read, Weather};

#[async_trait]
impl Chain for Weather {
    fn genesis(&self) -> Digest {
        self.ledger.genesis()
    }
    async fn head(&self) -> Read<Head> {
        self.meet().await?;
        Ok(self.shown().1.subnet.head)
    }
    async fn next_block(&self, after: Block) -> Read<Head> {
        self.ledger.next_block(after).await
    }
    async fn subnet(&self, _: Netuid) -> Read<SubnetState> {
        self.meet().await?;
        Ok(self.shown().1.subnet)
    }
    fn block_time(&self) -> Option<Duration> {
        None
    }
    async fn beacon(&self, block: Block) -> Read<Beacon> {
        self.meet().await?;
        self.known(block)?;
        self.ledger.beacon(block).await
    }
    async fn weights(&self, netuid: Netuid, mechanism: MechId, uid: Uid) -> Read<Vec<(Uid, u16)>> {
        self.meet().await?;
        if uid == OWN {
            Ok(self.shown().1.weights)
        } else {
            self.ledger.weights(netuid, mechanism, uid).await
        }
    }
    async fn bonds(&self, netuid: Netuid, mechanism: MechId, uid: Uid) -> Read<Vec<(Uid, u16)>> {
        self.meet().await?;
        self.ledger.bonds(netuid, mechanism, uid).await
    }
    async fn certificate(&self, netuid: Netuid, hotkey: Hotkey) -> Read<Option<Certificate>> {
        self.meet().await?;
        self.ledger.certificate(netuid, hotkey).await
    }
    async fn balance(&self, coldkey: Coldkey) -> Read<Rao> {
        self.meet().await?;
        self.ledger.balance(coldkey).await
    }
    async fn burn(&self, netuid: Netuid) -> Read<Rao> {
        self.meet().await?;
        self.ledger.burn(netuid).await
    }
    async fn mechanisms(&self, netuid: Netuid) -> Read<Mechanisms> {
        self.meet().await?;
        self.ledger.mechanisms(netuid).await
    }
    async fn mechanism(&self, netuid: Netuid, mechanism: MechId) -> Read<MechanismRows> {
        self.meet().await?;
        self.ledger.mechanism(netuid, mechanism).await
    }
    async fn commits(&self, _: Netuid, _: MechId, _: Hotkey) -> Read<Vec<WeightCommit>> {
        self.meet().await?;
        Ok(self.shown().1.commits)
    }
    async fn timelock(&self) -> Read<Timelock> {
        self.meet().await?;
        match self.has_timelock {
            true => self.ledger.timelock().await,
            false => Err(ChainError::Unsupported { what: "timelocked weight commits" }),
        }
    }
    async fn hook_events(&self, block: Block) -> Read<Vec<Event>> {
        self.meet().await?;
        self.known(block)?;
        self.ledger.hook_events(block).await
    }
    async fn commitment(&self, netuid: Netuid, hotkey: Hotkey) -> Read<Option<Commitment>> {
        self.meet().await?;
        self.ledger.commitment(netuid, hotkey).await
    }
    async fn commitment_at(&self, netuid: Netuid, hotkey: Hotkey, block: Block) -> Read<Option<Commitment>> {
        self.meet().await?;
        self.known(block)?;
        self.ledger.commitment_at(netuid, hotkey, block).await
    }
    async fn sign(&self, signer: &Keypair, call: Call) -> Read<SignedCall> {
        self.meet().await?;
        let signed = self.ledger.sign(signer, call.clone()).await?;
        self.state().signed.insert(signed.hash, call);
        Ok(signed)
    }
    async fn submit(&self, signed: &SignedCall) -> Read<()> {
        self.meet().await?;
        let (again, is_held, is_dropped, denies) = {
            let mut state = self.state();
            let sky = state.sky;
            state.handed_in.insert(signed.hash, signed.clone());
            let again = if state.chance(sky.repeats) {
                state.handed_in.values().cloned().collect()
            } else {
                Vec::new()
            };
            let is_held = state.chance(sky.forks);
            if is_held {
                let after = state.blocks.len() as u64 + state.rng.random_range(1..10);
                state.held.push((after, signed.clone()));
            }
            (again, is_held, state.chance(sky.drops), state.chance(sky.denies))
        };
        for earlier in again {
            // Most are in a block already, or can't be any more.
            let _ = self.ledger.submit(&earlier).await;
        }
        if is_held || is_dropped {
            return Ok(());
        }
        self.ledger.submit(signed).await?;
        match denies {
            true => Err(ChainError::NotAccepted("try again later".to_owned())),
            false => Ok(()),
        }
    }
    async fn outcome(&self, signed: &SignedCall) -> Read<CallOutcome> {
        self.meet().await?;
        let outcome = self.ledger.outcome(signed).await?;
        let at = self.shown().0;
        let is_hidden = match &outcome {
            CallOutcome::Included { block, .. } | CallOutcome::Refused { block, .. } => block.0 > at,
            CallOutcome::Expired => at < signed.expires.0,
            CallOutcome::Pending => false,
        };
        let mut state = self.state();
        let pending = state.sky.pending;
        let lies = matches!(outcome, CallOutcome::Included { .. }) && state.chance(pending);
        Ok(if is_hidden || lies { CallOutcome::Pending } else { outcome })
    }
}
