//! Exported tables as other engines read them: a journal of each record version is exported by the command, then opened
//! by pyarrow, Ray Data and Spark, and the queries of `docs/history.md` run in DuckDB.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};

use super::{Tally, environment, root, weighhouse};

const PACKAGES: [&str; 2] = ["duckdb==1.4.2", "pyarrow==22.0.0"];
/// Ray Data, and what it needs to read tables.
const RAY: [&str; 3] = ["pandas==2.3.3", "pyarrow==22.0.0", "ray==2.60.0"];
/// Spark runs on a Java machine, 17 or later.
const SPARK: [&str; 1] = ["pyspark==4.3.0"];
/// A journal of four epochs in records of version 1, of the Python bindings' tests.
const VERSION_1: &str = "python/tests/data/journal";
/// One epoch in records of version 2, of the journal's tests.
const VERSION_2: &str = "journal/testdata/v2.wj";

pub(crate) fn run() -> anyhow::Result<()> {
    let mut tally = Tally::new("history");
    if Command::new("python3").arg("--version").output().is_err() {
        tally.skip("everything", "there is no python3 on this machine");
        return tally.finish();
    }
    let binary = weighhouse()?;
    let scratch = tempfile::tempdir()?;
    let later = scratch.path().join("journal");
    std::fs::create_dir(&later)?;
    std::fs::copy(root().join(VERSION_2), later.join("epoch-00000000000000000042.wj"))?;
    let (first, second) = (scratch.path().join("v1"), scratch.path().join("v2"));
    tally.check("a journal of record version 1 exported", || {
        // In two parts: a folder that has epochs takes further ones.
        export(&binary, &root().join(VERSION_1), &first, &["--to", "8"])?;
        export(&binary, &root().join(VERSION_1), &first, &["--from", "9"])
    });
    tally.check("a journal of record version 2 exported", || export(&binary, &later, &second, &[]));
    let pages = root().join("docs/history.md");
    let tables = [first.as_path(), &second, &pages];
    let python = environment("history", &PACKAGES)?;
    tally.check("read by pyarrow and DuckDB", || read(&python, "history.py", &tables));
    let python = environment("history-ray", &RAY)?;
    tally.check("read by Ray Data", || read(&python, "history_ray.py", &tables));
    if Command::new("java").arg("-version").stderr(Stdio::null()).status().is_ok_and(|ended| ended.success())
    {
        let python = environment("history-spark", &SPARK)?;
        tally.check("read by Spark", || read(&python, "history_spark.py", &tables));
    } else {
        tally.skip("read by Spark", "there is no java on this machine");
    }
    tally.finish()
}

/// Runs a script of this suite on the exported tables.
fn read(python: &Path, script: &str, tables: &[&Path]) -> anyhow::Result<()> {
    let status = Command::new(python)
        .arg(root().join("xtask/src/suite").join(script))
        .args(tables)
        .env("RAY_USAGE_STATS_ENABLED", "0")
        .stdin(Stdio::null())
        // Standard output is for the one JSON line.
        .stdout(std::io::stderr())
        .status()?;
    ensure!(status.success(), "the tables are not what the page says");
    Ok(())
}

fn export(binary: &Path, journal: &Path, out: &Path, range: &[&str]) -> anyhow::Result<()> {
    let status = Command::new(binary)
        .args(["history", "export", "--journal"])
        .arg(journal)
        .arg("--out")
        .arg(out)
        .args(range)
        .stdout(std::io::stderr())
        .status()
        .context("running weighhouse")?;
    ensure!(status.success(), "history export ended with {status}");
    Ok(())
}
