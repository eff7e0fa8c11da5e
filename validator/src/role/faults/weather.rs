//! The ledger as a validator sees it through an endpoint that has its troubles.

mod chain;
mod sky;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha20Rng;
use tokio::sync::Notify;
use weighhouse_chain::ledger::Ledger;
use weighhouse_chain::{Call, Chain, ChainError, SignedCall};
use weighhouse_types::{Block, Digest, MechId, SubnetState, Uid, WeightCommit};

use crate::testing::NETUID;

pub(super) use sky::Sky;

const OWN: Uid = Uid(0);

#[derive(Debug)]
pub(super) struct Weather {
    pub(super) ledger: Ledger,
    has_timelock: bool,
    /// Whether files of old epochs are removed.
    forgets: bool,
    state: Mutex<State>,
    killed: Notify,
}

#[derive(Debug)]
struct State {
    sky: Sky,
    rng: ChaCha20Rng,
    /// By block: the subnet, our weights and our commits.
    blocks: Vec<Shown>,
    /// The newest block that was shown in this life.
    floor: u64,
    signed: BTreeMap<Digest, Call>,
    handed_in: BTreeMap<Digest, SignedCall>,
    /// Submissions that come into a block after this one.
    held: Vec<(u64, SignedCall)>,
    /// Calls of the chain after which the process is killed.
    kill_in: Option<u32>,
}

#[derive(Clone, Debug)]
struct Shown {
    subnet: SubnetState,
    weights: Vec<(Uid, u16)>,
    commits: Vec<WeightCommit>,
}

type Read<T> = Result<T, ChainError>;

impl Weather {
    pub(super) async fn new(ledger: &Ledger, seed: u64, has_timelock: bool, forgets: bool) -> Self {
        let state = State {
            sky: Sky::default(),
            rng: ChaCha20Rng::seed_from_u64(seed),
            blocks: Vec::new(),
            floor: 0,
            signed: BTreeMap::new(),
            handed_in: BTreeMap::new(),
            held: Vec::new(),
            kill_in: None,
        };
        let weather = Self {
            ledger: ledger.clone(),
            has_timelock,
            forgets,
            state: Mutex::new(state),
            killed: Notify::new(),
        };
        weather.note().await;
        weather
    }

    /// Makes a block, with the submissions in it that forks had held back.
    pub(super) async fn produce(&self) {
        let next = self.newest() + 1;
        let held = std::mem::take(&mut self.state().held);
        for (after, signed) in held {
            if after < next {
                // It may have expired meanwhile.
                let _ = self.ledger.submit(&signed).await;
            } else {
                self.state().held.push((after, signed));
            }
        }
        self.ledger.produce_block().await.expect("a block");
        self.note().await;
    }

    async fn note(&self) {
        let subnet = self.ledger.subnet(NETUID).await.expect("the subnet");
        let weights = self.ledger.weights(NETUID, MechId(0), OWN).await.expect("weights");
        let hotkey = crate::testing::validator().hotkey();
        let commits = self.ledger.commits(NETUID, MechId(0), hotkey).await.expect("commits");
        let shown = Shown { subnet, weights, commits };
        let number = usize::try_from(shown.subnet.head.number.0).expect("few");
        let blocks = &mut self.state().blocks;
        // Of blocks before the first that is seen, nothing is asked.
        blocks.resize(number + 1, shown);
    }

    pub(super) fn newest(&self) -> u64 {
        self.state().blocks.len() as u64 - 1
    }

    /// Our weights after a block.
    pub(super) fn weights_at(&self, block: Block) -> Vec<(Uid, u16)> {
        let at = usize::try_from(block.0).expect("few");
        self.state().blocks.get(at).map(|shown| shown.weights.clone()).unwrap_or_default()
    }

    pub(super) fn forgets(&self) -> bool {
        self.forgets
    }

    /// What is above from now on.
    pub(super) fn turn(&self, sky: Sky) {
        self.state().sky = sky;
    }

    /// A new process asks an endpoint of its own.
    pub(super) fn restarted(&self) {
        let mut state = self.state();
        (state.floor, state.kill_in) = (0, None);
    }

    pub(super) fn kill_in(&self, calls: u32) {
        self.state().kill_in = Some(calls);
    }

    pub(super) async fn killed(&self) {
        self.killed.notified().await;
    }

    pub(super) fn handed_in(&self) -> Vec<(Call, SignedCall)> {
        let state = self.state();
        state.handed_in.values().map(|signed| (state.signed[&signed.hash].clone(), signed.clone())).collect()
    }

    /// The subnet as it was shown last.
    pub(super) fn seen(&self) -> SubnetState {
        let state = self.state();
        state.blocks[usize::try_from(state.floor).expect("few")].subnet.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test panics with it")
    }

    /// What every call meets. A process that is killed in it waits for ever.
    async fn meet(&self) -> Read<()> {
        let is_killed = {
            let mut state = self.state();
            state.kill_in = state.kill_in.map(|calls| calls.saturating_sub(1));
            state.kill_in == Some(0)
        };
        if is_killed {
            self.killed.notify_one();
            std::future::pending::<()>().await;
        }
        let mut state = self.state();
        let endpoint = "ws://there".to_owned();
        if state.sky.stalls {
            return Err(ChainError::TimedOut { endpoint, seconds: 30 });
        }
        let errors = state.sky.errors;
        if state.chance(errors) {
            return Err(ChainError::Unreachable { endpoint, why: "connection reset".to_owned() });
        }
        Ok(())
    }

    /// The block that the endpoint is at, which never goes back.
    fn shown(&self) -> (u64, Shown) {
        let mut state = self.state();
        let newest = state.blocks.len() as u64 - 1;
        state.floor = state.floor.max(newest.saturating_sub(state.sky.lag));
        let at = state.floor;
        (at, state.blocks[usize::try_from(at).expect("few")].clone())
    }

    fn known(&self, block: Block) -> Read<()> {
        let head = Block(self.shown().0);
        if block > head { Err(ChainError::NoBlock { block, head }) } else { Ok(()) }
    }
}

impl State {
    fn chance(&mut self, percent: u32) -> bool {
        percent > 0 && self.rng.random_range(0..100) < percent
    }
}
