//! Miners of `localnet --with`: Python files behind a pass-through miner, asked and paid by validators over signed calls.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};
use serde_json::Value;

use super::{Tally, root, weighhouse};

const CHEATS: [&str; 3] = ["hedge.py", "ink.py", "replay.py"];

/// Runs the checks with an interpreter that has the packages.
pub(super) fn check(tally: &mut Tally, python: &Path) -> anyhow::Result<()> {
    let binary = weighhouse()?;
    for mode in ["conformance", "quality"] {
        tally.check(&format!("{mode}: an honest Python file earns, and three cheats don't"), || {
            let account = localnet(&binary, python, mode)?;
            let miners = account["miners"].as_array().context("miners")?;
            let earned = |persona: &str| {
                let miner = miners.iter().find(|miner| miner["persona"] == persona).context("a guest")?;
                let rao: u64 = miner["emission_rao"].as_str().context("an amount")?.parse()?;
                anyhow::Ok((rao, miner["given_away"].as_str().map(ToOwned::to_owned)))
            };
            let (honest, refused) = earned("you")?;
            ensure!(honest > 0 && refused.is_none(), "honest.py: {honest} rao, {refused:?}");
            for (persona, file) in ["you-2", "you-3", "you-4"].into_iter().zip(CHEATS) {
                let (rao, refused) = earned(persona)?;
                let first = refused.with_context(|| format!("{file} was never refused"))?;
                ensure!(
                    rao == 0 && first.starts_with("first refused in epoch 0"),
                    "{file}: {rao} rao, {first}"
                );
            }
            Ok(())
        });
    }
    tally.check("a Python without the package is refused with the fix", || {
        let bare = Path::new("python3");
        let refused = command(&binary, bare, "conformance").env_remove("PYTHONPATH").output()?;
        let told = String::from_utf8_lossy(&refused.stderr);
        let fix = "-m pip install 'weighhouse[judge]'";
        ensure!(refused.status.code() == Some(69) && told.contains(fix), "{}: {told}", refused.status);
        Ok(())
    });
    Ok(())
}

fn command(binary: &Path, python: &Path, mode: &str) -> Command {
    let mut command = Command::new(binary);
    command.args(["localnet", "--json", "--seed", "7", "--epochs", "1", "--mode", mode, "--python"]);
    command.arg(python).env("PYTHONPATH", root().join("python/python")).stdin(Stdio::null());
    for file in ["honest.py"].into_iter().chain(CHEATS) {
        command.arg("--with").arg(root().join("examples/cheats").join(file));
    }
    command
}

/// The closing account of one epoch.
fn localnet(binary: &Path, python: &Path, mode: &str) -> anyhow::Result<Value> {
    let output =
        command(binary, python, mode).stderr(Stdio::inherit()).output().context("running the localnet")?;
    ensure!(output.status.success(), "the localnet ended with {}", output.status);
    let printed = String::from_utf8(output.stdout)?;
    serde_json::from_str(printed.lines().last().context("an account")?).context("the account")
}
