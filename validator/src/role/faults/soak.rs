//! A validator that is left alone for a month of epochs: blocks come as fast as they are worked through, half of the miners never answer, and
//! the clock is moved between blocks. It misses no epoch, charges nobody for the clock, and grows in neither memory nor descriptors.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;
use weighhouse_chain::Chain as _;
use weighhouse_journal::segment_name;
use weighhouse_types::{Epoch, Uid};

use super::child::{BlockDone, Order, Told};
use super::served::{Process, Served};
use super::{ensure, history, publications, run_all, say, seeds};
use crate::audit::audit;
use crate::testing::{Behaviour, NETUID};

/// How many epochs, where not a month of them.
const EPOCHS: &str = "WEIGHHOUSE_EPOCHS";
/// Thirty days of 72 minutes.
const MONTH: u64 = 600;
const KEPT: usize = 8;
const BEHAVIOURS: [Behaviour; 4] =
    [Behaviour::Keeps(0), Behaviour::Silent, Behaviour::Keeps(0), Behaviour::Silent];
const HONEST: [Uid; 2] = [Uid(1), Uid(3)];
const PATIENCE: Duration = Duration::from_secs(60);
/// What the last third of the epochs may take more of memory than the one before.
const GROWTH_MAX: f64 = 0.05;
const GROWTH_BYTES_MAX: f64 = (512 << 10) as f64;

#[test]
#[ignore = "long: cargo xtask suite soak"]
fn a_validator_left_alone_for_a_month_misses_nothing_and_does_not_grow() {
    let epochs = std::env::var(EPOCHS).ok().map_or(MONTH, |epochs| epochs.parse().expect("a number"));
    run_all(seeds(1), async |seed| {
        let mut month = Month::new(seed, epochs).await?;
        month.go_on().await?;
        month.check()
    });
}

struct Month {
    served: Served,
    process: Process,
    epochs: u64,
    outcomes: BTreeMap<Epoch, String>,
    /// At the end of each epoch: bytes in memory and open descriptors.
    taken: Vec<(u64, usize)>,
    clock_seconds: i64,
    clock_moves: u32,
}

impl Month {
    async fn new(seed: u64, epochs: u64) -> Result<Self, String> {
        let served = Served::new(&BEHAVIOURS, true).await.map_err(|error| error.to_string())?;
        let keep_epochs = Some(KEPT);
        let order =
            Order { life: 1, seed, has_timelock: true, keep_epochs, moves_clock: true, ..served.order() };
        let process = served.start(&order).map_err(|error| error.to_string())?;
        let (outcomes, taken) = (BTreeMap::new(), Vec::new());
        Ok(Self { served, process, epochs, outcomes, taken, clock_seconds: 0, clock_moves: 0 })
    }

    async fn go_on(&mut self) -> Result<(), String> {
        let mut epoch = Epoch(0);
        // The last ones are shown an epoch later.
        while epoch.0 < self.epochs + 2 {
            let done = self.block_done().await?;
            let state = self.served.world.ledger.subnet(NETUID).await.map_err(|error| error.to_string())?;
            if state.schedule.epoch > epoch {
                self.look(epoch)?;
                self.taken.push((done.resident, done.descriptors));
                epoch = state.schedule.epoch;
            }
            self.clock_moves += u32::from(done.clock_seconds != self.clock_seconds);
            self.clock_seconds = done.clock_seconds;
            self.served.world.ledger.produce_block().await.map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    async fn block_done(&mut self) -> Result<BlockDone, String> {
        loop {
            let told = tokio::time::timeout(PATIENCE, self.process.next()).await;
            match told.map_err(|_| format!("it did nothing for {PATIENCE:?}"))?? {
                Told::Block(done) => return Ok(done),
                Told::Failed(why) => return Err(why),
                _ => {}
            }
        }
    }

    /// Looks at an epoch that is over, and at the one before, which is shown by now.
    fn look(&mut self, epoch: Epoch) -> Result<(), String> {
        let disk = self.served.disk(Epoch(epoch.0.saturating_sub(2))).map_err(|error| error.to_string())?;
        self.outcomes.extend(publications::outcomes(&disk)?);
        history::full_marks(&disk, &HONEST)?;
        let file = disk.file(&segment_name(epoch)).ok_or_else(|| format!("epoch {epoch} has no file"))?;
        let audited = audit(&file).map_err(|error| error.to_string())?;
        ensure(audited.problems.is_empty(), || format!("epoch {epoch}: {:?}", audited.problems))
    }

    fn check(&self) -> Result<(), String> {
        for epoch in (0..self.epochs).map(Epoch) {
            let word = self.outcomes.get(&epoch).map_or("", String::as_str);
            ensure(word == "published", || format!("no epoch is missed: epoch {epoch}: {word:?}"))?;
        }
        let third = self.taken.len() / 3;
        let (second, last) = (&self.taken[third..2 * third], &self.taken[2 * third..]);
        let (before, after) = (mean(second), mean(last));
        let descriptors = |taken: &[(u64, usize)]| taken.iter().map(|taken| taken.1).max().unwrap_or(0);
        let figures = json!({
            "epochs": self.epochs,
            "clock_moves": self.clock_moves,
            "resident_second_third": before.round(),
            "resident_last_third": after.round(),
            "resident_by_tenth": tenths(&self.taken),
            "resident_bytes_an_epoch": slope(&self.taken[third..]).round(),
            "descriptors_second_third": descriptors(second),
            "descriptors_last_third": descriptors(last),
        });
        say(&format!("figures  {figures}"));
        ensure(after <= before * (1.0 + GROWTH_MAX) + GROWTH_BYTES_MAX, || {
            format!("memory stays flat: {before:.0} bytes in the second third, {after:.0} in the last")
        })?;
        ensure(descriptors(last) <= descriptors(second) + 2, || {
            format!("descriptors stay few: {} after {}", descriptors(last), descriptors(second))
        })?;
        ensure(self.clock_moves > 0, || "the clock was never moved".to_owned())
    }
}

fn mean(taken: &[(u64, usize)]) -> f64 {
    taken.iter().map(|taken| taken.0 as f64).sum::<f64>() / taken.len().max(1) as f64
}

fn tenths(taken: &[(u64, usize)]) -> Vec<f64> {
    taken.chunks((taken.len() / 10).max(1)).map(|tenth| mean(tenth).round()).collect()
}

/// Bytes that are added with each epoch, by least squares.
fn slope(taken: &[(u64, usize)]) -> f64 {
    let (count, level) = (taken.len() as f64, mean(taken));
    let middle = (count - 1.0) / 2.0;
    let (mut along, mut square) = (0.0, 0.0);
    for (at, (resident, _)) in taken.iter().enumerate() {
        let off = at as f64 - middle;
        along += off * (*resident as f64 - level);
        square += off * off;
    }
    if square > 0.0 { along / square } else { 0.0 }
}

#[test]
fn the_slope_is_what_each_epoch_adds() {
    let taken = |each: u64| (0..10).map(|at| (5_000 + each * at, 7)).collect::<Vec<_>>();
    assert_eq!((slope(&taken(0)), slope(&taken(30)), slope(&[])), (0.0, 30.0, 0.0));
    assert_eq!(mean(&taken(2)), 5_009.0);
}
