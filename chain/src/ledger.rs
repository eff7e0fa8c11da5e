//! The embedded chain: one producer, a block final once it is on disk, state in a file.
//!
//! In reading order: what it starts from (`genesis`); what it is told (`extrinsic`, `pool`); what a block does
//! (`state` and, by subject, `registration`, `staking`, `serving`, `weights`, `commits`, `mechanisms`, `children`,
//! `owner`, `epoch`); what is kept
//! (`store`); how it is asked (`query`, and for other hosts `serve` and `remote`).
//!
//! **Invariant.** What a caller sees is on disk: a block is committed first and shown after.

mod genesis;

mod extrinsic;
mod pool;

mod block;
mod children;
mod commits;
mod epoch;
mod mechanisms;
mod owner;
mod registration;
mod serving;
mod staking;
mod state;
mod weights;

mod store;

mod query;
mod remote;
mod serve;

use std::future::Future;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use parity_scale_codec::Encode;
use rand::CryptoRng;
use tokio::sync::watch;
use weighhouse_seams::{Clock, CpuPool, PoolError};
use weighhouse_types::{
    Axon, Beacon, Block, Certificate, Coldkey, Commitment, Delegation, Digest, Hasher, Head, Hotkey, MechId,
    MechanismRows, Mechanisms, Netuid, Rao, Rounds, SubnetState, Timelock, Uid, WeightCommit,
};
use weighhouse_wallet::keypair::Keypair;

use crate::rules::reveal::COMMIT_VERSION;
use crate::timelock::SIGNATURE_BYTES;
use crate::{Call, CallOutcome, Chain, ChainError, Event, SignedCall};
use extrinsic::{Account, EXTRINSIC_BYTES_MAX, Extrinsic};
use pool::{NotTaken, Pool, Waiting};
use staking::{ALPHA_PRICE, EXISTENTIAL_DEPOSIT, FEE};
use state::State;
use store::{BLOCKS_KEPT, Header, OpenedStore, Store, StoredBlock, StoredCall};

pub use genesis::{AccountEntry, BlockTime, Genesis, GenesisError, GenesisFile, NeuronEntry, SubnetEntry};
pub use remote::Remote;
pub use serve::{LedgerLimits, serve};

/// Reads and submissions that run at once, and that wait; further ones are refused as busy.
const WORKERS: usize = 4;
const QUEUE_MAX: usize = 4096;

/// A running ledger. Clones share it.
#[derive(Clone, Debug)]
pub struct Ledger(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    genesis: Genesis,
    store: Store,
    clock: Arc<dyn Clock>,
    workers: CpuPool,
    pool: Mutex<Pool>,
    /// Held while a block is made.
    producing: Mutex<()>,
    newest: watch::Sender<Arc<Snapshot>>,
}

/// The newest committed block and the state after it.
#[derive(Debug)]
struct Snapshot {
    header: Header,
    head: Head,
    state: State,
}

impl Snapshot {
    fn new(header: Header, state: State) -> Arc<Self> {
        Arc::new(Self { head: header.head(), header, state })
    }
}

impl Ledger {
    /// Opens the file, or makes it where there is none. Only one process can have it open. Reads and checks the whole
    /// file, so call it from a thread that may block.
    pub fn open(
        path: &Path,
        genesis: &Genesis,
        clock: Arc<dyn Clock>,
        rng: &mut dyn CryptoRng,
    ) -> Result<Self, ChainError> {
        Ok(Self::new(Store::open(path, genesis, rng)?, genesis, clock))
    }

    /// A ledger that is gone with its last handle.
    pub fn in_memory(
        genesis: &Genesis,
        clock: Arc<dyn Clock>,
        rng: &mut dyn CryptoRng,
    ) -> Result<Self, ChainError> {
        let backend = redb::backends::InMemoryBackend::new();
        Ok(Self::new(Store::open_backend(backend, genesis, rng, BLOCKS_KEPT)?, genesis, clock))
    }

    fn new(opened: OpenedStore, genesis: &Genesis, clock: Arc<dyn Clock>) -> Self {
        let OpenedStore { store, header, state } = opened;
        Self(Arc::new(Inner {
            genesis: genesis.clone(),
            store,
            clock,
            workers: CpuPool::new(WORKERS, QUEUE_MAX),
            pool: Mutex::default(),
            producing: Mutex::new(()),
            newest: watch::Sender::new(Snapshot::new(header, state)),
        }))
    }

    /// Makes the next block of all calls that wait, and returns once it is durable. Once begun, the block is finished
    /// even if nobody waits for it.
    pub async fn produce_block(&self) -> Result<Head, ChainError> {
        let inner = Arc::clone(&self.0);
        // Not on the pool of readers: a block must not wait behind four thousand of them.
        let made = tokio::task::spawn_blocking(move || inner.produce()).await;
        made.map_err(|error| self.0.cannot_go_on(&error))?
    }

