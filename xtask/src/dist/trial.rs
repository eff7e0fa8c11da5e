//! Trials of the packages, as a stranger would make them.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use super::Release;
use crate::say;

/// From `pip install` to the first account.
const PATIENCE: Duration = Duration::from_secs(60);

/// Installs the wheel offline and runs the README's first command, bounded.
pub(super) fn wheel(wheel: &Path) -> anyhow::Result<()> {
    let scratch = tempfile::tempdir()?;
    let bare = scratch.path().join("bare");
    let made = Command::new("python3").args(["-m", "venv"]).arg(&bare).status().context("running python3")?;
    ensure!(made.success(), "python3 -m venv failed");
    let began = Instant::now();
    let installed = Command::new(bare.join("bin/pip"))
        .args(["install", "--quiet", "--no-index", "--disable-pip-version-check"])
        .arg(wheel)
        .stdout(std::io::stderr())
        .status()?;
    ensure!(installed.success(), "pip can't install {}", wheel.display());
    let account = Command::new(bare.join("bin/weighhouse"))
        .args(["localnet", "--epochs", "1", "--seed", "1", "--json"])
        .current_dir(scratch.path())
        // Nothing that this shell happens to set may be what makes the command run.
        .env_clear()
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()?;
    let took = began.elapsed();
    ensure!(account.status.success(), "weighhouse localnet ended with {}", account.status);
    let text = String::from_utf8(account.stdout)?;
    let last: serde_json::Value = serde_json::from_str(text.lines().last().context("an account")?)?;
    let miners = last["miners"].as_array().context("miners in the account")?;
    ensure!(!miners.is_empty(), "the account is empty");
    say(&format!("installed and shown in {:.1} s", took.as_secs_f64()));
    ensure!(took <= PATIENCE, "that is over {} s", PATIENCE.as_secs());
    Ok(())
}

pub(super) fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|told| told.stdout == b"0\n")
}

/// Unpacks the image's layer and starts the command with that folder for its root.
pub(super) fn image(release: &Release) -> anyhow::Result<()> {
    let scratch = tempfile::tempdir()?;
    tar::Archive::new(std::fs::File::open(release.image())?).unpack(scratch.path())?;
    let files = scratch.path().join("files");
    tar::Archive::new(std::fs::File::open(scratch.path().join("layer.tar"))?).unpack(&files)?;
    let started = Command::new("chroot")
        .arg(&files)
        .args(["/usr/local/bin/weighhouse", "--version"])
        .output()
        .context("running chroot")?;
    let text = String::from_utf8_lossy(&started.stdout).into_owned();
    let told = String::from_utf8_lossy(&started.stderr).into_owned();
    ensure!(started.status.success(), "the command doesn't start within the image's files: {told}");
    ensure!(text.contains(&release.version), "it says {text:?}");
    authorities(&files)
}

/// The machine as the command sees it within the image: certificates for TLS are there.
fn authorities(files: &Path) -> anyhow::Result<()> {
    let checked = Command::new("chroot")
        .arg(files)
        .args(["/usr/local/bin/weighhouse", "check", "--dir", "/tmp", "--json"])
        .env("SSL_CERT_FILE", super::image::AUTHORITIES)
        .output()
        .context("running chroot")?;
    let told: serde_json::Value = serde_json::from_slice(&checked.stdout).context("a list of checks")?;
    let checks = told["checks"].as_array().context("checks")?;
    let tls = checks.iter().find(|check| check["check"] == "tls").context("no check of TLS")?;
    ensure!(tls["verdict"] == "ok", "{tls}");
    Ok(())
}
