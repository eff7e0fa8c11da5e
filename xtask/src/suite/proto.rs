//! The gRPC contracts held to buf's rules: how they are named, and that no client of the last release is broken.
//!
//! The baseline is an image committed beside the contracts. `--accept` renews it, once per release.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};

use super::{Tally, npm, root};

/// A package of npm that brings the binary along.
pub(super) const BUF: &str = "@bufbuild/buf@1.75.0";
const BASELINE: &str = "proto/baseline.binpb";

/// Runs the suite; with `accept`, what is there becomes the baseline.
pub(crate) fn run(accept: bool) -> anyhow::Result<()> {
    let buf = Buf { binary: npm::install("buf", BUF)?.join("node_modules/.bin/buf") };
    let contracts = root().join("proto/proto").canonicalize()?;
    let baseline = root().join(BASELINE);
    if accept {
        let (image, into) = (baseline.display().to_string(), contracts.display().to_string());
        return buf.run(&["build", &into, "--output", &image]);
    }
    let mut tally = Tally::new("proto");
    let folder = contracts.display().to_string();
    tally.check("names", || buf.run(&["lint", &folder]));
    tally.check("compatible with the baseline", || buf.breaking(&contracts, &baseline));
    tally.check("a field that disappears is noticed", || {
        let scratch = tempfile::tempdir()?;
        copy(&contracts, scratch.path())?;
        let path = scratch.path().join("weighhouse/v1/judge.proto");
        let text = std::fs::read_to_string(&path)?;
        let field = "  sint32 mark_billionths = 1;\n";
        ensure!(text.contains(field), "judge.proto has no such field any more: name another one here");
        std::fs::write(&path, text.replace(field, ""))?;
        ensure!(buf.breaking(scratch.path(), &baseline).is_err(), "buf finds nothing wrong");
        Ok(())
    });
    tally.finish()
}

struct Buf {
    binary: PathBuf,
}

impl Buf {
    fn breaking(&self, contracts: &Path, baseline: &Path) -> anyhow::Result<()> {
        let (contracts, baseline) = (contracts.display().to_string(), baseline.display().to_string());
        self.run(&["breaking", &contracts, "--against", &baseline])
    }

    fn run(&self, args: &[&str]) -> anyhow::Result<()> {
        let status = Command::new(&self.binary)
            .args(args)
            .stdin(Stdio::null())
            // Standard output is for the one JSON line.
            .stdout(std::io::stderr())
            .status()
            .context("running buf")?;
        ensure!(status.success(), "buf {} ended with {status}", args[0]);
        Ok(())
    }
}

fn copy(from: &Path, into: &Path) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(from)? {
        let (path, target) = (entry?.path(), into.to_owned());
        let target = target.join(path.file_name().context("an entry has a name")?);
        if path.is_dir() {
            std::fs::create_dir_all(&target)?;
            copy(&path, &target)?;
        } else {
            std::fs::copy(&path, &target)?;
        }
    }
    Ok(())
}
