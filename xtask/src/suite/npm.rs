//! Packages of the npm registry, installed once below the target folder.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};

use super::root;
use crate::say;

/// The folder in which a package is installed.
pub(super) fn install(name: &str, package: &str) -> anyhow::Result<PathBuf> {
    let home = root().join("target/xtask").join(name);
    let ready = home.join("ready");
    if std::fs::read_to_string(&ready).is_ok_and(|made| made == package) {
        return Ok(home);
    }
    need()?;
    say(&format!("installing {package} from npm"));
    std::fs::create_dir_all(&home)?;
    std::fs::write(home.join("package.json"), "{ \"private\": true }\n")?;
    let installed = Command::new("npm")
        .args(["install", "--no-audit", "--no-fund", package])
        .current_dir(&home)
        .stdout(Stdio::null())
        .status()
        .context("running npm")?;
    ensure!(installed.success(), "npm could not install {package}");
    // Written last, so that an installation that broke off is made anew.
    std::fs::write(ready, package)?;
    Ok(home)
}

/// Sees to it that there is an npm.
pub(super) fn need() -> anyhow::Result<()> {
    if has_npm() {
        return Ok(());
    }
    say("installing Node.js (Debian's)");
    let debian = "apt-get update && apt-get install -y --no-install-recommends nodejs npm";
    let installed = Command::new("sh").args(["-c", debian]).stdout(Stdio::null()).status()?;
    ensure!(installed.success() && has_npm(), "there is no npm, and Debian's could not be installed");
    Ok(())
}

fn has_npm() -> bool {
    let asked = Command::new("npm").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    asked.is_ok_and(|status| status.success())
}
