//! Verifiable random seeds: unpredictable without the hotkey's secret, the same every time with it, and checkable
//! by anyone (schnorrkel's VRF over Ristretto).
//!
//! The output depends on key and input alone; only the proof is randomised.

use schnorrkel::vrf::{VRFInOut, VRFPreOut, VRFProof};
use schnorrkel::{PublicKey, signing_context};
use weighhouse_types::Hotkey;

use crate::keypair::Keypair;

/// Bytes of a pre-output, a compressed Ristretto point.
pub const PREOUT_BYTES: usize = 32;
/// Bytes of a proof.
pub const PROOF_BYTES: usize = 64;

const INPUT_CONTEXT: &[u8] = b"weighhouse/vrf/v1";
const OUTPUT_CONTEXT: &[u8] = b"weighhouse/vrf-output/v1";

/// A seed with the evidence that it could not be chosen.
#[derive(Clone, PartialEq, Eq)]
pub struct VrfOutput {
    /// The seed, a hash of the VRF's point.
    pub output: [u8; 32],
    pub preout: [u8; PREOUT_BYTES],
    pub proof: Vec<u8>,
}

impl std::fmt::Debug for VrfOutput {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("VrfOutput").field(&const_hex::encode(self.output)).finish()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VrfError {
    #[error("the hotkey is not an sr25519 key")]
    PublicKey,
    #[error("a VRF proof has {PROOF_BYTES} bytes, this one {0}")]
    ProofLength(usize),
    #[error("the VRF's pre-output or proof is not well-formed")]
    Shape,
    #[error("the VRF proof is wrong")]
    Wrong,
    #[error("the VRF's output is not the one that its proof shows")]
    Output,
}

impl Keypair {
    /// The seed of `input` under this key.
    pub fn vrf(&self, input: &[u8]) -> VrfOutput {
        let (in_out, proof, _) = self.schnorrkel().vrf_sign(signing_context(INPUT_CONTEXT).bytes(input));
        VrfOutput {
            output: seed(&in_out),
            preout: in_out.to_preout().to_bytes(),
            proof: proof.to_bytes().to_vec(),
        }
    }
}

/// The seed that `preout` and `proof` show for (`hotkey`, `input`).
pub fn vrf_verify(
    hotkey: &Hotkey,
    input: &[u8],
    preout: &[u8; PREOUT_BYTES],
    proof: &[u8],
) -> Result<[u8; 32], VrfError> {
    if proof.len() != PROOF_BYTES {
        return Err(VrfError::ProofLength(proof.len()));
    }
    let public = PublicKey::from_bytes(hotkey.as_bytes()).map_err(|_| VrfError::PublicKey)?;
    let preout = VRFPreOut::from_bytes(preout).map_err(|_| VrfError::Shape)?;
    let proof = VRFProof::from_bytes(proof).map_err(|_| VrfError::Shape)?;
    let (in_out, _) = public
        .vrf_verify(signing_context(INPUT_CONTEXT).bytes(input), &preout, &proof)
        .map_err(|_| VrfError::Wrong)?;
    Ok(seed(&in_out))
}

impl VrfOutput {
    /// Checks the proof, and that the output is the one it shows.
    pub fn verify(&self, hotkey: &Hotkey, input: &[u8]) -> Result<[u8; 32], VrfError> {
        let shown = vrf_verify(hotkey, input, &self.preout, &self.proof)?;
        if shown == self.output { Ok(shown) } else { Err(VrfError::Output) }
    }
}

fn seed(in_out: &VRFInOut) -> [u8; 32] {
    in_out.make_bytes(OUTPUT_CONTEXT)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alice() -> Keypair {
        Keypair::from_uri("//Alice").expect("alice")
    }

    #[test]
    fn the_output_depends_on_key_and_input_alone() {
        let (first, second) = (alice().vrf(b"round 7"), alice().vrf(b"round 7"));
        assert_eq!((first.output, first.preout), (second.output, second.preout));
        assert_ne!(first.output, alice().vrf(b"round 8").output);
        assert_ne!(first.output, Keypair::from_uri("//Bob").expect("bob").vrf(b"round 7").output);
        assert_eq!(
            const_hex::encode(first.output),
            "41e981fdf8ed74b04db3cd42fdf2939d08e834ab6e7bbe38612ccee99b6a10a7",
            "a seed made by an older version must stay checkable"
        );
    }

    #[test]
    fn a_proof_convinces_for_its_key_and_input_only() {
        let (hotkey, made) = (alice().hotkey(), alice().vrf(b"x"));
        assert_eq!(made.verify(&hotkey, b"x"), Ok(made.output));
        assert_eq!(made.verify(&hotkey, b"y"), Err(VrfError::Wrong));
        let bob = Keypair::from_uri("//Bob").expect("bob").hotkey();
        assert_eq!(made.verify(&bob, b"x"), Err(VrfError::Wrong));
        assert_eq!(
            VrfOutput { output: [0; 32], ..made.clone() }.verify(&hotkey, b"x"),
            Err(VrfError::Output)
        );
        let other = alice().vrf(b"y");
        assert_eq!(
            VrfOutput { preout: other.preout, ..made.clone() }.verify(&hotkey, b"x"),
            Err(VrfError::Wrong)
        );
        assert_eq!(vrf_verify(&hotkey, b"x", &made.preout, &[]), Err(VrfError::ProofLength(0)));
        assert_eq!(
            vrf_verify(&hotkey, b"x", &made.preout, &made.proof[..63]),
            Err(VrfError::ProofLength(63))
        );
        assert!(vrf_verify(&hotkey, b"x", &made.preout, &[0xff; 64]).is_err());
        for byte in 0..PROOF_BYTES {
            let mut proof = made.proof.clone();
            proof[byte] ^= 1;
            assert!(vrf_verify(&hotkey, b"x", &made.preout, &proof).is_err(), "byte {byte}");
        }
    }
}
