//! Signing: a mortal era from a finalised block, the account's next nonce, one call on its way per account.

use std::collections::HashMap;

use subxt::config::substrate::{
    AccountId32, H256, MultiSignature, SubstrateConfig, SubstrateExtrinsicParamsBuilder,
};
use subxt::transactions::Signer;
use weighhouse_types::{Block, Digest, Head};
use weighhouse_wallet::keypair::Keypair;

use super::calls::Payload;
use super::runtime::Runtime;
use crate::{ChainError, SignedCall};

/// For how many blocks a signed call can be included; a power of two.
pub(super) const MORTAL_BLOCKS: u64 = 64;
/// Accounts whose calls on their way are remembered: a process signs for a few.
const ACCOUNTS_MAX: usize = 1024;

struct Pair<'a>(&'a Keypair);

impl Signer<SubstrateConfig> for Pair<'_> {
    fn account_id(&self) -> AccountId32 {
        AccountId32(self.0.public())
    }

    fn sign(&self, payload: &[u8]) -> MultiSignature {
        MultiSignature::Sr25519(self.0.sign(payload))
    }
}

/// Signs a call that can be included in the blocks after `birth`, up to the one named in the result.
pub(super) fn sign(
    runtime: &Runtime,
    signer: &Keypair,
    payload: &Payload,
    nonce: u64,
    birth: Head,
) -> Result<SignedCall, ChainError> {
    let params = SubstrateExtrinsicParamsBuilder::<SubstrateConfig>::new()
        .nonce(nonce)
        .mortal_from_unchecked(MORTAL_BLOCKS, birth.number.0, H256(birth.hash.0))
        .build();
    let call = (payload.pallet_name(), payload.call_name());
    let refused = |error| runtime.differs(format_args!("another call {}.{}: {error}", call.0, call.1));
    let transactions = runtime.client().tx();
    let mut signable = transactions.create_signable_offline(payload, params).map_err(refused)?;
    let signed = signable.sign(&Pair(signer)).map_err(refused)?;
    let hash = Digest(signed.hash().0);
    // Substrate's era excludes the block at its end.
    let expires = Block(birth.number.0 + MORTAL_BLOCKS - 1);
    Ok(SignedCall { bytes: signed.into_encoded(), hash, expires })
}

/// A call that was handed in and whose outcome isn't known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OnItsWay {
    pub(super) hash: Digest,
    pub(super) nonce: u64,
    pub(super) expires: Block,
    /// Before, it can still be thrown away.
    pub(super) is_handed_in: bool,
}

/// The newest call of each account that this process signed.
#[derive(Debug, Default)]
pub(super) struct Nonces(HashMap<[u8; 32], OnItsWay>);

impl Nonces {
    /// Refuses a second call beside one that may still be included: with the same nonce one would push out the
    /// other, with the next it would hang on the first.
    pub(super) fn check(&self, account: &[u8; 32], next: u64, head: Block) -> Result<(), ChainError> {
        let Some(waiting) = self.0.get(account) else { return Ok(()) };
        // A call that was signed and never submitted can be thrown away.
        let is_open = waiting.is_handed_in && waiting.nonce >= next && waiting.expires > head;
        if !is_open {
            return Ok(());
        }
        Err(ChainError::NotAccepted(format!(
            "the account's call {} is on its way until block {}: ask for its outcome first",
            waiting.hash, waiting.expires
        )))
    }

    pub(super) fn signed(&mut self, account: [u8; 32], call: OnItsWay, head: Block) {
        if self.0.len() >= ACCOUNTS_MAX {
            // Only the expired: forgetting a live one could sign its nonce twice.
            self.0.retain(|_, waiting| waiting.expires > head);
        }
        self.0.insert(account, call);
    }

    pub(super) fn handed_in(&mut self, hash: Digest) {
        if let Some(waiting) = self.0.values_mut().find(|waiting| waiting.hash == hash) {
            waiting.is_handed_in = true;
        }
    }

    /// The account and the nonce of a call that was signed here.
    pub(super) fn of(&self, hash: Digest) -> Option<([u8; 32], u64)> {
        self.0
            .iter()
            .find(|(_, waiting)| waiting.hash == hash)
            .map(|(account, waiting)| (*account, waiting.nonce))
    }

    pub(super) fn settled(&mut self, hash: Digest) {
        self.0.retain(|_, waiting| waiting.hash != hash);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(hash: u8, nonce: u64, expires: u64) -> OnItsWay {
        OnItsWay { hash: Digest([hash; 32]), nonce, expires: Block(expires), is_handed_in: false }
    }

    #[test]
    fn a_second_call_waits_for_the_first_ones_outcome() {
        let account = [1; 32];
        let mut nonces = Nonces::default();
        nonces.signed(account, call(7, 3, 100), Block(40));
        assert!(
            nonces.check(&account, 3, Block(41)).is_ok(),
            "a call that was never handed in is in nobody's way"
        );
        nonces.handed_in(Digest([7; 32]));
        assert!(matches!(nonces.check(&account, 3, Block(41)), Err(ChainError::NotAccepted(_))));
        assert!(nonces.check(&[2; 32], 3, Block(41)).is_ok());
        assert!(nonces.check(&account, 4, Block(41)).is_ok(), "it is in a block");
        assert!(nonces.check(&account, 3, Block(100)).is_ok(), "it can't be included any more");
        nonces.settled(Digest([7; 32]));
        assert!(nonces.check(&account, 3, Block(41)).is_ok());
    }

    #[test]
    fn accounts_are_forgotten_when_there_are_too_many() {
        let mut nonces = Nonces::default();
        for index in 0..u64::try_from(ACCOUNTS_MAX).expect("fits") + 10 {
            let mut account = [0; 32];
            account[..8].copy_from_slice(&index.to_le_bytes());
            nonces.signed(account, call(1, 0, 50), Block(60));
        }
        assert!(nonces.0.len() <= ACCOUNTS_MAX);
    }
}
