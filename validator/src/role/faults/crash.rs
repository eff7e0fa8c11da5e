//! A validator that is killed, over and over, at points by name and at any time: it goes on where it was, loses no score, signs and publishes
//! nothing twice, and weighs as if nothing had been.

mod seen;

use std::collections::BTreeSet;
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha20Rng;
use weighhouse_chain::Chain as _;
use weighhouse_types::{Epoch, Uid};

use super::child::{Order, Told};
use super::served::{Process, Served};
use super::{ensure, run_all, run_one, say, seeds};
use crate::testing::{Behaviour, NETUID};
use seen::{Seen, Undisturbed};

/// One point alone, by its name.
const POINT: &str = "WEIGHHOUSE_POINT";
/// Kills of a seed; `xtask` counts with it.
const KILLS: u32 = 25;
const SEEDS: u64 = 12;
const TEMPO: u64 = 12;
/// What an undisturbed run is known of.
const EPOCHS: u64 = 9;
/// A life that is to end at a point ends after so many blocks if it hasn't got there.
const LIFE_BLOCKS_MAX: u64 = 14;
/// Within a life it is looked at the files so often: old ones are removed.
const LOOK_BLOCKS: u64 = 6;
/// The longest life that ends at any time.
const LIFE_MAX: Duration = Duration::from_millis(120);
/// Longer than any machine takes for a block.
const PATIENCE: Duration = Duration::from_secs(60);
const BEHAVIOURS: [Behaviour; 4] = [Behaviour::Honest, Behaviour::Gone, Behaviour::Errs, Behaviour::Honest];
/// Of a life behind one that ended in the middle of a commit.
const TORN: [&str; 2] = ["torn commit: before the cut", "torn commit: cut"];
/// Where old files are removed.
const REMOVAL: [&str; 2] = ["removal: before", "removal: after"];
/// Of three kills two are at points.
const NAMED: u32 = KILLS * 2 / 3;

/// How weights come to the chain, by seed.
#[derive(Clone, Copy, Debug)]
enum Mode {
    Plain,
    Hashed,
    Timelocked,
}

impl Mode {
    const ALL: [Self; 3] = [Self::Plain, Self::Hashed, Self::Timelocked];

    async fn served(self) -> Result<Served, String> {
        let hides = !matches!(self, Self::Plain);
        let mut served = Served::new(&BEHAVIOURS, hides).await.map_err(|error| error.to_string())?;
        served.witness().await?;
        Ok(served)
    }
}

#[test]
#[ignore = "long: cargo xtask suite crash"]
fn no_kill_loses_a_score_or_signs_twice() {
    let undisturbed = Mode::ALL.map(|mode| {
        let found = OnceLock::new();
        let go = async |_| found.set(undisturbed(mode).await?).map_err(|_| "twice".to_owned());
        run_one(0, go).expect("a run without a kill");
        found.into_inner().expect("it was run")
    });
    let reached = Mutex::new(BTreeSet::new());
    run_all(seeds(SEEDS), async |seed| {
        let at = usize::try_from(seed % 3).expect("small");
        let mut suite = Suite::new(seed, Mode::ALL[at], &undisturbed[at]).await?;
        let went = suite.go_on().await;
        reached.lock().expect("no seed panics with it").extend(suite.reached);
        went.map_err(|why| format!("after {} kills, the last {}: {why}", suite.lives - 1, suite.last))
    });
    let known: BTreeSet<&str> = undisturbed.iter().flat_map(|run| &run.points).map(String::as_str).collect();
    let (reached, known) =
        (reached.into_inner().expect("no seed panics with it"), known.len() + REMOVAL.len());
    say(&format!("points  {} of {known}", reached.len()));
}

/// A run that nothing befalls: its points and its vectors.
async fn undisturbed(mode: Mode) -> Result<Undisturbed, String> {
    let none = Undisturbed::default();
    let mut suite = Suite::new(0, mode, &none).await?;
    suite.keeps = None;
    suite.live(Vec::new(), Ends::AtBlock(EPOCHS * TEMPO)).await?;
    suite.look()?;
    let mut points = std::mem::take(&mut suite.points);
    points.extend(TORN.map(str::to_owned));
    let vectors = suite.seen.vectors();
    let is_partial = |(_, weight): &(Uid, u16)| (1..u16::MAX).contains(weight);
    ensure(vectors.values().flatten().any(is_partial), || {
        format!("a score that is lost would show in a vector: {vectors:?}")
    })?;
    Ok(Undisturbed { points, vectors })
}

/// When a life is killed.
#[derive(Clone, Copy, Debug)]
enum Ends {
    AtBlock(u64),
    At(Duration),
}

struct Suite<'a> {
    served: Served,
    mode: Mode,
    undisturbed: &'a Undisturbed,
    rng: ChaCha20Rng,
    seed: u64,
    lives: u32,
    keeps: Option<usize>,
    seen: Seen,
    /// Points of an undisturbed life.
    points: BTreeSet<String>,
    /// Points at which a life ended.
    reached: BTreeSet<String>,
    last: String,
    is_witnessed: bool,
}

