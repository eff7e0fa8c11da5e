use crate::coldkey;
use crate::files::Overwrite;
use crate::folder::{Folder, Protect};
use crate::keypair::Keypair;
use crate::testdata::vectors;

use super::*;

fn folder() -> (tempfile::TempDir, Folder) {
    let base = tempfile::tempdir().expect("a folder");
    let folder = Folder::new(base.path(), "my wallet").expect("a name");
    (base, folder)
}

fn write(folder: &Folder, name: &str, bytes: &[u8]) {
    let path = folder.path().join("hotkeys").join(name);
    files::write(&path, bytes, Overwrite::Replace).expect("written");
}

#[test]
fn a_locked_key_is_told_from_a_broken_an_empty_and_an_absent_one() {
    let (base, folder) = folder();
    let sealed = &vectors("bittensor/keyfiles.json")["cases"][0]["encrypted_hex"];
    let sealed = const_hex::decode(sealed.as_str().expect("text")).expect("hex");
    let ed25519 = br#"{"cryptoType": 0, "secretSeed": "0x1111111111111111111111111111111111111111111111111111111111111111"}"#;
    let cases: [(&str, &[u8], KeyState, &str); 8] = [
        ("locked", &sealed, KeyState::Encrypted, ""),
        ("empty", b"", KeyState::Empty, "an empty file"),
        ("blank", b" \n", KeyState::Empty, "an empty file"),
        ("text", b"no key", KeyState::Broken, "no JSON"),
        ("object", b"{}", KeyState::Broken, "no secret"),
        ("short", b"$NACL0123", KeyState::Broken, "cut short"),
        ("vault", b"$ANSIBLE_VAULT;1.1", KeyState::Broken, "Ansible Vault"),
        ("edwards", ed25519, KeyState::Ed25519, "ed25519"),
    ];
    for (name, bytes, state, problem) in cases {
        write(&folder, name, bytes);
        let seen = folder.inspect_hotkey(name).expect("a name");
        assert_eq!((seen.state, seen.public), (state, None), "{name}");
        assert!(seen.problem.unwrap_or_default().contains(problem), "{name}");
    }
    assert_eq!(folder.inspect_hotkey("gone").expect("a name").state, KeyState::Absent);
    assert_eq!(coldkey::inspect(&folder).state, KeyState::Absent);
    assert_eq!(Folder::wallets(base.path()).expect("listed"), ["my wallet"]);
    assert_eq!(folder.hotkeys().expect("listed").len(), cases.len());
}

#[test]
fn an_address_beside_a_key_must_be_its_own() {
    let (_base, folder) = folder();
    let key = Keypair::from_uri("//Bob").expect("a key");
    folder.save_hotkey("hot", &key, Protect::Plain, Overwrite::Never).expect("saved");
    let seen = folder.inspect_hotkey("hot").expect("a name");
    assert_eq!((seen.state, seen.public), (KeyState::Plain, Some(key.public())));
    let other = Keypair::from_uri("//Eve").expect("a key");
    write(&folder, "hotpub.txt", &keyfile::render_public(&other.public()));
    let seen = folder.inspect_hotkey("hot").expect("a name");
    assert_eq!((seen.state, seen.public), (KeyState::Broken, Some(key.public())));
    write(&folder, "watchedpub.txt", &keyfile::render_public(&other.public()));
    assert_eq!(folder.hotkeys().expect("listed"), ["hot", "watched"]);
    let seen = folder.inspect_hotkey("watched").expect("a name");
    assert_eq!((seen.state, seen.public), (KeyState::PublicOnly, Some(other.public())));
}
