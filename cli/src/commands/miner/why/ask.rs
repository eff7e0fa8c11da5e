//! Asking validators, all at once: where the chain says that they serve verdicts.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt as _, stream};
use weighhouse_ask::call::CallError;
use weighhouse_ask::verdicts::{ENDPOINT_VERSION, ExplainError, SignedStatement, explain};
use weighhouse_ask::{Asker, ProxyLimits, Target};
use weighhouse_chain::SharedChain;
use weighhouse_seams::{Clock, ClockExt as _, SystemClock, TcpDialer};
use weighhouse_types::{Epoch, Hotkey, Metagraph, Neuron, Uid};
use weighhouse_wallet::btauth::Signer;
use weighhouse_wallet::keypair::Keypair;

use crate::failure::{Exit, Failure};

/// Validators asked at once.
const AT_ONCE: usize = 32;
/// A validator may have to read a large file first, and others wait before us.
const LIMITS: ProxyLimits = ProxyLimits { deadline: Duration::from_secs(30), body_bytes_max: 2 << 20 };
const CHAIN_PATIENCE: Duration = Duration::from_secs(15);

/// One validator's word, or why there is none.
pub(super) struct Told {
    pub(super) validator: Hotkey,
    pub(super) uid: Uid,
    pub(super) outcome: Result<SignedStatement, String>,
}

/// Why there is none of most that have a permit: on a small subnet miners have one too.
pub(super) const SERVES_NONE: &str = "serves no verdicts";

/// The subnet's validators, and the means to ask them.
pub(super) struct Validators {
    chain: SharedChain,
    metagraph: Metagraph,
    asker: Asker,
}

impl Validators {
    pub(super) fn new(chain: SharedChain, keypair: Keypair, metagraph: Metagraph) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let signer = Arc::new(Signer::new(Arc::new(keypair), clock.clone()));
        Self { chain, metagraph, asker: Asker { signer, dialer: Arc::new(TcpDialer), clock } }
    }

    /// Asks everybody with a permit, or one; ascending by uid.
    pub(super) async fn ask(&self, only: Option<Hotkey>, epoch: Option<Epoch>) -> Result<Vec<Told>, Failure> {
        let asked: Vec<&Neuron> = match only {
            Some(hotkey) => {
                let known = self.metagraph.by_hotkey(&hotkey);
                let unknown = || Failure::new(Exit::Missing, format!("{hotkey} is not in this subnet"));
                vec![known.ok_or_else(unknown)?]
            }
            None => {
                let others = self.metagraph.neurons.iter();
                let own = self.asker.signer.hotkey();
                others.filter(|neuron| neuron.validator_permit && neuron.hotkey != own).collect()
            }
        };
        let asking = asked.into_iter().map(async |neuron| Told {
            validator: neuron.hotkey,
            uid: neuron.uid,
            outcome: self.ask_one(neuron, epoch).await,
        });
        // In the order of uids, which `buffer_unordered` wouldn't keep.
        Ok(stream::iter(asking).buffered(AT_ONCE).collect().await)
    }

    async fn ask_one(&self, neuron: &Neuron, epoch: Option<Epoch>) -> Result<SignedStatement, String> {
        let address = self.address(neuron.hotkey).await?;
        let to = Target { address, hotkey: neuron.hotkey, pin: None };
        let subnet = (self.chain.genesis(), self.metagraph.netuid);
        let told = explain(&self.asker, to, subnet, epoch, LIMITS).await;
        told.map_err(|error| in_words(&error, address))
    }

    /// Where a validator serves verdicts, by the chain's word.
    async fn address(&self, validator: Hotkey) -> Result<SocketAddr, String> {
        let asked = self.chain.prometheus(self.metagraph.netuid, validator);
        let endpoint = match self.asker.clock.timeout(CHAIN_PATIENCE, asked).await {
            Ok(endpoint) => endpoint.map_err(|error| error.to_string())?,
            Err(late) => return Err(format!("the chain: {late}")),
        };
        let serves = endpoint.filter(|endpoint| endpoint.version == ENDPOINT_VERSION);
        serves.map(|endpoint| endpoint.address()).ok_or_else(|| SERVES_NONE.to_owned())
    }
}

/// A status's own words are short and constant.
fn in_words(error: &ExplainError, address: SocketAddr) -> String {
    let ExplainError::Call(error) = error else { return error.to_string() };
    match error {
        CallError::Refused(status) => {
            let clean = |c: char| if c.is_control() { ' ' } else { c };
            format!("refused: {}", status.message().chars().map(clean).collect::<String>())
        }
        CallError::Late => format!("no answer within {} s", LIMITS.deadline.as_secs()),
        CallError::Unreachable => format!("{address} can't be reached"),
        _ => format!("{address} doesn't serve verdicts"),
    }
}
