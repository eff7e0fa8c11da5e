//! The Python bindings as their users get them: a wheel, installed into a fresh virtual environment outside the checkout,
//! then its tests, its types and its example.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};

use super::{Tally, cargo, environment, new_environment, root, target};
use crate::say;

const TOOLS: [&str; 1] = ["maturin==1.16.0"];
/// Packages that the tests need besides the wheel.
const EXTRA: &str = "test";
/// The oldest packages that `weighhouse[judge]` allows.
const OLDEST: [&str; 4] = ["grpcio==1.60.0", "numpy==1.24.0", "protobuf==4.25.0", "pytest"];
/// Tests of what runs without the compiled module.
const OF_JUDGES: [&str; 2] = ["tests/test_judge.py", "tests/test_serve.py"];

pub(crate) fn run() -> anyhow::Result<()> {
    let mut tally = Tally::new("python");
    if Command::new("python3").arg("--version").output().is_err() {
        tally.skip("everything", "there is no python3 on this machine");
        return tally.finish();
    }
    tally.check("its Rust is formatted", formatted);
    let scratch = tempfile::tempdir()?;
    let mut wheel = None;
    tally.check("one wheel for every CPython from 3.10 on", || {
        wheel = Some(build(&scratch.path().join("wheel"))?);
        Ok(())
    });
    let Some(wheel) = wheel else { return tally.finish() };
    let dir = scratch.path().join("fresh");
    tally.check("installed into a fresh environment", || install(&dir, &wheel));
    let python = Python { executable: dir.join("bin/python"), dir: scratch.path().to_owned() };
    let sources = root().join("python").canonicalize().context("the folder python/")?;
    let path = |name: &str| sources.join(name).display().to_string();
    tally.check("its tests", || python.run(&["-m", "pytest", &path("tests")]));
    let config = path("pyproject.toml");
    let (tests, example) = (path("tests"), path("examples/tune_floor.py"));
    tally.check("its types, with the tests and the example", || {
        python.run(&["-m", "mypy", "--config-file", &config, "-p", "weighhouse"])?;
        python.run(&["-m", "mypy", "--config-file", &config, &example, &tests])
    });
    tally.check("judges and models with the oldest packages they allow", || {
        let dir = scratch.path().join("oldest");
        let wheel = wheel.display().to_string();
        new_environment(&dir, &[&OLDEST[..], &[&wheel]].concat())?;
        let oldest = Python { executable: dir.join("bin/python"), dir: scratch.path().to_owned() };
        let tests = OF_JUDGES.map(path);
        oldest.run(&["-m", "pytest", &tests[0], &tests[1]])
    });
    tally.check("its example", || python.run(&[&example]));
    let regress = path("examples/regress");
    tally.check("its example of a judge", || {
        python.run(&["-m", "pytest", &regress])?;
        python.run(&["-m", "mypy", "--config-file", &config, &regress])
    });
    let cheats = root().join("examples/cheats").display().to_string();
    tally.check("the types of the cheats for a localnet", || {
        python.run(&["-m", "mypy", "--config-file", &config, &cheats])
    });
    tally.check("the types of what `init subnet` writes", || {
        let written = ["python/judge.py", "miner.py", "personas.py"];
        let written =
            written.map(|name| root().join("cli/templates/subnet").join(name).display().to_string());
        let [judge, miner, personas] = written.each_ref().map(String::as_str);
        python.run(&["-m", "mypy", "--config-file", &config, judge, miner, personas])
    });
    tally.finish()
}

/// `cargo fmt --all` at the root leaves this workspace out.
fn formatted() -> anyhow::Result<()> {
    let status = cargo()
        .args(["fmt", "--check"])
        .current_dir(root().join("python"))
        // Standard output is for the one JSON line.
        .stdout(std::io::stderr())
        .status()?;
    ensure!(status.success(), "run cargo fmt in python/");
    Ok(())
}

/// Builds the wheel into a folder, where it is the only one.
pub(crate) fn build(out: &Path) -> anyhow::Result<PathBuf> {
    let maturin = environment("maturin", &TOOLS)?;
    let status = Command::new(maturin)
        .args(["-m", "maturin", "build", "--release", "--locked", "--out"])
        .arg(out)
        .arg("--manifest-path")
        .arg(root().join("python/Cargo.toml"))
        .env("CARGO_TARGET_DIR", target())
        .stdout(std::io::stderr())
        .status()
        .context("running maturin")?;
    ensure!(status.success(), "the wheel does not build");
    let files: Vec<_> = std::fs::read_dir(out)?.collect::<Result<_, _>>()?;
    ensure!(files.len() == 1, "{} wheels instead of one", files.len());
    let name = files[0].file_name().to_string_lossy().into_owned();
    ensure!(name.contains("-cp310-abi3-"), "{name} is not for the stable ABI from 3.10 on");
    let bytes = files[0].metadata()?.len();
    say(&format!("{name}: {:.1} MB", bytes as f64 / 1e6));
    Ok(files[0].path())
}

fn install(dir: &Path, wheel: &Path) -> anyhow::Result<()> {
    new_environment(dir, &[&format!("{}[{EXTRA}]", wheel.display())])
}

/// A virtual environment's interpreter, away from the checkout, so that nothing but the wheel can be imported.
struct Python {
    executable: PathBuf,
    dir: PathBuf,
}

impl Python {
    fn run(&self, args: &[&str]) -> anyhow::Result<()> {
        let status = Command::new(&self.executable)
            .args(args)
            .current_dir(&self.dir)
            .env_remove("PYTHONPATH")
            // The tests lie in the checkout, where their caches would stay behind.
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::null())
            .stdout(std::io::stderr())
            .status()?;
        ensure!(status.success(), "python {} ended with {status}", args.join(" "));
        Ok(())
    }
}
