//! Servers installed from PyPI, each into a virtual environment of its own that is kept.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};

use crate::say;
use crate::suite::{environment, root};

const INSTALLER: [&str; 1] = ["uv==0.11.4"];

/// What is installed, and how it is told from an older installation.
pub(super) struct Packages {
    pub(super) name: &'static str,
    pub(super) wanted: &'static [&'static str],
    /// Requirements that packages make wrongly, put right.
    pub(super) instead: &'static [&'static str],
}

impl Packages {
    /// The folder of programs of the environment, made if it isn't there.
    pub(super) fn install(&self) -> anyhow::Result<PathBuf> {
        let dir = root().canonicalize()?.join("target/xtask").join(self.name);
        let ready = dir.join("ready");
        let written = [self.wanted, self.instead].concat().join("\n");
        if !std::fs::read_to_string(&ready).is_ok_and(|made| made == written) {
            say(&format!("installing {} from PyPI", self.wanted.join(" ")));
            self.make(&dir)?;
            // Written last, so that an installation that broke off is made anew.
            std::fs::write(ready, written)?;
        }
        Ok(dir.join("bin"))
    }

    fn make(&self, dir: &Path) -> anyhow::Result<()> {
        // pip can't put requirements right, and takes minutes for what this one does in seconds.
        let installer = environment("uv", &INSTALLER)?.with_file_name("uv");
        let run = |arguments: &mut Command| {
            let status =
                arguments.stdin(Stdio::null()).stdout(Stdio::null()).status().context("running uv")?;
            ensure!(status.success(), "uv could not install {}", self.wanted.join(" "));
            anyhow::Ok(())
        };
        run(Command::new(&installer).args(["venv", "--quiet", "--clear"]).arg(dir))?;
        let overrides = dir.join("instead.txt");
        std::fs::write(&overrides, self.instead.join("\n"))?;
        run(Command::new(&installer)
            .args(["pip", "install", "--quiet", "--no-cache", "--python"])
            .arg(dir.join("bin/python"))
            .arg("--override")
            .arg(overrides)
            .args(self.wanted))
    }
}
