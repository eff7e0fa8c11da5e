//! The strategies of pretending that are nearest to honest work, before the real judge: on one localnet with honest miners, at
//! 3 and at 12 rounds an epoch, each with the share of checks that a calibration sets for so many.
//!
//! One turn of a strategy is its stretch of pretending with the honest one behind, in which its standing comes back. Chance
//! decides a turn, so what has to hold is of all of them: together they lose, at 95 % confidence, and are worth no more than
//! the exact chain says. Miners that pretend always are on the same localnet.

mod turns;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};
use serde_json::Value;
use weighhouse_tasks::registry::builtin;
use weighhouse_tasks::sequential::DrawTerms;
use weighhouse_tasks::{OnRecord, Task};

use super::{Tally, weighhouse};
use crate::say;
use turns::{Epochs, Played};

const TASK: &str = "generate";
/// Rounds of an epoch, and turns of the longest strategy.
const PLAYS: [(u64, u64); 2] = [(3, 8), (12, 5)];
const SEED: &str = "3";
/// Standard deviations that the chain's prediction may be exceeded by: a chance of 1 %.
const EXCESS_MAX: f64 = 2.33;
/// The pay of always pretending over an honest miner's.
const ALWAYS_PAID_MAX: f64 = 0.1;
/// The mean vtrust of an honest validator.
const VTRUST_MIN: f64 = 0.97;

pub(crate) fn run() -> anyhow::Result<()> {
    let mut tally = Tally::new("pretending");
    let binary = weighhouse()?;
    let mut figures = Vec::new();
    for (rounds, turns) in PLAYS {
        tally.check(&format!("at {rounds} rounds pretending costs more than it saves"), || {
            let (figure, problems) = play(&binary, rounds, turns)?;
            figures.push((format!("rounds_{rounds}"), figure));
            ensure!(problems.is_empty(), problems.join("; "));
            Ok(())
        });
    }
    tally.finish_with(&figures)
}

/// The figures of one localnet, and what must not be.
fn play(binary: &Path, rounds: u64, turns: u64) -> anyhow::Result<(Value, Vec<String>)> {
    let dir = tempfile::tempdir()?;
    let task = task(rounds, dir.path())?;
    let played = nearest(binary, &task, rounds)?;
    let longest = played.iter().max_by_key(|one| one.honest + one.pretending).context("no strategies")?;
    let count = longest.honest + turns * (longest.honest + longest.pretending);
    let epochs = Epochs::new(localnet(binary, &task, (rounds, count), &played)?);
    let (mut nets, mut expected, mut variance) = (Vec::new(), 0.0, 0.0);
    let mut problems = Vec::new();
    for one in &played {
        let own = epochs.turns(one, rounds)?;
        let [net, chain] = [own.iter().sum::<f64>() / own.len() as f64, one.stretch];
        say(&format!(
            "  {}: net {net:+.2} a turn over {} turns, by the chain {chain:+.2}",
            one.name,
            own.len()
        ));
        expected += one.stretch * own.len() as f64;
        variance += one.spread.powi(2) * own.len() as f64;
        nets.extend(own);
    }
    let [mean, error] = mean(&nets);
    let excess = (nets.iter().sum::<f64>() - expected) / variance.sqrt();
    let interval = [mean - 1.96 * error, mean + 1.96 * error];
    say(&format!(
        "  all: net {mean:+.2} a turn over {} turns, 95 % {:+.2} to {:+.2}, {excess:+.1} deviations from the chain",
        nets.len(),
        interval[0],
        interval[1],
    ));
    if interval[1] >= 0.0 {
        problems.push(format!("a turn may be worth {:+.2} answers' pay", interval[1]));
    }
    if excess > EXCESS_MAX {
        problems.push(format!("turns are worth {excess:.1} standard deviations more than the chain says"));
    }
    let always = epochs.paid_most(&["weak", "int4", "garbage", "cached", "truncating", "ignoring"])?;
    let vtrust = epochs.vtrust_least(&["honest-a", "honest-b", "honest-c"])?;
    say(&format!("  always pretending is paid {always:.3} of an honest miner's pay; vtrust {vtrust:.3}"));
    if always > ALWAYS_PAID_MAX {
        problems.push(format!("always pretending is paid {always:.3}"));
    }
    if vtrust < VTRUST_MIN {
        problems.push(format!("an honest validator has a mean vtrust of {vtrust:.3}"));
    }
    let figure = serde_json::json!({
        "epochs": count, "turns": nets.len(), "net": mean, "net_95": interval,
        "net_by_the_chain": expected / nets.len() as f64, "deviations": excess, "always_paid": always, "vtrust": vtrust,
    });
    Ok((figure, problems))
}

