//! `kind = "classifier"`: a classifier of digits that the miner runs.

use std::path::PathBuf;
use std::sync::Arc;

use weighhouse_models::{Builtin, Classifier};

use super::error::LoadError;
use super::source::{ModelSource, Site};
use crate::config::error::ConfigError;
use crate::config::model::ModelTable;
use crate::engine::{ClassifierEngine, Engine, EngineLimits, ModelName};

/// Built-in classifiers are named after their task first.
const BUILTIN_PREFIX: &str = "digits-";

/// The weights of a classifier.
#[derive(Debug)]
pub(super) enum ClassifierSource {
    Builtin(Builtin),
    /// A safetensors file.
    Weights(PathBuf),
}

impl ModelSource for ClassifierSource {
    const KIND: &'static str = "classifier";
    const BACKEND: &'static str = "burn";
    const KEYS: &'static [&'static str] = &["builtin", "weights"];

    fn read(table: ModelTable) -> Result<Self, ConfigError> {
        match (table.builtin, table.weights) {
            (Some(builtin), None) => Ok(Self::Builtin(parse_builtin(&builtin)?)),
            (None, Some(path)) => Ok(Self::Weights(path)),
            _ => Err(ConfigError::model(format!("{:?} needs either `builtin` or `weights`", table.name))),
        }
    }

    fn load(&self, name: ModelName, site: &Site<'_>) -> Result<Arc<dyn Engine>, LoadError> {
        let loaded = match self {
            Self::Builtin(builtin) => Classifier::load(builtin.bytes()),
            Self::Weights(path) => {
                let read = site.read(path);
                let path = || (site.around.expand)(path).display().to_string();
                Classifier::load(&read.map_err(|error| LoadError::Read { path: path(), error })?)
            }
        };
        let model = loaded.map_err(|error| LoadError::Model { name: name.name.clone(), error })?;
        Ok(Arc::new(ClassifierEngine::new(name, model, EngineLimits::from(site.limits), site.around.cpu)))
    }
}

fn parse_builtin(name: &str) -> Result<Builtin, ConfigError> {
    let known = |builtin: &Builtin| format!("{BUILTIN_PREFIX}{builtin}");
    Builtin::ALL.into_iter().find(|builtin| known(builtin) == name).ok_or_else(|| {
        let names: Vec<_> = Builtin::ALL.iter().map(known).collect();
        let why = format!("no {name:?}: there are {}", names.join(", "));
        ConfigError::Value { key: "model.builtin", why }
    })
}
