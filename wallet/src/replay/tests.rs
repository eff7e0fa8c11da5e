use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use weighhouse_seams::AppendFile;

use super::*;
use crate::testclock::ManualClock;

const START: u64 = 1_790_000_000_000_000_000;
const SECOND: u64 = 1_000_000_000;

#[derive(Debug, Default)]
struct MemoryStorage {
    files: Mutex<BTreeMap<String, Vec<u8>>>,
    writes: AtomicUsize,
    broken: AtomicBool,
}

impl Storage for MemoryStorage {
    fn describe(&self, name: &str) -> String {
        format!("memory/{name}")
    }

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.files.lock().expect("whole").keys().cloned().collect())
    }

    fn open_append(&self, _: &str) -> io::Result<Box<dyn AppendFile>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        Ok(self.files.lock().expect("whole").get(name).cloned())
    }

    fn write_atomic(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        if self.broken.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.writes.fetch_add(1, Ordering::SeqCst);
        self.files.lock().expect("whole").insert(name.to_owned(), bytes.to_owned());
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.files.lock().expect("whole").remove(name);
        Ok(())
    }
}

struct Bench {
    storage: Arc<MemoryStorage>,
    clock: Arc<ManualClock>,
}

impl Bench {
    fn new() -> Self {
        Self { storage: Arc::default(), clock: Arc::new(ManualClock::new(START)) }
    }

    fn open(&self, limits: ReplayLimits) -> ReplayGuard {
        ReplayGuard::open(self.storage.clone(), self.clock.clone(), limits).expect("opens")
    }

    fn writes(&self) -> usize {
        self.storage.writes.load(Ordering::SeqCst)
    }
}

fn caller(n: u8) -> Hotkey {
    Hotkey([n; 32])
}

#[test]
fn a_nonce_is_accepted_once_per_caller() {
    let bench = Bench::new();
    let guard = bench.open(ReplayLimits::STANDARD);
    guard.accept(&caller(1), START).expect("fresh");
    assert!(matches!(guard.accept(&caller(1), START), Err(ReplayError::Seen)));
    guard.accept(&caller(2), START).expect("another caller's");
    guard.accept(&caller(1), START - 5 * SECOND).expect("out of order, yet new");
    guard.accept(&caller(1), START + 2 * SECOND).expect("ahead, within the window");
    assert!(matches!(guard.accept(&caller(1), START + 2 * SECOND + 1), Err(ReplayError::Ahead)));
}

#[test]
fn a_replayed_nonce_is_refused_after_a_restart() {
    let bench = Bench::new();
    let ahead = START + 2 * SECOND;
    let guard = bench.open(ReplayLimits::STANDARD);
    guard.accept(&caller(1), START).expect("fresh");
    guard.accept(&caller(1), ahead).expect("fresh");
    drop(guard);
    let reopened = bench.open(ReplayLimits::STANDARD);
    for nonce in [START, ahead] {
        assert!(matches!(reopened.accept(&caller(1), nonce), Err(ReplayError::BelowMark { .. })));
    }
}

#[test]
fn fresh_nonces_pass_within_seconds_of_a_crash_and_at_once_after_a_clean_stop() {
    let bench = Bench::new();
    bench.open(ReplayLimits::STANDARD).accept(&caller(1), START).expect("fresh");
    let crashed = bench.open(ReplayLimits::STANDARD);
    let refused = crashed.accept(&caller(1), START + 1).expect_err("within the lease");
    assert!(matches!(refused, ReplayError::BelowMark { ready_in } if ready_in == LEASE));
    bench.clock.advance(LEASE);
    crashed.accept(&caller(1), bench.clock.now().0 + 1).expect("past the lease");
    crashed.release().expect("stored");

    let clean = bench.open(ReplayLimits::STANDARD);
    let last = bench.clock.now().0 + 1;
    assert!(matches!(clean.accept(&caller(1), last), Err(ReplayError::BelowMark { .. })));
    clean.accept(&caller(1), last + 1).expect("at once");
}

#[test]
fn a_release_is_no_licence_to_accept_without_a_lease() {
    let bench = Bench::new();
    let guard = bench.open(ReplayLimits::STANDARD);
    guard.accept(&caller(1), START).expect("fresh");
    guard.release().expect("stored");
    guard.accept(&caller(1), START + 1).expect("fresh");
    drop(guard);
    let reopened = bench.open(ReplayLimits::STANDARD);
    assert!(matches!(reopened.accept(&caller(1), START + 1), Err(ReplayError::BelowMark { .. })));
}

