//! Generated code: `proto/src/gen/` from every `.proto` under `proto/proto/`, one file per package; their descriptors, for
//! reflection, and those from which `python/python/weighhouse/wire.py` makes the same messages; and, with the feature `schemas`,
//! `deploy/schema/` from the types that read configuration files.
//!
//! The result is committed, so that building the product needs neither `protoc` nor a build script. `--check`
//! changes nothing and fails where the committed files are not what the contracts give.

#[cfg(feature = "schemas")]
mod schemas;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use protox::prost::Message as _;

/// Contracts that the Python package speaks, below `proto/proto/`.
const OF_PYTHON: [&str; 2] = ["inference.proto", "weighhouse/v1/judge.proto"];
const DESCRIPTORS_OF_PYTHON: &str = "python/python/weighhouse/contracts.binpb";
/// Of every contract, for reflection.
const DESCRIPTORS: &str = "proto/src/contracts.binpb";

/// File name to content.
type Files = BTreeMap<String, String>;

/// Writes the generated files, or compares them where `check` is set.
pub(crate) fn run(check: bool) -> anyhow::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let contracts = root.join("proto/proto");
    settle(&generate(&contracts)?, &root.join("proto/src/gen"), check)?;
    #[cfg(feature = "schemas")]
    settle(&schemas::generate()?, &root.join("deploy/schema"), check)?;
    settle_descriptors(&protox::compile(OF_PYTHON, [&contracts])?, &root, DESCRIPTORS_OF_PYTHON, check)?;
    let mut all = protox::compile(protos(&contracts)?, [&contracts])?;
    // Comments are most of it, and no client shows them.
    all.file.iter_mut().for_each(|file| file.source_code_info = None);
    settle_descriptors(&all, &root, DESCRIPTORS, check)
}

fn settle_descriptors(
    fresh: &protox::prost_reflect::prost_types::FileDescriptorSet,
    root: &Path,
    file: &str,
    check: bool,
) -> anyhow::Result<()> {
    let (path, fresh) = (root.join(file), fresh.encode_to_vec());
    if fs::read(&path).ok().as_ref() == Some(&fresh) {
        return Ok(());
    }
    ensure!(!check, "generated code is stale ({file}): run `cargo xtask generate`");
    fs::write(&path, fresh).with_context(|| path.display().to_string())
}

/// Brings a folder to the fresh files, or fails where it differs and `check` is set.
fn settle(fresh: &Files, target: &Path, check: bool) -> anyhow::Result<()> {
    let committed = read_dir(target)?;
    let stale: Vec<&str> = fresh
        .keys()
        .chain(committed.keys().filter(|name| !fresh.contains_key(*name)))
        .filter(|name| fresh.get(*name) != committed.get(*name))
        .map(String::as_str)
        .collect();
    if check {
        ensure!(
            stale.is_empty(),
            "{} is stale ({}): run `cargo run --release -p xtask --features schemas -- generate`",
            target.display(),
            stale.join(", ")
        );
        return Ok(());
    }
    for name in stale {
        let path = target.join(name);
        match fresh.get(name) {
            Some(text) => fs::write(&path, text),
            None => fs::remove_file(&path),
        }
        .with_context(|| path.display().to_string())?;
    }
    Ok(())
}

fn generate(contracts: &Path) -> anyhow::Result<Files> {
    let descriptors = protox::compile(protos(contracts)?, [contracts])?;
    let scratch = tempfile::tempdir()?;
    tonic_prost_build::configure()
        .out_dir(scratch.path())
        // Written in the order of keys: of a hash map, the same message would have other bytes in each run.
        .btree_map(".")
        .codec_path("crate::bounded::BoundedCodec")
        .emit_rerun_if_changed(false)
        .compile_fds(descriptors)?;
    let files = read_dir(scratch.path())?;
    // A package named after a foreign one would be a module that lib.rs never includes.
    if let Some(name) = files.keys().find(|name| name.starts_with("google")) {
        bail!("{name}: well-known types come from prost-types, not from here");
    }
    Ok(files)
}

/// Every contract, in order.
fn protos(contracts: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut protos = Vec::new();
    find_protos(contracts, &mut protos)?;
    protos.sort();
    ensure!(!protos.is_empty(), "no .proto file under {}", contracts.display());
    Ok(protos)
}

fn find_protos(dir: &Path, found: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    for entry in fs::read_dir(dir).with_context(|| dir.display().to_string())? {
        let path = entry?.path();
        if path.is_dir() {
            find_protos(&path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "proto") {
            found.push(path);
        }
    }
    Ok(())
}

fn read_dir(dir: &Path) -> anyhow::Result<Files> {
    let mut files = Files::new();
    for entry in fs::read_dir(dir).with_context(|| dir.display().to_string())? {
        let path = entry?.path();
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let name = path.file_name().context("a directory entry has a name")?.to_string_lossy().into_owned();
        if !text.is_empty() {
            files.insert(name, text);
        }
    }
    Ok(files)
}
