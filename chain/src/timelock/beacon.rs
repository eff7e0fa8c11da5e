//! A beacon of one's own: it signs rounds as quicknet does, with a key that is made from a seed.

use ark_bls12_381::{Bls12_381, Fr, G2Affine, G2Projective};
use ark_ec::pairing::Pairing;
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::{PrimeField, Zero};
use ark_serialize::CanonicalSerialize;
use weighhouse_types::{Digest, Hasher, TIMELOCK_KEY_BYTES};

use super::{SIGNATURE_BYTES, TimelockError, ibe};

const DOMAIN: &str = "weighhouse/timelock-beacon/v1";

/// The key of a beacon that one process runs for itself: the ledger's, or a stand-in for drand in tests.
#[derive(Clone)]
pub struct LocalBeacon(Fr);

impl LocalBeacon {
    /// The same seed gives the same key.
    pub fn from_seed(seed: &Digest) -> Self {
        let half = |part: &[u8]| Hasher::new(DOMAIN).part(seed.as_bytes()).part(part).finish();
        // Twice the field's width, so that the remainder has no bias worth the name.
        let wide = [half(b"high").0, half(b"low").0].concat();
        let key = Fr::from_be_bytes_mod_order(&wide);
        // Zero would make a key that opens everything for everybody.
        Self(if key.is_zero() { Fr::from(1u64) } else { key })
    }

    pub fn public_key(&self) -> [u8; TIMELOCK_KEY_BYTES] {
        let mut bytes = [0; TIMELOCK_KEY_BYTES];
        let key = (G2Projective::from(G2Affine::generator()) * self.0).into_affine();
        key.serialize_compressed(&mut bytes[..]).expect("a compressed point of G2 has 96 bytes");
        bytes
    }

    /// The round's signature: what opens everything encrypted to it.
    pub fn sign(&self, round: u64) -> [u8; SIGNATURE_BYTES] {
        let mut bytes = [0; SIGNATURE_BYTES];
        let point = (ibe::identity(round) * self.0).into_affine();
        point.serialize_compressed(&mut bytes[..]).expect("a compressed point of G1 has 48 bytes");
        bytes
    }
}

impl std::fmt::Debug for LocalBeacon {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LocalBeacon")
    }
}

/// True where the signature is the beacon's for this round.
pub fn verify(
    public_key: &[u8; TIMELOCK_KEY_BYTES],
    round: u64,
    signature: &[u8; SIGNATURE_BYTES],
) -> Result<bool, TimelockError> {
    let (public_key, signature) = (ibe::public_key(public_key)?, ibe::signature(signature)?);
    let left = Bls12_381::pairing(signature, G2Affine::generator());
    Ok(left == Bls12_381::pairing(ibe::identity(round), public_key))
}
