//! kill -9 in the middle of anything: a validator, and a localnet with its chain, resume, lose no score, and publish the very same weights.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use serde_json::Value;

use super::faults::{CRASH, run_seeds};
use super::{Running, Tally, weighhouse};
use crate::say;

const SEED: &str = "7";
const EPOCHS: u64 = 4;

/// Weights by uid and persona, epoch by epoch.
type PublishedWeights = BTreeMap<u64, Vec<(u64, u64)>>;

/// Kills of a validator in one seed, as its test has it.
const SEED_KILLS: u64 = 25;

/// What is killed, and how often.
#[derive(Clone, Debug)]
pub(crate) struct Kills {
    /// Of a validator alone.
    pub(crate) validator: u64,
    /// Of a whole localnet.
    pub(crate) localnet: u32,
    /// One seed alone.
    pub(crate) seed: Option<u64>,
    /// One point alone.
    pub(crate) point: Option<String>,
}

pub(crate) fn run(kills: &Kills) -> anyhow::Result<()> {
    let mut tally = Tally::new("crash");
    let seeds = kills.seed.map_or(0..kills.validator.div_ceil(SEED_KILLS), |seed| seed..seed + 1);
    let killed = (seeds.end - seeds.start) * SEED_KILLS;
    let point: Vec<_> = kills.point.iter().map(|point| ("WEIGHHOUSE_POINT", point.clone())).collect();
    let said = run_seeds(&mut tally, CRASH, seeds, &point);
    let points = said.get("killed").map(Vec::as_slice).unwrap_or_default();
    let mut by_point: BTreeMap<&str, u32> = BTreeMap::new();
    points.iter().for_each(|point| *by_point.entry(point).or_default() += 1);
    if let Some(point) = &kills.point {
        tally.check(&format!("killed at {point:?}"), || {
            ensure!(
                !points.is_empty(),
                "no life got to it; a run without --point names those that there are"
            );
            Ok(())
        });
    }
    if kills.seed.is_none() && kills.localnet > 0 {
        kill_localnet(&mut tally, kills.localnet)?;
    }
    tally.finish_with(&[
        ("validator_kills".to_owned(), killed.into()),
        ("at_points".to_owned(), points.len().into()),
        ("points".to_owned(), serde_json::to_value(by_point)?),
        ("points_met".to_owned(), said.get("points").and_then(|lines| lines.last()).cloned().into()),
    ])
}

fn kill_localnet(tally: &mut Tally, kills: u32) -> anyhow::Result<()> {
    let binary = weighhouse()?;
    let scratch = tempfile::tempdir()?;
    say("a run that is left alone, for comparison");
    let calm = scratch.path().join("calm");
    let expected = finish(&binary, &calm, EPOCHS)?;
    ensure!(expected.len() as u64 == EPOCHS, "the undisturbed run closed {} epochs", expected.len());

    let hurt = scratch.path().join("hurt");
    let mut seen = PublishedWeights::new();
    for kill in 0..kills {
        // Spread over the length of an epoch and more, at points no step of ours aligns with.
        let after = Duration::from_millis(900 + 1171 * u64::from(kill) % 6500);
        tally.check(&format!("a localnet killed after {after:?}, resumed and audited"), || {
            seen.extend(interrupt(&binary, &hurt, after)?);
            audit_all(&binary, &hurt)
        });
    }
    tally.check("the localnet finished after all kills with the same weights", || {
        seen.extend(complete(&binary, &hurt, &seen)?);
        audit_all(&binary, &hurt)?;
        for (epoch, weights) in &seen {
            if let Some(calm) = expected.get(epoch) {
                ensure!(weights == calm, "epoch {epoch}: {weights:?}, undisturbed {calm:?}");
            }
        }
        ensure!(expected.keys().any(|epoch| seen.contains_key(epoch)), "no epoch to compare");
        Ok(())
    });
    Ok(())
}

fn command(binary: &Path, dir: &Path) -> Command {
    let mut command = Command::new(binary);
    command.args(["localnet", "--json", "--seed", SEED, "--dir"]).arg(dir).stdin(Stdio::null());
    command
}

fn finish(binary: &Path, dir: &Path, epochs: u64) -> anyhow::Result<PublishedWeights> {
    let output =
        command(binary, dir).args(["--epochs", &epochs.to_string()]).stderr(Stdio::inherit()).output()?;
    ensure!(output.status.success(), "the localnet ended with {}", output.status);
    parse(&output.stdout)
}

/// Runs on until every epoch of the undisturbed run was seen closed.
fn complete(binary: &Path, dir: &Path, seen: &PublishedWeights) -> anyhow::Result<PublishedWeights> {
    let last = seen.keys().next_back().copied();
    let left = EPOCHS.saturating_sub(last.map_or(0, |epoch| epoch + 1)).max(1);
    finish(binary, dir, left)
}

fn interrupt(binary: &Path, dir: &Path, after: Duration) -> anyhow::Result<PublishedWeights> {
    let child = command(binary, dir).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let mut running = Running(child);
    std::thread::sleep(after);
    if let Some(status) = running.0.try_wait()? {
        bail!("the localnet ended by itself with {status}");
    }
    running.0.kill()?;
    let mut printed = Vec::new();
    let mut stdout = running.0.stdout.take().context("stdout is piped")?;
    std::io::Read::read_to_end(&mut stdout, &mut printed)?;
    parse(&printed)
}

/// The per-epoch objects; a line that the kill cut short is left out.
fn parse(output: &[u8]) -> anyhow::Result<PublishedWeights> {
    let mut published = PublishedWeights::new();
    for line in String::from_utf8_lossy(output).lines() {
        let Ok(object) = serde_json::from_str::<Value>(line) else { continue };
        let (Some(epoch), Some(neurons)) = (object["epoch"].as_u64(), object["neurons"].as_array()) else {
            continue;
        };
        let weight = |neuron: &Value| Some((neuron["uid"].as_u64()?, neuron["weight"].as_u64()?));
        let weights: Option<Vec<_>> = neurons.iter().map(weight).collect();
        published.insert(epoch, weights.context("an epoch object without weights")?);
    }
    Ok(published)
}

/// Every closed epoch of every validator weighs again to what was published.
fn audit_all(binary: &Path, dir: &Path) -> anyhow::Result<()> {
    let validators = dir.join("validators");
    if !validators.exists() {
        return Ok(());
    }
    for validator in std::fs::read_dir(validators)? {
        let mut files: Vec<_> = std::fs::read_dir(validator?.path())?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.extension().is_some_and(|extension| extension == "wj"))
            .collect();
        files.sort();
        // The newest may have been cut within a record; the next start mends it.
        files.pop();
        for file in files {
            let output = Command::new(binary).arg("audit").arg(&file).output()?;
            ensure!(
                output.status.success(),
                "{}: {}",
                file.display(),
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
    }
    Ok(())
}
