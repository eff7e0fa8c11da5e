//! The folder that `weighhouse init subnet` writes: it runs as it is, in Python and in Rust, and its journals are audited.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Instant;

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;

use super::Judge;
use crate::say;
use crate::suite::{Tally, root, weighhouse};

const EPOCHS: &str = "2";
const CHEATS: [&str; 3] = ["mean", "echo", "notanumber"];
/// An exit code: nothing is wrong, but the judge was not at hand.
const NOT_REDERIVED: i32 = 69;

/// Runs the checks.
pub(super) fn checks(tally: &mut Tally, python: &Path) -> anyhow::Result<()> {
    let scratch = tempfile::tempdir()?;
    let subnet = |language| Subnet::init(python, scratch.path(), language);
    tally.check("a new folder's judge passes its own tests", || subnet("python")?.tests_pass());
    tally.check("it pays work and refuses cheats, from an empty folder to emissions", || {
        let begun = Instant::now();
        let subnet = subnet("python")?;
        subnet.pays()?;
        say(&format!("        {:.1} s", begun.elapsed().as_secs_f64()));
        Ok(())
    });
    tally.check("its journal is audited with the judge, and says so without", || {
        subnet("python")?.is_audited()
    });
    tally.check("the same with a judge in Rust", || {
        let begun = Instant::now();
        let subnet = subnet("rust")?;
        subnet.pays()?;
        say(&format!("        {:.1} s, the judge's build included", begun.elapsed().as_secs_f64()));
        Ok(())
    });
    Ok(())
}

struct Subnet<'a> {
    python: &'a Path,
    binary: PathBuf,
    folder: PathBuf,
}

impl<'a> Subnet<'a> {
    fn init(python: &'a Path, scratch: &Path, language: &str) -> anyhow::Result<Self> {
        let binary = weighhouse()?;
        let folder = tempfile::Builder::new().prefix(language).tempdir_in(scratch)?.keep().join("weather");
        let mut init = Command::new(&binary);
        init.args(["init", "subnet", "weather", "--judge", language, "--out"]).arg(&folder);
        done(init.args(["--checkout"]).arg(root()).output()?)?;
        Ok(Self { python, binary, folder })
    }

    fn python(&self) -> Command {
        let mut command = Command::new(self.python);
        command.env("PYTHONPATH", root().join("python/python")).env("PYTHONDONTWRITEBYTECODE", "1");
        command.current_dir(&self.folder);
        command
    }

    fn tests_pass(&self) -> anyhow::Result<()> {
        done(self.python().args(["-m", "pytest", "-q", "-p", "no:cacheprovider"]).output()?).map(drop)
    }

    /// Runs the folder as a localnet, and returns the folder of its state.
    fn localnet(&self) -> anyhow::Result<(PathBuf, Value)> {
        let state = self.folder.with_extension("state");
        let mut command = Command::new(&self.binary);
        command.args(["localnet", "--json", "--seed", "7", "--epochs", EPOCHS, "--subnet"]).arg(&self.folder);
        command.arg("--python").arg(self.python).arg("--dir").arg(&state);
        command.env("PYTHONPATH", root().join("python/python")).stdin(Stdio::null());
        let told = done(command.output()?)?;
        let last = told.lines().last().context("an account")?;
        Ok((state, serde_json::from_str(last)?))
    }

    fn pays(&self) -> anyhow::Result<()> {
        let (_, account) = self.localnet()?;
        let earned = |persona: &str| {
            let miners = account["miners"].as_array().into_iter().flatten();
            let row = miners.into_iter().find(|row| row["persona"] == persona);
            row.and_then(|row| row["emission_rao"].as_str()?.parse::<u64>().ok())
                .with_context(|| format!("no row of {persona} in {account}"))
        };
        let (honest, straight) = (earned("honest")?, earned("straight")?);
        ensure!(honest > 0 && honest >= straight, "honest {honest}, straight {straight}");
        for cheat in CHEATS {
            ensure!(earned(cheat)? == 0, "{cheat} earns");
        }
        Ok(())
    }

    fn is_audited(&self) -> anyhow::Result<()> {
        let (state, _) = self.localnet()?;
        let file = state.join("validators/honest-a/epoch-00000000000000000000.wj");
        let audit = |judge: Option<&str>| {
            let mut command = Command::new(&self.binary);
            command.args(["audit", "--json"]).arg(&file);
            if let Some(judge) = judge {
                command.args(["--judge", judge]);
            }
            command.output()
        };
        let judge = Judge::start(self.python, &self.folder.join("judge.py"), "Curve", "127.0.0.1:0")?;
        let told: Value = serde_json::from_str(&done(audit(Some(&judge.address))?)?)?;
        let is_none = told["problems"].as_array().is_some_and(Vec::is_empty);
        ensure!(is_none && told["not_rederived"].is_null(), "with the judge: {told}");
        let without = audit(None)?;
        let told: Value = serde_json::from_slice(&without.stdout)?;
        let is_counted = told["not_rederived"].as_u64().is_some_and(|verdicts| verdicts > 0);
        ensure!(without.status.code() == Some(NOT_REDERIVED) && is_counted, "without the judge: {told}");
        Ok(())
    }
}

fn done(output: Output) -> anyhow::Result<String> {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        bail!("{}: {text}{}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    Ok(text)
}
