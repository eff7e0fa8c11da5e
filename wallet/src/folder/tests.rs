use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::coldkey;
use crate::nacl::NaclError;
use crate::testdata::vectors;

fn key(uri: &str) -> Keypair {
    Keypair::from_uri(uri).expect("a uri")
}

fn folder() -> (tempfile::TempDir, Folder) {
    let base = tempfile::tempdir().expect("a folder");
    let folder = Folder::new(base.path(), "owner").expect("a name");
    (base, folder)
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).expect("a file").permissions().mode() & 0o777
}

#[test]
fn a_saved_wallet_has_bittensors_layout_and_is_private() {
    let (base, folder) = folder();
    folder.save_hotkey("hot", &key("//Bob"), Protect::Plain, Overwrite::Never).expect("saved");
    coldkey::save(&folder, &key("//Alice"), Protect::Plain, Overwrite::Never).expect("saved");
    for (name, expected) in [
        ("owner", 0o700),
        ("owner/hotkeys", 0o700),
        ("owner/coldkey", 0o600),
        ("owner/coldkeypub.txt", 0o600),
        ("owner/hotkeys/hot", 0o600),
        ("owner/hotkeys/hotpub.txt", 0o600),
    ] {
        assert_eq!(mode(&base.path().join(name)), expected, "{name}");
    }
    assert_eq!(folder.open_hotkey("hot", &Unlock::NONE).expect("opened").public(), key("//Bob").public());
    assert_eq!(coldkey::open(&folder, &Unlock::NONE).expect("opened").public(), key("//Alice").public());
    assert_eq!(folder.hotkey("hot").expect("read"), key("//Bob").hotkey());
    assert_eq!(folder.coldkey().expect("read"), key("//Alice").coldkey());
    assert_eq!(Folder::wallets(base.path()).expect("listed"), ["owner"]);
    assert_eq!(folder.hotkeys().expect("listed"), ["hot"]);
    let left: Vec<_> = std::fs::read_dir(folder.path().join("hotkeys")).expect("listed").collect();
    assert_eq!(left.len(), 2, "no temporary file stays behind");
}

#[test]
fn a_key_is_replaced_only_when_asked() {
    let (_base, folder) = folder();
    folder.save_hotkey("hot", &key("//Bob"), Protect::Plain, Overwrite::Never).expect("saved");
    let again = folder.save_hotkey("hot", &key("//Dave"), Protect::Plain, Overwrite::Never);
    assert!(matches!(again, Err(WalletError::Exists { .. })), "{again:?}");
    assert_eq!(folder.open_hotkey("hot", &Unlock::NONE).expect("opened").public(), key("//Bob").public());
    assert_eq!(folder.hotkey("hot").expect("read"), key("//Bob").hotkey());
    folder.save_hotkey("hot", &key("//Dave"), Protect::Plain, Overwrite::Replace).expect("replaced");
    assert_eq!(folder.hotkey("hot").expect("read"), key("//Dave").hotkey());

    folder.save_coldkey_public(&key("//Alice").coldkey(), Overwrite::Never).expect("saved");
    let other = coldkey::save(&folder, &key("//Eve"), Protect::Plain, Overwrite::Never);
    assert!(matches!(other, Err(WalletError::Exists { .. })), "{other:?}");
    coldkey::save(&folder, &key("//Alice"), Protect::Plain, Overwrite::Never)
        .expect("its own public half is no obstacle");
}

#[test]
fn a_file_that_appears_at_the_last_moment_survives() {
    let (_base, folder) = folder();
    let path = folder.hotkey_path("hot").expect("a name");
    files::write(&path, b"theirs", Overwrite::Never).expect("written");
    let late = files::write(&path, b"ours", Overwrite::Never).expect_err("refused");
    assert_eq!(late.kind(), io::ErrorKind::AlreadyExists);
    assert_eq!(**files::read(&path).expect("read"), *b"theirs");
}

#[test]
fn an_encrypted_hotkey_opens_with_its_password_only() {
    let (_base, folder) = folder();
    let case = &vectors("bittensor/keyfiles.json")["cases"][0];
    let password = Password::new(case["password"].as_str().expect("text"));
    let path = folder.hotkey_path("hot").expect("a name");
    let sealed = const_hex::decode(case["encrypted_hex"].as_str().expect("text")).expect("hex");
    files::write(&path, &sealed, Overwrite::Never).expect("written");
    let none = folder.open_hotkey("hot", &Unlock::NONE).expect_err("refused");
    let variable = env_variable(&path);
    assert!(none.to_string().contains(&variable), "{none}");
    let wrong = Unlock { given: Some(Password::new("pa55")), env: &|_| None };
    let wrong = folder.open_hotkey("hot", &wrong).expect_err("refused");
    assert!(matches!(
        &wrong,
        WalletError::Keyfile { source: KeyfileError::Nacl(NaclError::WrongPassword), .. }
    ));
    let env = |name: &str| (name == variable).then(|| password.to_env(name));
    let opened = folder.open_hotkey("hot", &Unlock { given: None, env: &env }).expect("opened");
    assert_eq!(opened.hotkey().to_string(), case["ss58"]);
    assert!(opened.origin.seed.is_none() && opened.origin.phrase.is_none(), "a daemon's key keeps no words");
}

#[test]
fn what_is_missing_is_named() {
    let (base, folder) = folder();
    let no_wallet = folder.open_hotkey("hot", &Unlock::NONE).expect_err("refused");
    assert!(matches!(&no_wallet, WalletError::NoWallet { path } if *path == base.path().join("owner")));
    folder.save_hotkey("hot", &key("//Bob"), Protect::Plain, Overwrite::Never).expect("saved");
    let no_key = folder.open_hotkey("cold", &Unlock::NONE).expect_err("refused");
    assert!(matches!(&no_key, WalletError::NoKey { path } if path.ends_with("owner/hotkeys/cold")));
    assert!(matches!(folder.coldkey(), Err(WalletError::NoKey { .. })));
}

#[test]
fn a_daemon_cannot_reach_the_coldkey_through_a_hotkeys_name() {
    let (base, folder) = folder();
    coldkey::save(&folder, &key("//Alice"), Protect::Plain, Overwrite::Never).expect("saved");
    for name in ["../coldkey", "..", ".", "", "/etc/passwd", "a/b", "a\\b", "a\0b", ".hidden"] {
        let refused = folder.open_hotkey(name, &Unlock::NONE);
        assert!(matches!(refused, Err(WalletError::Name { .. })), "{name:?}");
        assert!(Folder::new(base.path(), name).is_err(), "{name:?}");
    }
}

#[test]
fn a_damaged_or_oversized_file_is_refused_with_its_path() {
    let (_base, folder) = folder();
    let path = folder.hotkey_path("hot").expect("a name");
    files::write(&path, b"not json", Overwrite::Never).expect("written");
    let refused = folder.open_hotkey("hot", &Unlock::NONE).expect_err("refused");
    assert!(refused.to_string().starts_with(&path.display().to_string()), "{refused}");
    let large = vec![b' '; usize::try_from(files::KEYFILE_BYTES_MAX).expect("small") + 1];
    files::write(&path, &large, Overwrite::Replace).expect("written");
    assert!(matches!(folder.open_hotkey("hot", &Unlock::NONE), Err(WalletError::Io { .. })));
}
