//! A miner of the validator's own, asked with every round as the others are: by the same dialer, over TLS, with the same deadline.
//! What it fails at is no miner's fault: it tells "they are down" from "I am".
//!
//! **Invariant.** It only takes back: a round in which it failed counts for nobody, and nobody is charged for what it did well. Until it
//! has answered once, it says nothing.

mod server;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use rand::Rng;
use weighhouse_ask::{AskLimits, Asker, Heard, RawAnswer, Ready, Target, frame};
use weighhouse_proto::inference::ModelInferRequest;
use weighhouse_seams::{Listener, TlsAcceptor, TlsKey, TlsKeyError};
use weighhouse_types::{Digest, Failure};
use weighhouse_wallet::answer::verify_hashed;
use weighhouse_wallet::keypair::Keypair;

use crate::metrics;

pub use server::CanaryServer;

/// The name of its model, which is none.
const MODEL: &str = "canary";
/// Of the deadline: a miner that thinks for the rest of it would have been late for our sake.
const LATE_SHARE: u32 = 2;

/// Where our own miner is, and whether it has ever answered.
#[derive(Clone, Debug)]
pub struct Canary {
    target: Target,
    has_answered: Arc<AtomicBool>,
}

impl Canary {
    /// A canary on this listener, and its server, which is to run beside the role.
    ///
    /// # Errors
    /// No key can be made.
    pub fn new(
        listener: Box<dyn Listener>,
        entropy: &mut impl Rng,
    ) -> Result<(Self, CanaryServer), TlsKeyError> {
        let mut seed = [0; 32];
        entropy.fill_bytes(&mut seed);
        let (keypair, key) = (Keypair::from_seed(&seed), TlsKey::generate()?);
        let (address, pin) = (listener.local_addr(), Some(key.pin()));
        let target = Target { address, hotkey: keypair.hotkey(), pin };
        let tls = TlsAcceptor::new(&[key], weighhouse_seams::Plaintext::Refused);
        let server = CanaryServer { listener, tls, keypair: Arc::new(keypair) };
        Ok((Self { target, has_answered: Arc::default() }, server))
    }

    pub fn address(&self) -> SocketAddr {
        self.target.address
    }

    /// Connects, with a request of this round's signed. The caller sets the deadline.
    pub(crate) async fn ready(
        &self,
        asker: &Asker,
        round: &str,
        limits: AskLimits,
    ) -> Result<Ready, Failure> {
        asker.ready(self.target, request(round), limits).await
    }

    /// Why what came back of it voids the round; `None` where it answered in time, or never did.
    pub(crate) fn fault(&self, round: &str, heard: &Heard, limits: AskLimits) -> Option<String> {
        let answered = heard.outcome.as_ref().map_err(Clone::clone);
        let answered = answered.and_then(|answer| self.check(round, answer));
        let why = match answered {
            Ok(took) => {
                metrics::canary(took);
                self.has_answered.store(true, Ordering::Relaxed);
                late(took, limits.deadline)
            }
            Err(failure) => Some(format!("it gave no answer ({failure})")),
        };
        why.filter(|_| self.has_answered.load(Ordering::Relaxed))
    }

    fn check(&self, round: &str, answer: &RawAnswer) -> Result<Duration, Failure> {
        let (asked, said) = (Digest::of(&request(round)), Digest::of(&answer.framed));
        let verified = verify_hashed(&self.target.hotkey, &asked, &said, &answer.trailers);
        verified.map(|_| answer.latency).map_err(|_| Failure::BadSignature)
    }
}

fn late(took: Duration, deadline: Duration) -> Option<String> {
    let limit = deadline / LATE_SHARE;
    (took > limit).then(|| {
        format!("its answer took {:.1} s, more than {:.1} s", took.as_secs_f64(), limit.as_secs_f64())
    })
}

fn request(round: &str) -> Bytes {
    frame(&ModelInferRequest {
        model_name: MODEL.to_owned(),
        id: round.to_owned(),
        ..ModelInferRequest::default()
    })
}

#[cfg(test)]
mod tests;
