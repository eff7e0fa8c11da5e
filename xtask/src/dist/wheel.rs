//! The wheel: the Python package with the command among its scripts.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};

use super::Release;
use crate::suite::python;
use crate::suite::{environment, root};

/// Rewrites a wheel's tags.
const WHEEL: &str = "wheel==0.45.1";
/// Where maturin looks for what a wheel installs besides modules.
const DATA: &str = "python/weighhouse.data";

/// Builds the wheel and names it by the oldest glibc that it runs with.
pub(super) fn build(release: &Release) -> anyhow::Result<PathBuf> {
    let scripts = root().join(DATA).join("scripts");
    let _removed = Removed(root().join(DATA));
    std::fs::create_dir_all(&scripts)?;
    std::fs::copy(&release.binary, scripts.join("weighhouse"))?;
    let wheel = python::build(&release.out)?;
    let glibc = newest_glibc(&std::fs::read(&release.binary)?).context("the command needs no glibc")?;
    let glibc = glibc.max(tagged_glibc(&wheel).unwrap_or(0));
    let tag = format!("manylinux_2_{glibc}_{}", std::env::consts::ARCH);
    let interpreter = environment("wheel", &[WHEEL])?;
    let status = Command::new(interpreter)
        .args(["-m", "wheel", "tags", "--remove", "--platform-tag", &tag])
        .arg(&wheel)
        // Standard output is for the one JSON line.
        .stdout(std::io::stderr())
        .status()?;
    ensure!(status.success(), "the wheel can't be tagged {tag}");
    let mut files = std::fs::read_dir(&release.out)?.collect::<Result<Vec<_>, _>>()?;
    files.retain(|file| file.file_name().to_string_lossy().ends_with(&format!("{tag}.whl")));
    ensure!(files.len() == 1, "{} wheels are tagged {tag}", files.len());
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

struct Removed(PathBuf);

impl Drop for Removed {
    fn drop(&mut self) {
        // A later build writes the folder anew.
        let _ = std::fs::remove_dir_all(&self.0);
    }
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
