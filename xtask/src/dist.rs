//! Packages for people without Rust: a wheel that brings the command, an archive, an image, and their sums.
//!
//! The command is linked with this machine's glibc, so the wheel's tag says the oldest one that it runs with. The wheel
//! is then installed as a stranger would: into a bare environment, offline, where it has to show a localnet's account.

mod archive;
mod image;
mod trial;
mod wheel;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};
use weighhouse_types::Digest;

use crate::suite::{Tally, root, target, weighhouse};

/// Writes everything into a folder and tries it out.
pub(crate) fn run(out: Option<PathBuf>) -> anyhow::Result<()> {
    let out = out.unwrap_or_else(|| target().join("dist"));
    if out.exists() {
        // Files of an earlier version would be told among the checksums too.
        std::fs::remove_dir_all(&out)?;
    }
    std::fs::create_dir_all(&out)?;
    let scratch = tempfile::tempdir()?;
    let release = Release { binary: stripped(&weighhouse()?, scratch.path())?, version: version()?, out };
    let mut tally = Tally::new("dist");
    let mut wheel = None;
    tally.check("a wheel with the command", || {
        wheel = Some(wheel::build(&release)?);
        Ok(())
    });
    tally.check("an archive", || archive::write(&release));
    tally.check("an image", || image::write(&release));
    let started = "the image's command starts on its own files";
    if trial::is_root() {
        tally.check(started, || trial::image(&release));
    } else {
        tally.skip(started, "only root may change the root folder");
    }
    if let Some(wheel) = wheel {
        tally.check("a localnet's account in a bare environment", || trial::wheel(&wheel));
    }
    tally.check("sums", || sums(&release.out));
    tally.finish()
}

/// The files that are packed.
struct Release {
    binary: PathBuf,
    version: String,
    out: PathBuf,
}

impl Release {
    fn image(&self) -> PathBuf {
        self.out.join(format!("weighhouse-{}-image.tar", self.version))
    }
}

fn version() -> anyhow::Result<String> {
    let manifest = std::fs::read_to_string(root().join("Cargo.toml"))?;
    let line = manifest.lines().find_map(|line| line.strip_prefix("version = "));
    Ok(line.context("the workspace has a version")?.trim_matches('"').to_owned())
}

/// A copy without debug information.
fn stripped(binary: &Path, into: &Path) -> anyhow::Result<PathBuf> {
    let copy = into.join("weighhouse");
    std::fs::copy(binary, &copy)?;
    let status = Command::new("strip").arg(&copy).status().context("running strip (Debian's binutils)")?;
    ensure!(status.success(), "strip ended with {status}");
    Ok(copy)
}

fn sums(out: &Path) -> anyhow::Result<()> {
    let mut names: Vec<_> = std::fs::read_dir(out)?.collect::<Result<_, _>>()?;
    names.sort_by_key(std::fs::DirEntry::file_name);
    let mut text = String::new();
    for file in names {
        let digest = Digest::of(&std::fs::read(file.path())?);
        writeln!(text, "{digest}  {}", file.file_name().to_string_lossy())?;
    }
    std::fs::write(out.join("SHA256SUMS"), text)?;
    let status =
        Command::new("sha256sum").args(["--check", "--quiet", "SHA256SUMS"]).current_dir(out).status()?;
    ensure!(status.success(), "sha256sum finds other sums");
    Ok(())
}
