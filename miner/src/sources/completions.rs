//! `kind = "text"` behind another server: one with OpenAI's completions, or one of the Open Inference Protocol.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use weighhouse_ask::completions::CompletionServer;
use weighhouse_models::LoadLimits;
use weighhouse_models::language::LanguageTokens;
use weighhouse_types::Digest;
use weighhouse_types::text::TextLimits;

use super::address::ModelAddress;
use super::error::LoadError;
use super::source::{ModelSource, Site};
use crate::backend::{Oip, OpenAi};
use crate::config::error::ConfigError;
use crate::config::model::ModelTable;
use crate::engine::{Engine, Generator, ModelName, Paces, TextEngine};

/// A text model behind a server with OpenAI's completions.
#[derive(Debug)]
pub(super) struct OpenAiSource {
    address: ModelAddress,
    key_file: Option<PathBuf>,
    /// The folder of the server's model, for its tokenizer and its digest.
    folder: Option<PathBuf>,
    /// The digest that the configuration names.
    digest: Option<Digest>,
}

/// A text model behind a server of the Open Inference Protocol.
#[derive(Debug)]
pub(super) struct OipSource(ModelAddress);

impl ModelSource for OpenAiSource {
    const KIND: &'static str = "text";
    const BACKEND: &'static str = "openai";
    const KEYS: &'static [&'static str] = &["url", "model", "digest", "key_file", "path"];

    fn read(mut table: ModelTable) -> Result<Self, ConfigError> {
        let address = ModelAddress::read(&mut table)?;
        Ok(Self { address, key_file: table.key_file, folder: table.path, digest: table.digest })
    }

    fn load(&self, name: ModelName, site: &Site<'_>) -> Result<Arc<dyn Engine>, LoadError> {
        let ModelAddress { url, model, .. } = &self.address;
        let server = CompletionServer {
            url: url.clone(),
            model: model.clone(),
            key: self.key_file.as_deref().map(|path| read_key(path, site)).transpose()?,
            connect_timeout: site.text.connect_timeout,
        };
        let read = |path: &PathBuf| {
            LanguageTokens::read(&site.folder(&name, path)?, &LoadLimits::STANDARD)
                .map_err(|error| LoadError::Language { name: name.name.clone(), error: error.into() })
        };
        let tokenizer = self.folder.as_ref().map(read).transpose()?;
        let digest = self.called(&name, tokenizer.as_ref());
        let behind = match tokenizer {
            Some(tokenizer) => OpenAi::with_tokenizer(server, digest, tokenizer),
            None => OpenAi::new(server, digest),
        };
        Ok(engine(name, Arc::new(behind), site))
    }
}

impl OpenAiSource {
    /// The digest that answers are signed with: the folder's own where no other is named. What its operator should know is
    /// said.
    fn called(&self, name: &ModelName, folder: Option<&LanguageTokens>) -> Digest {
        let Some(folder) = folder else { return self.address.digest };
        let model = &name.name;
        if let Some(warning) = folder.warning() {
            tracing::warn!(model, "{warning}");
        }
        let named = self.digest.unwrap_or_else(|| folder.digest());
        if !folder.digests().contains(&named) {
            tracing::warn!(
                model, digest = %named, folder = %folder.digest(),
                "`digest` is none of those of the folder in `path`: answers are signed as another model's"
            );
        }
        named
    }
}

impl ModelSource for OipSource {
    const KIND: &'static str = "text";
    const BACKEND: &'static str = "oip";
    const KEYS: &'static [&'static str] = &["url", "model", "digest"];

    fn read(mut table: ModelTable) -> Result<Self, ConfigError> {
        ModelAddress::read(&mut table).map(Self)
    }

    fn load(&self, name: ModelName, site: &Site<'_>) -> Result<Arc<dyn Engine>, LoadError> {
        let server = Oip::new(self.0.upstream(site), self.0.digest, site.around.clock.clone());
        Ok(engine(name, Arc::new(server), site))
    }
}

fn engine(name: ModelName, generator: Arc<dyn Generator>, site: &Site<'_>) -> Arc<dyn Engine> {
    let bounds = (TextLimits::from(site.text), Paces::from(site.text));
    Arc::new(TextEngine::new(name, generator, bounds, site.around.clock.clone()))
}

fn read_key(path: &Path, site: &Site<'_>) -> Result<String, LoadError> {
    let wrong = |error| LoadError::Key { path: path.display().to_string(), error };
    let key = String::from_utf8(site.read(path).map_err(wrong)?).unwrap_or_default().trim().to_owned();
    // A line break would end the header that carries the key.
    if key.is_empty() || key.contains(|c: char| c.is_control()) {
        return Err(wrong(io::Error::new(io::ErrorKind::InvalidData, "not one line of text")));
    }
    Ok(key)
}