    /// Makes blocks at the genesis' block time until told to stop; where blocks are made on demand, just waits.
    /// An error means that the ledger can't go on.
    pub async fn run(&self, shutdown: impl Future<Output = ()> + Send) -> Result<(), ChainError> {
        tokio::pin!(shutdown);
        let Some(period) = self.block_time() else {
            shutdown.await;
            return Ok(());
        };
        let clock = &self.0.clock;
        let mut due = clock.monotonic() + period;
        loop {
            tokio::select! {
                biased;
                () = &mut shutdown => return Ok(()),
                () = clock.sleep(due.saturating_sub(clock.monotonic())) => {}
            }
            let head = self.produce_block().await?;
            tracing::debug!(block = head.number.0, hash = %head.hash, "block made");
            // A block that took too long is not made up for.
            due = (due + period).max(clock.monotonic());
        }
    }

    /// Number of signed calls that wait for the next block.
    pub fn pool_len(&self) -> usize {
        self.0.pool.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// What happened in a block besides its calls.
    async fn hooks_of(&self, block: Block) -> Result<Vec<Event>, ChainError> {
        self.blocking(move |inner| Ok(inner.store.block(block)?.ok_or_else(|| inner.no_block(block))?.events))
            .await
    }

    /// Everything that happened in a block, in its order.
    pub async fn events(&self, block: Block) -> Result<Vec<Event>, ChainError> {
        self.blocking(move |inner| {
            let stored = inner.store.block(block)?.ok_or_else(|| inner.no_block(block))?;
            let of_calls = stored.calls.into_iter().filter_map(|call| call.result.ok()).flatten();
            Ok(stored.events.into_iter().chain(of_calls).collect())
        })
        .await
    }

    /// The chain's own name.
    pub fn name(&self) -> &str {
        &self.0.genesis.file().name
    }

    /// Between two blocks; `None` where they are made on demand.
    pub fn block_time(&self) -> Option<Duration> {
        self.0.genesis.file().block_time.period()
    }

    async fn submit_bytes(&self, bytes: Vec<u8>) -> Result<(), ChainError> {
        self.blocking(move |inner| inner.submit(&bytes)).await
    }

    async fn outcome_of(&self, bytes: Vec<u8>) -> Result<CallOutcome, ChainError> {
        self.blocking(move |inner| inner.outcome(&bytes)).await
    }

    /// Reads the disk and checks signatures off the reactor.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner) -> Result<T, ChainError> + Send + 'static,
    ) -> Result<T, ChainError> {
        let inner = Arc::clone(&self.0);
        match self.0.workers.run(move || work(&inner)).await {
            Ok(done) => done,
            Err(error @ PoolError::Panicked) => Err(self.0.cannot_go_on(&error)),
            Err(PoolError::Full) => {
                let why = "too many requests wait already".to_owned();
                Err(ChainError::Unreachable { endpoint: self.name().to_owned(), why })
            }
        }
    }

    fn newest(&self) -> Arc<Snapshot> {
        self.0.newest()
    }
}

impl Inner {
    fn newest(&self) -> Arc<Snapshot> {
        Arc::clone(&self.newest.borrow())
    }

    fn pool(&self) -> std::sync::MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn produce(&self) -> Result<Head, ChainError> {
        let _producing = self.producing.lock().unwrap_or_else(PoisonError::into_inner);
        // Read under the producing lock, so that two blocks can't have one parent.
        let before = self.newest();
        let included = self.pool().includable(&before.state);
        let mut hashes = Vec::with_capacity(included.len());
        let mut bytes = Vec::with_capacity(included.len());
        let mut extrinsics = Vec::with_capacity(included.len());
        for (hash, raw, extrinsic) in included {
            hashes.push(hash);
            bytes.push(raw);
            extrinsics.push(extrinsic);
        }
        // On a copy: a block that fails leaves the newest state as it was.
        let mut state = before.state.clone();
        let outcome = state
            .apply_block(&extrinsics, &self.store.timelock)
            .map_err(|broken| self.cannot_go_on(&broken))?;
        let state_bytes = state.encode();
        let root =
            bytes.iter().fold(Hasher::new("weighhouse/extrinsics/v1"), |hasher, bytes| hasher.part(bytes));
        let header = Header {
            number: state.block,
            parent: before.head.hash,
            state_root: State::root(&state_bytes),
            extrinsics_root: root.finish(),
            // Never before the parent's, should the machine's clock step back.
            time: self.clock.now().0.max(before.header.time),
        };
        let calls = bytes.into_iter().zip(outcome.calls);
        let calls = calls.map(|(extrinsic, result)| StoredCall { extrinsic, result }).collect();
        let block = StoredBlock { header, calls, events: outcome.events };
        // Durable before anybody sees it: a reader must not act on a block that a crash takes back.
        self.store.commit(&block, &hashes, &state_bytes)?;
        let snapshot = Snapshot::new(block.header, state);
        let head = snapshot.head;
        self.newest.send_replace(Arc::clone(&snapshot));
        self.pool().purge(&snapshot.state);
        Ok(head)
    }

