//! The chain beside the journal: its newest block, the epoch's end, and the weights that validators have on it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use weighhouse_chain::{ChainError, SharedChain};
use weighhouse_seams::{Clock, ClockExt as _, Elapsed};
use weighhouse_types::{Block, MechId, Netuid, SubnetState, Uid};

use crate::consensus::Rows;
use crate::limits::{CHAIN_REST, CHAIN_TIMEOUT, VALIDATORS_MAX};

/// The chain that a validator publishes on.
#[derive(Clone, Debug)]
pub struct ChainSource {
    pub chain: SharedChain,
    pub netuid: Netuid,
    pub mechanism: MechId,
}

/// The chain as it was seen last.
#[derive(Clone, Debug, Default)]
pub(crate) struct ChainView {
    pub(crate) state: Option<Arc<SubnetState>>,
    pub(crate) rows: Arc<Rows>,
    pub(crate) block_time: Option<Duration>,
    /// By the monotonic clock.
    pub(crate) seen_at: Duration,
    /// Why nothing newer was seen.
    pub(crate) trouble: Option<String>,
}

/// Follows the chain block by block, and tells what it sees; trouble passes or is told too.
pub(crate) async fn follow(source: ChainSource, clock: Arc<dyn Clock>, view: watch::Sender<ChainView>) {
    let mut seen = Seen::default();
    loop {
        match step(&source, &clock, &mut seen).await {
            Ok(Some(state)) => {
                let rows = seen.rows.iter().map(|(uid, (_, row))| (*uid, row.clone())).collect();
                let seen_at = clock.monotonic();
                view.send_modify(|view| {
                    let block_time = source.chain.block_time();
                    *view = ChainView {
                        state: Some(Arc::new(state)),
                        rows: Arc::new(rows),
                        block_time,
                        seen_at,
                        trouble: None,
                    };
                });
            }
            Ok(None) => {}
            Err(trouble) => {
                view.send_modify(|view| view.trouble = Some(trouble.to_string()));
                clock.sleep(CHAIN_REST).await;
            }
        }
    }
}

/// What was read already.
#[derive(Debug, Default)]
struct Seen {
    block: Option<Block>,
    /// With the block of their setting.
    rows: BTreeMap<Uid, (Block, Vec<(Uid, u16)>)>,
}

#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    Chain(#[from] ChainError),
    #[error("the chain: {0}")]
    Late(#[from] Elapsed),
}

/// One newer block; `None` where none came in time, which is no trouble of a chain that makes them on demand.
async fn step(
    source: &ChainSource,
    clock: &Arc<dyn Clock>,
    seen: &mut Seen,
) -> Result<Option<SubnetState>, Trouble> {
    if let Some(block) = seen.block {
        match clock.timeout(CHAIN_TIMEOUT, source.chain.next_block(block)).await {
            Err(_) => return Ok(None),
            Ok(next) => drop(next?),
        }
    }
    let state = clock.timeout(CHAIN_TIMEOUT, source.chain.subnet(source.netuid)).await??;
    let mut validators: Vec<_> =
        state.metagraph.neurons.iter().filter(|neuron| neuron.validator_permit).collect();
    validators.sort_by_key(|neuron| std::cmp::Reverse(neuron.stake));
    validators.truncate(VALIDATORS_MAX);
    seen.rows.retain(|uid, _| validators.iter().any(|neuron| neuron.uid == *uid));
    for neuron in validators {
        // Timelocked weights show later than they were sent, so a change is also looked for where an epoch began.
        let is_known = |(block, _): &(Block, Vec<(Uid, u16)>)| {
            *block >= neuron.last_update.max(state.schedule.last_epoch_block)
        };
        if seen.rows.get(&neuron.uid).is_some_and(is_known) {
            continue;
        }
        let row = source.chain.weights(source.netuid, source.mechanism, neuron.uid);
        let row = clock.timeout(CHAIN_TIMEOUT, row).await??;
        seen.rows.insert(neuron.uid, (state.head.number, row));
    }
    seen.block = Some(state.head.number);
    Ok(Some(state))
}
