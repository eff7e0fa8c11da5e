//! A validator in a process of its own, over a real folder, that is killed with nothing put in order. This test binary runs itself again as
//! that process; its chain and its miners live in the first one and are reached through sockets, so that a start takes milliseconds.

mod asked;
mod points;
mod seams;

use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use weighhouse_chain::ledger::Remote;
use weighhouse_journal::Journal;
use weighhouse_seams::{DirStorage, Entropy};
use weighhouse_types::{Block, LogPlace, MechId};

use super::disk::Disk;
use super::storage::OtherLog;
use crate::log::WitnessBook;
use crate::parts::Retention;
use crate::role::Validator;
use crate::testing::{NETUID, World};
use asked::Asked;
use points::{Noted, Points};
use seams::{MovedClock, Sockets};

pub(super) use seams::{CHAIN_PORT, WITNESS_PORT, socket_name};

/// The first word of each line that is meant for the process that started this one.
pub(super) const TOLD: &str = "@life";
/// What the child is told, as JSON.
pub(super) const ORDER: &str = "WEIGHHOUSE_LIFE";
pub(super) const TEST: &str = "role::faults::child::one_life";

/// Of a question: the longest that [`Hurried`](super::life::Hurried) cuts short as soon as everybody who answers has.
const DEADLINE: Duration = Duration::from_secs(1);

/// One life.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Order {
    /// The journal's folder.
    pub(super) journal: PathBuf,
    /// Where the chain and the miners are reached.
    pub(super) sockets: PathBuf,
    pub(super) life: u32,
    pub(super) seed: u64,
    pub(super) has_timelock: bool,
    pub(super) keep_epochs: Option<usize>,
    /// The size at which it signed another validator's log in an earlier life.
    pub(super) witnessed: Option<usize>,
    /// Points at which it stops and waits for its end.
    pub(super) ends_at: Vec<String>,
    /// The clock is moved at every few blocks.
    pub(super) moves_clock: bool,
    /// Ports of the miners that never answer.
    pub(super) silent: Vec<u16>,
}

/// What a life tells.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Told {
    Opened,
    /// Reached for the first time.
    Point(String),
    /// It waits here for its end.
    Waits(String),
    /// Another's log was signed at this size.
    Witnessed(usize),
    /// The hash of weights that are handed to the chain.
    HandedIn(String),
    /// A block is worked through, and the next is wanted.
    Block(BlockDone),
    Failed(String),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct BlockDone {
    pub(super) block: u64,
    /// Epoch, size and root of the newest file's durable records.
    pub(super) visible: Option<(u64, u64, String)>,
    /// Bytes of its own in memory, and open descriptors.
    pub(super) resident: u64,
    pub(super) descriptors: usize,
    /// By which the clock is off.
    pub(super) clock_seconds: i64,
}

pub(super) fn tell(told: &Told) {
    let json = serde_json::to_string(told).expect("plain data");
    let mut out = std::io::stdout().lock();
    // Nobody is left to be told where this fails.
    let _ = writeln!(out, "\n{TOLD} {json}").and_then(|()| out.flush());
}

/// The child's side; started by the suites alone, with an order.
#[test]
#[ignore = "a process of the suites crash and soak"]
fn one_life() {
    let order = std::env::var(ORDER).expect("an order");
    let order: Order = serde_json::from_str(&order).expect("an order");
    std::thread::spawn(end_with_the_parent);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    if let Err(why) = runtime.block_on(live(order)) {
        tell(&Told::Failed(why));
    }
}

/// Nothing is ever said to it: what is read is the end of the process that started it.
fn end_with_the_parent() {
    let _ = std::io::stdin().read(&mut [0]);
    std::process::exit(1);
}

/// Lives until it is killed.
async fn live(order: Order) -> Result<(), String> {
    let points = Arc::new(Points::new(order.ends_at.clone(), order.seed ^ u64::from(order.life)));
    let sockets = Arc::new(Sockets::new(order.sockets.clone(), &order.silent, points.clone()));
    let clock = Arc::new(MovedClock::new(sockets.busy(), order.moves_clock.then_some(order.seed)));
    let remote = Remote::connect(seams::CHAIN_URL, None, sockets.clone(), clock.clone())
        .await
        .map_err(|error| error.to_string())?;
    let folder = DirStorage::open(&order.journal).map_err(|error| error.to_string())?;
    let asked = Arc::new(Asked::new(remote, order.has_timelock, points.clone(), clock.clone()));
    let world = World::new(&[]).await;
    let mut parts = world.parts_on(Arc::new(Noted::new(folder, order.journal.clone(), points.clone())));
    parts.chain = asked.clone();
    parts.dialer = sockets;
    parts.clock = clock;
    let mut seed = [0; 32];
    seed[..4].copy_from_slice(&order.life.to_le_bytes());
    seed[4..12].copy_from_slice(&order.seed.to_le_bytes());
    parts.entropy = Entropy::seeded(seed);
    parts.retention = Retention { keep_epochs: order.keep_epochs, ..Retention::default() };
    parts.rounds.deadline = DEADLINE;
    let genesis = parts.chain.genesis();
    let validator = Validator::open(parts).await.map_err(|error| error.to_string())?;
    let place = LogPlace { genesis, netuid: NETUID, mechanism: MechId(0) };
    let mut other = OtherLog::witnessed_at(place, order.witnessed);
    other.tempt(&validator.book)?;
    asked.shows(Shown {
        journal: validator.journal.clone(),
        book: validator.book.clone(),
        other: Mutex::new(other),
    });
    tell(&Told::Opened);
    points.at("opened");
    validator.run(CancellationToken::new()).await.map_err(|error| error.to_string())
}

/// What is looked at after each block.
pub(super) struct Shown {
    journal: Arc<Mutex<Journal>>,
    book: Arc<WitnessBook>,
    other: Mutex<OtherLog>,
}

impl std::fmt::Debug for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shown").finish_non_exhaustive()
    }
}

impl Shown {
    fn after(&self, block: Block, clock_seconds: i64) -> Result<(), String> {
        let mut other = self.other.lock().unwrap_or_else(PoisonError::into_inner);
        if block.0.is_multiple_of(3) && !other.is_whole() {
            other.grow(&self.book, &Disk::default())?;
            other.size().into_iter().for_each(|size| tell(&Told::Witnessed(size)));
        }
        let journal = self.journal.lock().unwrap_or_else(PoisonError::into_inner);
        let visible = journal.current_epoch().zip(journal.log());
        let visible = visible.map(|(epoch, log)| (epoch.0, log.size(), log.root().to_string()));
        let (resident, descriptors) = (resident().unwrap_or(0), descriptors());
        tell(&Told::Block(BlockDone { block: block.0, visible, resident, descriptors, clock_seconds }));
        Ok(())
    }
}

/// Without the pages of the binary, which come in as they are needed; `None` where the system doesn't tell.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("RssAnon:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? * 1024)
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}
