//! Fuzzing of every parser of foreign bytes: the crate `fuzz` does it and prints the line that suites end in.

use std::process::Command;

use anyhow::{Context, ensure};

use super::{binary, root};

pub(crate) fn run(seconds: u64) -> anyhow::Result<()> {
    let status = Command::new(binary("weighhouse-fuzz")?)
        .args(["--seconds", &seconds.to_string()])
        .current_dir(root())
        .status()
        .context("running the fuzzer")?;
    ensure!(status.success(), "fuzzing ended with {status}");
    Ok(())
}
