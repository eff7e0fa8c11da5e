//! A tempo of 256 miners, of whom a tenth serve int4, under the sequential test: what the judge spends and whom it
//! catches.
//!
//! Margins are real ones, of the bench's model and its rounded copy, drawn from a pool; who is checked and convicted is
//! the validator's own code. The test's histograms come from one half of the pool and the miners' margins from the other.

use anyhow::Context;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use weighhouse_models::language::LanguageModel;
use weighhouse_tasks::sequential::{Attention, Budget, EDGES, SequentialTest, Terms, Watch};
use weighhouse_tasks::witness::TeacherForced;
use weighhouse_types::{Block, Epoch, Hotkey, Mark, RegistrationId, Standing};

use super::{Costs, completions, testify};

const MINERS: u16 = 256;
const CHEATS: u16 = 26;
/// A question for everybody with each block of a tempo of 360.
const ROUNDS: u32 = 360;
const FALSE_ALARM: f64 = 1e-4;
const MISS: f64 = 0.01;
/// Share of a settled miner's answers that are checked: all of them escape the draw in a tempo with probability 0.0007.
const DRAWN: f64 = 0.02;
const SETTLED_AFTER: u64 = 8;
/// Completions in each pool.
const POOL: usize = 64;
const TEMPOS: u32 = 200;

/// Totals over many tempos.
#[derive(Default)]
struct TempoOutcome {
    checks: u64,
    cheats: u64,
    caught: u64,
    honest: u64,
    alarms: u64,
    /// Checks of cheats until they were convicted.
    spent: u64,
}

pub(super) fn run(
    model: &LanguageModel,
    int4: &LanguageModel,
    single: &Costs,
    batched: &Costs,
) -> anyhow::Result<serde_json::Value> {
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
    let test = SequentialTest::new(
        EDGES.to_vec(),
        &shares(&honest[..half]),
        &shares(&cheat[..half]),
        FALSE_ALARM,
        MISS,
    );
    let counts = |margins: &[Vec<f32>]| margins.iter().map(|margins| test.count(margins)).collect::<Vec<_>>();
    let pools = [counts(&honest[half..]), counts(&cheat[half..])];
    let budget = Budget {
        test: test.clone(),
        drawn: DRAWN,
        terms: Terms::Verdicts(SETTLED_AFTER),
        false_alarm: FALSE_ALARM,
        miss: MISS,
        cheats: Vec::new(),
    };
    let mut scenarios = serde_json::Map::new();
    for (name, settled) in [("newcomers", false), ("sleepers", true)] {
        let outcome = tempos(&budget, &pools, settled)?;
        scenarios.insert(name.to_owned(), outcome.figures(single, batched));
    }
    Ok(serde_json::json!({
        "miners": MINERS, "int4": CHEATS, "rounds": ROUNDS, "tempos": TEMPOS, "drawn": DRAWN,
        "false_alarm": FALSE_ALARM, "miss": MISS, "goal": "at most 0.01 of the miners' compute, 0.99 caught",
        "scenarios": scenarios,
    }))
}

fn who(miner: u16) -> RegistrationId {
    let mut key = [0; 32];
    key[..2].copy_from_slice(&miner.to_le_bytes());
    RegistrationId { hotkey: Hotkey(key), registered_at: Block(1) }
}

/// `settled`: everybody has earlier epochs to its name, the cheats too.
fn tempos(budget: &Budget, pools: &[Vec<Vec<u32>>; 2], settled: bool) -> anyhow::Result<TempoOutcome> {
    let average = Mark::from_billionths(1_000_000_000).context("a mark")?;
    let standing = |miner| Standing { who: who(miner), average, attempts: 1_000, judged_in: Epoch(1) };
    let carried: Vec<Standing> = if settled { (0..MINERS).map(standing).collect() } else { Vec::new() };
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let mut outcome = TempoOutcome::default();
    for _ in 0..TEMPOS {
        let mut watch = Watch::new(budget, &carried, None);
        for _ in 0..ROUNDS {
            for miner in 0..MINERS {
                let mut seed = [0; 32];
                rng.fill_bytes(&mut seed);
                if !watch.attention(budget, &who(miner), &seed).is_checked() {
                    continue;
                }
                let pool = &pools[usize::from(miner < CHEATS)];
                let counts = &pool[rng.next_u32() as usize % pool.len()];
                watch.take(budget, who(miner), counts);
                outcome.checks += 1;
                outcome.spent += u64::from(miner < CHEATS);
            }
        }
        for miner in 0..MINERS {
            let convicted = watch.attention(budget, &who(miner), &[0; 32]) == Attention::Convicted;
            if miner < CHEATS {
                outcome.cheats += 1;
                outcome.caught += u64::from(convicted);
            } else {
                outcome.honest += 1;
                outcome.alarms += u64::from(convicted);
            }
        }
    }
    Ok(outcome)
}

impl TempoOutcome {
    fn figures(&self, single: &Costs, batched: &Costs) -> serde_json::Value {
        let answers = f64::from(MINERS) * f64::from(ROUNDS) * f64::from(TEMPOS);
        let checks = self.checks as f64 / answers;
        serde_json::json!({
            "checked": checks,
            "of_miners_compute": checks * batched.judge / single.generate,
            "of_miners_compute_in_batches_of_16": checks * batched.judge / batched.generate,
            "caught": self.caught as f64 / self.cheats as f64,
            "checks_per_cheat": self.spent as f64 / self.cheats as f64,
            "false_alarms": self.alarms, "honest": self.honest,
            "caught_per_cpu_second": self.caught as f64 / (self.spent as f64 * batched.judge),
        })
    }
}
