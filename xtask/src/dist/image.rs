//! The image: one layer with the command and the libraries that it is linked with, as `docker load` and `podman load` read it.
//!
//! It is what deploy/Dockerfile makes, without the rest of Debian: no shell, no package manager.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};
use serde_json::json;
use tar::{Builder, EntryType, Header};
use weighhouse_types::Digest;

use super::Release;
use super::archive::add;

const HOME: &str = "var/lib/weighhouse";
const USER: u64 = 10_001;
const PASSWD: &str = "root:x:0:0:root:/root:/sbin/nologin\n\
                      weighhouse:x:10001:10001::/var/lib/weighhouse:/sbin/nologin\n";
/// Where a miner by the example file tells `weighhouse health` whether it is ready.
const HEALTH: &str = "http://127.0.0.1:9191/readyz";
/// The authorities for TLS, on Debian and what derives from it.
pub(super) const AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Writes `weighhouse-VERSION-image.tar`.
pub(super) fn write(release: &Release) -> anyhow::Result<()> {
    let layer = layer(release)?;
    let diff = format!("sha256:{}", Digest::of(&layer));
    let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
    let config = json!({
        "architecture": architecture,
        "os": "linux",
        "config": {
            "User": "weighhouse",
            "WorkingDir": format!("/{HOME}"),
            "Env": [
                "PATH=/usr/local/bin", format!("HOME=/{HOME}"), format!("SSL_CERT_FILE={AUTHORITIES}"),
                format!("WEIGHHOUSE_HEALTH={HEALTH}"),
            ],
            "Healthcheck": {
                "Test": ["CMD", "weighhouse", "health"],
                "Interval": 15_000_000_000_u64, "Timeout": 6_000_000_000_u64, "StartPeriod": 120_000_000_000_u64, "Retries": 3,
            },
            "Entrypoint": ["weighhouse"],
            "Cmd": ["--help"],
        },
        "rootfs": { "type": "layers", "diff_ids": [diff] },
        "history": [{ "created_by": "cargo xtask dist" }],
    });
    let config = serde_json::to_vec(&config)?;
    let name = format!("{}.json", Digest::of(&config));
    let tag = format!("weighhouse:{}", release.version);
    let manifest = json!([{ "Config": name, "RepoTags": [tag], "Layers": ["layer.tar"] }]);
    let mut image = Builder::new(std::fs::File::create(release.image())?);
    entry(&mut image, &name, &config)?;
    entry(&mut image, "layer.tar", &layer)?;
    entry(&mut image, "manifest.json", &serde_json::to_vec(&manifest)?)?;
    image.into_inner()?.sync_all()?;
    Ok(())
}

fn layer(release: &Release) -> anyhow::Result<Vec<u8>> {
    let mut layer = Builder::new(Vec::new());
    for (path, mode, owner) in
        [("etc", 0o755, 0), ("tmp", 0o1777, 0), ("var", 0o755, 0), ("var/lib", 0o755, 0), (HOME, 0o750, USER)]
    {
        folder(&mut layer, path, mode, owner)?;
    }
    add(&mut layer, "usr/local/bin/weighhouse", &release.binary, 0o755)?;
    for library in libraries(&release.binary)? {
        let name = library.strip_prefix("/").context("an absolute path")?.display().to_string();
        add(&mut layer, &name, &library, 0o755)?;
    }
    let authorities = Path::new(AUTHORITIES);
    ensure!(authorities.exists(), "{AUTHORITIES} isn't there: install Debian's ca-certificates");
    add(&mut layer, AUTHORITIES.trim_start_matches('/'), authorities, 0o644)?;
    // A container's runtime looks the config's `User` up in the image's own file.
    entry(&mut layer, "etc/passwd", PASSWD.as_bytes())?;
    Ok(layer.into_inner()?)
}

/// The paths at which the command's loader looks, and the loader.
fn libraries(binary: &Path) -> anyhow::Result<BTreeSet<PathBuf>> {
    let told = Command::new("ldd").arg(binary).output().context("running ldd")?;
    ensure!(told.status.success(), "ldd can't read {}", binary.display());
    let text = String::from_utf8_lossy(&told.stdout).into_owned();
    let paths = text.split_whitespace().filter(|word| word.starts_with('/'));
    Ok(paths.map(PathBuf::from).collect())
}

fn entry<W: std::io::Write>(archive: &mut Builder<W>, name: &str, bytes: &[u8]) -> anyhow::Result<()> {
    let mut header = Header::new_gnu();
    header.set_size(bytes.len() as u64);
    header.set_mode(0o644);
    archive.append_data(&mut header, name, bytes)?;
    Ok(())
}

fn folder(layer: &mut Builder<Vec<u8>>, name: &str, mode: u32, owner: u64) -> anyhow::Result<()> {
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::Directory);
    header.set_size(0);
    header.set_mode(mode);
    header.set_uid(owner);
    header.set_gid(owner);
    layer.append_data(&mut header, format!("{name}/"), std::io::empty())?;
    Ok(())
}
