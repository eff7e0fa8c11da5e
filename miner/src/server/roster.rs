//! Keeps the roster that admission uses in step with the chain.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use weighhouse_chain::{Chain, ChainError, certificate};
use weighhouse_seams::{Clock, ClockExt as _, TlsPin};
use weighhouse_types::{Block, Hotkey, Netuid, SubnetState};

use super::MinerError;
use super::report::OwnStanding;
use crate::admission::{Gate, Roster};
use crate::metrics;

/// Its name where people are told of it.
const STATE: &str = "chain";

/// Wait after the chain failed.
pub(super) const RETRY: Duration = Duration::from_secs(5);

/// The chain, with a deadline on every question.
#[derive(Clone, Debug)]
pub(super) struct RosterSource {
    pub(super) chain: Arc<dyn Chain>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) netuid: Netuid,
    pub(super) timeout: Duration,
}

impl RosterSource {
    pub(super) async fn read(&self) -> Result<SubnetState, MinerError> {
        self.ask(self.chain.subnet(self.netuid)).await
    }

    /// The key that the chain shows for a hotkey.
    pub(super) async fn pin(&self, hotkey: Hotkey) -> Result<Option<TlsPin>, MinerError> {
        let certificate = self.ask(self.chain.certificate(self.netuid, hotkey)).await?;
        Ok(certificate.as_ref().and_then(certificate::to_pin))
    }

    pub(super) async fn ask<T: Send>(
        &self,
        question: impl Future<Output = Result<T, ChainError>> + Send,
    ) -> Result<T, MinerError> {
        match self.clock.timeout(self.timeout, question).await {
            Ok(answer) => Ok(answer?),
            Err(_) => Err(MinerError::ChainTimeout { seconds: self.timeout.as_secs() }),
        }
    }
}

/// Reads the subnet after each new block, for ever. While the chain can't be read the last roster stays in force;
/// only a read that shows the hotkey gone ends it.
pub(super) async fn refresh(
    source: RosterSource,
    hotkey: Hotkey,
    gate: Arc<Gate>,
    (sender, standing): (watch::Sender<Arc<Roster>>, watch::Sender<Option<OwnStanding>>),
    mut seen: Block,
) -> Result<(), MinerError> {
    let mut is_away = false;
    loop {
        match source.ask(source.chain.next_block(seen)).await {
            Ok(head) => seen = head.number,
            // A new block may take any time; reading below shows whether the chain is there at all.
            Err(MinerError::ChainTimeout { .. }) => {}
            Err(error) => {
                failed(&source, &error, &mut is_away).await;
                continue;
            }
        }
        match futures::try_join!(source.read(), source.pin(hotkey)) {
            Ok((state, pin)) => {
                // A miner that was pruned stops: it earns nothing, and its operator should notice.
                super::check_registered(&state, hotkey)?;
                metrics::roster_read(state.metagraph.block, source.clock.now());
                standing.send_replace(OwnStanding::of(&state, &hotkey, pin));
                sender.send_replace(Arc::new(Roster::from(&state.metagraph)));
                gate.forget_idle();
                if std::mem::take(&mut is_away) {
                    tracing::info!(state = STATE, turned = "good", "the metagraph is read again");
                }
            }
            Err(error) => {
                failed(&source, &error, &mut is_away).await;
            }
        }
    }
}

async fn failed(source: &RosterSource, error: &MinerError, is_away: &mut bool) {
    metrics::roster_failure();
    if !std::mem::replace(is_away, true) {
        tracing::warn!(state = STATE, turned = "bad", %error, "the metagraph can't be read (chain.endpoints); the last one stays in force, and it is tried again every few seconds");
    }
    source.clock.sleep(RETRY).await;
}
