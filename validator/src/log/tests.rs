use std::path::Path;
use std::sync::Arc;

use weighhouse_merkle::{Checkpoint, SignedNote, consistency_proof, leaf_hash, root};
use weighhouse_proto::CosignAsked;
use weighhouse_seams::{DirStorage, Entropy, Storage as _, SystemClock};
use weighhouse_types::{Digest, Epoch, LogKeyUse, LogPlace, MechId, Netuid};
use weighhouse_wallet::certified::verify_certified;
use weighhouse_wallet::keypair::Keypair;

use super::book::{WitnessRefusal, Witnessing};
use super::keys::{KeptKey, own};
use super::*;

fn owner(dir: &Path, who: &str) -> LogOwner {
    LogOwner {
        storage: Arc::new(DirStorage::open(dir).expect("a folder")),
        keypair: Arc::new(Keypair::from_uri(who).expect("a key")),
        place: LogPlace { genesis: Digest::of(b"genesis"), netuid: Netuid(1), mechanism: MechId(0) },
    }
}

fn book(dir: &Path, who: &str) -> WitnessBook {
    let clock = Arc::new(SystemClock::new());
    WitnessBook::open(owner(dir, who), Epoch(3), clock, &mut Entropy::seeded([5; 32])).expect("a book")
}

/// A validator's log, as it says it is.
pub(crate) struct Log {
    owner: LogOwner,
    key: KeptKey,
    pub(crate) leaves: Vec<Digest>,
}

impl Log {
    fn new(dir: &Path, who: &str, leaves: u8) -> Self {
        Self::of(owner(dir, who), Epoch(3), leaves)
    }

    pub(crate) fn of(owner: LogOwner, first_epoch: Epoch, leaves: u8) -> Self {
        let key = own(&owner, LogKeyUse::Log, first_epoch, &mut Entropy::seeded([6; 32])).expect("a key");
        Self { owner, key, leaves: (0..leaves).map(|n| leaf_hash(&[n])).collect() }
    }

    pub(crate) fn asks(&self, size: usize, old_size: usize) -> CosignAsked {
        let leaves = &self.leaves[..size];
        let origin = self.key.signing.verifier().name().to_owned();
        let mut note = Checkpoint { origin, size: size as u64, root: root(leaves) }.unsigned();
        note.add(self.key.signing.sign(&note, 0));
        CosignAsked {
            netuid: self.owner.place.netuid,
            mechanism: self.owner.place.mechanism,
            key: self.key.certified.clone(),
            checkpoint: note.to_string(),
            old_size: old_size as u64,
            proof: consistency_proof(leaves, old_size).unwrap_or_default(),
        }
    }

    pub(crate) fn hotkey(&self) -> weighhouse_types::Hotkey {
        self.owner.keypair.hotkey()
    }
}

#[test]
fn a_witness_signs_growth_and_nothing_else() {
    let (dir, logs) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let witness = book(dir.path(), "//Witness");
    let log = Log::new(logs.path(), "//Log", 30);
    let hotkey = log.hotkey();
    let signed = |asked: &CosignAsked| witness.cosign(hotkey, asked);
    let Ok(Witnessing::Cosigned { key, line }) = signed(&log.asks(5, 0)) else {
        panic!("the first is taken")
    };
    verify_certified(&key, &log.owner.place, LogKeyUse::Witness).expect("certified");
    let first = log.asks(5, 0).checkpoint;
    let note = SignedNote::parse(&format!("{first}{line}\n")).expect("a note");
    verifier(&key, &log.owner.place, LogKeyUse::Witness).expect("a name").verify(&note).expect("signed");
    // The same again, and then from where it is.
    assert!(matches!(signed(&log.asks(5, 5)), Ok(Witnessing::Cosigned { .. })));
    let Ok(Witnessing::Held(held)) = signed(&log.asks(9, 3)) else { panic!("it wants the proof from 5") };
    assert!(held.starts_with(first.split("\n\n").next().expect("a text")));
    assert!(matches!(signed(&log.asks(3, 0)), Ok(Witnessing::Held(_))), "it doesn't go back");
    let mut wrong = log.asks(9, 5);
    wrong.proof[0] = Digest::of(b"another");
    assert!(matches!(signed(&wrong), Err(WitnessRefusal::Proof(_))));
    assert!(matches!(signed(&log.asks(9, 5)), Ok(Witnessing::Cosigned { .. })));
    // After a restart too.
    let key = witness.key().key;
    drop(witness);
    let again = book(dir.path(), "//Witness");
    assert_eq!(again.key().key, key);
    assert!(matches!(again.cosign(log.hotkey(), &log.asks(30, 5)), Ok(Witnessing::Held(_))));
    assert!(matches!(again.cosign(log.hotkey(), &log.asks(30, 9)), Ok(Witnessing::Cosigned { .. })));
}

