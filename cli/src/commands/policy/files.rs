//! Files that the commands on policies are given by name.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use weighhouse_lab::profiles;
use weighhouse_scoring::policy::{MAX_POLICY_BYTES, PolicyFile};
use weighhouse_types::profile::Profile;

use crate::commands::read_text;
use crate::failure::{Context, Exit, Failure};

/// Reads a policy file; `default` is the one that ships.
pub(crate) fn read_policy(path: &Path) -> Result<PolicyFile, Failure> {
    if path.as_os_str() == "default" {
        return Ok(PolicyFile::shipped());
    }
    let file = std::fs::File::open(path).exit(Exit::Missing, path.display())?;
    let mut bytes = Vec::new();
    // One byte over the limit, so that parsing finds a file that is too large and refuses it.
    std::io::Read::read_to_end(&mut std::io::Read::take(file, MAX_POLICY_BYTES as u64 + 1), &mut bytes)
        .exit(Exit::Missing, path.display())?;
    PolicyFile::parse(&bytes).exit(Exit::Config, path.display())
}

/// Reads policy files and gives each the name that reports use: its file's, or its path where two files share one.
pub(super) fn named_policies(paths: &[PathBuf]) -> Result<Vec<(String, PolicyFile)>, Failure> {
    let stem = |path: &Path| {
        path.file_stem().map_or_else(|| "policy".to_owned(), |stem| stem.to_string_lossy().into_owned())
    };
    let mut named: Vec<(String, PolicyFile)> = Vec::with_capacity(paths.len());
    for path in paths {
        let twice = paths.iter().filter(|other| stem(other) == stem(path)).count() > 1;
        let name = if twice { path.display().to_string() } else { stem(path) };
        if named.iter().any(|(other, _)| *other == name) {
            return Err(Failure::config(format!("--policy {name} is given twice")));
        }
        named.push((name, read_policy(path)?));
    }
    Ok(named)
}

/// A profile that ships, or a file.
pub(super) fn profile(name: &str) -> Result<Profile, Failure> {
    match profiles::shipped(name) {
        Ok(profile) => Ok(profile),
        Err(error) if !std::path::Path::new(name).exists() => Err(Failure::new(Exit::Missing, error)),
        Err(_) => Profile::parse(&read_text(std::path::Path::new(name))?).exit(Exit::Config, name),
    }
}

/// TOML, or JSON where the name ends in `.json`.
pub(super) fn read_any<T: DeserializeOwned>(path: &Path) -> Result<T, Failure> {
    let text = read_text(path)?;
    if path.extension().is_some_and(|extension| extension == "json") {
        return serde_json::from_str(&text).exit(Exit::Config, path.display());
    }
    weighhouse_types::config::parse(&text).exit(Exit::Config, path.display())
}
