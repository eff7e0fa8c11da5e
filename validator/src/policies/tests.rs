use std::path::Path;

use weighhouse_seams::DirStorage;
use weighhouse_types::{Epoch, Netuid, Neuron, Uid, sample};
use weighhouse_wallet::keypair::Keypair;

use super::*;

const LIVE: &[u8] = b"version = 2\n";
const NEXT: &[u8] = b"version = 2\n[shape]\nkind = \"winner_takes_all\"\n";

fn owner() -> Keypair {
    Keypair::from_uri("//Owner").expect("a development key")
}

fn genesis() -> Digest {
    Digest::of(b"genesis")
}

/// The subnet at the first block of the epoch that begins at `block`; the owner has uid 0.
fn subnet(block: u64) -> SubnetState {
    let neuron = Neuron { hotkey: owner().hotkey(), registered_at: Block(1), ..sample::neuron(0) };
    let mut state = sample::subnet(Epoch(block / 100), Block(block), vec![neuron]);
    state.metagraph.netuid = Netuid(3);
    state.metagraph.owner = Some(Uid(0));
    state.schedule.tempo = 99;
    state
}

fn stage(dir: &Path, policy: &[u8], rollout: &Rollout) {
    let folder = DirStorage::open(dir).expect("a folder");
    folder.write_atomic(POLICY_FILE, policy).expect("written");
    folder.write_atomic(ROLLOUT_FILE, rollout.to_toml().as_bytes()).expect("written");
}

fn signed(block: u64) -> Rollout {
    Rollout::sign(&owner(), genesis(), Netuid(3), Policy::hash(NEXT), Block(block))
}

#[test]
fn the_staged_policy_goes_live_with_the_first_epoch_at_or_after_its_block() {
    let dir = tempfile::tempdir().expect("a folder");
    stage(dir.path(), NEXT, &signed(201));
    let folder = DirStorage::open(dir.path()).expect("a folder");
    let mut policies = Policies::new(LIVE.to_vec()).expect("a policy");
    for (block, expected, waits) in [(100, LIVE, true), (200, LIVE, true), (300, NEXT, false)] {
        let staged = policies.follow(Some(&folder), genesis(), &subnet(block));
        assert_eq!(policies.live().bytes, expected, "{block}");
        assert_eq!(staged, Ok(waits.then_some(Block(201))), "{block}");
    }
    // Once live it stays, whatever becomes of the folder.
    assert_eq!(policies.follow(None, genesis(), &subnet(400)), Ok(None));
    assert_eq!(policies.live().bytes, NEXT);
}

#[test]
fn whatever_is_not_exactly_what_the_owner_signed_changes_nothing() {
    let other = Keypair::from_uri("//Other").expect("a development key");
    let hash = Policy::hash(NEXT);
    let mut forged = signed(100);
    forged.activation_block = Block(50);
    let mut impostor = Rollout::sign(&other, genesis(), Netuid(3), hash, Block(100));
    let not_owner = impostor.clone();
    impostor.owner = owner().hotkey();
    let elsewhere = Rollout::sign(&owner(), genesis(), Netuid(4), hash, Block(100));
    let other_chain = Rollout::sign(&owner(), Digest::of(b"other"), Netuid(3), hash, Block(100));
    let other_policy = Rollout::sign(&owner(), genesis(), Netuid(3), Digest::of(b"other"), Block(100));
    for (rollout, message) in [
        (forged, "the roll-out's signature is wrong"),
        (impostor, "the roll-out's signature is wrong"),
        (not_owner, "the roll-out is signed by"),
        (elsewhere, "the roll-out is for subnet 4"),
        (other_chain, "the roll-out is for subnet 3 of chain"),
        (other_policy, "rollout.toml is for policy"),
    ] {
        let dir = tempfile::tempdir().expect("a folder");
        stage(dir.path(), NEXT, &rollout);
        let folder = DirStorage::open(dir.path()).expect("a folder");
        let mut policies = Policies::new(LIVE.to_vec()).expect("a policy");
        let staged = policies.follow(Some(&folder), genesis(), &subnet(500));
        assert_eq!(policies.live().bytes, LIVE);
        let error = staged.expect_err(message).to_string();
        assert!(error.starts_with(message), "{error}");
    }
}

#[test]
fn half_a_roll_out_and_a_broken_one_are_named() {
    let dir = tempfile::tempdir().expect("a folder");
    let folder = DirStorage::open(dir.path()).expect("a folder");
    folder.write_atomic(POLICY_FILE, NEXT).expect("written");
    let refused = |folder: &DirStorage| {
        let mut policies = Policies::new(LIVE.to_vec()).expect("a policy");
        policies.follow(Some(folder), genesis(), &subnet(500)).expect_err("refused").to_string()
    };
    assert_eq!(refused(&folder), "policy.toml is there without rollout.toml: a roll-out needs both");
    folder.write_atomic(ROLLOUT_FILE, b"version = 1\npolcy = 3\n").expect("written");
    assert!(
        refused(&folder).starts_with("rollout.toml: line 2: unknown key `polcy`"),
        "{}",
        refused(&folder)
    );
    folder.write_atomic(ROLLOUT_FILE, &[0xff]).expect("written");
    assert_eq!(refused(&folder), "rollout.toml is no text of at most 4096 bytes");
}
