//! A folder from `weighhouse init subnet`, run as a user would.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Context as _, bail};
use serde_json::Value;

use crate::suite::{root, target};

/// A written folder, and what runs it.
pub(super) struct Subnet<'a> {
    pub(super) python: &'a Path,
    pub(super) binary: &'a Path,
    pub(super) folder: PathBuf,
}

impl<'a> Subnet<'a> {
    pub(super) fn init(
        python: &'a Path,
        binary: &'a Path,
        scratch: &Path,
        language: &str,
    ) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix(language).tempdir_in(scratch)?.keep().join("weather");
        let mut init = Command::new(binary);
        init.args(["init", "subnet", "weather", "--judge", language, "--out"]).arg(&folder);
        done(init.args(["--checkout"]).arg(root()).output()?)?;
        Ok(Self { python, binary, folder })
    }

    pub(super) fn tests_pass(&self) -> anyhow::Result<()> {
        let mut command = Command::new(self.python);
        command.env("PYTHONPATH", root().join("python/python")).env("PYTHONDONTWRITEBYTECODE", "1");
        command.current_dir(&self.folder).args(["-m", "pytest", "-q", "-p", "no:cacheprovider"]);
        done(command.output()?).map(drop)
    }

    /// The folder as a localnet without an end.
    pub(super) fn command(&self) -> Command {
        let mut command = Command::new(self.binary);
        command
            .args(["localnet", "--seed", "7", "--subnet"])
            .arg(&self.folder)
            .arg("--python")
            .arg(self.python);
        // A Rust judge's dependencies are built once for all runs of the suite.
        command.env("CARGO_TARGET_DIR", target().join("xtask/judge-crate"));
        command.env("PYTHONPATH", root().join("python/python")).stdin(Stdio::null());
        command
    }

    pub(super) fn command_of(&self, epochs: u32) -> Command {
        let mut command = self.command();
        command.args(["--epochs", &epochs.to_string()]);
        command
    }

    /// Runs the folder as a localnet, and returns the folder of its state.
    pub(super) fn localnet(&self) -> anyhow::Result<(PathBuf, Value)> {
        let state = self.folder.with_extension("state");
        let told = done(self.command_of(2).arg("--json").arg("--dir").arg(&state).output()?)?;
        let last = told.lines().last().context("an account")?;
        Ok((state, serde_json::from_str(last)?))
    }
}

pub(super) fn earned(account: &Value, persona: &str) -> anyhow::Result<u64> {
    let miners = account["miners"].as_array().into_iter().flatten();
    let row = miners.into_iter().find(|row| row["persona"] == persona);
    let rao = row.and_then(|row| row["emission_rao"].as_str()?.parse().ok());
    rao.with_context(|| format!("no row of {persona} in {account}"))
}

pub(super) fn done(output: Output) -> anyhow::Result<String> {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        bail!("{}: {text}{}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    Ok(text)
}
