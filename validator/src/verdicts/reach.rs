//! Dialling a miner at its own request: whether its axon can be reached from another host, which it can't tell by itself.
//!
//! **Invariant.** Only the address that the chain shows for the hotkey that asks is dialled, and that once in ten minutes:
//! nobody makes a validator knock elsewhere.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tonic::Status;
use weighhouse_ask::Target;
use weighhouse_ask::reach::reach;
use weighhouse_chain::{Chain, certificate};
use weighhouse_proto::v1::{ReachRequest, ReachResponse, reach_response::Outcome};
use weighhouse_seams::{Clock, ClockExt as _, Dialer};
use weighhouse_types::{Hotkey, Netuid};

use super::gate::Registered;

/// Between two of one hotkey.
const AGAIN_AFTER: Duration = Duration::from_secs(600);
/// For the connection, and for what the chain is asked before.
const PATIENCE: Duration = Duration::from_secs(10);

/// What dialling needs.
#[derive(Debug)]
pub(super) struct Reacher {
    pub(super) netuid: Netuid,
    pub(super) chain: Arc<dyn Chain>,
    pub(super) dialer: Arc<dyn Dialer>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) registered: Registered,
    /// When each hotkey was last dialled.
    pub(super) dialled: Mutex<HashMap<Hotkey, Duration>>,
}

impl Reacher {
    pub(super) async fn reach(&self, caller: Hotkey, asked: ReachRequest) -> Result<ReachResponse, Status> {
        if asked.netuid != u32::from(self.netuid.0) {
            return Err(Status::invalid_argument("another subnet"));
        }
        let axon = self.registered.borrow().get(&caller).copied().flatten();
        let Some(address) = axon else {
            return Err(Status::failed_precondition("the chain shows no axon of this hotkey"));
        };
        self.charge(caller)?;
        let certificate = self
            .clock
            .timeout(PATIENCE, self.chain.certificate(self.netuid, caller))
            .await
            .ok()
            .and_then(Result::ok);
        let Some(certificate) = certificate else {
            return Err(Status::unavailable("the chain doesn't answer"));
        };
        let pin = certificate.as_ref().and_then(certificate::to_pin);
        let to = Target { address, hotkey: caller, pin };
        let outcome = match reach(&*self.dialer, &self.clock, to, PATIENCE).await {
            Ok(took) => Outcome::Milliseconds(u32::try_from(took.as_millis()).unwrap_or(u32::MAX)),
            Err(failure) => Outcome::Failure(failure.to_string()),
        };
        Ok(ReachResponse { address: address.to_string(), encrypted: pin.is_some(), outcome: Some(outcome) })
    }

    fn charge(&self, caller: Hotkey) -> Result<(), Status> {
        let now = self.clock.monotonic();
        let mut dialled = self.dialled.lock().unwrap_or_else(PoisonError::into_inner);
        // No more are remembered than are registered.
        dialled.retain(|_, at| now.saturating_sub(*at) < AGAIN_AFTER);
        if dialled.contains_key(&caller) {
            return Err(Status::resource_exhausted("dialled within the last ten minutes"));
        }
        dialled.insert(caller, now);
        Ok(())
    }
}