#[test]
fn whoever_asks_for_another_s_log_or_in_another_place_is_refused() {
    let (dir, logs) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let witness = book(dir.path(), "//Witness");
    let log = Log::new(logs.path(), "//Log", 8);
    let stranger = Keypair::from_uri("//Stranger").expect("a key").hotkey();
    assert!(matches!(witness.cosign(stranger, &log.asks(5, 0)), Err(WitnessRefusal::OtherHotkey)));
    let elsewhere = CosignAsked { netuid: Netuid(2), ..log.asks(5, 0) };
    assert!(matches!(witness.cosign(log.hotkey(), &elsewhere), Err(WitnessRefusal::Elsewhere)));
    let mut uncertified = log.asks(5, 0);
    uncertified.key.first_epoch = Epoch(4);
    assert!(matches!(witness.cosign(log.hotkey(), &uncertified), Err(WitnessRefusal::Certificate(_))));
    let mut unsigned = log.asks(5, 0);
    unsigned.checkpoint = unsigned.checkpoint.replace("\n5\n", "\n6\n");
    assert!(matches!(witness.cosign(log.hotkey(), &unsigned), Err(WitnessRefusal::Note(_))));
}

#[test]
fn a_log_of_a_later_epoch_takes_the_place_of_the_one_before_for_good() {
    let dirs = [(); 3].map(|()| tempfile::tempdir().expect("a folder"));
    let witness = book(dirs[0].path(), "//Witness");
    let old = Log::new(dirs[1].path(), "//Log", 8);
    let owner = owner(dirs[2].path(), "//Log");
    let key = own(&owner, LogKeyUse::Log, Epoch(7), &mut Entropy::seeded([7; 32])).expect("a key");
    let new = Log { owner, key, leaves: old.leaves.clone() };
    assert!(matches!(witness.cosign(old.hotkey(), &old.asks(8, 0)), Ok(Witnessing::Cosigned { .. })));
    let begins = || witness.cosign(old.hotkey(), &new.asks(2, 0));
    assert!(matches!(begins(), Err(WitnessRefusal::OtherEpoch)), "it would begin in the future");
    witness.note_epoch(Epoch(9));
    assert!(matches!(begins(), Err(WitnessRefusal::OtherEpoch)), "it would tell the past anew");
    witness.note_epoch(Epoch(8));
    assert!(matches!(begins(), Ok(Witnessing::Cosigned { .. })), "taken to it just after its first epoch");
    assert!(matches!(witness.cosign(old.hotkey(), &old.asks(8, 8)), Err(WitnessRefusal::Superseded)));
}