impl<'a> Suite<'a> {
    async fn new(seed: u64, mode: Mode, undisturbed: &'a Undisturbed) -> Result<Self, String> {
        Ok(Self {
            served: mode.served().await?,
            mode,
            undisturbed,
            rng: ChaCha20Rng::seed_from_u64(seed),
            seed,
            lives: 0,
            keeps: (seed / 3 % 2 == 1).then_some(1),
            seen: Seen::default(),
            points: BTreeSet::new(),
            reached: BTreeSet::new(),
            last: "none".to_owned(),
            is_witnessed: false,
        })
    }

    async fn go_on(&mut self) -> Result<(), String> {
        let mut wanted = self.wanted();
        for kill in 0..KILLS {
            let is_named = kill % 3 != 2;
            let (ends_at, ends) = if is_named {
                (wanted.clone(), Ends::AtBlock(self.block().await? + LIFE_BLOCKS_MAX))
            } else {
                (Vec::new(), Ends::At(self.rng.random_range(Duration::ZERO..LIFE_MAX)))
            };
            let point = self.live(ends_at, ends).await?;
            self.last = point.clone().unwrap_or_else(|| format!("{ends:?}"));
            if let Some(point) = point {
                if std::env::var_os(POINT).is_none() {
                    wanted.retain(|name| *name != point);
                }
                say(&format!("killed  {point}"));
                self.reached.insert(point);
            }
            self.look()?;
            if wanted.is_empty() {
                wanted = self.wanted();
            }
        }
        // To the end of an epoch, and an epoch more in which it is shown.
        let calm = (self.block().await? / TEMPO + 3) * TEMPO;
        self.live(Vec::new(), Ends::AtBlock(calm)).await?;
        self.look()?;
        self.tell_witness().await?;
        ensure(self.is_witnessed, || "the log is witnessed: nothing was signed".to_owned())?;
        self.seen.check_end(&self.served.world, self.undisturbed, calm / TEMPO - 2).await
    }

    /// A share of the points, of which all seeds together meet all.
    fn wanted(&self) -> Vec<String> {
        if let Ok(point) = std::env::var(POINT) {
            return vec![point];
        }
        let points = &self.undisturbed.points;
        let share = usize::try_from(NAMED).expect("small");
        let from = usize::try_from(self.seed / 3 % 1_000).expect("small") * share;
        let mut wanted: Vec<_> =
            points.iter().cycle().skip(from).take(share.min(points.len())).cloned().collect();
        if self.keeps.is_some() {
            wanted.extend(REMOVAL.map(str::to_owned));
        }
        wanted
    }

    async fn block(&self) -> Result<u64, String> {
        let head = self.served.world.ledger.head().await.map_err(|error| error.to_string())?;
        Ok(head.number.0)
    }

    /// One life to its end, and the point at which that was.
    async fn live(&mut self, ends_at: Vec<String>, ends: Ends) -> Result<Option<String>, String> {
        self.lives += 1;
        let order = Order {
            life: self.lives,
            seed: self.seed,
            has_timelock: matches!(self.mode, Mode::Timelocked),
            keep_epochs: self.keeps,
            witnessed: self.seen.witnessed,
            ends_at,
            ..self.served.order()
        };
        let mut process = self.served.start(&order).map_err(|error| error.to_string())?;
        let point = match ends {
            Ends::At(after) => {
                tokio::select! {
                    followed = self.follow(&mut process, u64::MAX) => followed?,
                    () = tokio::time::sleep(after) => None,
                }
            }
            Ends::AtBlock(block) => self.follow(&mut process, block).await?,
        };
        let last = process.kill().await.map_err(|error| error.to_string())?;
        last.into_iter().try_for_each(|told| self.take(told))?;
        Ok(point)
    }

    /// Makes the blocks that a life asks for, up to this one.
    async fn follow(&mut self, process: &mut Process, until: u64) -> Result<Option<String>, String> {
        loop {
            let told = tokio::time::timeout(PATIENCE, process.next()).await;
            match told.map_err(|_| format!("it did nothing for {PATIENCE:?}"))?? {
                Told::Waits(point) => return Ok(Some(point)),
                Told::Block(done) => {
                    let block = done.block;
                    self.take(Told::Block(done))?;
                    if block >= until {
                        return Ok(None);
                    }
                    if block.is_multiple_of(LOOK_BLOCKS) {
                        self.look()?;
                        self.tell_witness().await?;
                    }
                    // One that was asked for in an earlier life may be there already.
                    if block == self.block().await? {
                        let made = self.served.world.ledger.produce_block().await;
                        made.map_err(|error| error.to_string())?;
                    }
                }
                told => self.take(told)?,
            }
        }
    }

    fn take(&mut self, told: Told) -> Result<(), String> {
        match told {
            Told::Failed(why) => return Err(format!("a kill ends nothing: {why}")),
            Told::Point(point) => drop(self.points.insert(point)),
            told => self.seen.take(told),
        }
        Ok(())
    }

    /// The witness's word: one history was shown to it, whatever is on record here.
    async fn tell_witness(&mut self) -> Result<(), String> {
        let state = self.served.world.ledger.subnet(NETUID).await.map_err(|error| error.to_string())?;
        let (has_signed, has_fork) = self.served.witnessed(state.schedule.epoch);
        ensure(!has_fork, || "one history is signed: the witness has the proof of another".to_owned())?;
        self.is_witnessed |= has_signed;
        Ok(())
    }

    fn look(&mut self) -> Result<(), String> {
        let disk = self.served.disk(Epoch(0)).map_err(|error| error.to_string())?;
        self.seen.look(disk, self.keeps.is_some())
    }
}
