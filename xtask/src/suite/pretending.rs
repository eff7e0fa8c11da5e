//! The strategies of pretending that are nearest to honest work, before the real judge: each against an honest miner of the
//! same localnet, at 3 and at 12 rounds an epoch, net of what it saved.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};
use serde_json::Value;

use super::{Tally, weighhouse};
use crate::say;

const TASK: &str = "generate";
const ROUNDS: [u64; 2] = [3, 12];
/// Times that every strategy comes round at least.
const TIMES: u64 = 2;
const SEED: &str = "3";

/// One strategy, and the share of an honest answer's cost that an answer of its pretending saves.
struct Played {
    name: String,
    honest: u64,
    pretending: u64,
    saves: f64,
}

pub(crate) fn run() -> anyhow::Result<()> {
    let mut tally = Tally::new("pretending");
    let binary = weighhouse()?;
    for rounds in ROUNDS {
        tally.check(&format!("at {rounds} rounds no strategy earns what honest work does"), || {
            let played = nearest(&binary, rounds)?;
            let epochs = TIMES * played.iter().map(|one| one.honest + one.pretending).max().unwrap_or(1);
            let earned = localnet(&binary, rounds, epochs, &played)?;
            let honest = earned_by(&earned, "honest-1")?;
            for one in &played {
                let share = earned_by(&earned, &one.name)? / honest;
                let pretended = one.pretending as f64 / (one.honest + one.pretending) as f64;
                // At its dearest an honest answer costs all of its pay.
                let net = share + pretended * one.saves - 1.0;
                say(&format!("  {}: paid {share:.3} of an honest miner's pay, net {net:+.3}", one.name));
                ensure!(net < 0.0, "{} gains {net:+.3} of an honest miner's pay", one.name);
            }
            Ok(())
        });
    }
    tally.finish()
}

/// The strategies that the task's budget names.
fn nearest(binary: &Path, rounds: u64) -> anyhow::Result<Vec<Played>> {
    let rounds = rounds.to_string();
    let args = ["policy", "check", "default", "--task", TASK, "--rounds", &rounds, "--json"];
    let examined = json(Command::new(binary).args(args))?;
    let pretences = examined["pretending"]["pretences"].as_array().context("no pretences")?;
    let saves = |name: &Value| pretences.iter().find(|one| one["name"] == *name)?["gain"].as_f64();
    let near = examined["pretending"]["nearest"].as_array().context("no strategies")?;
    let played = |one: &Value| {
        let (pretence, strategy) = (&one["pretence"], &one["strategy"]);
        let honest = strategy["honest"].as_u64().context("no epochs")?;
        let pretending = strategy["pretending"].as_u64().context("no epochs")?;
        let name = format!("{}:{honest}+{pretending}", pretence.as_str().context("no name")?);
        Ok(Played { name, honest, pretending, saves: saves(pretence).context("no such pretence")? })
    };
    near.iter().map(played).collect()
}

/// The closing account of a localnet in which all of them play.
fn localnet(binary: &Path, rounds: u64, epochs: u64, played: &[Played]) -> anyhow::Result<Value> {
    let mut command = Command::new(binary);
    command.args(["localnet", "--task", TASK, "--seed", SEED, "--json"]);
    command.args(["--rounds", &rounds.to_string(), "--epochs", &epochs.to_string()]);
    played.iter().for_each(|one| {
        command.args(["--pretend", &one.name]);
    });
    json(&mut command)
}

/// The last line of a program's output.
fn json(command: &mut Command) -> anyhow::Result<Value> {
    let output = command.stderr(Stdio::inherit()).output().context("running weighhouse")?;
    ensure!(output.status.success(), "weighhouse ended with {}", output.status);
    let text = String::from_utf8(output.stdout)?;
    Ok(serde_json::from_str(text.lines().last().context("no output")?)?)
}

fn earned_by(account: &Value, persona: &str) -> anyhow::Result<f64> {
    let miners = account["miners"].as_array().context("no miners")?;
    let miner = miners.iter().find(|miner| miner["persona"] == *persona).context("no such miner")?;
    Ok(miner["emission_rao"].as_str().context("no emission")?.parse()?)
}
