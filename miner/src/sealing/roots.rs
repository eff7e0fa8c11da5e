//! Commitments that have to stand on the chain: those that are due there, and the trees whose roots were published.

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use parity_scale_codec::{DecodeAll as _, Encode as _};
use tokio::sync::watch;
use weighhouse_merkle::commitments::{PLACES_MAX, Place, place, root_of};
use weighhouse_seams::Storage;
use weighhouse_types::Digest;

const FILE: &str = "committed-roots";
/// Commitments under one root. The oldest leave it first: their validators have given up on them.
const LEAVES_MAX: usize = 1_024;

/// The commitments of a hotkey that have to stand on the chain under one root.
#[derive(Debug)]
pub(crate) struct CommittedRoots {
    storage: Arc<dyn Storage>,
    state: Mutex<State>,
    /// The number of commitments so far: whoever publishes waits for another one.
    due: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    /// Not revealed yet.
    waiting: Vec<Digest>,
    revealed: BTreeSet<Digest>,
    /// Leaves of what was published, the newest last.
    trees: VecDeque<Vec<Digest>>,
}

impl CommittedRoots {
    /// Takes up what was published before a restart; a file that can't be read any more is as good as none.
    pub(super) fn open(storage: Arc<dyn Storage>) -> io::Result<Self> {
        let bytes = storage.read(FILE)?.unwrap_or_default();
        let trees = Vec::<Vec<Digest>>::decode_all(&mut &bytes[..]).unwrap_or_default();
        let waiting = trees.last().cloned().unwrap_or_default();
        let state = State { waiting, revealed: BTreeSet::new(), trees: trees.into() };
        Ok(Self { storage, state: Mutex::new(state), due: watch::Sender::new(0) })
    }

    /// Another commitment that is due on the chain.
    pub(super) fn add(&self, commitment: Digest) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if !state.waiting.contains(&commitment) {
            state.waiting.push(commitment);
        }
        drop(state);
        self.due.send_modify(|due| *due += 1);
    }

    /// Where a commitment stands under the roots that were published, and that it need stand under no later one.
    pub(super) fn places(&self, commitment: &Digest) -> Vec<Place> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.waiting.contains(commitment) {
            state.revealed.insert(*commitment);
        }
        state.trees.iter().rev().filter_map(|leaves| place(leaves, commitment)).collect()
    }

    /// Told of each commitment that is due.
    pub(crate) fn due(&self) -> watch::Receiver<u64> {
        self.due.subscribe()
    }

    /// The root of all that is due now; on disk before it is published, so that a restart can still tell the places. `None` where
    /// nothing is due. Blocks while it is written.
    pub(crate) fn next(&self) -> io::Result<Option<Digest>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let State { waiting, revealed, trees } = &mut *state;
        waiting.retain(|commitment| !revealed.contains(commitment));
        revealed.clear();
        let beyond = waiting.len().saturating_sub(LEAVES_MAX);
        waiting.drain(..beyond);
        if waiting.is_empty() {
            return Ok(None);
        }
        let root = root_of(waiting);
        if trees.back() != Some(waiting) {
            trees.push_back(waiting.clone());
            if trees.len() > PLACES_MAX {
                trees.pop_front();
            }
            self.storage.write_atomic(FILE, &Vec::from(trees.clone()).encode())?;
        }
        Ok(Some(root))
    }
}
