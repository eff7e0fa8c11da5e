//! A disk that is full, fails or loses power at one of its calls: the validator ends with the file's name or goes on, and its next life
//! loses nothing.

mod witness;

use std::io::ErrorKind;
use std::sync::OnceLock;

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha20Rng;
use weighhouse_chain::Chain as _;
use weighhouse_journal::segment_name;
use weighhouse_types::{Epoch, LogPlace, MechId, Uid};

use super::disk::{Failure, Lasts};
use super::life::Life;
use super::weather::Weather;
use super::{ensure, history, publications, run_all, run_one, seeds};
use crate::parts::Retention;
use crate::role::Validator;
use crate::testing::{Behaviour, NETUID, World};
pub(super) use witness::OtherLog;

/// Three epochs and the beginning of a fourth: old files are removed.
const BLOCKS: u32 = 42;
/// At this one the process is killed in any case, so that a start over a whole journal is among the calls that fail.
const RESTARTED_AT: u32 = 20;
const HONEST: [Uid; 2] = [Uid(1), Uid(3)];
const LIVES_MAX: u8 = 12;

#[test]
#[ignore = "long: cargo xtask suite storage"]
fn no_fault_of_the_disk_loses_a_record() {
    let calls = [false, true].map(|removes| {
        let counted = OnceLock::new();
        let count = async |_| {
            let calls = undisturbed(removes).await?;
            counted.set(calls).map_err(|_| "counted twice".to_owned())
        };
        run_one(0, count).expect("a run without a fault");
        counted.into_inner().expect("counted")
    });
    run_all(seeds(2 * calls[0].max(calls[1])), |seed| run(seed, calls));
}

/// The calls of a disk on which nothing fails.
async fn undisturbed(removes: bool) -> Result<u64, String> {
    let mut suite = Suite::new(0, removes).await;
    suite.go_on().await?;
    Ok(suite.calls + suite.life.disk.calls())
}

async fn run(seed: u64, calls: [u64; 2]) -> Result<(), String> {
    let removes = seed % 2 == 1;
    let calls = calls[usize::from(removes)];
    let mut suite = Suite::new(seed, removes).await;
    // Neighbouring seeds are far from each other, and every call has its turn.
    let call = (seed / 2).wrapping_mul(61) % calls;
    suite.failure_at = Some((call, draw_failure(&mut suite.rng)));
    suite.go_on().await.map_err(|why| format!("call {call} of {calls}, {:?}: {why}", suite.failure_at))
}

fn draw_failure(rng: &mut ChaCha20Rng) -> Failure {
    let lasts = [Lasts::Once, Lasts::Writes, Lasts::All][rng.random_range(0..3)];
    Failure {
        kind: if rng.random() { ErrorKind::StorageFull } else { ErrorKind::Other },
        short_write: if rng.random() { rng.random_range(0..2_000) } else { usize::MAX },
        takes_effect: rng.random(),
        lasts,
    }
}

struct Suite {
    life: Life,
    rng: ChaCha20Rng,
    /// The call that is to fail, counted from the first of all lives.
    failure_at: Option<(u64, Failure)>,
    has_failed: bool,
    /// Whether the call was reached.
    is_met: bool,
    /// Calls of the lives before.
    calls: u64,
    other: OtherLog,
}

impl Suite {
    async fn new(seed: u64, removes: bool) -> Self {
        use Behaviour::{Gone, Honest};
        let world = World::new(&[Honest, Gone, Honest]).await;
        let weather = Weather::new(&world.ledger, seed, true, removes).await;
        let retention = Retention { keep_epochs: removes.then_some(1), ..Retention::default() };
        let place = LogPlace { genesis: world.ledger.genesis(), netuid: NETUID, mechanism: MechId(0) };
        Self {
            life: Life::new(world, weather, retention),
            rng: ChaCha20Rng::seed_from_u64(seed),
            failure_at: None,
            has_failed: false,
            is_met: false,
            calls: 0,
            other: OtherLog::new(place),
        }
    }

