//! Sources of models: the one list of kinds and backends that a `[[model]]` table may name.
//!
//! A new source is a file here and a line in [`SOURCES`]; configuration and loading find it there.

mod address;
pub(crate) mod error;
pub(crate) mod source;

mod classifier;
mod completions;
mod embedder;
mod language;
mod passthrough;

use std::collections::HashSet;
use std::sync::Arc;

use self::classifier::ClassifierSource;
use self::completions::{OipSource, OpenAiSource};
use self::embedder::EmbedderSource;
use self::language::LanguageSource;
use self::passthrough::PassthroughSource;
use self::source::{Loadable, ModelSource};
use crate::config::error::ConfigError;
use crate::config::model::ModelTable;
use crate::engine::ModelName;

/// Every kind of model behind every backend that serves it.
const SOURCES: &[RegisteredSource] = &[
    RegisteredSource::of::<ClassifierSource>(),
    RegisteredSource::of::<LanguageSource>(),
    RegisteredSource::of::<OpenAiSource>(),
    RegisteredSource::of::<OipSource>(),
    RegisteredSource::of::<EmbedderSource>(),
    RegisteredSource::of::<PassthroughSource>(),
];

/// A source as the list has it.
struct RegisteredSource {
    kind: &'static str,
    backend: &'static str,
    keys: &'static [&'static str],
    read: fn(ModelTable) -> Result<Arc<dyn Loadable>, ConfigError>,
}

impl RegisteredSource {
    const fn of<S: ModelSource>() -> Self {
        let read = |table| Ok(Arc::new(S::read(table)?) as Arc<dyn Loadable>);
        Self { kind: S::KIND, backend: S::BACKEND, keys: S::KEYS, read }
    }
}

/// A model to serve, its table read.
#[derive(Clone, Debug)]
pub struct ModelConfig {
    pub name: ModelName,
    pub(crate) source: Arc<dyn Loadable>,
}

/// Reads the `[[model]]` tables, at least one, each of a name of its own.
pub(crate) fn read(tables: Vec<ModelTable>) -> Result<Vec<ModelConfig>, ConfigError> {
    if tables.is_empty() {
        return Err(ConfigError::model("there is nothing to serve: add a [[model]]".into()));
    }
    let mut names = HashSet::new();
    for table in &tables {
        if !names.insert(&table.name) {
            let why = format!("{:?} comes twice", table.name);
            return Err(ConfigError::Value { key: "model.name", why });
        }
    }
    tables.into_iter().map(read_one).collect()
}

fn read_one(table: ModelTable) -> Result<ModelConfig, ConfigError> {
    let source = find(&table)?;
    if let Some(key) = table.present().into_iter().find(|key| !source.keys.contains(key)) {
        let why = format!("{:?}: `{key}` says nothing to this kind and backend", table.name);
        return Err(ConfigError::model(why));
    }
    let name = ModelName::new(&table.name, &table.version);
    Ok(ModelConfig { name, source: (source.read)(table)? })
}

fn find(table: &ModelTable) -> Result<&'static RegisteredSource, ConfigError> {
    let ModelTable { name, kind, backend, .. } = table;
    let of_kind: Vec<&RegisteredSource> = SOURCES.iter().filter(|source| source.kind == kind).collect();
    if of_kind.is_empty() {
        let why = format!("{name:?}: no kind {kind:?}: there are {}", kinds().join(", "));
        return Err(ConfigError::Value { key: "model.kind", why });
    }
    let found = of_kind.iter().find(|source| source.backend == backend).copied();
    found.ok_or_else(|| {
        let offered: Vec<_> =
            of_kind.iter().map(|source| format!("`backend = {:?}`", source.backend)).collect();
        let any = "another server serves it as `kind = \"any\"` with `backend = \"oip\"`";
        let offered = offered.join(" or ");
        ConfigError::model(format!("{name:?}: `kind = {kind:?}` goes with {offered}, not {backend:?}; {any}"))
    })
}

/// The kinds that there are, in the order of the list.
pub(crate) fn kinds() -> Vec<&'static str> {
    distinct(SOURCES.iter().map(|source| source.kind))
}

/// The backends that there are.
pub(crate) fn backends() -> Vec<&'static str> {
    distinct(SOURCES.iter().map(|source| source.backend))
}

fn distinct(names: impl Iterator<Item = &'static str>) -> Vec<&'static str> {
    let mut seen = HashSet::new();
    names.filter(|name| seen.insert(*name)).collect()
}
