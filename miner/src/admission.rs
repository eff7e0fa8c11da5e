//! Admission of callers: the metagraph as last read, the standing it gives a hotkey, and how often each may ask.
//!
//! Standing is a look-up, so it comes before a body is read; it is looked up again once the caller is proven, and only
//! then the hotkey's quota is charged, so that nobody can use up another's. Quotas are kept for hotkeys of standing
//! only, and idle ones are forgotten.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use governor::clock::Clock as GovernorClock;
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use http::Extensions;
use tokio::sync::watch;
use weighhouse_seams::{Clock, UnixNanos};
use weighhouse_types::{Block, Hotkey, Metagraph, Rao};
use weighhouse_wallet::btauth::{AuthError, Claims};
use weighhouse_wallet::http::{Admission, Refusal};

use crate::callers::Callers;
use crate::config;
use crate::incoming::Peer;

mod places;

pub(crate) use places::{Place, PlaceLimits, Places};

/// A hotkey's standing in the subnet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Neuron {
    stake: Rao,
    validator_permit: bool,
}

/// The subnet's hotkeys at one block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Roster {
    pub(crate) block: Block,
    neurons: HashMap<Hotkey, Neuron>,
}

impl From<&Metagraph> for Roster {
    fn from(metagraph: &Metagraph) -> Self {
        let neurons = metagraph.neurons.iter().map(|neuron| {
            (neuron.hotkey, Neuron { stake: neuron.stake, validator_permit: neuron.validator_permit })
        });
        Self { block: metagraph.block, neurons: neurons.collect() }
    }
}

/// The miner's clock as the rate limiter wants it.
#[derive(Clone, Debug)]
struct Monotonic(Arc<dyn Clock>);

impl GovernorClock for Monotonic {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.monotonic()
    }
}

type Quotas = RateLimiter<Hotkey, HashMapStateStore<Hotkey>, Monotonic, NoOpMiddleware<Duration>>;

/// What the operator says, and what each caller has left of it.
struct Rules {
    admission: Arc<config::Admission>,
    quotas: Arc<Quotas>,
}

/// Decides about callers.
pub(crate) struct Gate {
    admission: watch::Receiver<Arc<config::Admission>>,
    rules: RwLock<Arc<Rules>>,
    roster: watch::Receiver<Arc<Roster>>,
    clock: Arc<dyn Clock>,
    places: Arc<Places>,
    callers: Arc<Callers>,
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").field("admission", &self.admission).finish_non_exhaustive()
    }
}

impl Rules {
    /// The quotas of before where they are as large: nobody is to have a whole one at each reload.
    fn new(admission: Arc<config::Admission>, clock: &Arc<dyn Clock>, before: Option<&Self>) -> Self {
        let size = |rules: &config::Admission| (rules.requests_per_second, rules.burst);
        let same = before.filter(|before| size(&before.admission) == size(&admission));
        let quotas = same.map_or_else(
            || {
                let quota = Quota::per_second(admission.requests_per_second).allow_burst(admission.burst);
                let store = HashMapStateStore::default();
                Arc::new(RateLimiter::new(quota, store, Monotonic(clock.clone())))
            },
            |before| before.quotas.clone(),
        );
        Self { admission, quotas }
    }
}

impl Gate {
    pub(crate) fn new(
        admission: watch::Receiver<Arc<config::Admission>>,
        roster: watch::Receiver<Arc<Roster>>,
        places: Arc<Places>,
        callers: Arc<Callers>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let rules = Rules::new(admission.borrow().clone(), &clock, None);
        Self { admission, rules: RwLock::new(Arc::new(rules)), roster, clock, places, callers }
    }

    /// The rules in force.
    fn rules(&self) -> Arc<Rules> {
        let said = self.admission.borrow().clone();
        let known = self.rules.read().unwrap_or_else(PoisonError::into_inner).clone();
        if Arc::ptr_eq(&known.admission, &said) {
            return known;
        }
        let mut rules = self.rules.write().unwrap_or_else(PoisonError::into_inner);
        *rules = Arc::new(Rules::new(said, &self.clock, Some(&rules)));
        rules.clone()
    }

