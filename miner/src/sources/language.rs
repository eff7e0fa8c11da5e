//! `kind = "text"`: a language model that the miner runs.

use std::path::PathBuf;
use std::sync::Arc;

use weighhouse_models::LoadLimits;
use weighhouse_models::device::Device;
use weighhouse_models::language::{BuiltinLanguage, DecoderLimits, LanguageModel, UnknownLanguage};
use weighhouse_types::Digest;
use weighhouse_types::text::TextLimits;

use super::error::LoadError;
use super::source::{ModelSource, Site, place, read_device};
use crate::backend::Decoder;
use crate::config::error::ConfigError;
use crate::config::model::ModelTable;
use crate::engine::{Engine, ModelName, Paces, TextEngine};

/// A language model of our own.
#[derive(Debug)]
pub(super) struct LanguageSource {
    weights: LanguageWeights,
    device: Device,
    /// The digest that the model is to be called by.
    digest: Option<Digest>,
}

#[derive(Debug)]
enum LanguageWeights {
    Builtin(BuiltinLanguage),
    /// A folder, or the hub's name of one.
    Folder(PathBuf),
}

impl ModelSource for LanguageSource {
    const KIND: &'static str = "text";
    const BACKEND: &'static str = "burn";
    const KEYS: &'static [&'static str] = &["builtin", "path", "device", "digest"];

    fn read(table: ModelTable) -> Result<Self, ConfigError> {
        let unknown =
            |error: UnknownLanguage| ConfigError::Value { key: "model.builtin", why: error.to_string() };
        let weights = match (table.builtin, table.path) {
            (Some(builtin), None) => LanguageWeights::Builtin(builtin.parse().map_err(unknown)?),
            (None, Some(path)) => LanguageWeights::Folder(path),
            _ => {
                let why = format!("{:?} needs either `builtin` or `path`", table.name);
                return Err(ConfigError::model(why));
            }
        };
        Ok(Self { weights, device: read_device(table.device)?, digest: table.digest })
    }

    fn load(&self, name: ModelName, site: &Site<'_>) -> Result<Arc<dyn Engine>, LoadError> {
        let place = place(&name, self.device)?;
        let loaded = match &self.weights {
            LanguageWeights::Folder(path) => {
                LanguageModel::load_on(&place, &site.folder(&name, path)?, &LoadLimits::STANDARD)
            }
            LanguageWeights::Builtin(builtin) => LanguageModel::builtin_on(&place, *builtin),
        };
        let model =
            loaded.map_err(|error| LoadError::Language { name: name.name.clone(), error: error.into() })?;
        let model = self.called(&name, model)?;
        let limits = DecoderLimits {
            sequences_max: site.text.sequences_max,
            cache_tokens_max: site.text.cache_tokens_max,
        };
        let decoder = Decoder::start(model, limits, site.limits.queue_max, site.around.cpu)
            .map_err(|error| LoadError::Thread { name: name.name.clone(), error })?;
        let bounds = (TextLimits::from(site.text), Paces::from(site.text));
        Ok(Arc::new(TextEngine::new(name, Arc::new(decoder), bounds, site.around.clock.clone())))
    }
}

impl LanguageSource {
    /// The model by the digest that the configuration names; what its operator should know is said.
    fn called(&self, name: &ModelName, model: LanguageModel) -> Result<LanguageModel, LoadError> {
        let name = &name.name;
        if let Some(warning) = model.tokens().warning() {
            tracing::warn!(model = name, "{warning}");
        }
        if let [newest, older] = model.tokens().digests() {
            tracing::info!(
                model = name, digest = %newest, without_generation_config = %older,
                "end tokens are those of generation_config.json, which the digest covers; a task that pins the other digest \
                 means the same folder: set `digest` to be called by it"
            );
        }
        let Some(wanted) = self.digest else { return Ok(model) };
        let own: Vec<String> = model.tokens().digests().iter().map(Digest::to_string).collect();
        let (name, own) = (name.clone(), own.join(" or "));
        model.under(wanted).ok_or(LoadError::Digest { name, wanted, own })
    }
}
