//! The ledger, without what some chains lack and with what goes wrong on others.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use weighhouse_chain::ledger::Ledger;
use weighhouse_chain::{Call, CallOutcome, Chain, ChainError, Event, SignedCall};
use weighhouse_types::{
    Beacon, Block, Certificate, Coldkey, Digest, Head, Hotkey, Hyperparameters, MechId, MechanismRows,
    Mechanisms, Netuid, Rao, SubnetState, Timelock, Uid, WeightCommit,
};
use weighhouse_wallet::keypair::Keypair;

use crate::testing::{NETUID, World};

/// Signed and handed in, to be in the next block.
async fn hand_in(ledger: &Ledger, change: impl FnOnce(&mut Hyperparameters)) {
    let state = ledger.subnet(NETUID).await.expect("the subnet");
    let mut hyperparameters = Box::new(state.hyperparameters);
    change(&mut hyperparameters);
    let owner = Keypair::from_uri("//Owner").expect("a key");
    let call = Call::SetHyperparameters { netuid: NETUID, hyperparameters };
    let signed = ledger.sign(&owner, call).await.expect("signed");
    ledger.submit(&signed).await.expect("taken");
}

pub(crate) async fn owner_sets(world: &World, change: impl FnOnce(&mut Hyperparameters)) {
    hand_in(&world.ledger, change).await;
    world.ledger.produce_block().await.expect("a block");
}

#[derive(Debug)]
pub(crate) struct Gate {
    ledger: Ledger,
    /// Hashes of calls that get lost on the way.
    lost: Mutex<BTreeSet<Digest>>,
    loses_reveals: bool,
    /// Turns commit-reveal on in the block before the first plain weights come in.
    switches: AtomicBool,
    beacon: bool,
    tells_events: bool,
    /// Forgets what became of calls once they are in a block.
    forgets: bool,
    /// The beacons of blocks before this one are kept no more.
    kept_from: Block,
    block_time: Option<Duration>,
    /// Can't be reached when the first commit is to be signed, while the owner sets a version key.
    rekeys: AtomicBool,
}

impl Gate {
    fn new(ledger: &Ledger) -> Self {
        Self {
            ledger: ledger.clone(),
            lost: Mutex::default(),
            loses_reveals: false,
            switches: AtomicBool::new(false),
            beacon: false,
            tells_events: true,
            forgets: false,
            kept_from: Block(0),
            block_time: None,
            rekeys: AtomicBool::new(false),
        }
    }

    pub(crate) fn without_beacon(ledger: &Ledger) -> Self {
        Self::new(ledger)
    }

    pub(crate) fn without_reveals(ledger: &Ledger) -> Self {
        Self { loses_reveals: true, ..Self::new(ledger) }
    }

    pub(crate) fn without_events(ledger: &Ledger) -> Self {
        Self { beacon: true, tells_events: false, ..Self::new(ledger) }
    }

    pub(crate) fn forgetting(ledger: &Ledger) -> Self {
        Self { forgets: true, ..Self::new(ledger) }
    }

    pub(crate) fn pruned(ledger: &Ledger, kept_from: Block) -> Self {
        Self { kept_from, ..Self::new(ledger) }
    }

    pub(crate) fn timed(ledger: &Ledger, block_time: Duration) -> Self {
        Self { block_time: Some(block_time), ..Self::new(ledger) }
    }

    pub(crate) fn rekeying(ledger: &Ledger) -> Self {
        Self { beacon: true, rekeys: AtomicBool::new(true), ..Self::new(ledger) }
    }

    pub(crate) fn switching(ledger: &Ledger) -> Self {
        Self { beacon: true, switches: AtomicBool::new(true), ..Self::new(ledger) }
    }
}

type Read<T> = Result<T, ChainError>;