#[test]
fn a_million_nonces_stay_within_the_cap_and_cost_few_writes() {
    let bench = Bench::new();
    let limits = ReplayLimits { total: 50_000, per_hotkey: 20_000 };
    let guard = bench.open(limits);
    let (mut accepted, mut refused) = (0_u32, 0_u32);
    for n in 0..1_000_000_u64 {
        bench.clock.set(START + n * 200_000);
        match guard.accept(&caller(u8::try_from(n % 4).expect("small")), START + n * 200_000) {
            Ok(()) => accepted += 1,
            Err(ReplayError::Full) => refused += 1,
            Err(other) => panic!("{other}"),
        }
        assert!(n % 1000 != 0 || guard.lock().seen.len() <= limits.total);
    }
    assert!(accepted > 400_000 && refused > 100_000, "{accepted} accepted, {refused} refused");
    assert!(guard.lock().per_hotkey.len() <= 4);
    // 200 seconds of traffic.
    assert!(bench.writes() <= 67, "{} writes", bench.writes());
}

#[test]
fn at_a_cap_the_guard_refuses_and_forgets_nothing() {
    let bench = Bench::new();
    let guard = bench.open(ReplayLimits { total: 3, per_hotkey: 2 });
    guard.accept(&caller(1), START).expect("fresh");
    guard.accept(&caller(1), START + 1).expect("fresh");
    assert!(matches!(guard.accept(&caller(1), START + 2), Err(ReplayError::CallerFull(_))));
    guard.accept(&caller(2), START + 3).expect("another caller still may");
    assert!(matches!(guard.accept(&caller(3), START + 4), Err(ReplayError::Full)));
    assert!(matches!(guard.accept(&caller(1), START), Err(ReplayError::Seen)));
    bench.clock.advance(RETENTION + Duration::from_secs(1));
    guard.accept(&caller(3), bench.clock.now().0).expect("room again");
}

#[test]
fn a_forgotten_nonce_is_not_accepted_when_the_clock_steps_back() {
    let bench = Bench::new();
    let guard = bench.open(ReplayLimits::STANDARD);
    guard.accept(&caller(1), START).expect("fresh");
    bench.clock.advance(Duration::from_secs(60));
    guard.accept(&caller(1), bench.clock.now().0).expect("fresh");
    bench.clock.set(START + 1);
    assert!(matches!(guard.accept(&caller(1), START), Err(ReplayError::BelowMark { .. })));
}

#[test]
fn of_ten_racers_with_one_nonce_exactly_one_wins() {
    let bench = Bench::new();
    let guard = bench.open(ReplayLimits::STANDARD);
    for round in 0..100 {
        let line = std::sync::Barrier::new(10);
        let wins = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..10 {
                scope.spawn(|| {
                    line.wait();
                    if guard.accept(&caller(1), START + round).is_ok() {
                        wins.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
        });
        assert_eq!(wins.load(Ordering::SeqCst), 1);
    }
}

#[test]
fn nothing_is_accepted_that_cannot_be_made_durable() {
    let bench = Bench::new();
    let guard = bench.open(ReplayLimits::STANDARD);
    bench.storage.broken.store(true, Ordering::SeqCst);
    assert!(matches!(guard.accept(&caller(1), START), Err(ReplayError::Storage { .. })));
    assert!(!guard.stores() && guard.try_storage().is_err());
    bench.storage.broken.store(false, Ordering::SeqCst);
    assert!(guard.try_storage().is_ok() && guard.stores());
    guard.accept(&caller(1), START).expect("a failed attempt used nothing up");
}

#[test]
fn an_unreadable_mark_stops_the_role() {
    for bytes in ["", "weighhouse-replay 1 \n", "weighhouse-replay 1 12", "weighhouse-replay 2 12\n", "12\n"]
    {
        let bench = Bench::new();
        bench.storage.write_atomic(FILE, bytes.as_bytes()).expect("written");
        let refused = ReplayGuard::open(bench.storage.clone(), bench.clock.clone(), ReplayLimits::STANDARD);
        assert!(matches!(refused, Err(ReplayOpenError::Unreadable { .. })), "{bytes:?}");
    }
}

#[test]
fn a_quota_is_used_up_before_the_memory_of_nonces() {
    assert_eq!(ReplayLimits::of_quota(20, 40), ReplayLimits::STANDARD);
    assert_eq!(
        ReplayLimits::of_quota(5_000, 10_000),
        ReplayLimits { total: 8 * 220_000, per_hotkey: 220_000 }
    );
    assert_eq!(ReplayLimits::of_quota(u32::MAX, u32::MAX), ReplayLimits::MOST);
}