    async fn go_on(&mut self) -> Result<(), String> {
        self.arm();
        let mut validator = self.open().await?;
        for block in 0..BLOCKS {
            if block == RESTARTED_AT {
                drop(validator);
                self.die(false);
                validator = self.open().await?;
            }
            validator = self.step(validator).await?;
            self.life.weather.produce().await;
        }
        drop(validator);
        self.die(false);
        drop(self.open().await?);
        self.is_met |= self.life.disk.has_failed();
        ensure(self.is_met || self.failure_at.is_none(), || "the call was never reached".to_owned())?;
        self.check().await?;
        let outcomes = publications::outcomes(&self.life.disk)?;
        for epoch in outcomes.keys().next_back().map_or(0..0, |last| 0..last.0) {
            let word = outcomes.get(&Epoch(epoch)).map_or("", String::as_str);
            let is_gone =
                self.life.weather.forgets() && self.life.disk.file(&segment_name(Epoch(epoch))).is_none();
            ensure(is_gone || word == "published", || format!("epoch {epoch} is not published: {word:?}"))?;
        }
        ensure(outcomes.len() >= 2, || format!("too few epochs: {outcomes:?}"))
    }

    /// Counts on in this life to the call that is to fail.
    fn arm(&self) {
        let Some((call, failure)) = self.failure_at.filter(|_| !self.has_failed) else { return };
        if let Some(call) = call.checked_sub(self.calls) {
            self.life.disk.fail_with(call, failure);
        }
    }

    /// A process that starts, and again where the disk fails it.
    async fn open(&mut self) -> Result<Validator, String> {
        loop {
            match self.life.open().await {
                Ok(validator) => {
                    if self.power_is_off() {
                        drop(validator);
                        self.die(true);
                        continue;
                    }
                    self.life.history.check(&self.life.disk, self.life.weather.forgets())?;
                    self.life.history.note(&validator);
                    self.other.tempt(&validator.book)?;
                    return Ok(validator);
                }
                Err(error) => self.ended(&error.to_string())?,
            }
        }
    }

    /// A block's work, in as many lives as it takes.
    async fn step(&mut self, mut validator: Validator) -> Result<Validator, String> {
        loop {
            let stepped = validator.step().await;
            self.life.history.note(&validator);
            let witnessed = self.other.grow(&validator.book, &self.life.disk);
            let ended = match (stepped, self.power_is_off()) {
                (Ok(_), false) => {
                    witnessed?;
                    return Ok(validator);
                }
                (Ok(_), true) => None,
                (Err(error), _) => Some(error.to_string()),
            };
            drop(validator);
            match ended {
                None => self.die(true),
                Some(error) => self.ended(&error)?,
            }
            validator = self.open().await?;
            self.check().await?;
        }
    }

    fn power_is_off(&self) -> bool {
        let is_power = self.failure_at.is_some_and(|(_, failure)| failure.lasts == Lasts::All);
        is_power && !self.has_failed && self.life.disk.has_failed()
    }

    /// A role that ended by itself.
    fn ended(&mut self, error: &str) -> Result<(), String> {
        ensure(self.life.disk.has_failed(), || format!("it ended without a fault: {error}"))?;
        ensure(error.contains("disk/"), || format!("an error names its file: {error}"))?;
        ensure(self.life.lives < LIVES_MAX, || format!("it can't be started any more: {error}"))?;
        self.die(true);
        Ok(())
    }

    /// What is left for the next life. Its start may fail once more.
    fn die(&mut self, by_fault: bool) {
        self.calls += self.life.disk.calls();
        self.is_met |= self.life.disk.has_failed();
        let lost = self.rng.random::<u32>();
        let kept = self.rng.random_range(0..4_000);
        self.life.disk = match self.rng.random_range(0..3) {
            _ if !by_fault => self.life.disk.after_kill(),
            0 => self.life.disk.after_kill(),
            1 => self.life.disk.after_power_cut(kept),
            _ => self.life.disk.after_lost_sectors(|sector| lost >> (sector % 32) & 1 == 1),
        };
        if !by_fault {
            return self.arm();
        }
        let is_first = !std::mem::replace(&mut self.has_failed, true);
        if is_first && self.rng.random_range(0..3) == 0 {
            let failure = Failure { lasts: Lasts::Once, ..draw_failure(&mut self.rng) };
            self.life.disk.fail_with(self.rng.random_range(0..24), failure);
        }
    }

    async fn check(&self) -> Result<(), String> {
        history::audits(&self.life.disk)?;
        history::full_marks(&self.life.disk, &HONEST)?;
        publications::publications(&self.life.disk, &self.life.weather).await
    }
}
