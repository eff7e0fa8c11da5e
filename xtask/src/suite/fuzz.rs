//! Fuzzing of every parser of foreign bytes: the crate `fuzz` does it and prints the line that suites end in.

use std::process::Command;

use anyhow::{Context, ensure};

use super::root;

pub(crate) fn run(seconds: u64) -> anyhow::Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["run", "--release", "--quiet", "--package", "weighhouse-fuzz", "--", "--seconds"])
        .arg(seconds.to_string())
        .current_dir(root())
        .status()
        .context("running cargo")?;
    ensure!(status.success(), "fuzzing ended with {status}");
    Ok(())
}
