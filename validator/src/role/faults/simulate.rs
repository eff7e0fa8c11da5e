//! A chain that lags, stalls, lies passingly and forgets submissions, and a process that is killed in between: each epoch is published once,
//! or told with its reason.

use std::collections::BTreeSet;

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha20Rng;
use weighhouse_types::{Epoch, SubnetState, Uid};

use super::life::Life;
use super::weather::{Sky, Weather};
use super::{ensure, history, publications, run_all, seeds};
use crate::ValidatorError;
use crate::parts::Retention;
use crate::publish::tests::owner_sets;
use crate::role::Validator;
use crate::testing::{Behaviour, World};
use crate::timetable::Timetable;

/// Four epochs, and then three without weather in which everything comes to its end.
const BLOCKS: u32 = 48;
const CALM_BLOCKS: u32 = 40;
const TEMPO: u32 = 12;
/// Audits take longer than steps.
const CHECKED_EVERY: u32 = 4;
const HONEST: [Uid; 2] = [Uid(1), Uid(3)];
/// Steps that are tried at one block.
const TRIES: u32 = 3;
const SEEDS: u64 = 200;

#[test]
#[ignore = "long: cargo xtask suite simulate"]
fn no_weather_of_the_chain_costs_an_epoch() {
    run_all(seeds(SEEDS), run);
}

async fn run(seed: u64) -> Result<(), String> {
    let mut suite = Suite::new(seed).await;
    suite.go_on().await.map_err(|why| format!("{why} [{}]", suite.place))
}

struct Suite {
    life: Life,
    rng: ChaCha20Rng,
    validator: Option<Validator>,
    sky: Sky,
    /// Blocks for which the sky stays as it is.
    lasts: u32,
    /// Blocks since the sky was last troubled.
    clear_for: u32,
    /// In so many blocks the process is killed once, on average; `None`: never.
    kills: Option<u32>,
    is_plain: bool,
    /// Epochs whose weights nothing stood in the way of.
    unhindered: BTreeSet<Epoch>,
    /// Epochs that a step saw in their last blocks, through an endpoint that answered.
    decided: BTreeSet<Epoch>,
    /// Where it is, for whoever reads of a failure.
    place: String,
}

impl Suite {
    async fn new(seed: u64) -> Self {
        use Behaviour::{Gone, HangsUp, Honest, Refuses, Silent};
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let mut silent = || [Silent, Silent, Gone, HangsUp, Refuses][rng.random_range(0..5)];
        let world = World::new(&[Honest, silent(), Honest, silent()]).await;
        let is_plain = seed.is_multiple_of(3);
        if !is_plain {
            owner_sets(&world, |rules| rules.commit_reveal_weights_enabled = true).await;
        }
        let weather = Weather::new(&world.ledger, seed, seed % 3 == 1, false).await;
        Self {
            life: Life::new(world, weather, Retention::default()),
            clear_for: 0,
            kills: [None, Some(4), Some(12), Some(40)][rng.random_range(0..4)],
            is_plain,
            unhindered: BTreeSet::new(),
            validator: None,
            sky: Sky::default(),
            lasts: 3,
            decided: BTreeSet::new(),
            place: String::new(),
            rng,
        }
    }

    async fn go_on(&mut self) -> Result<(), String> {
        for block in 0..BLOCKS + CALM_BLOCKS {
            if block == BLOCKS {
                (self.sky, self.lasts) = (Sky::default(), u32::MAX);
            }
            self.turn();
            self.place =
                format!("block {}, life {}, {:?}", self.life.weather.newest(), self.life.lives, self.sky);
            self.work().await?;
            self.life.weather.produce().await;
            if block.is_multiple_of(CHECKED_EVERY) {
                self.check().await?;
            }
        }
        self.check().await?;
        let over = Epoch(u64::from(BLOCKS / TEMPO) + 1);
        publications::told(&self.life.disk, over, &self.decided)?;
        let outcomes = publications::outcomes(&self.life.disk)?;
        ensure(!self.unhindered.is_empty(), || "no epoch was under a clear sky".to_owned())?;
        for epoch in &self.unhindered {
            let word = outcomes.get(epoch).map_or("", String::as_str);
            ensure(word == "published", || {
                format!(
                    "silence of half of the miners stops nothing: epoch {epoch} under a clear sky: {word:?}"
                )
            })?;
        }
        Ok(())
    }

    /// The sky changes after a while.
    fn turn(&mut self) {
        if self.lasts > 0 {
            self.lasts -= 1;
        } else {
            self.lasts = self.rng.random_range(0..6);
            self.sky = Sky::draw(&mut self.rng);
        }
        self.clear_for = if self.sky == Sky::default() { self.clear_for + 1 } else { 0 };
        self.life.weather.turn(self.sky);
    }

