//! Signed calls that wait for a block.
//!
//! **Invariant.** Bounded in calls, in bytes and per signer; one call per signer and nonce; everything in it is
//! rightly signed for this chain, from an account the chain knows, and was includable when it came in.

use std::collections::BTreeMap;

use weighhouse_types::{Block, Digest};

use super::extrinsic::{Account, EXTRINSIC_BYTES_MAX, Extrinsic, LIFETIME_BLOCKS_MAX};
use super::state::State;

/// Calls that wait at once, and the most in one block.
pub(crate) const POOL_CALLS_MAX: usize = 4096;
pub(crate) const POOL_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Most that a call's nonce may be ahead of its account's next one.
pub(crate) const NONCE_WINDOW: u64 = 16;

/// Why a call is not taken. It has no effect and uses up no nonce.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotTaken {
    #[error("{bytes} bytes are over the limit of {EXTRINSIC_BYTES_MAX}")]
    Oversized { bytes: usize },
    #[error("the bytes are no signed call")]
    Undecodable,
    #[error("the signature is wrong, or for a chain of another genesis")]
    BadSignature,
    #[error("the signing account holds nothing here and is no registered hotkey")]
    UnknownSigner,
    #[error("nonce {nonce} was used already, the next is {next}")]
    StaleNonce { nonce: u64, next: u64 },
    #[error("nonce {nonce} is too far ahead, the next is {next}")]
    FutureNonce { nonce: u64, next: u64 },
    #[error("another call with nonce {nonce} waits already")]
    NonceTaken { nonce: u64 },
    #[error("it expired at block {expires}, the newest is {head}")]
    Expired { expires: Block, head: Block },
    #[error("its expiry, block {expires}, is more than {LIFETIME_BLOCKS_MAX} blocks ahead of {head}")]
    ExpiresTooLate { expires: Block, head: Block },
    #[error("too many calls wait already; try again after the next block")]
    PoolFull,
}

#[derive(Debug, Default)]
pub(crate) struct Pool {
    waiting: BTreeMap<(Account, u64), Waiting>,
    bytes: usize,
}

#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) hash: Digest,
    pub(crate) bytes: Vec<u8>,
    pub(crate) extrinsic: Extrinsic,
}

impl Pool {
    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Takes a call whose signature was checked. The same bytes again change nothing.
    pub(crate) fn insert(&mut self, waiting: Waiting, state: &State) -> Result<(), NotTaken> {
        let Extrinsic { signer, nonce, expires, .. } = waiting.extrinsic;
        let (head, next) = (state.block, state.nonce(&signer));
        // An unknown account can't pay, and anybody can make keys: it would fill the pool for nothing.
        if !state.knows(&signer) {
            return Err(NotTaken::UnknownSigner);
        }
        if nonce < next {
            return Err(NotTaken::StaleNonce { nonce, next });
        }
        // Calls behind a gap can't be included, so only so many may wait for it to close.
        if nonce - next >= NONCE_WINDOW {
            return Err(NotTaken::FutureNonce { nonce, next });
        }
        if expires <= head {
            return Err(NotTaken::Expired { expires, head });
        }
        // Otherwise a call that is never included would hold its place for ever.
        if expires.saturating_since(head) > LIFETIME_BLOCKS_MAX {
            return Err(NotTaken::ExpiresTooLate { expires, head });
        }
        match self.waiting.get(&(signer, nonce)) {
            Some(there) if there.hash == waiting.hash => return Ok(()),
            Some(_) => return Err(NotTaken::NonceTaken { nonce }),
            None => {}
        }
        if self.waiting.len() >= POOL_CALLS_MAX || self.bytes + waiting.bytes.len() > POOL_BYTES_MAX {
            return Err(NotTaken::PoolFull);
        }
        self.bytes += waiting.bytes.len();
        self.waiting.insert((signer, nonce), waiting);
        Ok(())
    }

    pub(crate) fn holds(&self, signer: &Account, nonce: u64, hash: Digest) -> bool {
        self.waiting.get(&(*signer, nonce)).is_some_and(|there| there.hash == hash)
    }

    /// The first nonce of the account that neither a block nor a waiting call has used.
    pub(crate) fn next_nonce(&self, account: &Account, state: &State) -> u64 {
        let next = state.nonce(account);
        let used = self.waiting.range((*account, next)..=(*account, u64::MAX)).map(|((_, nonce), _)| *nonce);
        used.fold(next, |free, nonce| if nonce == free { free + 1 } else { free })
    }

    /// Takes the calls of the next block: by signer and nonce, without gaps.
    pub(crate) fn includable(&self, state: &State) -> Vec<(Digest, Vec<u8>, Extrinsic)> {
        let mut calls: Vec<(Digest, Vec<u8>, Extrinsic)> = Vec::new();
        for ((signer, nonce), waiting) in &self.waiting {
            let next = match calls.last() {
                Some((_, _, before)) if before.signer == *signer => before.nonce + 1,
                _ => state.nonce(signer),
            };
            if *nonce == next {
                calls.push((waiting.hash, waiting.bytes.clone(), waiting.extrinsic.clone()));
            }
        }
        calls
    }

    /// Drops what was included and what can't be included any more.
    pub(crate) fn purge(&mut self, state: &State) {
        let keep = |signer: &Account, nonce: u64, waiting: &Waiting| {
            nonce >= state.nonce(signer) && waiting.extrinsic.expires > state.block
        };
        self.waiting.retain(|(signer, nonce), waiting| keep(signer, *nonce, waiting));
        // Counted anew and not subtracted: it can't drift from what the pool holds.
        self.bytes = self.waiting.values().map(|waiting| waiting.bytes.len()).sum();
    }
}
