//! Tempos of 256 miners under the terms of the built-in task file: what the judge spends, and whom it catches.
//!
//! Margins are real ones, of the bench's model and its rounded copy, drawn from a pool; who is checked and convicted is
//! the validator's own code. The test's histograms come from one half of the pool and the miners' margins from the other.

use anyhow::Context;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use weighhouse_models::language::LanguageModel;
use weighhouse_tasks::registry::builtin;
use weighhouse_tasks::sequential::{Budget, EDGES, SequentialTest, Watch};
use weighhouse_tasks::witness::TeacherForced;
use weighhouse_tasks::{OnRecord, Task};
use weighhouse_types::{
    Block, CheckedMiner, EarlierChecks, Epoch, Fields, Hotkey, Mark, OpenWalk, RecentMarks, RegistrationId,
    Standing,
};

use super::{Costs, completions, testify};

const MINERS: u16 = 256;
/// Miners that serve int4 from the first tempo on, whatever follows.
const CHEATS: u16 = 26;
/// Miners that came just now, where there are any; the last ones.
const NEWCOMERS: u16 = 26;
const ROUNDS: u32 = 12;
/// Tempos after which a settled cheat has escaped a draw of 2 % with a probability of 0.0001.
const TEMPOS: u64 = 38;
/// Completions in each pool.
const POOL: usize = 64;
const REPEATS: u32 = 100;

/// Totals over many tempos.
#[derive(Default)]
struct Outcome {
    answers: u64,
    checks: u64,
    cheats: u64,
    /// Cheats that were convicted at least once.
    caught: u64,
    honest: u64,
    alarms: u64,
}

/// One miner, and whether it was convicted yet.
struct Miner {
    checked: CheckedMiner,
    cheats: bool,
    was_convicted: bool,
}

pub(super) fn run(
    model: &LanguageModel,
    int4: &LanguageModel,
    single: &Costs,
    batched: &Costs,
) -> anyhow::Result<serde_json::Value> {
    let file = builtin("generate").context("the built-in task")?;
    let task = Task::load(file.as_bytes(), &OnRecord)?;
    let declared = task.budget().context("the built-in task's budget")?;
    let witness = TeacherForced(model.clone());
    let honest = testify(&witness, &completions(model, 16, 112, POOL, 16, 100)?)?;
    let cheat = testify(&witness, &completions(int4, 16, 112, POOL, 16, 200)?)?;
    let shares = |margins: &[Vec<f32>]| {
        // From one: a bin without samples would have the probability 0, whose logarithm is infinite.
        let mut counts = [1_u32; EDGES.len() + 1];
        for margin in margins.iter().flatten() {
            counts[EDGES.iter().position(|edge| f64::from(*margin) <= *edge).unwrap_or(EDGES.len())] += 1;
        }
        counts.map(f64::from)
    };
    let half = POOL / 2;
    let (shares_honest, shares_cheat) = (shares(&honest[..half]), shares(&cheat[..half]));
    let Budget { false_alarm, miss, .. } = *declared;
    let test = SequentialTest::new(EDGES.to_vec(), &shares_honest, &shares_cheat, false_alarm, miss);
    let counts = |margins: &[Vec<f32>]| margins.iter().map(|margins| test.count(margins)).collect::<Vec<_>>();
    let pools = [counts(&honest[half..]), counts(&cheat[half..])];
    let budget = Budget { test, ..declared.clone() };
    let least = budget.newcomer_checks().context("terms of checks")?;
    let mut scenarios = serde_json::Map::new();
    for (name, newcomers) in [("settled", 0), ("a_tenth_new", NEWCOMERS)] {
        let mut outcome = Outcome::default();
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        for _ in 0..REPEATS {
            tempos(&budget, least, &pools, newcomers, &mut rng, &mut outcome)?;
        }
        scenarios.insert(name.to_owned(), outcome.figures(single, batched));
    }
    Ok(serde_json::json!({
        "miners": MINERS, "int4": CHEATS, "rounds": ROUNDS, "tempos": TEMPOS, "repeats": REPEATS,
        "drawn": budget.drawn, "newcomer_checks": least, "false_alarm": false_alarm, "miss": miss,
        "false_convictions": budget.false_convictions(ROUNDS),
        "goal": "at most 0.01 of the miners' compute, 0.99 caught, at most 1e-6 false convictions a miner and tempo",
        "scenarios": scenarios,
    }))
}