    fn standing(&self, hotkey: &Hotkey) -> Result<(), Refusal> {
        let admission = self.rules().admission.clone();
        // The operator's own list: hotkeys that test the miner need no place in the subnet.
        if admission.allow.contains(hotkey) {
            return Ok(());
        }
        // Copied, so that the watch channel's read lock ends here: the refresh waits for it to write.
        let neuron = *self.roster.borrow().neurons.get(hotkey).ok_or(Refusal::UnknownHotkey)?;
        lacks(&admission, neuron).map_or(Ok(()), |what| Err(Refusal::NoStanding(what)))
    }

    /// True for those whose requests the miner lives by, whether they may ask or not.
    fn is_validator(&self, hotkey: &Hotkey) -> bool {
        let permit = self.roster.borrow().neurons.get(hotkey).is_some_and(|neuron| neuron.validator_permit);
        permit || self.standing(hotkey).is_ok()
    }

    /// The places that are a caller's alone: one, and of the divided ones that are left its part by stake.
    fn own_places(&self, caller: &Hotkey) -> usize {
        let (roster, rules) = (self.roster.borrow().clone(), self.rules());
        let asking =
            || roster.neurons.iter().filter(|(_, neuron)| lacks(&rules.admission, **neuron).is_none());
        let stake = |neuron: &Neuron| u128::from(neuron.stake.0);
        let all: u128 = asking().map(|(_, neuron)| stake(neuron)).sum();
        let own = asking().find(|(hotkey, _)| *hotkey == caller).map_or(0, |(_, neuron)| stake(neuron));
        let left = self.places.divided().saturating_sub(asking().count());
        let part = (left as u128 * own).checked_div(all).unwrap_or(0);
        usize::try_from(part).unwrap_or(usize::MAX).saturating_add(1)
    }

    /// Forgets the quotas that are whole again.
    pub(crate) fn forget_idle(&self) {
        // Hotkeys come and go; without this the map would grow with everybody who ever asked.
        let quotas = &self.rules().quotas;
        quotas.retain_recent();
        quotas.shrink_to_fit();
    }
}

/// What a neuron lacks to ask.
fn lacks(rules: &config::Admission, neuron: Neuron) -> Option<&'static str> {
    if rules.permit_required && !neuron.validator_permit {
        return Some("no validator permit");
    }
    (neuron.stake < rules.stake_min).then_some("stake below `admission.stake_min_tao`")
}

impl Admission for Gate {
    fn admit(&self, claimed: &Hotkey) -> Result<(), Refusal> {
        self.standing(claimed)
    }

    fn refused(&self, claims: &Claims, proven: bool, refusal: &Refusal, now: UnixNanos) {
        if self.is_validator(&claims.hotkey) {
            let why = format!("{refusal}{}", advice(claims, refusal, now));
            self.callers.refused(&claims.hotkey, proven, refusal.reason(), &why);
        }
    }

    fn network(&self, request: &Extensions) -> IpAddr {
        Peer::network_of(request)
    }

    fn reads(&self, bytes: usize, request: &Extensions) {
        if let Some(place) = request.get::<Arc<Place>>() {
            place.reads(bytes);
        }
    }

    fn charge(&self, caller: &Hotkey, request: &Extensions) -> Result<(), Refusal> {
        // Again, because the roster may have changed while the body was read.
        self.standing(caller)?;
        self.rules().quotas.check_key(caller).map_err(|_| Refusal::HotkeyQuota)?;
        if let Some(peer) = request.get::<Peer>() {
            peer.proves(caller);
        }
        self.callers.asks(caller);
        match request.get::<Arc<Place>>() {
            Some(place) => place.prove(caller, self.own_places(caller)),
            None => Ok(()),
        }
    }
}

/// What an operator can do about a validator that is refused.
fn advice(claims: &Claims, refusal: &Refusal, now: UnixNanos) -> String {
    match refusal {
        Refusal::Auth(AuthError::Stale(_) | AuthError::Ahead(_)) => {
            let seconds = (i128::from(claims.nonce) - i128::from(now.0)) as f64 / 1e9;
            format!(": its clock and ours are {seconds:+.1} s apart; see that ours is in step (NTP)")
        }
        Refusal::Auth(AuthError::WrongReceiver(_)) => {
            ": our address may still be another hotkey's axon on the chain".to_owned()
        }
        Refusal::HotkeyQuota => "; admission.requests_per_second and admission.burst set it".to_owned(),
        Refusal::Overloaded => "; limits.in_flight_max sets how much is worked on at once".to_owned(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests;
