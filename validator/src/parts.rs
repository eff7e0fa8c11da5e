//! Everything a validator is made of, handed in by the binary, the localnet or a test.
//!
//! Nothing reaches around these parts for a clock, a socket, a file or chance: that is what lets a test run a whole
//! subnet in memory.

use std::sync::Arc;

use weighhouse_chain::Chain;
use weighhouse_seams::{Clock, CpuPool, Dialer, Entropy, Storage};
use weighhouse_tasks::Task;
use weighhouse_types::{MechId, Netuid};
use weighhouse_wallet::keypair::Keypair;

use crate::canary::Canary;
use crate::config::{Publish, Rounds};
use crate::publish::Publisher;

/// Everything a validator is handed.
#[derive(Clone, Debug)]
pub struct Parts {
    pub netuid: Netuid,
    pub mechanism: MechId,
    pub rounds: Rounds,
    pub publish: Publish,
    pub retention: Retention,
    /// The policy file, verbatim.
    pub policy: Vec<u8>,
    /// The folder where a policy and its owner-signed roll-out are staged; see [`crate::rollout`].
    pub staged: Option<Arc<dyn Storage>>,
    /// The task file, verbatim, and what it describes.
    pub task_file: Vec<u8>,
    pub task: Arc<Task>,
    /// A task that was configured while an epoch under the other is open: it takes its place once a closing record has named it.
    pub next_task: Option<(Vec<u8>, Arc<Task>)>,
    pub keypair: Arc<Keypair>,
    pub chain: Arc<dyn Chain>,
    pub dialer: Arc<dyn Dialer>,
    /// Our own miner, asked with every round; `None` where nobody is.
    pub canary: Option<Canary>,
    pub clock: Arc<dyn Clock>,
    pub entropy: Entropy,
    /// The journal's folder, held by this process alone.
    pub storage: Arc<dyn Storage>,
    pub cpu: CpuPool,
}

impl Parts {
    pub(crate) fn publisher(&self) -> Publisher {
        Publisher {
            chain: self.chain.clone(),
            keypair: self.keypair.clone(),
            clock: self.clock.clone(),
            entropy: self.entropy.clone(),
        }
    }
}

/// What the journal's folder keeps, and the room that it wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Epochs whose files are kept besides the open one; `None`: all.
    pub keep_epochs: Option<usize>,
    /// Epochs whose files keep requests, answers and references, besides the open one; `None`: all that are kept.
    pub keep_answers_epochs: Option<usize>,
    /// Free bytes below which the operator is told.
    pub free_space_min: u64,
}
