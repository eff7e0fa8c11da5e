//! `kind = "embed"`: an embedding model that the miner runs.

use std::path::PathBuf;
use std::sync::Arc;

use weighhouse_models::LoadLimits;
use weighhouse_models::device::Device;
use weighhouse_models::encoder::Embedder;

use super::error::LoadError;
use super::source::{ModelSource, Site, place, read_device};
use crate::config::error::ConfigError;
use crate::config::model::ModelTable;
use crate::engine::{EmbedEngine, Engine, EngineLimits, ModelName};

/// An embedding model's folder, or the hub's name of one.
#[derive(Debug)]
pub(super) struct EmbedderSource {
    path: PathBuf,
    device: Device,
}

impl ModelSource for EmbedderSource {
    const KIND: &'static str = "embed";
    const BACKEND: &'static str = "burn";
    const KEYS: &'static [&'static str] = &["path", "device"];

    fn read(table: ModelTable) -> Result<Self, ConfigError> {
        let missing = || ConfigError::model(format!("{:?} needs a `path`", table.name));
        Ok(Self { path: table.path.ok_or_else(missing)?, device: read_device(table.device)? })
    }

    fn load(&self, name: ModelName, site: &Site<'_>) -> Result<Arc<dyn Engine>, LoadError> {
        let folder = site.folder(&name, &self.path)?;
        let loaded = Embedder::load_on(&place(&name, self.device)?, &folder, &LoadLimits::STANDARD);
        let model =
            loaded.map_err(|error| LoadError::Embedder { name: name.name.clone(), error: error.into() })?;
        let bounds = (EngineLimits::from(site.limits), site.text.prompt_bytes_max);
        Ok(Arc::new(EmbedEngine::new(name, Arc::new(model), bounds, site.around.cpu)))
    }
}
