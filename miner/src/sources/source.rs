//! The trait of a source, and what loading is handed.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use weighhouse_models::device::{Device, Place};
use weighhouse_seams::{Clock, CpuPool};

use super::error::LoadError;
use crate::config::error::ConfigError;
use crate::config::limits::{MinerLimits, Text};
use crate::config::model::ModelTable;
use crate::engine::{Engine, ModelName};

/// A kind of model behind a backend: reads its `[[model]]` table once, and makes an engine of it.
pub(crate) trait ModelSource: fmt::Debug + Send + Sync + Sized + 'static {
    const KIND: &'static str;
    const BACKEND: &'static str;
    /// Keys that its table may have besides `name`, `version`, `kind` and `backend`.
    const KEYS: &'static [&'static str];

    fn read(table: ModelTable) -> Result<Self, ConfigError>;

    /// Must be called within a tokio runtime.
    fn load(&self, name: ModelName, site: &Site<'_>) -> Result<Arc<dyn Engine>, LoadError>;
}

/// The object-safe face of a [`ModelSource`] that has read its table.
pub(crate) trait Loadable: fmt::Debug + Send + Sync {
    fn load(&self, name: ModelName, site: &Site<'_>) -> Result<Arc<dyn Engine>, LoadError>;
}

impl<S: ModelSource> Loadable for S {
    fn load(&self, name: ModelName, site: &Site<'_>) -> Result<Arc<dyn Engine>, LoadError> {
        ModelSource::load(self, name, site)
    }
}

/// The outside world as loading needs it.
pub struct Surroundings<'a> {
    /// Reads a file.
    pub read: &'a dyn Fn(&Path) -> io::Result<Vec<u8>>,
    /// Resolves a configured path.
    pub expand: &'a dyn Fn(&Path) -> PathBuf,
    /// Finds the folder of a configured model, fetched if it must be.
    pub folder: &'a dyn Fn(&Path) -> Result<PathBuf, String>,
    pub cpu: &'a CpuPool,
    pub clock: &'a Arc<dyn Clock>,
}

impl fmt::Debug for Surroundings<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Surroundings").finish_non_exhaustive()
    }
}

/// The surroundings and the bounds that all models share.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Site<'a> {
    pub(crate) around: &'a Surroundings<'a>,
    pub(crate) limits: &'a MinerLimits,
    pub(crate) text: &'a Text,
}

impl Site<'_> {
    /// Reads a file that the configuration names.
    pub(crate) fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        (self.around.read)(&(self.around.expand)(path))
    }

    /// Finds the folder of a model.
    pub(crate) fn folder(&self, name: &ModelName, path: &Path) -> Result<PathBuf, LoadError> {
        (self.around.folder)(path).map_err(|why| LoadError::Folder { name: name.name.clone(), why })
    }
}

/// Reads the device that computes a model of our own.
pub(crate) fn read_device(device: Option<String>) -> Result<Device, ConfigError> {
    let read = device.map_or(Ok(Device::Auto), |device| device.parse::<Device>());
    read.map_err(|error| ConfigError::Value { key: "model.device", why: error.to_string() })
}

/// Finds the device on this machine.
pub(crate) fn place(name: &ModelName, device: Device) -> Result<Place, LoadError> {
    let place = Place::find(device);
    let place = place.map_err(|error| LoadError::Device { name: name.name.clone(), error })?;
    tracing::info!(model = name.name, device = place.name(), "computes");
    Ok(place)
}