    fn submit(&self, bytes: &[u8]) -> Result<(), ChainError> {
        // The cheapest checks first; the signature, the dearest, comes last before the pool.
        if bytes.len() > EXTRINSIC_BYTES_MAX {
            return Err(not_taken(NotTaken::Oversized { bytes: bytes.len() }));
        }
        let extrinsic = Extrinsic::read(bytes).ok_or_else(|| not_taken(NotTaken::Undecodable))?;
        let hash = extrinsic::hash(bytes);
        if self.pool().holds(&extrinsic.signer, extrinsic.nonce, hash)
            || self.store.inclusion(hash)?.is_some()
        {
            return Ok(());
        }
        if !extrinsic.is_signed_for(self.genesis.hash()) {
            return Err(not_taken(NotTaken::BadSignature));
        }
        // The state is read under the pool's lock: a block made meanwhile purges what it has outdated.
        let mut pool = self.pool();
        let state = &self.newest().state;
        pool.insert(Waiting { hash, bytes: bytes.to_vec(), extrinsic }, state).map_err(not_taken)
    }

    fn outcome(&self, bytes: &[u8]) -> Result<CallOutcome, ChainError> {
        let extrinsic = Extrinsic::read(bytes).ok_or_else(|| not_taken(NotTaken::Undecodable))?;
        // Read before the index: a call that is not in the index now is in no block up to this one.
        let newest = self.newest();
        let head = newest.head.number;
        let hash = extrinsic::hash(bytes);
        if let Some(block) = self.store.inclusion(hash)? {
            let stored = self.store.block(block)?.ok_or_else(|| self.no_block(block))?;
            let call = stored.calls.into_iter().find(|call| call.extrinsic == bytes);
            return match call.ok_or_else(|| self.no_block(block))?.result {
                Ok(events) => Ok(CallOutcome::Included { block, events }),
                Err(refusal) => Ok(CallOutcome::Refused { block, refusal }),
            };
        }
        // Older blocks are dropped, and with them the answer: saying "expired" might be wrong.
        if extrinsic.expires.0.saturating_add(self.store.blocks_kept()) <= head.0 {
            return Err(self.no_block(extrinsic.expires));
        }
        let used = extrinsic.nonce < newest.state.nonce(&extrinsic.signer);
        if used || extrinsic.expires <= head {
            return Ok(CallOutcome::Expired);
        }
        Ok(CallOutcome::Pending)
    }

    fn commitment_at(
        &self,
        netuid: Netuid,
        hotkey: Hotkey,
        block: Block,
    ) -> Result<Option<Commitment>, ChainError> {
        let newest = self.newest();
        let head = newest.head.number;
        if block > head || block.0.saturating_add(self.store.blocks_kept()) <= head.0 {
            return Err(self.no_block(block));
        }
        let standing = newest.state.subnet(netuid)?.commitments.get(&hotkey);
        match standing {
            // As old as it may be, no block after the one in question has changed it.
            Some(standing) if standing.block <= block => Ok(Some(standing.clone())),
            _ => self.store.commitment(netuid, hotkey, block),
        }
    }

    fn next_nonce(&self, account: &Account) -> (u64, Block) {
        // The pool first: an older state beside a purged pool would give away a nonce that a block has used.
        let pool = self.pool();
        let newest = self.newest();
        (pool.next_nonce(account, &newest.state), newest.head.number)
    }

    fn no_block(&self, block: Block) -> ChainError {
        ChainError::NoBlock { block, head: self.newest().head.number }
    }

    fn cannot_go_on(&self, why: &dyn std::fmt::Display) -> ChainError {
        let fix = "this is a defect of the program: please report it; the last block is safe on disk";
        ChainError::State { path: self.genesis.file().name.clone(), why: why.to_string(), fix }
    }
}

fn not_taken(why: NotTaken) -> ChainError {
    ChainError::NotAccepted(why.to_string())
}

#[async_trait]
impl Chain for Ledger {
    fn genesis(&self) -> Digest {
        self.0.genesis.hash()
    }

    async fn head(&self) -> Result<Head, ChainError> {
        Ok(self.newest().head)
    }

    async fn next_block(&self, after: Block) -> Result<Head, ChainError> {
        let mut watching = self.0.newest.subscribe();
        let newest = watching.wait_for(|newest| newest.head.number > after).await;
        Ok(newest.expect("the ledger holds its sender").head)
    }

