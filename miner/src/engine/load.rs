//! From the configuration to the engine that it describes.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use weighhouse_models::LoadLimits;
use weighhouse_models::encoder::Embedder;
use weighhouse_models::language::{DecoderLimits, LanguageModel};
use weighhouse_seams::{Clock, CpuPool};
use weighhouse_types::text::TextLimits;

use super::Engine;
use super::classifier::{ClassifierEngine, EngineLimits, LoadError, load_models};
use super::embed::EmbedEngine;
use super::router::Router;
use super::text::{Generator, Paces, TextEngine, TextModel};
use crate::backend::{Decoder, Oip, OpenAi, OpenAiSettings, digest_of_name};
use crate::config::{Config, Language, ModelSource, Protocol, Remote, Text};

/// What loading needs from outside.
pub struct Surroundings<'a> {
    /// A file's bytes.
    pub read: &'a dyn Fn(&Path) -> io::Result<Vec<u8>>,
    /// What a configured path stands for.
    pub expand: &'a dyn Fn(&Path) -> PathBuf,
    pub cpu: &'a CpuPool,
    pub clock: &'a Arc<dyn Clock>,
}

impl std::fmt::Debug for Surroundings<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Surroundings").finish_non_exhaustive()
    }
}

/// The engine over every configured model. Must be called within a tokio runtime.
pub fn load(config: &Config, around: &Surroundings<'_>) -> Result<Arc<dyn Engine>, LoadError> {
    let mut engines: Vec<Arc<dyn Engine>> = Vec::new();
    let classifiers = load_models(&config.models, |path| (around.read)(&(around.expand)(path)))?;
    if !classifiers.is_empty() {
        let limits = EngineLimits::from(&config.limits);
        engines.push(Arc::new(ClassifierEngine::new(classifiers, limits, around.cpu)));
    }
    let (mut texts, mut embedders) = (Vec::new(), Vec::new());
    for model in &config.models {
        let (name, version) = (model.name.clone(), model.version.clone());
        let generator = match &model.source {
            ModelSource::Remote(remote) => remote_generator(remote, &config.text, around)?,
            ModelSource::Language(language) => own_generator(&name, language, config, around)?,
            ModelSource::Embedder(path) => {
                let loaded = Embedder::load(&(around.expand)(path), &LoadLimits::STANDARD);
                let embedder = loaded.map_err(|error| LoadError::Embedder { name: name.clone(), error })?;
                embedders.push((name, version, embedder));
                continue;
            }
            ModelSource::Builtin(_) | ModelSource::Weights(_) => continue,
        };
        texts.push(TextModel { name, version, generator });
    }
    if !embedders.is_empty() {
        let (items_max, bytes_max) = (config.limits.items_max, config.text.prompt_bytes_max);
        engines.push(Arc::new(EmbedEngine::new(embedders, items_max, bytes_max, around.cpu)));
    }
    if !texts.is_empty() {
        let (limits, paces) = (TextLimits::from(&config.text), Paces::from(&config.text));
        engines.push(Arc::new(TextEngine::new(texts, limits, paces, around.clock.clone())));
    }
    match <[_; 1]>::try_from(engines) {
        Ok([engine]) => Ok(engine),
        Err(engines) => Ok(Arc::new(Router::new(engines)?)),
    }
}

fn own_generator(
    name: &str,
    language: &Language,
    config: &Config,
    around: &Surroundings<'_>,
) -> Result<Arc<dyn Generator>, LoadError> {
    let name = || name.to_owned();
    let model = match language {
        Language::Folder(path) => LanguageModel::load(&(around.expand)(path), &LoadLimits::STANDARD)
            .map_err(|error| LoadError::Language { name: name(), error })?,
        Language::Builtin(builtin) => {
            return Err(LoadError::Builtin { name: name(), builtin: builtin.clone() });
        }
    };
    let limits = DecoderLimits {
        sequences_max: config.text.sequences_max,
        cache_tokens_max: config.text.cache_tokens_max,
    };
    let decoder = Decoder::start(model, limits, config.limits.queue_max, around.cpu)
        .map_err(|error| LoadError::Thread { name: name(), error })?;
    Ok(Arc::new(decoder))
}

fn remote_generator(
    remote: &Remote,
    text: &Text,
    around: &Surroundings<'_>,
) -> Result<Arc<dyn Generator>, LoadError> {
    let digest = remote.digest.unwrap_or_else(|| digest_of_name(&remote.model));
    let (model, connect_timeout) = (remote.model.clone(), text.connect_timeout);
    match remote.protocol {
        Protocol::Oip => {
            Ok(Arc::new(Oip::new(&remote.url, connect_timeout, model, digest, TextLimits::from(text))))
        }
        Protocol::OpenAi => {
            let key = remote.key_file.as_deref().map(|path| read_key(path, around)).transpose()?;
            let url = remote.url.clone();
            Ok(Arc::new(OpenAi::new(OpenAiSettings { url, model, digest, key, connect_timeout })))
        }
    }
}

fn read_key(path: &Path, around: &Surroundings<'_>) -> Result<String, LoadError> {
    let wrong = |error| LoadError::Key { path: path.display().to_string(), error };
    let bytes = (around.read)(&(around.expand)(path)).map_err(wrong)?;
    let key = String::from_utf8(bytes).unwrap_or_default().trim().to_owned();
    if key.is_empty() || key.contains(|c: char| c.is_control()) {
        return Err(wrong(io::Error::new(io::ErrorKind::InvalidData, "not one line of text")));
    }
    Ok(key)
}

impl From<&Text> for TextLimits {
    fn from(text: &Text) -> Self {
        Self {
            prompt_bytes: text.prompt_bytes_max,
            prompt_tokens: text.prompt_tokens_max,
            max_tokens: text.max_tokens,
        }
    }
}

impl From<&Text> for Paces {
    fn from(text: &Text) -> Self {
        Self { first: text.first_token_timeout, next: text.token_timeout, whole: text.stream_timeout }
    }
}
