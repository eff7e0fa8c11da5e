//! A validator whose disk or chain goes wrong, which is killed, or which is left alone. The validator's own ignored tests do it, since its
//! subnet for tests lies there; each says how every seed went.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::ops::Range;
use std::process::Stdio;

use anyhow::{Context, bail, ensure};
use serde_json::Value;

use super::{Tally, cargo, root};

/// What the tests take their seeds from.
const SEEDS: &str = "WEIGHHOUSE_SEEDS";

/// One of the suites.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FaultSuite {
    name: &'static str,
    test: &'static str,
}

pub(crate) const STORAGE: FaultSuite =
    FaultSuite { name: "storage", test: "role::faults::storage::no_fault_of_the_disk_loses_a_record" };
pub(crate) const SIMULATE: FaultSuite =
    FaultSuite { name: "simulate", test: "role::faults::simulate::no_weather_of_the_chain_costs_an_epoch" };
pub(super) const CRASH: FaultSuite =
    FaultSuite { name: "crash", test: "role::faults::crash::no_kill_loses_a_score_or_signs_twice" };
pub(super) const SOAK: FaultSuite = FaultSuite {
    name: "soak",
    test: "role::faults::soak::a_validator_left_alone_for_a_month_misses_nothing_and_does_not_grow",
};

/// Runs so many seeds from 0 on, or one alone.
pub(crate) fn run(suite: FaultSuite, seeds: u64, seed: Option<u64>) -> anyhow::Result<()> {
    let seeds = seed.map_or(0..seeds, |seed| seed..seed + 1);
    let mut tally = Tally::new(suite.name);
    run_seeds(&mut tally, suite, seeds, &[]);
    tally.finish()
}

/// Runs these seeds, with more for the test to know; what else it says, by the first word of each line.
pub(super) fn run_seeds(
    tally: &mut Tally,
    suite: FaultSuite,
    seeds: Range<u64>,
    environment: &[(&str, String)],
) -> BTreeMap<String, Vec<String>> {
    let mut said = Said { tally, suite, told: 0, failed: false, others: BTreeMap::new() };
    if let Err(error) = said.listen(&seeds, environment) {
        said.tally.check("the test itself", || Err(error));
    }
    said.others
}

/// What a test says while it runs.
struct Said<'a> {
    tally: &'a mut Tally,
    suite: FaultSuite,
    told: u64,
    failed: bool,
    others: BTreeMap<String, Vec<String>>,
}

impl Said<'_> {
    /// The test is looked for among the workspace's own, which are built already: a build of the validator alone would be of other features.
    fn listen(&mut self, seeds: &Range<u64>, environment: &[(&str, String)]) -> anyhow::Result<()> {
        let mut running = cargo()
            .args(["test", "--release", "--locked", "--lib", "--", "--ignored", "--exact", self.suite.test])
            .env(SEEDS, format!("{}..{}", seeds.start, seeds.end))
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .current_dir(root())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("running cargo")?;
        let said = running.stdout.take().context("stdout is piped")?;
        for line in BufReader::new(said).lines() {
            self.take(&line?);
        }
        let ended = running.wait()?;
        let (told, all) = (self.told, seeds.end - seeds.start);
        ensure!(told == all, "{told} of {all} seeds were told of");
        ensure!(ended.success() || self.failed, "the tests ended with {ended}");
        Ok(())
    }

    fn take(&mut self, line: &str) {
        let Some((word, rest)) = line.split_once("  ") else { return };
        let Some((verdict, seed)) = rest.strip_prefix("seed ").map(|seed| (word, seed)) else {
            self.others.entry(word.to_owned()).or_default().push(rest.to_owned());
            return;
        };
        let (seed, why) = seed.split_once(": ").unwrap_or((seed, ""));
        let (what, suite) = (format!("seed {seed}"), self.suite.name);
        match verdict {
            "passed" => self.tally.check(&what, || Ok(())),
            "FAILED" => {
                self.failed = true;
                self.tally
                    .check(&what, || bail!("{why}; cargo xtask suite {suite} --seed {seed} does it again"));
            }
            _ => return,
        }
        self.told += 1;
    }
}

/// The figures that a test said, by name.
pub(super) fn figures(said: &BTreeMap<String, Vec<String>>) -> Vec<(String, Value)> {
    let figures = said.get("figures").and_then(|lines| serde_json::from_str::<Value>(lines.last()?).ok());
    let figures = figures.as_ref().and_then(Value::as_object);
    figures.map_or_else(Vec::new, |figures| figures.clone().into_iter().collect())
}
