//! Encrypted connections: by the key on the chain, by the one before it, and not at all.

use weighhouse_seams::{DirStorage, Storage as _, TlsKey};
use weighhouse_types::Failure;

use super::harness::{Harness, Setup};
use crate::config::Tls;
use crate::server::Keys;

/// Waits until the chain shows another key than `before`.
async fn new_key(miner: &Harness, before: Option<weighhouse_seams::TlsPin>) -> weighhouse_seams::TlsPin {
    loop {
        match miner.shown().await {
            Some(pin) if Some(pin) != before => return pin,
            _ => tokio::task::yield_now().await,
        }
    }
}

#[tokio::test]
async fn validators_meet_the_key_on_the_chain_and_plaintext_is_cut_where_tls_is_required() {
    let miner = Setup { config: "[serve]\ntls = 'required'", ..Setup::default() }.start().await;
    let pin = new_key(&miner, None).await;
    miner.ask(Some(pin)).await.expect("answered");
    assert_eq!(miner.ask(None).await.expect_err("cut"), Failure::Unreachable);
    let stranger = TlsKey::generate().expect("a key").pin();
    assert_eq!(miner.ask(Some(stranger)).await.expect_err("another key"), Failure::Unreachable);
    miner.stop().await.expect("a clean end");
}

#[tokio::test]
async fn a_renewed_key_is_published_and_the_old_one_is_served_for_a_hundred_blocks() {
    let miner = Setup::default().start().await;
    let old = new_key(&miner, None).await;
    miner.ask(Some(old)).await.expect("answered");
    miner.ask(None).await.expect("plaintext is served as well");
    let renew = |dir: &std::path::Path| Keys::renew(&DirStorage::open(dir).expect("free")).map(drop);
    let miner = miner.restart_after(|_, dir| renew(dir).expect("renewed")).await;
    let new = new_key(&miner, Some(old)).await;
    let left = miner.state_dir().join("tls-old.pem");
    for pin in [old, new] {
        miner.ask(Some(pin)).await.expect("both are served");
    }
    assert!(left.exists());
    for _ in 0..110 {
        miner.chain.change(|_| ());
        tokio::task::yield_now().await;
    }
    while left.exists() {
        tokio::task::yield_now().await;
    }
    assert_eq!(miner.ask(Some(old)).await.expect_err("forgotten"), Failure::Unreachable);
    miner.ask(Some(new)).await.expect("answered");
    miner.stop().await.expect("a clean end");
}

#[tokio::test]
async fn a_key_can_be_renewed_once_at_a_time_and_nobody_else_reads_it() {
    let dir = tempfile::tempdir().expect("a folder");
    let storage = DirStorage::open(dir.path()).expect("free");
    let first = Keys::open(&storage).expect("made").pin();
    assert_eq!(Keys::open(&storage).expect("read").pin(), first);
    assert_ne!(Keys::renew(&storage).expect("renewed"), first);
    assert!(Keys::renew(&storage).is_err());
    #[cfg(unix)]
    for name in ["tls.pem", "tls-old.pem"] {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(dir.path().join(name)).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    storage.write_atomic("tls.pem", b"no key").expect("written");
    let refused = Keys::open(&storage).expect_err("no key").to_string();
    assert!(refused.contains("tls.pem") && refused.contains("restore it"), "{refused}");
}

#[tokio::test]
async fn where_tls_is_switched_off_the_chain_shows_no_key_any_more() {
    let miner = Setup::default().start().await;
    new_key(&miner, None).await;
    let miner = miner.restart_after(|config, _| config.serve.tls = Tls::Off).await;
    while miner.shown().await.is_some() {
        tokio::task::yield_now().await;
    }
    miner.ask(None).await.expect("answered");
    miner.stop().await.expect("a clean end");
}
