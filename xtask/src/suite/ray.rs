//! The lab on more than one machine: `weighhouse.lab` on a Ray cluster of two workers on loopback, one of which dies in the
//! middle, against what the command says on this machine.

use std::process::{Command, Stdio};

use anyhow::{Context, ensure};

use super::{Tally, new_environment, python, root, weighhouse};

/// The extra that brings Ray in; its version is held, so that a release of theirs doesn't change this suite.
const PACKAGES: [&str; 2] = ["ray==2.60.0", "setuptools<81"];

pub(crate) fn run() -> anyhow::Result<()> {
    let mut tally = Tally::new("ray");
    if Command::new("python3").arg("--version").output().is_err() {
        tally.skip("everything", "there is no python3 on this machine");
        return tally.finish();
    }
    let binary = weighhouse()?;
    let scratch = tempfile::tempdir()?;
    let wheel = python::build(&scratch.path().join("wheel"))?;
    let dir = scratch.path().join("environment");
    let named = format!("{}[ray]", wheel.display());
    new_environment(&dir, &[&[named.as_str()], &PACKAGES[..]].concat())?;
    let script =
        root().join("xtask/src/suite/ray_cluster.py").canonicalize().context("the suite's script")?;
    for check in ["attack", "redteam", "tune", "resume"] {
        tally.check(&format!("{check} on two workers"), || {
            let status = Command::new(dir.join("bin/python"))
                .args([&script, &binary])
                .arg(check)
                .current_dir(scratch.path())
                .env_remove("PYTHONPATH")
                .env("RAY_USAGE_STATS_ENABLED", "0")
                .stdin(Stdio::null())
                // Standard output is for the one JSON line.
                .stdout(std::io::stderr())
                .status()?;
            ensure!(status.success(), "{check} on Ray is not what one machine says");
            Ok(())
        });
    }
    tally.finish()
}