    async fn subnet(&self, netuid: Netuid) -> Result<SubnetState, ChainError> {
        let newest = self.newest();
        newest.state.view(netuid, newest.head)
    }

    async fn beacon(&self, block: Block) -> Result<Beacon, ChainError> {
        // Not before its block: whoever knew a beacon could foresee the challenges drawn from it.
        if block > self.newest().head.number {
            return Err(self.0.no_block(block));
        }
        Ok(self.0.store.beacon(block))
    }

    async fn weights(
        &self,
        netuid: Netuid,
        mechanism: MechId,
        uid: Uid,
    ) -> Result<Vec<(Uid, u16)>, ChainError> {
        self.newest().state.row(netuid, mechanism, uid, state::LedgerSubnet::weights)
    }

    async fn bonds(
        &self,
        netuid: Netuid,
        mechanism: MechId,
        uid: Uid,
    ) -> Result<Vec<(Uid, u16)>, ChainError> {
        self.newest().state.row(netuid, mechanism, uid, state::LedgerSubnet::bonds)
    }

    async fn certificate(&self, netuid: Netuid, hotkey: Hotkey) -> Result<Option<Certificate>, ChainError> {
        self.newest().state.certificate(netuid, &hotkey)
    }

    async fn balance(&self, coldkey: Coldkey) -> Result<Rao, ChainError> {
        Ok(self.newest().state.accounts.get(&coldkey.0).map_or(Rao(0), |purse| purse.balance))
    }

    async fn burn(&self, netuid: Netuid) -> Result<Rao, ChainError> {
        Ok(self.newest().state.subnet(netuid)?.registration_price)
    }

    async fn alpha_price(&self, netuid: Netuid) -> Result<Rao, ChainError> {
        self.newest().state.subnet(netuid)?;
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
        Ok(self.newest().state.subnet(netuid)?.mechanisms.clone())
    }

    async fn mechanism(&self, netuid: Netuid, mechanism: MechId) -> Result<MechanismRows, ChainError> {
        Ok(self.newest().state.subnet(netuid)?.mechanism_rows(mechanism).unwrap_or_default())
    }

    async fn commits(
        &self,
        netuid: Netuid,
        mechanism: MechId,
        hotkey: Hotkey,
    ) -> Result<Vec<WeightCommit>, ChainError> {
        self.newest().state.waiting_commits(netuid, mechanism, &hotkey)
    }

    async fn timelock(&self) -> Result<Timelock, ChainError> {
        Ok(Timelock {
            version: COMMIT_VERSION,
            public_key: self.0.store.timelock_key,
            rounds: Rounds::Blocks,
            last_round: self.newest().head.number.0,
        })
    }

    async fn pulse(&self, round: u64) -> Result<Option<[u8; SIGNATURE_BYTES]>, ChainError> {
        // The signature opens everything that is sealed to its round.
        let known = round <= self.newest().head.number.0;
        Ok(known.then(|| self.0.store.timelock.sign(round)))
    }

    async fn hook_events(&self, block: Block) -> Result<Vec<Event>, ChainError> {
        self.hooks_of(block).await
    }

    async fn commitment(&self, netuid: Netuid, hotkey: Hotkey) -> Result<Option<Commitment>, ChainError> {
        Ok(self.newest().state.subnet(netuid)?.commitments.get(&hotkey).cloned())
    }

    async fn commitment_at(
        &self,
        netuid: Netuid,
        hotkey: Hotkey,
        block: Block,
    ) -> Result<Option<Commitment>, ChainError> {
        self.blocking(move |inner| inner.commitment_at(netuid, hotkey, block)).await
    }

    async fn prometheus(&self, netuid: Netuid, hotkey: Hotkey) -> Result<Option<Axon>, ChainError> {
        Ok(self.newest().state.subnet(netuid)?.prometheus.get(&hotkey).copied())
    }

    async fn delegation(&self, netuid: Netuid, hotkey: Hotkey) -> Result<Option<Delegation>, ChainError> {
        self.newest().state.delegation_of(netuid, &hotkey)
    }

    async fn sign(&self, signer: &Keypair, call: Call) -> Result<SignedCall, ChainError> {
        let (nonce, head) = self.0.next_nonce(&signer.public());
        Ok(extrinsic::sign(signer, self.genesis(), call, nonce, head))
    }

    async fn submit(&self, signed: &SignedCall) -> Result<(), ChainError> {
        self.submit_bytes(signed.bytes.clone()).await
    }

    async fn outcome(&self, signed: &SignedCall) -> Result<CallOutcome, ChainError> {
        self.outcome_of(signed.bytes.clone()).await
    }
}

#[cfg(test)]
mod tests;
