//! A signed call as bytes: what is signed, how it is read, and what it is known by.

use parity_scale_codec::{Decode, DecodeAll, Encode};
use weighhouse_types::{Block, Digest, Hasher};
use weighhouse_wallet::keypair::Keypair;

use crate::{Call, SignedCall};

const DOMAIN: &str = "weighhouse/extrinsic/v1";

/// Larger bytes are not even read. The largest honest call is 256 weights: about 1 KiB.
pub(crate) const EXTRINSIC_BYTES_MAX: usize = 16 * 1024;

/// Blocks for which a call signed here can be included.
pub(crate) const LIFETIME_BLOCKS: u64 = 16;

/// An expiry further ahead is not accepted, so that no call waits for long.
pub(crate) const LIFETIME_BLOCKS_MAX: u64 = 64;

/// A signing account: a hotkey's or a coldkey's public key.
pub(crate) type Account = [u8; 32];

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Extrinsic {
    pub(crate) call: Call,
    pub(crate) signer: Account,
    pub(crate) nonce: u64,
    /// The last block that may include it.
    pub(crate) expires: Block,
    pub(crate) signature: [u8; 64],
}

impl Extrinsic {
    /// Reads exactly these bytes; `None` where they are something else.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        if bytes.len() > EXTRINSIC_BYTES_MAX {
            return None;
        }
        Self::decode_all(&mut &bytes[..]).ok()
    }

    pub(crate) fn is_signed_for(&self, genesis: Digest) -> bool {
        let message = message(genesis, &self.call, self.nonce, self.expires);
        weighhouse_wallet::keypair::verify(&self.signer, message.as_bytes(), &self.signature).is_ok()
    }
}

/// Signs a call for inclusion within [`LIFETIME_BLOCKS`] after `head`.
pub(crate) fn sign(signer: &Keypair, genesis: Digest, call: Call, nonce: u64, head: Block) -> SignedCall {
    let expires = Block(head.0.saturating_add(LIFETIME_BLOCKS));
    let signature = signer.sign(message(genesis, &call, nonce, expires).as_bytes());
    let bytes = Extrinsic { call, signer: signer.public(), nonce, expires, signature }.encode();
    SignedCall { hash: hash(&bytes), bytes, expires }
}

/// The digest that names an extrinsic.
pub(crate) fn hash(bytes: &[u8]) -> Digest {
    Digest::of(bytes)
}

fn message(genesis: Digest, call: &Call, nonce: u64, expires: Block) -> Digest {
    Hasher::new(DOMAIN)
        .part(genesis.as_bytes())
        .part(&call.encode())
        .part(&nonce.to_le_bytes())
        .part(&expires.0.to_le_bytes())
        .finish()
}
