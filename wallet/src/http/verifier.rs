//! Looks at signatures: one by one while few wait, many at once while many do.
//!
//! Where one of many signatures is wrong, all have to be looked at again, one by one. So only requests of networks that have sent a
//! right signature before are looked at together, and a network that then sends a wrong one is no longer one of them: a
//! stranger can make nothing but its own request expensive. Networks take turns, and those of which nothing is proven have
//! turns of their own.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::Method;
use tokio::sync::oneshot;
use weighhouse_seams::{CpuPool, PoolError};
use weighhouse_types::Digest;

use super::turns::{Turns, Waiting};
use super::{Authenticated, Refusal};
use crate::btauth::{AuthError, Claims};
use crate::keypair::{Signed, verify_all};
use crate::metrics;
use crate::replay::ReplayGuard;

/// Requests that are looked at together.
const TOGETHER_MAX: usize = 32;
/// Bytes of their bodies, which have to be hashed: more end the batch.
const TOGETHER_BYTES: usize = 1 << 20;
/// Requests of networks of which nothing is proven, in one turn.
const STRANGERS_MAX: usize = 4;
/// Requests that wait; more are refused.
const WAITING_MAX: usize = 16_384;
/// Networks that are remembered.
const NETWORKS_MAX: usize = 4_096;

/// A request whose signature has yet to be looked at.
#[cfg_attr(test, derive(Clone))]
pub(super) struct Unverified {
    pub(super) claims: Claims,
    pub(super) method: Method,
    pub(super) target: String,
    pub(super) body: Bytes,
}

pub(super) type Verdict = Result<Authenticated<Bytes>, Refusal>;

pub(super) struct Verifier {
    pool: CpuPool,
    replay: Arc<ReplayGuard>,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    /// Of networks that have sent right signatures alone.
    trusted: Turns,
    others: Turns,
    /// Networks that have sent a right signature, and whether they have sent none that was wrong since.
    networks: HashMap<IpAddr, bool>,
    /// Tasks that look at what waits: one for each thread at most.
    working: usize,
    /// Whose turn it was last.
    others_turn: bool,
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").field("waiting", &self.queue().len()).finish_non_exhaustive()
    }
}

impl Verifier {
    pub(super) fn new(pool: CpuPool, replay: Arc<ReplayGuard>) -> Arc<Self> {
        Arc::new(Self { pool, replay, queue: Mutex::default() })
    }

    /// Signature, then replay.
    pub(super) async fn verify(self: &Arc<Self>, request: Unverified, network: IpAddr) -> Verdict {
        let (sender, verdict) = oneshot::channel();
        let begins = {
            let mut queue = self.queue();
            if queue.len() >= WAITING_MAX {
                return Err(Refusal::Overloaded);
            }
            queue.push(Waiting { network, request, sender });
            let begins = queue.working < self.pool.threads();
            queue.working += usize::from(begins);
            begins
        };
        if begins {
            tokio::spawn(self.clone().work());
        }
        // Only a task that panicked tells nothing.
        verdict.await.unwrap_or(Err(Refusal::Internal))
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at signatures until none waits.
    async fn work(self: Arc<Self>) {
        while let Some(batch) = self.next() {
            let replay = self.replay.clone();
            let (senders, requests): (Vec<_>, Vec<_>) =
                batch.waiting.into_iter().map(|one| ((one.network, one.sender), one.request)).unzip();
            let looking = self.pool.run(move || look_at_all(requests, batch.together, &replay));
            let verdicts = looking.await.unwrap_or_else(|error| {
                let refusal = || match error {
                    PoolError::Full => Refusal::Overloaded,
                    PoolError::Panicked => Refusal::Internal,
                };
                senders.iter().map(|_| Err(refusal())).collect()
            });
            for ((network, sender), verdict) in senders.into_iter().zip(verdicts) {
                self.queue().learns(network, &verdict);
                // Its caller may have gone away meanwhile.
                let _ = sender.send(verdict);
            }
        }
    }

    fn next(&self) -> Option<Batch> {
        let mut queue = self.queue();
        let batch = queue.next();
        // Under the lock: whoever comes next begins anew.
        queue.working -= usize::from(batch.is_none());
        batch
    }
}

struct Batch {
    waiting: Vec<Waiting>,
    together: bool,
}

impl Queue {
    fn len(&self) -> usize {
        self.trusted.len() + self.others.len()
    }

    fn push(&mut self, one: Waiting) {
        let is_trusted = self.networks.get(&one.network).copied().unwrap_or(false);
        if is_trusted { self.trusted.push(one) } else { self.others.push(one) }
    }

    /// The trusted and the others by turns, where there are both.
    fn next(&mut self) -> Option<Batch> {
        for _ in 0..2 {
            self.others_turn = !self.others_turn;
            let batch = self.batch(self.others_turn);
            if batch.is_some() {
                return batch;
            }
        }
        None
    }

    fn batch(&mut self, others: bool) -> Option<Batch> {
        let (turns, most) =
            if others { (&mut self.others, STRANGERS_MAX) } else { (&mut self.trusted, TOGETHER_MAX) };
        let (mut waiting, mut bytes) = (Vec::new(), 0);
        while waiting.len() < most
            && bytes < TOGETHER_BYTES
            && let Some(one) = turns.pop()
        {
            bytes += one.request.body.len();
            waiting.push(one);
        }
        (!waiting.is_empty()).then_some(Batch { waiting, together: !others })
    }

    fn learns(&mut self, network: IpAddr, verdict: &Verdict) {
        let is_right = match verdict {
            Ok(_) | Err(Refusal::Replay(_)) => true,
            Err(Refusal::Auth(_)) => false,
            // Faults of ours say nothing.
            Err(_) => return,
        };
        if !is_right && let Some(trusted) = self.networks.get_mut(&network) {
            *trusted = false;
            for one in self.trusted.take(network) {
                self.others.push(one);
            }
        }
        if is_right && !self.networks.contains_key(&network) {
            if self.networks.len() >= NETWORKS_MAX {
                self.networks.clear();
            }
            self.networks.insert(network, true);
        }
    }
}

fn look_at_all(requests: Vec<Unverified>, together: bool, replay: &ReplayGuard) -> Vec<Verdict> {
    let hashed = requests.into_iter().map(|request| {
        let digest = Digest::of(&request.body);
        let signed = request.claims.signed(request.method.as_str(), &request.target, digest);
        (signed, (request, digest))
    });
    let (signed, requests): (Vec<Signed>, Vec<_>) = hashed.unzip();
    let all_right = together && signed.len() > 1 && verify_all(&signed);
    metrics::signatures_checked(signed.len(), all_right);
    let verdicts = signed.into_iter().zip(requests).map(|(signed, (request, digest))| {
        if !all_right {
            signed.verify().map_err(AuthError::from)?;
        }
        let Unverified { claims, body, .. } = request;
        // After the signature: an unsigned request must not burn the nonce of the hotkey it names.
        replay.accept(&claims.hotkey, claims.nonce)?;
        Ok(Authenticated::new(claims.hotkey, claims.nonce, digest, body))
    });
    verdicts.collect()
}

#[cfg(test)]
mod tests;
