//! The archive: the command, its licences, and the example files that `deploy/` has.

use std::fs::File;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use tar::{Builder, Header};

use super::Release;
use crate::suite::root;

const FILES: [&str; 7] = [
    "README.md",
    "CHANGELOG.md",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "deploy/miner.toml",
    "deploy/validator.toml",
    "deploy/tuning.toml",
];

/// Writes `weighhouse-VERSION-ARCH-linux.tar.gz`, the same bytes for the same files.
pub(super) fn write(release: &Release) -> anyhow::Result<()> {
    let name = format!("weighhouse-{}-{}-linux", release.version, std::env::consts::ARCH);
    let file = File::create(release.out.join(format!("{name}.tar.gz")))?;
    let mut archive = Builder::new(GzEncoder::new(file, Compression::best()));
    add(&mut archive, &format!("{name}/weighhouse"), &release.binary, 0o755)?;
    for path in FILES {
        add(&mut archive, &format!("{name}/{path}"), &root().join(path), 0o644)?;
    }
    archive.into_inner()?.finish()?.sync_all()?;
    Ok(())
}

/// Adds a file as root's, without its time.
pub(super) fn add<W: std::io::Write>(
    archive: &mut Builder<W>,
    name: &str,
    file: &Path,
    mode: u32,
) -> anyhow::Result<()> {
    let bytes = std::fs::read(file)?;
    let mut header = Header::new_gnu();
    header.set_size(bytes.len() as u64);
    header.set_mode(mode);
    archive.append_data(&mut header, name, bytes.as_slice())?;
    Ok(())
}
