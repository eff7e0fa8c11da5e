//! Who may ask: registered hotkeys, each a few times a minute.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::Extensions;
use tokio::sync::watch;
use weighhouse_seams::Clock;
use weighhouse_types::{Hotkey, Metagraph, Neuron};
use weighhouse_wallet::http::{Admission, Refusal};

/// Requests of one hotkey within [`WINDOW`], where nobody says otherwise.
pub(crate) const REQUESTS_MAX: u32 = 12;
const WINDOW: Duration = Duration::from_secs(60);

/// Hotkeys of the subnet as the validator saw it last, with the addresses of their axons.
pub(crate) type Axons = HashMap<Hotkey, Option<SocketAddr>>;
pub(crate) type Registered = watch::Receiver<Arc<Axons>>;

pub(crate) fn axons(metagraph: &Metagraph) -> Arc<Axons> {
    let axon = |neuron: &Neuron| (neuron.hotkey, neuron.axon.map(|axon| axon.address()));
    Arc::new(metagraph.neurons.iter().map(axon).collect())
}

#[derive(Debug)]
pub(super) struct Gate {
    registered: Registered,
    clock: Arc<dyn Clock>,
    requests_max: u32,
    /// Since when, and how often, each has asked.
    asked: Mutex<HashMap<Hotkey, (Duration, u32)>>,
}

impl Gate {
    pub(super) fn new(registered: Registered, clock: Arc<dyn Clock>, requests_max: u32) -> Self {
        Self { registered, clock, requests_max, asked: Mutex::default() }
    }
}

impl Admission for Gate {
    fn admit(&self, claimed: &Hotkey) -> Result<(), Refusal> {
        let is_registered = self.registered.borrow().contains_key(claimed);
        if is_registered { Ok(()) } else { Err(Refusal::UnknownHotkey) }
    }

    fn charge(&self, caller: &Hotkey, _: &Extensions) -> Result<(), Refusal> {
        // Again, because it may have been pruned while the body was read; so no more are remembered than there are.
        self.admit(caller)?;
        let now = self.clock.monotonic();
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.retain(|_, (since, _)| now.saturating_sub(*since) < WINDOW);
        let (_, count) = asked.entry(*caller).or_insert((now, 0));
        *count += 1;
        if *count > self.requests_max { Err(Refusal::HotkeyQuota) } else { Ok(()) }
    }
}
