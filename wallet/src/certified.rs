//! A hotkey's signature over an Ed25519 key: by it a log's checkpoints, or a witness's signatures on them, are a validator's own.
//!
//! Signed is a domain-separated digest of (chain, subnet, mechanism, use, first epoch, key), under the hotkey.

use parity_scale_codec::Encode;
use weighhouse_types::{CertifiedKey, Digest, Epoch, Hasher, LogKeyUse, LogPlace};

use crate::keypair::{Keypair, SignatureError, verify};

const DOMAIN: &str = "weighhouse/log-key/v1";

/// Certifies a key for a use from an epoch on.
pub fn certify(
    keypair: &Keypair,
    place: &LogPlace,
    of: LogKeyUse,
    key: [u8; 32],
    first_epoch: Epoch,
) -> CertifiedKey {
    let signature = keypair.sign(digest(place, of, &key, first_epoch).as_bytes()).to_vec();
    CertifiedKey { hotkey: keypair.hotkey(), first_epoch, key, signature }
}

/// Checks that the hotkey has certified the key for this use in this place.
///
/// # Errors
/// A signature of something else, or somebody else's.
pub fn verify_certified(
    certified: &CertifiedKey,
    place: &LogPlace,
    of: LogKeyUse,
) -> Result<(), SignatureError> {
    let CertifiedKey { hotkey, first_epoch, key, signature } = certified;
    verify(hotkey.as_bytes(), digest(place, of, key, *first_epoch).as_bytes(), signature)
}

fn digest(place: &LogPlace, of: LogKeyUse, key: &[u8; 32], first_epoch: Epoch) -> Digest {
    Hasher::new(DOMAIN)
        .part(&place.encode())
        .part(&of.encode())
        .part(&first_epoch.encode())
        .part(key)
        .finish()
}

#[cfg(test)]
mod tests {
    use weighhouse_types::{MechId, Netuid};

    use super::*;

    #[test]
    fn a_key_is_certified_for_one_use_in_one_place() {
        let keypair = Keypair::from_uri("//Validator").expect("a key");
        let place = LogPlace { genesis: Digest::of(b"genesis"), netuid: Netuid(1), mechanism: MechId(0) };
        let sound = certify(&keypair, &place, LogKeyUse::Log, [7; 32], Epoch(3));
        verify_certified(&sound, &place, LogKeyUse::Log).expect("its own");
        assert!(verify_certified(&sound, &place, LogKeyUse::Witness).is_err(), "another use");
        let elsewhere = LogPlace { netuid: Netuid(2), ..place };
        assert!(verify_certified(&sound, &elsewhere, LogKeyUse::Log).is_err(), "another subnet");
        let changes: [fn(&mut CertifiedKey); 4] = [
            |it| it.key = [8; 32],
            |it| it.first_epoch = Epoch(4),
            |it| it.hotkey = Keypair::from_uri("//Other").expect("a key").hotkey(),
            |it| it.signature.clear(),
        ];
        for (nth, change) in changes.into_iter().enumerate() {
            let mut changed = sound.clone();
            change(&mut changed);
            assert!(verify_certified(&changed, &place, LogKeyUse::Log).is_err(), "change {nth}");
        }
    }
}
