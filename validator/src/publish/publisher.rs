//! What publishing takes: less than a whole validator has.

use std::sync::Arc;

use weighhouse_chain::Chain;
use weighhouse_seams::{Clock, Entropy};
use weighhouse_wallet::keypair::Keypair;

/// The hotkey that publishes, the chain, a clock for the beacon's rounds, and chance for seals.
#[derive(Clone, Debug)]
pub(crate) struct Publisher {
    pub(crate) chain: Arc<dyn Chain>,
    pub(crate) keypair: Arc<Keypair>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Entropy,
}
