//! SQL over exported journals: the feature `sql` of the history crate, which no default build compiles, is built and
//! tested on journals made by the tests, from the journal's files to the answer's text.

use std::process::Command;

use anyhow::{Context, ensure};

use super::{Tally, root};

pub(crate) fn run() -> anyhow::Result<()> {
    let mut tally = Tally::new("history");
    tally.check("built with SQL", || cargo(&["build"]));
    tally.check("a journal exported and asked in SQL", || cargo(&["test"]));
    tally.finish()
}

fn cargo(command: &[&str]) -> anyhow::Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(command)
        .args(["--release", "--package", "weighhouse-history", "--features", "sql"])
        .current_dir(root())
        // Standard output is for the one JSON line.
        .stdout(std::io::stderr())
        .status()
        .context("running cargo")?;
    ensure!(status.success(), "cargo {} failed", command.join(" "));
    Ok(())
}
