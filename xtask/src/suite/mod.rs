//! Long suites: what one is made of, and the line it ends with.

pub(crate) mod crash;
pub(crate) mod history;
pub(crate) mod interop;

use std::path::PathBuf;
use std::process::{Child, Command};

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
        let Self { name, runs, failures, skipped } = self;
        result(&serde_json::json!({ "name": name, "runs": runs, "failures": failures, "skipped": skipped }));
        ensure!(failures == 0, "{failures} of {runs} failed");
        Ok(())
    }
}

/// The binary under test, built first with the profile that everything shares.
pub(crate) fn weighhouse() -> anyhow::Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .args(["build", "--release", "--bin", "weighhouse"])
        .current_dir(root())
        .status()
        .context("running cargo")?;
    ensure!(built.success(), "the weighhouse binary does not build");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    Ok(target.join("release/weighhouse"))
}

pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
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
