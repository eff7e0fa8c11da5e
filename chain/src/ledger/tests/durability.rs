//! State on disk after a crash, and refusals of a state that is not ours or not whole.

use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};

use redb::StorageBackend;
use tempfile::TempDir;
use weighhouse_seams::{DirStorage, Storage as _};

use super::super::state::v1::StateV1;
use super::super::*;
use super::world::*;

fn open(path: &Path) -> Result<Ledger, ChainError> {
    Ledger::open(path, &genesis(), clock(), &mut entropy())
}

/// A ledger file with a few blocks, calls and an epoch in it.
async fn written() -> (TempDir, PathBuf, Head) {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("ledger.redb");
    let ledger = open(&path).expect("opens");
    assert!(matches!(execute(&ledger, &key(1), weights(&[(2, 1)])).await, CallOutcome::Included { .. }));
    for _ in 0..6 {
        ledger.produce_block().await.expect("a block");
    }
    let head = ledger.head().await.expect("a head");
    (folder, path, head)
}

fn refusal(path: &Path) -> (String, String, &'static str) {
    match open(path) {
        Err(ChainError::State { path, why, fix }) => (path, why, fix),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_reopened_ledger_goes_on_where_it_was() {
    let (_folder, path, head) = written().await;
    let ledger = open(&path).expect("opens");
    assert_eq!(ledger.head().await.expect("a head"), head);
    let stored = ledger.weights(NETUID, MechId(0), Uid(0)).await.expect("a row");
    assert_eq!(stored, [(Uid(2), 65_535)]);
    let events = ledger.events(Block(5)).await.expect("kept");
    assert!(matches!(events[..], [Event::EpochRun { .. }]), "{events:?}");
    let next = ledger.produce_block().await.expect("a block");
    assert_eq!(next.number, Block(head.number.0 + 1));
    let Ok(Some(block)) = ledger.0.store.block(next.number) else { panic!("it is kept") };
    assert_eq!(block.header.parent, head.hash);
}

#[tokio::test]
async fn an_outcome_outlives_a_restart_and_a_waiting_call_can_be_handed_in_again() {
    let (_folder, path, _) = written().await;
    let ledger = open(&path).expect("opens");
    let transfer = |amount| Call::Transfer { to: coldkey(1).coldkey(), amount: Rao(amount) };
    let included = ledger.sign(&coldkey(0), transfer(5)).await.expect("signs");
    ledger.submit(&included).await.expect("is taken");
    ledger.produce_block().await.expect("a block");
    let waiting = ledger.sign(&coldkey(0), transfer(6)).await.expect("signs");
    ledger.submit(&waiting).await.expect("is taken");
    drop(ledger);
    let ledger = open(&path).expect("opens");
    assert!(matches!(ledger.outcome(&included).await, Ok(CallOutcome::Included { .. })));
    assert_eq!(ledger.outcome(&waiting).await.expect("an outcome"), CallOutcome::Pending);
    ledger.submit(&waiting).await.expect("is taken");
    ledger.produce_block().await.expect("a block");
    assert!(matches!(ledger.outcome(&waiting).await, Ok(CallOutcome::Included { .. })));
}

#[tokio::test]
async fn a_file_that_is_open_already_is_refused() {
    let (_folder, path, _) = written().await;
    let _held = open(&path).expect("opens");
    let (shown, why, _) = refusal(&path);
    assert_eq!((shown, why.as_str()), (path.display().to_string(), "another process has it open"));
}

#[tokio::test]
async fn a_ledger_of_another_genesis_is_refused() {
    let (_folder, path, _) = written().await;
    let mut file = file();
    file.name = "other".to_owned();
    let other = Genesis::new(file).expect("valid");
    match Ledger::open(&path, &other, clock(), &mut entropy()) {
        Err(ChainError::WrongGenesis { expected, actual, .. }) => {
            assert_eq!((expected, actual), (other.hash(), genesis().hash()));
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_ledger_of_another_format_is_refused() {
    let (_folder, path, _) = written().await;
    let database = redb::Database::create(&path).expect("opens");
    let write = database.begin_write().expect("begins");
    let meta = redb::TableDefinition::<&str, &[u8]>::new("meta");
    write.open_table(meta).expect("opens").insert("format", 3u32.encode().as_slice()).expect("writes");
    write.commit().expect("commits");
    drop(database);
    assert!(refusal(&path).1.contains("format 3"));
}

/// The file as a program of before would have left it: its state without what came since, and the header over that.
fn put_back_to_format_1(path: &Path) {
    let ledger = open(path).expect("opens");
    let newest = ledger.newest();
    let state = StateV1::from(newest.state.clone()).encode();
    let number = newest.head.number;
    let mut block = ledger.0.store.block(number).expect("reads").expect("is kept");
    drop((newest, ledger));
    block.header.state_root = State::root(&state);
    let database = redb::Database::create(path).expect("opens");
    let write = database.begin_write().expect("begins");
    let meta = redb::TableDefinition::<&str, &[u8]>::new("meta");
    let blocks = redb::TableDefinition::<u64, &[u8]>::new("blocks");
    write.open_table(meta).expect("opens").insert("format", 1u32.encode().as_slice()).expect("writes");
    write.open_table(meta).expect("opens").insert("state", state.as_slice()).expect("writes");
    write.open_table(blocks).expect("opens").insert(number.0, block.encode().as_slice()).expect("writes");
    write.commit().expect("commits");
}

#[tokio::test]
async fn a_ledger_of_the_format_before_goes_on_and_is_rewritten() {
    let (_folder, path, head) = written().await;
    let before = open(&path).expect("opens").newest().state.clone();
    put_back_to_format_1(&path);
    let ledger = open(&path).expect("opens");
    assert_eq!(ledger.newest().state, before);
    assert_eq!(ledger.head().await.expect("a head").number, head.number);
    drop(ledger);
    let ledger = open(&path).expect("nothing is rewritten before the next block");
    ledger.produce_block().await.expect("a block");
    let state = ledger.newest().state.clone();
    drop(ledger);
    assert_eq!(open(&path).expect("opens").newest().state, state);
}

/// Puts bytes in a file's place.
fn put(path: &Path, bytes: &[u8]) {
    let folder = DirStorage::open(path.parent().expect("a folder")).expect("opens");
    let name = path.file_name().and_then(|name| name.to_str()).expect("a name");
    folder.write_atomic(name, bytes).expect("writes");
}

#[test]
fn a_file_of_something_else_is_refused_and_left_alone() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("notes.txt");
    for text in [b"not a ledger".to_vec(), vec![0; 100_000]] {
        put(&path, &text);
        let (_, why, fix) = refusal(&path);
        assert!(why.contains("damaged") && fix.contains("backup"), "{why}; {fix}");
        assert_eq!(std::fs::read(&path).expect("reads"), text);
    }
    assert!(refusal(&folder.path().join("missing/ledger.redb")).2.contains("folder"));
}

#[tokio::test]
async fn a_damaged_file_is_refused_and_never_misread() {
    let (_folder, path, head) = written().await;
    let whole = std::fs::read(&path).expect("reads");
    let mut refused = 0;
    for position in (0..whole.len()).step_by(61) {
        let mut damaged = whole.clone();
        damaged[position] ^= 0x55;
        match boot(Disk::new(damaged, i64::MAX)) {
            Ok(ledger) => {
                let newest = ledger.head().await.expect("a head");
                assert!(newest == head, "byte {position}: {newest:?} isn't {head:?}");
            }
            Err(ChainError::State { .. }) => refused += 1,
            Err(other) => panic!("byte {position}: {other}"),
        }
    }
    assert!(refused > 50, "only {refused} refused");
}

#[tokio::test]
async fn old_blocks_are_dropped_and_said_to_be() {
    let backend = redb::backends::InMemoryBackend::new();
    let opened = Store::open_backend(backend, &genesis(), &mut entropy(), 20).expect("opens");
    let ledger = Ledger::new(opened, &genesis(), clock());
    let call = Call::Transfer { to: coldkey(1).coldkey(), amount: Rao(5) };
    let signed = ledger.sign(&coldkey(0), call).await.expect("signs");
    ledger.submit(&signed).await.expect("is taken");
    for _ in 0..20 {
        ledger.produce_block().await.expect("a block");
    }
    assert!(ledger.events(Block(1)).await.is_ok());
    assert!(matches!(ledger.outcome(&signed).await, Ok(CallOutcome::Included { .. })));
    for _ in 0..16 {
        ledger.produce_block().await.expect("a block");
    }
    assert!(matches!(ledger.events(Block(1)).await, Err(ChainError::NoBlock { .. })));
    assert!(
        matches!(ledger.outcome(&signed).await, Err(ChainError::NoBlock { .. })),
        "not Expired: it was included"
    );
}

/// A disk that stops writing after a number of writes, as a crash does; what it had written stays.
#[derive(Clone, Debug)]
struct Disk {
    bytes: Arc<Mutex<Vec<u8>>>,
    writes_left: Arc<AtomicI64>,
}

impl Disk {
    fn new(bytes: Vec<u8>, writes: i64) -> Self {
        Self { bytes: Arc::new(Mutex::new(bytes)), writes_left: Arc::new(AtomicI64::new(writes)) }
    }

    fn bytes(&self) -> std::sync::MutexGuard<'_, Vec<u8>> {
        self.bytes.lock().expect("not poisoned")
    }

    fn spend(&self) -> std::io::Result<()> {
        match self.writes_left.fetch_sub(1, Ordering::SeqCst) > 0 {
            true => Ok(()),
            false => Err(std::io::Error::other("the machine is off")),
        }
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> std::io::Result<u64> {
        Ok(self.bytes().len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> std::io::Result<()> {
        let start = usize::try_from(offset).expect("small");
        match self.bytes().get(start..start + out.len()) {
            Some(bytes) => out.copy_from_slice(bytes),
            None => return Err(std::io::ErrorKind::UnexpectedEof.into()),
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> std::io::Result<()> {
        self.spend()?;
        self.bytes().resize(usize::try_from(len).expect("small"), 0);
        Ok(())
    }

    fn sync_data(&self) -> std::io::Result<()> {
        self.spend()
    }

    fn write(&self, offset: u64, data: &[u8]) -> std::io::Result<()> {
        let start = usize::try_from(offset).expect("small");
        let torn = self.spend().is_err();
        // The write in which the machine goes off gets half of its bytes down.
        let kept = if torn { data.len() / 2 } else { data.len() };
        self.bytes()[start..start + kept].copy_from_slice(&data[..kept]);
        if torn { Err(std::io::Error::other("the machine is off")) } else { Ok(()) }
    }
}

fn boot(disk: Disk) -> Result<Ledger, ChainError> {
    Ok(Ledger::new(Store::open_backend(disk, &genesis(), &mut entropy(), BLOCKS_KEPT)?, &genesis(), clock()))
}

#[tokio::test]
async fn a_crash_at_any_write_loses_no_block_that_was_shown() {
    let disk = Disk::new(Vec::new(), i64::MAX);
    let ledger = boot(disk.clone()).expect("opens");
    for _ in 0..4 {
        ledger.produce_block().await.expect("a block");
    }
    drop(ledger);
    let whole = disk.bytes().clone();
    let mut crashed_in_block = 0;
    for writes in 0..400 {
        let disk = Disk::new(whole.clone(), writes);
        let mut shown = Block(4);
        if let Ok(ledger) = boot(disk.clone()) {
            let signed = ledger.sign(&coldkey(0), weights(&[(2, 1)])).await.expect("signs");
            ledger.submit(&signed).await.expect("is taken");
            while let Ok(head) = ledger.produce_block().await {
                shown = head.number;
                if shown == Block(8) {
                    break;
                }
            }
            crashed_in_block += i32::from(shown < Block(8));
        }
        let rest = disk.bytes().clone();
        let ledger = boot(Disk::new(rest, i64::MAX)).expect("opens after a crash");
        let found = ledger.head().await.expect("a head").number;
        assert!(
            found == shown || found.0 == shown.0 + 1,
            "after {writes} writes: {found:?}, shown was {shown:?}"
        );
        if shown == Block(8) {
            break;
        }
    }
    assert!(crashed_in_block > 10, "the crashes must hit blocks: {crashed_in_block}");
}
