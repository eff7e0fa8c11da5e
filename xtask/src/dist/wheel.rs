//! The wheel: the Python package with the command among its scripts.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};

use super::Release;
use crate::suite::environment;
use crate::suite::python;

/// Rewrites a wheel's tags, and its list of files with their sums.
const WHEEL: &str = "wheel==0.45.1";

/// Builds the wheel, names it by the oldest glibc that it runs with, and puts the command among its scripts.
pub(super) fn build(release: &Release) -> anyhow::Result<PathBuf> {
    let scratch = tempfile::tempdir()?;
    let built = python::build(scratch.path())?;
    let glibc = newest_glibc(&std::fs::read(&release.binary)?).context("the command needs no glibc")?;
    // The extension module beside the command may need a newer one.
    let glibc = glibc.max(tagged_glibc(&built).unwrap_or(0));
    let tag = format!("manylinux_2_{glibc}_{}", std::env::consts::ARCH);
    let interpreter = environment("wheel", &[WHEEL])?;
    let run = |args: &[&str]| {
        let status = Command::new(&interpreter)
            .args(["-m", "wheel"])
            .args(args)
            .current_dir(scratch.path())
            // Standard output is for the one JSON line.
            .stdout(std::io::stderr())
            .status()?;
        ensure!(status.success(), "wheel {} ended with {status}", args[0]);
        Ok(())
    };
    run(&["tags", "--remove", "--platform-tag", &tag, &built.display().to_string()])?;
    let tagged = only(scratch.path(), ".whl")?;
    run(&["unpack", &tagged.display().to_string()])?;
    let name = format!("weighhouse-{}", release.version);
    let scripts = scratch.path().join(&name).join(format!("{name}.data/scripts"));
    std::fs::create_dir_all(&scripts)?;
    // Copied with its mode, which pip keeps.
    std::fs::copy(&release.binary, scripts.join("weighhouse"))?;
    let out = release.out.canonicalize()?;
    run(&["pack", &name, "--dest-dir", &out.display().to_string()])?;
    only(&out, &format!("{tag}.whl"))
}

/// The one file whose name ends so.
fn only(folder: &Path, end: &str) -> anyhow::Result<PathBuf> {
    let mut files = std::fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
    files.retain(|file| file.file_name().to_string_lossy().ends_with(end));
    ensure!(files.len() == 1, "{} files end in {end}", files.len());
    Ok(files[0].path())
}

/// The newest minor version of glibc 2 that a binary names.
fn newest_glibc(binary: &[u8]) -> Option<u32> {
    let prefix = b"GLIBC_2.";
    let places = binary.windows(prefix.len()).enumerate().filter(|(_, found)| found == prefix);
    let minors = places.filter_map(|(at, _)| {
        let digits = binary[at + prefix.len()..].iter().take_while(|byte| byte.is_ascii_digit());
        String::from_utf8(digits.copied().collect()).ok()?.parse().ok()
    });
    minors.max()
}

/// The minor version in a wheel's own tag.
fn tagged_glibc(wheel: &Path) -> Option<u32> {
    let name = wheel.file_name()?.to_str()?;
    let tags = name.split("manylinux_2_").skip(1);
    tags.filter_map(|rest| rest.split('_').next()?.parse().ok()).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_glibc_is_found_by_number() {
        assert_eq!(newest_glibc(b"GLIBC_2.9\0..GLIBC_2.34\0GLIBC_2.2.5\0GLIBC_2."), Some(34));
        assert_eq!(newest_glibc(b"GLIBCXX_3.4"), None);
        assert_eq!(tagged_glibc(Path::new("a-1-cp310-abi3-manylinux_2_31_x86_64.whl")), Some(31));
    }
}
