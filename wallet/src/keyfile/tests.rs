use super::*;
use crate::testdata::vectors;

fn plain() -> serde_json::Value {
    let file = vectors("bittensor/keyfiles.json");
    serde_json::from_str(file["cases"][0]["plain_utf8"].as_str().expect("text")).expect("json")
}

fn refused(document: &serde_json::Value) -> KeyfileError {
    parse_secret(document.to_string().as_bytes()).expect_err("refused")
}

#[test]
fn every_plain_vector_is_read_and_written_back_the_same() {
    let file = vectors("bittensor/keyfiles.json");
    for case in file["cases"].as_array().expect("cases") {
        let text = case["plain_utf8"].as_str().expect("text");
        let keypair = parse_secret(text.as_bytes()).expect("a keyfile");
        assert_eq!(keypair.hotkey().to_string(), case["ss58"]);
        let made = Keypair::from_mnemonic(case["mnemonic"].as_str().expect("text"), "").expect("words");
        let ours: serde_json::Value = serde_json::from_slice(&render_secret(&made)).expect("json");
        let theirs: serde_json::Value = serde_json::from_str(text).expect("json");
        assert_eq!(ours, theirs);
    }
}

#[test]
fn any_one_secret_is_enough_and_none_is_refused() {
    for keep in ["privateKey", "secretSeed", "secretPhrase"] {
        let mut document = plain();
        for field in ["privateKey", "secretSeed", "secretPhrase"] {
            if field != keep {
                document[field] = serde_json::Value::Null;
            }
        }
        assert!(parse_secret(document.to_string().as_bytes()).is_ok(), "{keep}");
        document[keep] = serde_json::Value::Null;
        assert_eq!(refused(&document), KeyfileError::NoSecret);
    }
    assert_eq!(refused(&serde_json::json!({})), KeyfileError::NoSecret);
    assert_eq!(parse_public(b"{}"), Err(KeyfileError::MissingField("publicKey")));
}

#[test]
fn a_secret_alone_is_a_keyfile() {
    let full = plain();
    let own = parse_secret(full.to_string().as_bytes()).expect("a keyfile").public();
    for field in ["privateKey", "secretSeed", "secretPhrase"] {
        let document = serde_json::json!({ field: full[field] }).to_string();
        assert_eq!(parse_secret(document.as_bytes()).expect(field).public(), own, "{field}");
        assert_eq!(parse_public(document.as_bytes()), Ok(own), "{field}");
    }
    // Seed and expanded key are told by their lengths, as bittensor-wallet does.
    for (field, other) in [("privateKey", "secretSeed"), ("secretSeed", "privateKey")] {
        let document = serde_json::json!({ field: full[other] }).to_string();
        assert_eq!(parse_secret(document.as_bytes()).expect(field).public(), own, "{other} in {field}");
    }
}

#[test]
fn spellings_that_other_tools_open_are_opened() {
    let own = parse_secret(plain().to_string().as_bytes()).expect("a keyfile").public();
    let open = |field: &str, value: serde_json::Value| {
        let mut document = plain();
        document[field] = value;
        parse_secret(document.to_string().as_bytes()).map(|key| key.public())
    };
    for kind in ["1", "sr25519", "SR25519", " Sr25519 ", "", "unknown"] {
        assert_eq!(open("cryptoType", kind.into()), Ok(own), "{kind}");
    }
    assert_eq!(open("cryptoType", 1.0.into()), Ok(own));
    assert_eq!(open("cryptoType", true.into()), Ok(own));
    for kind in [serde_json::json!(0), "0".into(), "ed25519".into(), "Ed25519".into()] {
        assert_eq!(open("cryptoType", kind), Err(KeyfileError::CryptoType(ED25519)));
    }
    for field in ["privateKey", "secretSeed", "publicKey", "accountId"] {
        let text = plain()[field].as_str().expect("text")[2..].to_owned();
        for spelt in [text.clone(), format!("0X{text}"), format!("0x{}", text.to_uppercase())] {
            assert_eq!(open(field, spelt.into()), Ok(own), "{field}");
        }
        assert_eq!(open(field, "".into()), Ok(own), "{field}");
    }
}