/// Follows everybody through all tempos.
fn tempos(
    budget: &Budget,
    least: u64,
    pools: &[Vec<Vec<u32>>; 2],
    newcomers: u16,
    rng: &mut ChaCha8Rng,
    outcome: &mut Outcome,
) -> anyhow::Result<()> {
    let average = Mark::from_billionths(1_000_000_000).context("a mark")?;
    let mut miners: Vec<Miner> = (0..MINERS)
        .map(|miner| {
            let is_new = miner >= MINERS - newcomers;
            let checked = if is_new { newcomer(who(miner)) } else { settled(who(miner), least) };
            Miner { checked, cheats: miner < CHEATS, was_convicted: false }
        })
        .collect();
    let standing =
        |miner: &Miner| Standing { who: miner.checked.who, average, attempts: 1_000, judged_in: Epoch(1) };
    let carried: Vec<_> = miners.iter().map(standing).collect();
    for epoch in 0..TEMPOS {
        let earlier = EarlierChecks {
            epoch: Epoch(epoch),
            newcomer_checks: least,
            miners: miners.iter().map(|miner| miner.checked.clone()).collect(),
            fields: Fields::default(),
        };
        let mut watch = Watch::new(budget, &carried, Some(&earlier));
        for _ in 0..ROUNDS {
            for miner in &mut miners {
                let mut seed = [0; 32];
                rng.fill_bytes(&mut seed);
                outcome.answers += 1;
                if !watch.attention(budget, &miner.checked.who, &seed).is_checked() {
                    continue;
                }
                let pool = &pools[usize::from(miner.cheats)];
                let counts = &pool[rng.next_u32() as usize % pool.len()];
                watch.take(budget, miner.checked.who, counts);
                outcome.checks += 1;
                // An answer of int4 is beyond the tolerance, whatever the test says of it.
                miner.checked.accepted += u64::from(!miner.cheats);
            }
        }
        for miner in &mut miners {
            let walk = watch.walk(&miner.checked.who);
            match walk.is_convicted() {
                true => miner.checked = newcomer(miner.checked.who),
                false => miner.checked.walk = walk.leave(&budget.test),
            }
            miner.was_convicted |= walk.is_convicted();
        }
    }
    for miner in &miners {
        let (all, convicted) = match miner.cheats {
            true => (&mut outcome.cheats, &mut outcome.caught),
            false => (&mut outcome.honest, &mut outcome.alarms),
        };
        *all += 1;
        *convicted += u64::from(miner.was_convicted);
    }
    Ok(())
}

fn who(miner: u16) -> RegistrationId {
    let mut key = [0; 32];
    // In the order of the keys, as the record has them.
    key[..2].copy_from_slice(&miner.to_be_bytes());
    RegistrationId { hotkey: Hotkey(key), registered_at: Block(1) }
}

fn newcomer(who: RegistrationId) -> CheckedMiner {
    settled(who, 0)
}

fn settled(who: RegistrationId, accepted: u64) -> CheckedMiner {
    CheckedMiner {
        who,
        accepted,
        on_probation: true,
        recent: RecentMarks::default(),
        walk: OpenWalk::default(),
    }
}

impl Outcome {
    fn figures(&self, single: &Costs, batched: &Costs) -> serde_json::Value {
        let checks = self.checks as f64 / self.answers as f64;
        serde_json::json!({
            "checked": checks,
            "of_miners_compute": checks * batched.judge / single.generate,
            "of_miners_compute_in_batches_of_16": checks * batched.judge / batched.generate,
            "caught": self.caught as f64 / self.cheats as f64,
            "false_alarms": self.alarms, "honest": self.honest,
        })
    }
}