#[async_trait]
impl Chain for Gate {
    fn genesis(&self) -> Digest {
        self.ledger.genesis()
    }
    async fn head(&self) -> Read<Head> {
        self.ledger.head().await
    }
    async fn next_block(&self, after: Block) -> Read<Head> {
        self.ledger.next_block(after).await
    }
    async fn subnet(&self, netuid: Netuid) -> Read<SubnetState> {
        self.ledger.subnet(netuid).await
    }
    fn block_time(&self) -> Option<Duration> {
        self.block_time
    }
    async fn beacon(&self, block: Block) -> Read<Beacon> {
        if block < self.kept_from {
            return Err(ChainError::Discarded { endpoint: "a node that prunes".to_owned() });
        }
        self.ledger.beacon(block).await
    }
    async fn weights(&self, netuid: Netuid, mechanism: MechId, uid: Uid) -> Read<Vec<(Uid, u16)>> {
        self.ledger.weights(netuid, mechanism, uid).await
    }
    async fn bonds(&self, netuid: Netuid, mechanism: MechId, uid: Uid) -> Read<Vec<(Uid, u16)>> {
        self.ledger.bonds(netuid, mechanism, uid).await
    }
    async fn certificate(&self, netuid: Netuid, hotkey: Hotkey) -> Read<Option<Certificate>> {
        self.ledger.certificate(netuid, hotkey).await
    }
    async fn balance(&self, coldkey: Coldkey) -> Read<Rao> {
        self.ledger.balance(coldkey).await
    }
    async fn burn(&self, netuid: Netuid) -> Read<Rao> {
        self.ledger.burn(netuid).await
    }
    async fn mechanisms(&self, netuid: Netuid) -> Read<Mechanisms> {
        self.ledger.mechanisms(netuid).await
    }
    async fn mechanism(&self, netuid: Netuid, mechanism: MechId) -> Read<MechanismRows> {
        self.ledger.mechanism(netuid, mechanism).await
    }
    async fn commits(&self, netuid: Netuid, mechanism: MechId, hotkey: Hotkey) -> Read<Vec<WeightCommit>> {
        self.ledger.commits(netuid, mechanism, hotkey).await
    }
    async fn timelock(&self) -> Read<Timelock> {
        match self.beacon {
            true => self.ledger.timelock().await,
            false => Err(ChainError::Unsupported { what: "timelocked weight commits" }),
        }
    }
    async fn hook_events(&self, block: Block) -> Read<Vec<Event>> {
        match self.tells_events {
            true => self.ledger.hook_events(block).await,
            false => Err(ChainError::Unsupported { what: "events of blocks" }),
        }
    }
    async fn sign(&self, signer: &Keypair, call: Call) -> Read<SignedCall> {
        if matches!(call, Call::CommitTimelockedWeights { .. }) && self.rekeys.swap(false, Ordering::Relaxed)
        {
            hand_in(&self.ledger, |rules| rules.weights_version_key = 9).await;
            self.ledger.produce_block().await?;
            let (endpoint, why) = ("the ledger".to_owned(), "away for a block".to_owned());
            return Err(ChainError::Unreachable { endpoint, why });
        }
        let lost = self.loses_reveals && matches!(call, Call::RevealWeights { .. });
        let switches = matches!(call, Call::SetWeights(_)) && self.switches.swap(false, Ordering::Relaxed);
        let signed = self.ledger.sign(signer, call).await?;
        if switches {
            hand_in(&self.ledger, |rules| rules.commit_reveal_weights_enabled = true).await;
            self.ledger.produce_block().await?;
        }
        if lost {
            self.lost.lock().expect("no test panics with it").insert(signed.hash);
        }
        Ok(signed)
    }
    async fn submit(&self, signed: &SignedCall) -> Read<()> {
        if self.lost.lock().expect("no test panics with it").contains(&signed.hash) {
            return Ok(());
        }
        self.ledger.submit(signed).await
    }
    async fn outcome(&self, signed: &SignedCall) -> Read<CallOutcome> {
        if self.lost.lock().expect("no test panics with it").contains(&signed.hash) {
            return Ok(CallOutcome::Expired);
        }
        match self.ledger.outcome(signed).await? {
            CallOutcome::Included { block, .. } | CallOutcome::Refused { block, .. } if self.forgets => {
                Err(ChainError::OutcomeDiscarded { block })
            }
            outcome => Ok(outcome),
        }
    }
}