#[test]
fn a_scalar_times_the_cofactor_is_recognised_by_its_public_key() {
    let mut document = plain();
    let keypair = parse_secret(document.to_string().as_bytes()).expect("a keyfile");
    document["privateKey"] = prefixed(&keypair.schnorrkel().secret.to_ed25519_bytes()).into();
    let read = parse_secret(document.to_string().as_bytes()).expect("a keyfile");
    assert_eq!(read.public(), keypair.public());
}

#[test]
fn a_file_that_contradicts_itself_is_refused() {
    let other = Keypair::from_uri("//Alice").expect("alice");
    let foreign: serde_json::Value = serde_json::from_slice(&render_secret(&other)).expect("json");
    for (field, value) in [
        ("ss58Address", &foreign["ss58Address"]),
        ("accountId", &foreign["accountId"]),
        ("privateKey", &foreign["privateKey"]),
        ("secretSeed", &format!("0x{}", "11".repeat(32)).into()),
    ] {
        let mut document = plain();
        document[field] = value.clone();
        assert_eq!(refused(&document), KeyfileError::Mismatch(field));
    }
    let mut document = plain();
    document["publicKey"] = foreign["publicKey"].clone();
    assert!(matches!(refused(&document), KeyfileError::Mismatch(_)));
}

#[test]
fn malformed_files_are_refused_without_quoting_them() {
    for (bytes, expected) in [
        (&b"$ANSIBLE_VAULT;1.1;AES256"[..], KeyfileError::AnsibleVault),
        (b"gAAAAABk", KeyfileError::Fernet),
        (b"", KeyfileError::Empty),
        (b" \n", KeyfileError::Empty),
        (b"$NACL", KeyfileError::Encrypted),
        (b"canary", KeyfileError::NotJson { line: 1, column: 1 }),
    ] {
        assert_eq!(parse_secret(bytes).expect_err("refused"), expected);
    }
    let error = parse_secret(br#"{"secretPhrase": ["canary"]}"#).expect_err("refused");
    assert!(matches!(error, KeyfileError::WrongType { line: 1, .. }), "{error}");
    let error = parse_secret(br#"{"secretPhrase": "canary"}"#).expect_err("refused");
    assert!(!error.to_string().contains("canary"), "{error}");
    for (field, value, expected) in [
        ("cryptoType", serde_json::json!(0), KeyfileError::CryptoType(0)),
        ("publicKey", "0x12".into(), KeyfileError::Hex { field: "publicKey", bytes: 32 }),
        ("privateKey", "zz".into(), KeyfileError::Hex { field: "privateKey", bytes: 64 }),
        ("ss58Address", "5x".into(), KeyfileError::Address(Ss58Error::Length(2))),
    ] {
        let mut document = plain();
        document[field] = value;
        let error = refused(&document);
        match expected {
            KeyfileError::Address(_) => assert!(matches!(error, KeyfileError::Address(_)), "{error}"),
            expected => assert_eq!(error, expected),
        }
    }
    let mut document = plain();
    document["privateKey"] = format!("0x{}", "ff".repeat(64)).into();
    assert_eq!(refused(&document), KeyfileError::Secret { field: "privateKey", source: KeyError::Expanded });
}

#[test]
fn public_files_hold_no_secret() {
    let keypair = Keypair::from_mnemonic(plain()["secretPhrase"].as_str().expect("text"), "").expect("words");
    let rendered = render_public(&keypair.public());
    assert_eq!(parse_public(&rendered), Ok(keypair.public()));
    let text = String::from_utf8(rendered).expect("utf-8");
    assert!(!text.contains("private") && !text.contains("secret"), "{text}");
}
