//! A completion server that is not ours, `transformers` with continuous batching, on every side of a task: as an honest
//! way to answer, behind a miner, and as a validator's reference.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};
use serde_json::Value;

use super::earning::{builtin, digest, earns};
use super::{Running, Tally, environment, root, weighhouse};
use crate::say;

const PEERS: [&str; 2] = ["torch", "transformers==5.23.0"];

pub(crate) fn run(challenges: u32) -> anyhow::Result<()> {
    let mut tally = Tally::new("language");
    if Command::new("python3").arg("--version").output().is_err() {
        tally.skip("everything", "there is no python3 on this machine");
        return tally.finish();
    }
    let python = environment("transformers", &PEERS)?;
    let binary = weighhouse()?;
    let scratch = tempfile::tempdir()?;
    let model = scratch.path().join("model");
    builtin("reference", &model)?;
    let (half, near) = (serve(&python, &model, "bfloat16")?, serve(&python, &model, "float32")?);
    tally.check("its bfloat16 is honest, weaker models and edits are not", || {
        calibrate(&binary, &half, challenges)
    });
    let task =
        |server: &str| format!("file = \"generate-greedy\"\nreference = \"{}\"\n{server}", model.display());
    let behind = format!("backend = \"openai\"\nurl = \"{}\"\nmodel = \"x\"\n", half.url);
    // A completion server doesn't tell its model's digest.
    let behind = behind + &format!("digest = \"{}\"\n", digest(&binary, &model)?);
    tally.check("a miner in front of it earns", || earns(&binary, &behind, &task("")));
    let remote = task(&format!("server = {{ url = \"{}\", model = \"x\" }}\n", near.url));
    let own = "builtin = \"language-reference\"\n";
    tally.check("a miner of ours earns where it is the reference", || earns(&binary, own, &remote));
    let weak = "builtin = \"language-weak\"\n";
    tally.check("a weaker model earns nothing there", || {
        ensure!(earns(&binary, weak, &remote).is_err(), "it earned");
        Ok(())
    });
    tally.finish()
}

struct ServedModel {
    url: String,
    _process: Running,
}

fn serve(python: &Path, model: &Path, dtype: &str) -> anyhow::Result<ServedModel> {
    let mut command = Command::new(python);
    command.arg(root().join("xtask/python/completions.py")).arg(model).args(["--dtype", dtype]);
    let mut process = Running(command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?);
    let mut port = String::new();
    let out = process.0.stdout.take().context("a pipe")?;
    BufReader::new(out).read_line(&mut port)?;
    ensure!(!port.is_empty(), "the completion server ended before it listened");
    Ok(ServedModel { url: format!("http://127.0.0.1:{}", port.trim()), _process: process })
}

fn calibrate(binary: &Path, server: &ServedModel, challenges: u32) -> anyhow::Result<()> {
    let said = Command::new(binary)
        .args(["task", "calibrate", "generate-greedy", "--json", "--reference", "language-reference"])
        .args(["--weak", "language-weak", "--challenges", &challenges.to_string()])
        .arg(format!("--server=openai:{}#x", server.url))
        .output()?;
    ensure!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let said: Value = serde_json::from_slice(&said.stdout)?;
    let (checks, beyond) = (&said["honest"]["checks"], &said["honest"]["beyond"]);
    say(&format!("        {checks} honest checks, {beyond} beyond the limits that as many others set"));
    let rows = said["table"]["rows"].as_array().context("rows")?;
    let rejected = |name: &str| {
        let row = rows.iter().find(|row| row["persona"] == name).with_context(|| name.to_owned())?;
        row["rejected"].as_f64().context("a share")
    };
    ensure!(beyond.as_u64().context("a count")? <= 1, "{beyond} of {checks} honest checks are beyond");
    ensure!(rejected("server")? <= 0.01, "the server is refused {} of the time", rejected("server")?);
    for cheat in
        ["weak", "int4", "other temperature", "truncated", "cached", "ignored prompt", "one edited token"]
    {
        ensure!(rejected(cheat)? >= 0.99, "{cheat} is told {} of the time", rejected(cheat)?);
    }
    Ok(())
}
