//! Long suites of one validator in a small subnet, whose disk (`storage`) or chain (`simulate`) goes wrong as a seed says, whose process is
//! killed (`crash`), or that is left alone for a month (`soak`). `cargo xtask suite` runs them; each says of each seed how it went.

mod child;
mod crash;
mod history;
mod life;
mod publications;
mod served;
mod simulate;
mod soak;
mod storage;
mod weather;

#[path = "../../../seams/testing/disk.rs"]
#[allow(dead_code, reason = "other crates' tests use more of it")]
mod disk;

use std::future::Future;
use std::io::Write as _;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// The seeds to run, as `FIRST..END`.
const SEEDS: &str = "WEIGHHOUSE_SEEDS";

fn seeds(default: u64) -> Range<u64> {
    let given = std::env::var(SEEDS).ok();
    let parsed = given.as_deref().map(|given| {
        let (first, end) = given.split_once("..").expect("FIRST..END");
        first.parse().expect("a seed")..end.parse().expect("a seed")
    });
    parsed.unwrap_or(0..default)
}

/// Runs each seed in a runtime of its own and tells how it went; the test fails with any of them.
fn run_all<F>(seeds: Range<u64>, run: impl Fn(u64) -> F + Sync)
where
    F: Future<Output = Result<(), String>>,
{
    let next = AtomicU64::new(seeds.start);
    let failed = Mutex::new(Vec::new());
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                return;
            }
            if let Err(why) = run_one(seed, &run) {
                failed.lock().expect("no seed panics with it").push(seed);
                say(&format!("FAILED  seed {seed}: {}", why.replace('\n', " | ")));
            } else {
                say(&format!("passed  seed {seed}"));
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        (0..threads).for_each(|_| drop(scope.spawn(work)));
    });
    let failed = failed.into_inner().expect("no seed panics with it");
    assert!(failed.is_empty(), "these seeds failed: {failed:?}");
}

fn run_one<F: Future<Output = Result<(), String>>>(seed: u64, run: impl Fn(u64) -> F) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let outcome = catch_unwind(AssertUnwindSafe(|| runtime.block_on(run(seed))));
    // Jobs of a validator that was killed may still be under way.
    runtime.shutdown_background();
    outcome.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        Err(format!("panicked: {}", text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("?")))
    })
}

/// Past the test harness, which keeps what a test prints to itself.
fn say(line: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

fn ensure(holds: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what()) }
}
