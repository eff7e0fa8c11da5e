//! The chain as a life asks it: each call that the chain acts on is a point.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use weighhouse_chain::ledger::Remote;
use weighhouse_chain::{Call, CallOutcome, Chain, ChainError, Event, SignedCall};
use weighhouse_types::{
    Axon, Beacon, Block, Certificate, Coldkey, Commitment, Digest, Head, Hotkey, MechId, MechanismRows,
    Mechanisms, Netuid, Rao, SubnetState, Timelock, Uid, WeightCommit,
};
use weighhouse_wallet::keypair::Keypair;

use super::points::Points;
use super::seams::MovedClock;
use super::{Shown, Told, tell};

type Read<T> = Result<T, ChainError>;

#[derive(Debug)]
pub(super) struct Asked {
    chain: Remote,
    has_timelock: bool,
    points: Arc<Points>,
    clock: Arc<MovedClock>,
    shown: OnceLock<Shown>,
    /// Hashes of calls that carry no weights.
    others: Mutex<BTreeSet<Digest>>,
}

impl Asked {
    pub(super) fn new(
        chain: Remote,
        has_timelock: bool,
        points: Arc<Points>,
        clock: Arc<MovedClock>,
    ) -> Self {
        Self { chain, has_timelock, points, clock, shown: OnceLock::new(), others: Mutex::default() }
    }

    pub(super) fn shows(&self, shown: Shown) {
        self.shown.set(shown).expect("opened once");
    }
}

#[async_trait]
impl Chain for Asked {
    fn genesis(&self) -> Digest {
        self.chain.genesis()
    }
    async fn head(&self) -> Read<Head> {
        self.chain.head().await
    }
    async fn next_block(&self, after: Block) -> Read<Head> {
        if let Some(Err(why)) = self.shown.get().map(|shown| shown.after(after, self.clock.seconds())) {
            tell(&Told::Failed(why));
        }
        self.clock.move_after(after.0);
        let next = self.chain.next_block(after).await?;
        self.points.at("block");
        Ok(next)
    }
    async fn subnet(&self, netuid: Netuid) -> Read<SubnetState> {
        self.chain.subnet(netuid).await
    }
    fn block_time(&self) -> Option<Duration> {
        self.chain.block_time()
    }
    async fn beacon(&self, block: Block) -> Read<Beacon> {
        self.chain.beacon(block).await
    }
    async fn weights(&self, netuid: Netuid, mechanism: MechId, uid: Uid) -> Read<Vec<(Uid, u16)>> {
        self.chain.weights(netuid, mechanism, uid).await
    }
    async fn bonds(&self, netuid: Netuid, mechanism: MechId, uid: Uid) -> Read<Vec<(Uid, u16)>> {
        self.chain.bonds(netuid, mechanism, uid).await
    }
    async fn certificate(&self, netuid: Netuid, hotkey: Hotkey) -> Read<Option<Certificate>> {
        self.chain.certificate(netuid, hotkey).await
    }
    async fn balance(&self, coldkey: Coldkey) -> Read<Rao> {
        self.chain.balance(coldkey).await
    }
    async fn burn(&self, netuid: Netuid) -> Read<Rao> {
        self.chain.burn(netuid).await
    }
    async fn mechanisms(&self, netuid: Netuid) -> Read<Mechanisms> {
        self.chain.mechanisms(netuid).await
    }
    async fn mechanism(&self, netuid: Netuid, mechanism: MechId) -> Read<MechanismRows> {
        self.chain.mechanism(netuid, mechanism).await
    }
    async fn commits(&self, netuid: Netuid, mechanism: MechId, hotkey: Hotkey) -> Read<Vec<WeightCommit>> {
        self.chain.commits(netuid, mechanism, hotkey).await
    }
    async fn timelock(&self) -> Read<Timelock> {
        match self.has_timelock {
            true => self.chain.timelock().await,
            false => Err(ChainError::Unsupported { what: "timelocked weight commits" }),
        }
    }
    async fn hook_events(&self, block: Block) -> Read<Vec<Event>> {
        self.chain.hook_events(block).await
    }
    async fn commitment(&self, netuid: Netuid, hotkey: Hotkey) -> Read<Option<Commitment>> {
        self.chain.commitment(netuid, hotkey).await
    }
    async fn commitment_at(&self, netuid: Netuid, hotkey: Hotkey, block: Block) -> Read<Option<Commitment>> {
        self.chain.commitment_at(netuid, hotkey, block).await
    }
    async fn prometheus(&self, netuid: Netuid, hotkey: Hotkey) -> Read<Option<Axon>> {
        self.chain.prometheus(netuid, hotkey).await
    }
    async fn sign(&self, signer: &Keypair, call: Call) -> Read<SignedCall> {
        let is_other = matches!(call, Call::SetCommitment { .. });
        let signed = self.chain.sign(signer, call).await?;
        if is_other {
            self.others.lock().expect("no test panics with it").insert(signed.hash);
        }
        self.points.at("call: signed");
        Ok(signed)
    }
    async fn submit(&self, signed: &SignedCall) -> Read<()> {
        let is_other = self.others.lock().expect("no test panics with it").contains(&signed.hash);
        let what = if is_other { "commitment" } else { "weights" };
        self.points.at(&format!("{what}: before handing in"));
        if !is_other {
            tell(&Told::HandedIn(signed.hash.to_string()));
        }
        self.chain.submit(signed).await?;
        self.points.at(&format!("{what}: handed in"));
        Ok(())
    }
    async fn outcome(&self, signed: &SignedCall) -> Read<CallOutcome> {
        let outcome = self.chain.outcome(signed).await?;
        if matches!(outcome, CallOutcome::Included { .. }) {
            self.points.at("weights: seen in a block");
        }
        Ok(outcome)
    }
}
