//! Signing our own requests, with nonces that strictly increase.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use weighhouse_seams::Clock;
use weighhouse_types::{Digest, Hotkey};

use super::{Payload, VERSION, header};
use crate::keypair::Keypair;

/// Signs requests of one hotkey. Share one per key: two of them could make the same nonce.
///
/// Should the clock step back a little, nonces go on from the last one: none is repeated or lower than one that a receiver has
/// taken. After a step that is longer than receivers would take, they begin at the clock again: those of before were refused as too far
/// ahead, and so would be all until the clock has caught up.
#[derive(Debug)]
pub struct Signer {
    keypair: Arc<Keypair>,
    clock: Arc<dyn Clock>,
    last: AtomicU64,
}

/// Beyond it, nonces of before the clock stepped back were refused, or are too old to be known.
const BACK_MIN_NS: u64 = 60_000_000_000;

impl Signer {
    pub fn new(keypair: Arc<Keypair>, clock: Arc<dyn Clock>) -> Self {
        Self { keypair, clock, last: AtomicU64::new(0) }
    }

    pub fn hotkey(&self) -> Hotkey {
        self.keypair.hotkey()
    }

    /// The headers, names in lower case, for one attempt to send `body` (raw, over gRPC with its five-byte prefix).
    /// A retry needs headers of its own.
    pub fn headers(
        &self,
        method: &str,
        target: &str,
        body: &[u8],
        receiver: Option<&Hotkey>,
    ) -> Vec<(&'static str, String)> {
        self.headers_at(self.next_nonce(), method, target, body, receiver)
    }

    /// As [`Signer::headers`], at a time by the receiver's clock: for a receiver that refused a request by ours and told its own.
    /// It alone takes the request, so that a false time harms nobody else.
    pub fn headers_at(
        &self,
        nonce: u64,
        method: &str,
        target: &str,
        body: &[u8],
        receiver: Option<&Hotkey>,
    ) -> Vec<(&'static str, String)> {
        let sender = self.keypair.hotkey();
        let payload =
            Payload { method, target, body: Digest::of(body), nonce, sender, receiver: receiver.copied() };
        let signature = self.keypair.sign(&payload.to_bytes());
        // The scheme's header is left out: absent, it means sr25519.
        let mut headers = vec![
            (header::VERSION, VERSION.to_owned()),
            (header::HOTKEY, sender.to_string()),
            (header::NONCE, nonce.to_string()),
            (header::SIGNATURE, const_hex::encode_prefixed(signature)),
        ];
        headers.extend(receiver.map(|hotkey| (header::RECEIVER, hotkey.to_string())));
        headers
    }

    fn next_nonce(&self) -> u64 {
        let now = self.clock.now().0;
        let advance = |last: u64| match last.saturating_sub(now) {
            ahead if ahead > BACK_MIN_NS => now,
            _ => now.max(last.saturating_add(1)),
        };
        // `fetch_update` returns the value before; the same step from it is the nonce that was stored.
        advance(
            self.last
                // Relaxed suffices: the counter orders no other memory.
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(advance(last)))
                .expect("the update never declines"),
        )
    }
}
