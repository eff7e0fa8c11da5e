//! A validator whose disk or chain goes wrong, seed by seed. The validator's own ignored tests do it, since its subnet for tests lies
//! there; each says how every seed went.

use std::io::{BufRead as _, BufReader};
use std::ops::Range;
use std::process::Stdio;

use anyhow::{Context, bail, ensure};

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

/// Runs so many seeds from 0 on, or one alone.
pub(crate) fn run(suite: FaultSuite, seeds: u64, seed: Option<u64>) -> anyhow::Result<()> {
    let seeds = seed.map_or(0..seeds, |seed| seed..seed + 1);
    let mut tally = Tally::new(suite.name);
    if let Err(error) = execute(&mut tally, suite, seeds) {
        tally.check("the test itself", || Err(error));
    }
    tally.finish()
}

/// The test is looked for among the workspace's own, which are built already: a build of the validator alone would be of other features.
fn execute(tally: &mut Tally, suite: FaultSuite, seeds: Range<u64>) -> anyhow::Result<()> {
    let mut running = cargo()
        .args(["test", "--release", "--locked", "--lib", "--", "--ignored", "--exact", suite.test])
        .env(SEEDS, format!("{}..{}", seeds.start, seeds.end))
        .current_dir(root())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("running cargo")?;
    let said = running.stdout.take().context("stdout is piped")?;
    let (mut told, mut failed) = (0, false);
    for line in BufReader::new(said).lines() {
        let line = line?;
        let Some((verdict, rest)) = line.split_once("  seed ") else { continue };
        let (seed, why) = rest.split_once(": ").unwrap_or((rest, ""));
        let what = format!("seed {seed}");
        match verdict {
            "passed" => tally.check(&what, || Ok(())),
            "FAILED" => {
                failed = true;
                tally.check(&what, || {
                    bail!("{why}; cargo xtask suite {} --seed {seed} does it again", suite.name)
                });
            }
            _ => continue,
        }
        told += 1;
    }
    let ended = running.wait()?;
    ensure!(told == seeds.end - seeds.start, "{told} of {} seeds were told of", seeds.end - seeds.start);
    ensure!(ended.success() || failed, "the tests ended with {ended}");
    Ok(())
}
