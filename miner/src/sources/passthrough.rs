//! `kind = "any"`: whatever a server of the Open Inference Protocol serves, its tensors forwarded as they are.

use std::sync::Arc;

use super::address::ModelAddress;
use super::error::LoadError;
use super::source::{ModelSource, Site};
use crate::config::error::ConfigError;
use crate::config::model::ModelTable;
use crate::engine::{Engine, ModelName, PassthroughEngine};

/// A model of any kind behind another server.
#[derive(Debug)]
pub(super) struct PassthroughSource(ModelAddress);

impl ModelSource for PassthroughSource {
    const KIND: &'static str = "any";
    const BACKEND: &'static str = "oip";
    const KEYS: &'static [&'static str] = &["url", "model", "digest"];

    fn read(mut table: ModelTable) -> Result<Self, ConfigError> {
        ModelAddress::read(&mut table).map(Self)
    }

    fn load(&self, name: ModelName, site: &Site<'_>) -> Result<Arc<dyn Engine>, LoadError> {
        let (items_max, clock) = (site.limits.items_max, site.around.clock.clone());
        Ok(Arc::new(PassthroughEngine::new((name, self.0.digest), self.0.upstream(site), items_max, clock)))
    }
}