    fn is_killed(&mut self) -> bool {
        let kills = self.kills.filter(|_| self.lasts <= BLOCKS);
        kills.is_some_and(|blocks| self.rng.random_range(0..blocks) == 0)
    }

    /// A block's work, in as many tries and lives as it takes.
    async fn work(&mut self) -> Result<(), String> {
        if self.is_killed() {
            self.die();
        }
        if self.is_killed() {
            self.life.weather.kill_in(self.rng.random_range(1..20));
        }
        for _ in 0..TRIES {
            let weather = self.life.weather.clone();
            let worked = tokio::select! {
                biased;
                () = weather.killed() => None,
                worked = self.try_once() => Some(worked),
            };
            match worked {
                None => self.die(),
                Some(Err(why)) => return Err(why),
                Some(Ok(Ok(()))) => return self.check_step(),
                Some(Ok(Err(error))) => {
                    ensure(error.is_transient(), || format!("a fault of the chain ends nothing: {error}"))?;
                }
            }
        }
        Ok(())
    }

    /// What the validator's own faults are comes as its error, and what may not be as a text.
    async fn try_once(&mut self) -> Result<Result<(), ValidatorError>, String> {
        if self.validator.is_none() {
            match self.life.open().await {
                Ok(opened) => self.validator = Some(opened),
                Err(error) => return Ok(Err(error)),
            }
            self.life.history.check(&self.life.disk, false)?;
        }
        let Some(validator) = &mut self.validator else { return Ok(Ok(())) };
        let stepped = validator.step().await;
        self.life.history.note(validator);
        Ok(stepped.map(drop))
    }

    /// The process is gone, wherever it was; what it had written is there.
    fn die(&mut self) {
        if let Some(validator) = self.validator.take() {
            self.life.history.note(&validator);
        }
        self.life.disk = match self.rng.random_range(0..2) {
            0 => self.life.disk.after_kill(),
            _ => self.life.disk.after_power_cut(self.rng.random_range(0..4_000)),
        };
    }

    fn check_step(&mut self) -> Result<(), String> {
        let Some(validator) = &self.validator else { return Ok(()) };
        let state = self.life.weather.seen();
        let epoch = state.schedule.epoch;
        if is_in_window(validator, &state) && self.sky == Sky::default() {
            self.decided.insert(epoch);
            // What a fork holds back comes within ten blocks; a commit is opened an epoch later.
            let hidden = u64::from(!self.is_plain);
            if self.clear_for >= TEMPO * (1 + u32::from(!self.is_plain)) + 10 && is_last(&state) {
                self.unhindered.extend(epoch.0.checked_sub(hidden).map(Epoch));
            }
            let open = validator.open.as_ref().map(|open| open.context().epoch);
            ensure(open == Some(epoch) && !validator.is_undecided(), || {
                format!(
                    "every epoch is published or told: epoch {epoch} is undecided in its window, {open:?} is open"
                )
            })?;
        }
        Ok(())
    }

    async fn check(&self) -> Result<(), String> {
        self.life.history.check(&self.life.disk, false)?;
        history::audits(&self.life.disk)?;
        history::full_marks(&self.life.disk, &HONEST)?;
        publications::publications(&self.life.disk, &self.life.weather).await
    }
}

fn is_in_window(validator: &Validator, state: &SubnetState) -> bool {
    let table = Timetable::new(&state.schedule, &validator.rounds(), &validator.parts.publish);
    table.is_some_and(|table| table.publication_due(state.head.number.0))
}

/// What is in the next block counts for this epoch no more.
fn is_last(state: &SubnetState) -> bool {
    state.schedule.next_epoch_block().is_some_and(|next| next.0 == state.head.number.0 + 1)
}

#[tokio::test]
async fn an_endpoint_that_is_a_little_behind_after_a_restart_costs_no_epoch() {
    let world = World::new(&[Behaviour::Honest]).await;
    let weather = Weather::new(&world.ledger, 0, true, false).await;
    let mut life = Life::new(world, weather, Retention::default());
    let mut validator = life.open().await.expect("opened");
    for block in 0..2 * TEMPO {
        let before = validator.open.as_ref().map(|open| open.context().epoch);
        validator.step().await.expect("a step");
        let open = validator.open.as_ref().map(|open| open.context().epoch);
        if block > 0 && before != open {
            drop(validator);
            life.weather.turn(Sky { lag: 2, ..Sky::default() });
            validator = life.open().await.expect("opened again");
            validator.step().await.expect("a step");
            life.weather.turn(Sky::default());
        }
        life.weather.produce().await;
    }
    let outcomes = publications::outcomes(&life.disk).expect("read");
    assert_eq!(outcomes.get(&Epoch(1)).map(String::as_str), Some("published"), "{outcomes:?}");
}
