use proptest::prelude::*;
use weighhouse_seams::Entropy;
use weighhouse_types::{Digest, Hotkey, Uid};

use super::*;
use crate::vectors;

fn bytes(value: &serde_json::Value) -> Vec<u8> {
    const_hex::decode(value.as_str().expect("hexadecimal digits")).expect("hexadecimal digits")
}

/// The beacon's own, of its round 1000.
fn round_1000(vectors: &serde_json::Value) -> [u8; SIGNATURE_BYTES] {
    bytes(&vectors["round_1000_signature_hex"]).try_into().expect("48 bytes")
}

fn entropy() -> Entropy {
    Entropy::seeded([5; 32])
}

fn beacon() -> LocalBeacon {
    LocalBeacon::from_seed(&Digest([3; 32]))
}

#[test]
fn what_bittensor_sealed_is_opened() {
    let vectors = vectors::load("bittensor/timelock.json");
    let signature = round_1000(&vectors);
    let cases = vectors["cases"].as_array().expect("cases");
    for case in cases {
        // In front stands the length as SCALE's compact form, behind the round.
        let sealed = bytes(&case["ciphertext_hex"]);
        let (wrapped, round) = sealed.split_at(sealed.len() - 8);
        assert_eq!(round, 1000u64.to_le_bytes());
        let ciphertext = match wrapped[0] & 3 {
            0 => &wrapped[1..],
            1 => &wrapped[2..],
            _ => &wrapped[4..],
        };
        assert_eq!(decrypt(ciphertext, &signature), Ok(bytes(&case["payload_scale_hex"])));
        let hotkey = Hotkey(bytes(&case["hotkey_public_hex"]).try_into().expect("32 bytes"));
        let payload = open_weights(ciphertext, &signature, &hotkey).expect("opens");
        let uids: Vec<Uid> = serde_json::from_value(case["uids"].clone()).expect("uids");
        let values: Vec<u16> = serde_json::from_value(case["values"].clone()).expect("values");
        assert_eq!((payload.uids, payload.values), (uids, values));
        assert_eq!(Some(payload.version_key.to_string().as_str()), case["version_key"].as_str());
        assert_eq!(open_weights(ciphertext, &signature, &Hotkey([1; 32])), Err(TimelockError::OtherHotkey));
    }
    assert!(cases.len() >= 4);
}

#[test]
fn quicknets_signature_is_its_keys_and_opens_what_we_seal() {
    let signature = round_1000(&vectors::load("bittensor/timelock.json"));
    assert_eq!(verify(&quicknet::PUBLIC_KEY, 1000, &signature), Ok(true));
    assert_eq!(verify(&quicknet::PUBLIC_KEY, 1001, &signature), Ok(false));
    let sealed = encrypt(&quicknet::PUBLIC_KEY, 1000, b"hello", &mut entropy()).expect("seals");
    assert_eq!(decrypt(&sealed, &signature).as_deref(), Ok(&b"hello"[..]));
}

#[test]
fn a_beacon_of_ones_own_opens_each_round_with_its_own_signature_only() {
    let (beacon, key) = (beacon(), beacon().public_key());
    assert_eq!(verify(&key, 7, &beacon.sign(7)), Ok(true));
    assert_ne!(key, LocalBeacon::from_seed(&Digest([4; 32])).public_key());
    let sealed = encrypt(&key, 7, b"weights", &mut entropy()).expect("seals");
    assert_eq!(decrypt(&sealed, &beacon.sign(7)).as_deref(), Ok(&b"weights"[..]));
    assert_eq!(decrypt(&sealed, &beacon.sign(8)), Err(TimelockError::WrongKey));
    assert_eq!(decrypt(&sealed, &[0xff; SIGNATURE_BYTES]), Err(TimelockError::Signature));
    assert_eq!(encrypt(&[0; TIMELOCK_KEY_BYTES], 7, b"", &mut entropy()), Err(TimelockError::PublicKey));
}

#[test]
fn weights_of_a_whole_subnet_fit_a_commit() {
    let payload = WeightsPayload {
        hotkey: vec![9; 32],
        uids: (0..256).map(Uid).collect(),
        values: vec![u16::MAX; 256],
        version_key: u64::MAX,
    };
    let sealed = seal_weights(&beacon().public_key(), 7, &payload, &mut entropy()).expect("seals");
    assert!(sealed.len() <= CIPHERTEXT_BYTES_MAX, "{}", sealed.len());
    assert_eq!(open_weights(&sealed, &beacon().sign(7), &Hotkey([9; 32])), Ok(payload));
}

#[test]
fn the_form_without_a_hotkey_is_still_read() {
    let unbound = parity_scale_codec::Encode::encode(&(vec![1u16, 2], vec![3u16, 4], 5u64));
    let sealed = encrypt(&beacon().public_key(), 7, &unbound, &mut entropy()).expect("seals");
    let payload = open_weights(&sealed, &beacon().sign(7), &Hotkey([9; 32])).expect("opens");
    assert_eq!((payload.uids, payload.values, payload.version_key), (vec![Uid(1), Uid(2)], vec![3, 4], 5));
    let noise = encrypt(&beacon().public_key(), 7, &[255; 5], &mut entropy()).expect("seals");
    assert_eq!(open_weights(&noise, &beacon().sign(7), &Hotkey([9; 32])), Err(TimelockError::NotWeights));
}

#[test]
fn a_damaged_ciphertext_is_refused_wherever_the_damage_is() {
    let sealed = encrypt(&beacon().public_key(), 7, b"weights", &mut entropy()).expect("seals");
    let signature = beacon().sign(7);
    // What follows the body names the cipher, and nobody reads it.
    let read = sealed.len() - 8;
    for at in (0..read).step_by(11) {
        let mut damaged = sealed.clone();
        damaged[at] ^= 1;
        assert!(decrypt(&damaged, &signature).is_err(), "byte {at}");
        assert!(decrypt(&sealed[..at], &signature).is_err(), "cut at {at}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(decrypt(&bytes, &[0xc0; SIGNATURE_BYTES]).is_err());
    }
}