#[test]
fn two_records_of_one_size_are_exposed_by_a_proof_that_names_who_signed_both() {
    let dirs = [(); 3].map(|()| tempfile::tempdir().expect("a folder"));
    let [one, other] = [0, 1].map(|n: usize| book(dirs[n].path(), ["//One", "//Other"][n]));
    let honest = Log::new(dirs[2].path(), "//Log", 8);
    let key = load(&honest.owner, LogKeyUse::Log).expect("read").expect("its key");
    let mut forked = Log { owner: honest.owner.clone(), key, leaves: honest.leaves.clone() };
    forked.leaves[2] = leaf_hash(b"another");
    let signed = |witness: &WitnessBook, log: &Log| witness.cosign(log.hotkey(), &log.asks(8, 0));
    assert!(matches!(signed(&one, &honest), Ok(Witnessing::Cosigned { .. })));
    assert!(matches!(signed(&other, &forked), Ok(Witnessing::Cosigned { .. })));
    // One hears of what the other has signed.
    let told = other.newest(256).expect("read");
    let [(key, note)] = &told[..] else { panic!("one log: {told:?}") };
    assert!(one.compare(other.key(), (key, note)).expect("read"));
    assert!(!other.compare(other.key(), (key, note)).expect("read"), "it knows no other");
    let forks = |dir: &Path| {
        let names = DirStorage::open(dir).map(|storage| storage.list().expect("a list"));
        names.map_or_else(
            |_| Vec::new(),
            |names| names.into_iter().filter(|name| name.starts_with("fork-")).collect(),
        )
    };
    drop(one);
    let names: Vec<String> = forks(dirs[0].path());
    assert_eq!(names.len(), 1, "{names:?}");
    let proof = std::fs::read(dirs[0].path().join(&names[0])).expect("the proof");
    let fork: Fork = serde_json::from_slice(&proof).expect("a proof");
    assert!(fork.verify().expect("it holds").is_empty(), "nobody has signed both");
    let mut changed = fork.clone();
    changed.larger = changed.smaller.clone();
    assert!(changed.verify().is_err());
    // A witness that signs both is named.
    let second = SignedNote::parse(note).expect("a note");
    let both = tempfile::tempdir().expect("a folder");
    let liar = book(both.path(), "//Liar");
    let line = |log: &Log| match signed(&liar, log) {
        Ok(Witnessing::Cosigned { line, .. }) => line,
        other => panic!("not signed: {other:?}"),
    };
    let first =
        SignedNote::parse(&format!("{}{}\n", honest.asks(8, 0).checkpoint, line(&honest))).expect("a note");
    std::fs::remove_file(both.path().join(format!("witnessed-{}.json", honest.hotkey()))).expect("forgotten");
    let second = SignedNote::parse(&format!("{second}{}\n", line(&forked))).expect("a note");
    let fork = Fork::new(
        (&honest.owner.place, &honest.key.certified),
        (&first, &second),
        (Digest::default(), Vec::new()),
        [liar.key().clone()],
    );
    let named = fork.expect("a fork").verify().expect("it holds");
    assert_eq!(named.into_iter().collect::<Vec<_>>(), [Keypair::from_uri("//Liar").expect("a key").hotkey()]);
}

