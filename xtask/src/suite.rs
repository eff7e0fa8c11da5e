//! Long suites: what one is made of, and the line it ends with.

mod chopsticks;
pub(crate) mod conformance;
pub(crate) mod console;
pub(crate) mod crash;
mod earning;
pub(crate) mod faults;
#[cfg(feature = "forge")]
pub(crate) mod forge;
pub(crate) mod fuzz;
#[cfg(feature = "judges")]
mod guests;
pub(crate) mod history;
#[cfg(all(feature = "serving", feature = "judges"))]
pub(crate) mod hostile;
pub(crate) mod interop;
#[cfg(feature = "judges")]
pub(crate) mod judge;
pub(crate) mod language;
#[cfg(all(feature = "serving", feature = "judges"))]
mod metrics;
pub(crate) mod models;
mod npm;
#[cfg(feature = "serving")]
pub(crate) mod pretending;
pub(crate) mod proto;
pub(crate) mod python;
pub(crate) mod ray;
pub(crate) mod report;
pub(crate) mod servers;
pub(crate) mod soak;
#[cfg(feature = "real")]
pub(crate) mod subnet;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, ensure};

use crate::{result, say};

/// Counts what was tried and what went wrong.
#[derive(Debug)]
pub(crate) struct Tally {
    name: &'static str,
    runs: u32,
    failures: u32,
    skipped: Vec<String>,
}

impl Tally {
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, runs: 0, failures: 0, skipped: Vec::new() }
    }

    /// Runs one check and says how it went.
    pub(crate) fn check(&mut self, what: &str, run: impl FnOnce() -> anyhow::Result<()>) {
        self.runs += 1;
        match run() {
            Ok(()) => say(&format!("ok      {what}")),
            Err(error) => {
                self.failures += 1;
                say(&format!("FAILED  {what}: {error:#}"));
            }
        }
    }

    pub(crate) fn skip(&mut self, what: &str, why: &str) {
        say(&format!("skipped {what}: {why}"));
        self.skipped.push(what.to_owned());
    }

    pub(crate) fn finish(self) -> anyhow::Result<()> {
        self.finish_with(&[])
    }

    /// Ends with these figures, by name, beside its own.
    pub(crate) fn finish_with(self, figures: &[(String, serde_json::Value)]) -> anyhow::Result<()> {
        let Self { name, runs, failures, skipped } = self;
        let mut line =
            serde_json::json!({ "name": name, "runs": runs, "failures": failures, "skipped": skipped });
        figures.iter().for_each(|(name, figure)| line[name] = figure.clone());
        result(&line);
        ensure!(failures == 0, "{failures} of {runs} failed");
        Ok(())
    }
}

/// Packages and features of every build that suites need: with one set of them, dependencies are compiled once. The trainer
/// asks more of burn than the others.
pub(crate) const EVERYTHING: [&str; 6] =
    ["--release", "--workspace", "--exclude", "weighhouse-trainer", "--features", "full"];

/// Packages whose tests `full` changes, out of the same build.
pub(crate) const TESTED: [&str; 11] = [
    "--release",
    "-p",
    "weighhouse-chain",
    "-p",
    "weighhouse-cli",
    "-p",
    "weighhouse-fuzz",
    "-p",
    "xtask",
    "--features",
    "full",
];

/// The binary under test with all that operators want, built first.
pub(crate) fn weighhouse() -> anyhow::Result<PathBuf> {
    binary("weighhouse")
}

/// A binary of the workspace, built first.
pub(crate) fn binary(name: &str) -> anyhow::Result<PathBuf> {
    let built = cargo()
        .arg("build")
        .args(EVERYTHING)
        // Examples bring in the dependencies of tests; without them features differ, and half the workspace is compiled again.
        .args(["--bin", name, "--examples"])
        .current_dir(root())
        .status()
        .context("running cargo")?;
    ensure!(built.success(), "the binary {name} does not build");
    Ok(target().join("release").join(name))
}

/// Cargo, without the variables of the cargo that started this program: build scripts that look at them would run again, and
/// what depends on them be compiled again.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    let of_package = |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(of_package) {
            command.env_remove(name);
        }
    }
    command
}

/// The folder of builds.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// The interpreter of a virtual environment with packages from PyPI, made once and kept below the target folder.
pub(crate) fn environment(name: &str, packages: &[&str]) -> anyhow::Result<PathBuf> {
    let dir = root().join("target/xtask").join(name);
    let ready = dir.join("ready");
    if !std::fs::read_to_string(&ready).is_ok_and(|made| made == packages.join("\n")) {
        say(&format!("installing {} from PyPI", packages.join(" ")));
        new_environment(&dir, packages)?;
        // Written last, so that an installation that broke off is made anew.
        std::fs::write(ready, packages.join("\n"))?;
    }
    Ok(dir.join("bin/python"))
}

/// Makes a virtual environment and installs packages into it.
pub(crate) fn new_environment(dir: &Path, packages: &[&str]) -> anyhow::Result<()> {
    let made = Command::new("python3").args(["-m", "venv"]).arg(dir).status().context("running python3")?;
    ensure!(made.success(), "python3 -m venv failed; Debian's package is python3-venv");
    let installed = Command::new(dir.join("bin/python"))
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
        .args(packages)
        .stdout(Stdio::null())
        .status()?;
    ensure!(installed.success(), "pip could not install {}", packages.join(" "));
    Ok(())
}

pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The end of a log, to be shown where something went wrong.
fn last_lines(log: &Path, count: usize) -> String {
    let log = std::fs::read(log).unwrap_or_default();
    let log = String::from_utf8_lossy(&log);
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(count)..].join(" | ")
}

/// A process that ends with its owner.
#[derive(Debug)]
pub(crate) struct Running(pub(crate) Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself; either way it is gone afterwards.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
