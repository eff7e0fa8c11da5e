use weighhouse_seams::Entropy;

use super::*;
use crate::testdata::vectors;

const WORDS: &str = "arrange consider tortoise home crane empty magic aerobic onion gift dumb switch";

fn address(uri: &str) -> String {
    Keypair::from_uri(uri).expect("a valid uri").hotkey().to_string()
}

// Addresses from `bittensor_core` 0.1.5 (`Keypair.create_from_uri`).
#[test]
fn known_uris_give_the_known_addresses() {
    for (uri, expected) in [
        ("//Alice", "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"),
        ("//Bob", "5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty"),
        ("//validator//hard//soft/1", "5DqePPrjJ664Zo33V5QmoTE5prGYeRvShkLrBPKBGbX2mTmv"),
        ("//Alice/soft", "5C8PhJPLE54x23RjmqBcEEnALryCDWdTJM5xLaoL9W8XEpnt"),
        ("//1", "5GBNeWRhZc2jXu7D55rBimKYDk8PGk8itRYFTPfC8RJLKG5o"),
        ("//18446744073709551616", "5EpxyqTWXnWapSa55fXrq8JtqD41YREqn7qJobZ69D7833f8"),
        (
            "//Alice//xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
            "5CSUWgsvmKNGdwM6GpeUYFUVnhCS6mEpsVjMtR1zk2owHUWF",
        ),
        ("/5//0", "5Fnqr5ubc844vQFtFo7qLdHuVfyQvki8nJq66EtSEzhedxPu"),
        ("//Alice///", "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"),
        ("//Alice///pass", "5FZvjLtLT92ScYnizqXvCcGdf9fHEi1LvnMNm61bHaxvPdqg"),
        (WORDS, "5HBrF29VjZoTap5aRPdSa7SbLwWqEanpsszbyJdLQ8FpTkcG"),
    ] {
        assert_eq!(address(uri), expected, "{uri}");
    }
    let seed = format!("0x{}//a", "11".repeat(32));
    assert_eq!(address(&seed), "5F26NBdyUoDGtkbuQ8qfvYi5W5U3oWdJvcH2qe9G5ywjDyug");
    let worded = format!("{WORDS}//x///pw");
    assert_eq!(address(&worded), "5C5xyicL6MXrnHLVdwBYM4HnAvQLZ6mkXZzS6DptdzKXzSJj");
}

#[test]
fn every_vector_mnemonic_gives_its_address_and_private_key() {
    let file = vectors("bittensor/keyfiles.json");
    for case in file["cases"].as_array().expect("cases") {
        let text = |key: &str| case[key].as_str().expect("a string");
        let keypair = Keypair::from_mnemonic(text("mnemonic"), "").expect("words");
        assert_eq!(keypair.coldkey().to_string(), text("ss58"));
        let plain: serde_json::Value = serde_json::from_str(text("plain_utf8")).expect("json");
        assert_eq!(plain["privateKey"], const_hex::encode_prefixed(*keypair.expanded()));
        let expanded = Keypair::from_expanded(&keypair.expanded()).expect("canonical");
        assert_eq!(expanded.public(), keypair.public());
    }
}

#[test]
fn malformed_uris_are_refused_without_repeating_them() {
    for (uri, expected) in
        [("//", KeyError::EmptyJunction), ("//a//", KeyError::EmptyJunction), ("0x11", KeyError::SeedHex)]
    {
        assert_eq!(Keypair::from_uri(uri).expect_err("refused"), expected, "{uri}");
    }
    let seeded = format!("0x{}///pw", "11".repeat(32));
    assert_eq!(Keypair::from_uri(&seeded).expect_err("refused"), KeyError::PasswordOnSeed);
    let error = Keypair::from_uri("canary canary canary").expect_err("refused");
    assert!(!error.to_string().contains("canary"), "{error}");
    assert_eq!(Keypair::from_expanded(&[0xff; 64]).expect_err("refused"), KeyError::Expanded);
}

#[test]
fn nothing_is_no_key_and_a_key_that_everybody_has_is_known() {
    for uri in ["", "///", "///password"] {
        assert_eq!(Keypair::from_uri(uri).expect_err("refused"), KeyError::Empty, "{uri:?}");
    }
    assert!(Keypair::from_uri(" ").is_err());
    let phrase = "bottom drive obey lake curtain smoke basket hold race lonely fit walk";
    for uri in ["//Alice", "/soft", phrase, &format!("{phrase}//Alice")] {
        assert!(Keypair::is_public_uri(uri) && Keypair::from_uri(uri).is_ok(), "{uri}");
    }
    for uri in [WORDS, &format!("{WORDS}//Alice"), &format!("0x{}", "11".repeat(32))] {
        assert!(!Keypair::is_public_uri(uri), "{uri}");
    }
}

#[test]
fn only_the_right_signature_is_accepted() {
    let keypair = Keypair::from_uri("//Alice").expect("alice");
    let public = keypair.public();
    let signature = keypair.sign(b"message");
    assert_eq!(verify(&public, b"message", &signature), Ok(()));
    assert_eq!(verify(&public, b"message", &keypair.sign(b"message")), Ok(()));
    assert_eq!(verify(&public, b"other", &signature), Err(SignatureError::Wrong));
    assert_eq!(verify(&[0xff; 32], b"message", &signature), Err(SignatureError::PublicKey));
    assert_eq!(verify(&public, b"message", &[]), Err(SignatureError::Absent));
    assert_eq!(verify(&public, b"message", &signature[..63]), Err(SignatureError::Length(63)));
    assert_eq!(
        verify(&public, b"message", &[signature.as_slice(), &[0]].concat()),
        Err(SignatureError::Length(65))
    );
    assert!(verify(&public, b"message", &[0; 64]).is_err());
    for bit in 0..512 {
        let mut flipped = signature;
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(verify(&public, b"message", &flipped).is_err(), "bit {bit}");
    }
}

#[test]
fn generated_words_give_the_key_back() {
    let (words, keypair) = Keypair::generate(&mut Entropy::seeded([7; 32]));
    assert_eq!(words.split(' ').count(), 12);
    assert_eq!(Keypair::from_mnemonic(&words, "").expect("words").public(), keypair.public());
    let (again, _) = Keypair::generate(&mut Entropy::seeded([8; 32]));
    assert_ne!(words, again);
}

#[test]
fn debug_shows_the_address_alone() {
    let keypair = Keypair::from_mnemonic(WORDS, "").expect("words");
    assert_eq!(format!("{keypair:?}"), "Keypair(5HBrF29VjZoTap5aRPdSa7SbLwWqEanpsszbyJdLQ8FpTkcG)");
    assert!(keypair.origin.phrase.is_some());
    assert!(keypair.without_origin().origin.phrase.is_none());
}
