//! Others' implementations, as processes that measure themselves.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, ensure};
use serde_json::Value;

use crate::suite::servers::llama_peer;
use crate::suite::{cargo, environment, root, target};

const ONNX: [&str; 3] = ["onnxruntime==1.32.0", "onnx==1.23.2", "numpy"];

/// Seconds.
#[derive(Clone, Copy)]
pub(super) struct Took {
    pub(super) wall: f64,
    pub(super) cpu: f64,
}

/// A process that takes orders from its standard input.
pub(super) struct OipPeer {
    pub(super) name: &'static str,
    process: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl OipPeer {
    /// Built first, for exactly this processor.
    pub(super) fn candle(folder: &Path, threads: usize) -> anyhow::Result<Self> {
        let to = target().join("peers");
        let built = cargo()
            .args(["build", "--release", "--locked", "--manifest-path"])
            .arg(root().join("xtask/peers/Cargo.toml"))
            .env("CARGO_TARGET_DIR", &to)
            .env("RUSTFLAGS", "-C target-cpu=native")
            .stdout(Stdio::null())
            .status()
            .context("running cargo")?;
        ensure!(built.success(), "candle does not build");
        let mut command = Command::new(to.join("release/peers"));
        command.arg(folder).env("RAYON_NUM_THREADS", threads.to_string());
        Self::start("candle", command)
    }

    pub(super) fn onnxruntime(folder: &Path, threads: usize) -> anyhow::Result<Self> {
        let mut command = Command::new(environment("onnx", &ONNX)?);
        command.arg(root().join("xtask/python/onnx_prefill.py")).arg(folder).arg(threads.to_string());
        Self::start("onnxruntime", command)
    }

    pub(super) fn llama(folder: &Path, threads: usize) -> anyhow::Result<Self> {
        Self::start("llama.cpp", llama_peer(folder, threads)?)
    }

    fn start(name: &'static str, mut command: Command) -> anyhow::Result<Self> {
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().context(name)?;
        let orders = process.stdin.take().context("its input")?;
        let answers = BufReader::new(process.stdout.take().context("its output")?);
        Ok(Self { name, process, orders, answers })
    }

    pub(super) fn measure(&mut self, order: &str) -> anyhow::Result<Took> {
        writeln!(self.orders, "{order}").with_context(|| format!("{} is gone", self.name))?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer)?;
        let answer: Value = serde_json::from_str(&answer).with_context(|| format!("{} failed", self.name))?;
        let seconds = |key: &str| answer[key].as_f64().with_context(|| format!("{key} of {}", self.name));
        Ok(Took { wall: seconds("wall")?, cpu: seconds("cpu")? })
    }
}

impl Drop for OipPeer {
    fn drop(&mut self) {
        // It may have ended by itself; either way it is gone afterwards.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