/// A mean, and its standard error.
fn mean(values: &[f64]) -> [f64; 2] {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    [mean, (squares / (count - 1.0) / count).sqrt()]
}

/// The built-in task on the terms of newcomers for so many rounds.
fn task(rounds: u64, dir: &Path) -> anyhow::Result<PathBuf> {
    let text = builtin(TASK).context("the built-in task")?;
    let task = Task::load(text.as_bytes(), &OnRecord)?;
    let cheats = &task.budget().context("the built-in task's budget")?.cheats;
    let terms = DrawTerms::of(cheats, u32::try_from(rounds)?);
    let drawn = format!("drawn = {:?}", terms.drawn);
    let checks = format!("newcomer_checks = {}", terms.checks);
    let lines = text.lines().map(|line| match line.split_once(" = ") {
        Some(("drawn", _)) => &drawn,
        Some(("newcomer_checks", _)) => &checks,
        _ => line,
    });
    let path = dir.join("task.toml");
    std::fs::write(&path, lines.collect::<Vec<_>>().join("\n") + "\n")?;
    Ok(path)
}

/// The strategies that a task's budget names.
fn nearest(binary: &Path, task: &Path, rounds: u64) -> anyhow::Result<Vec<Played>> {
    let mut command = Command::new(binary);
    command.args(["policy", "check", "default", "--json", "--rounds", &rounds.to_string(), "--task"]);
    let lines = json(command.arg(task))?;
    let examined = &lines.last().context("no output")?["pretending"];
    let pretences = examined["pretences"].as_array().context("no pretences")?;
    let saves = |name: &Value| pretences.iter().find(|one| one["name"] == *name)?["gain"].as_f64();
    let near = examined["nearest"].as_array().context("no strategies")?;
    let played = |one: &Value| {
        let (pretence, strategy) = (&one["pretence"], &one["strategy"]);
        let epochs = |of: &str| strategy[of].as_u64().context("no epochs");
        let (honest, pretending) = (epochs("honest")?, epochs("pretending")?);
        let name = format!("{}:{honest}+{pretending}", pretence.as_str().context("no name")?);
        let saves = saves(pretence).context("no such pretence")?;
        let [stretch, spread] = [one["stretch"].as_f64(), one["spread"].as_f64()];
        let (stretch, spread) = stretch.zip(spread).context("no stretch")?;
        Ok(Played { name, honest, pretending, saves, stretch, spread })
    };
    near.iter().map(played).collect()
}

/// The epochs of a localnet in which all of them play.
fn localnet(
    binary: &Path,
    task: &Path,
    (rounds, epochs): (u64, u64),
    played: &[Played],
) -> anyhow::Result<Vec<Value>> {
    let mut command = Command::new(binary);
    command.args(["localnet", "--seed", SEED, "--json", "--task"]).arg(task);
    command.args(["--rounds", &rounds.to_string(), "--epochs", &epochs.to_string()]);
    played.iter().for_each(|one| {
        command.args(["--pretend", &one.name]);
    });
    let mut lines = json(&mut command)?;
    lines.pop();
    Ok(lines)
}

/// The lines of a program's output.
fn json(command: &mut Command) -> anyhow::Result<Vec<Value>> {
    let output = command.stderr(Stdio::inherit()).output().context("running weighhouse")?;
    ensure!(output.status.success(), "weighhouse ended with {}", output.status);
    String::from_utf8(output.stdout)?.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}