#[test]
fn a_log_has_to_show_that_it_grew_from_what_other_witnesses_have_signed_too() {
    let dirs = [(); 3].map(|()| tempfile::tempdir().expect("a folder"));
    let [one, other] = [0, 1].map(|n: usize| book(dirs[n].path(), ["//One", "//Other"][n]));
    let log = Log::new(dirs[2].path(), "//Log", 30);
    let signed = |witness: &WitnessBook, asked: &CosignAsked| witness.cosign(log.hotkey(), asked);
    assert!(matches!(signed(&one, &log.asks(5, 0)), Ok(Witnessing::Cosigned { .. })));
    assert!(matches!(signed(&other, &log.asks(8, 0)), Ok(Witnessing::Cosigned { .. })));
    let meet = |newest: Vec<(weighhouse_types::CertifiedKey, String)>| {
        newest.iter().map(|(key, note)| one.compare(other.key(), (key, note)).expect("compared")).collect()
    };
    let forks: Vec<bool> = meet(other.newest(9).expect("read"));
    assert_eq!(forks, [false], "two sizes are no fork yet");
    // It proves growth from our checkpoint, is shown the other, and proves growth from that one.
    let Ok(Witnessing::Held(wanted)) = signed(&one, &log.asks(12, 5)) else { panic!("and from 8") };
    assert_eq!(Checkpoint::of(&SignedNote::parse(&wanted).expect("a note")).expect("a checkpoint").size, 8);
    assert!(matches!(signed(&one, &log.asks(12, 8)), Ok(Witnessing::Cosigned { .. })));
    assert!(matches!(signed(&one, &log.asks(13, 12)), Ok(Witnessing::Cosigned { .. })));
    assert_eq!(one.unjoined(), []);

    // Another record from the ninth on, shown to the other witness alone.
    let key = load(&log.owner, LogKeyUse::Log).expect("read").expect("its key");
    let mut forked = Log { owner: log.owner.clone(), key, leaves: log.leaves.clone() };
    forked.leaves[9] = leaf_hash(b"another");
    assert!(matches!(signed(&other, &forked.asks(20, 8)), Ok(Witnessing::Cosigned { .. })));
    let forks: Vec<bool> = meet(other.newest(9).expect("read"));
    assert_eq!(forks, [false]);
    assert!(
        matches!(signed(&one, &log.asks(25, 13)), Ok(Witnessing::Held(_))),
        "it isn't what the other signed"
    );
    assert!(
        matches!(signed(&one, &log.asks(25, 20)), Err(WitnessRefusal::Proof(_))),
        "and can't grow from it"
    );
    assert!(
        matches!(signed(&one, &forked.asks(25, 13)), Err(WitnessRefusal::Proof(_))),
        "nor the other from ours"
    );
    assert!(matches!(signed(&one, &log.asks(25, 13)), Ok(Witnessing::Held(_))), "as before");
    assert_eq!(one.unjoined(), [], "it may still come with a proof");
    one.note_epoch(Epoch(5));
    assert_eq!(one.unjoined(), [(log.hotkey(), 20)]);
    // A checkpoint of one of the sizes that were signed before is a proof.
    let past = forked.asks(13, 0);
    assert!(one.compare(other.key(), (&past.key, &past.checkpoint)).expect("compared"));
}

#[test]
fn a_damaged_key_is_named_by_its_use_with_what_follows_without_it() {
    for (of, follows) in [
        (LogKeyUse::Log, "a new log begins with the next epoch"),
        (LogKeyUse::Witness, "a new key is made at the next start"),
    ] {
        let dir = tempfile::tempdir().expect("a folder");
        let owner = owner(dir.path(), "//Validator");
        let made = own(&owner, of, Epoch(3), &mut Entropy::seeded([5; 32])).expect("a key");
        let file = format!("{of}-key");
        owner.storage.write_atomic(&file, b"weighhouse key, version 1\n3\n").expect("damaged");
        let error =
            own(&owner, of, Epoch(4), &mut Entropy::seeded([6; 32])).expect_err("damaged").to_string();
        assert!(error.contains(&format!("{of}-key: ")) && error.ends_with(follows), "{error}");
        owner.storage.remove(&file).expect("moved out");
        let new = own(&owner, of, Epoch(4), &mut Entropy::seeded([6; 32])).expect("a new key");
        assert!(new.certified.key != made.certified.key && new.certified.first_epoch == Epoch(4));
    }
}

#[test]
fn logs_that_are_signed_now_are_told_ahead_of_those_of_validators_long_gone() {
    let dirs = [(); 4].map(|()| tempfile::tempdir().expect("a folder"));
    let logs: Vec<_> =
        dirs[1..].iter().zip(["//A", "//B", "//C"]).map(|(dir, who)| Log::new(dir.path(), who, 4)).collect();
    let before = book(dirs[0].path(), "//Witness");
    for log in &logs {
        assert!(matches!(before.cosign(log.hotkey(), &log.asks(4, 0)), Ok(Witnessing::Cosigned { .. })));
    }
    drop(before);
    for log in &logs {
        let again = book(dirs[0].path(), "//Witness");
        assert!(matches!(again.cosign(log.hotkey(), &log.asks(4, 4)), Ok(Witnessing::Cosigned { .. })));
        let told = again.newest(1).expect("read");
        assert_eq!(told.iter().map(|(key, _)| key.hotkey).collect::<Vec<_>>(), [log.hotkey()]);
    }
}
