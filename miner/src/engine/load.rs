//! From the configuration to the engine that it describes.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use weighhouse_ask::completions::CompletionServer;
use weighhouse_models::LoadLimits;
use weighhouse_models::device::Place;
use weighhouse_models::encoder::Embedder;
use weighhouse_models::language::{DecoderLimits, LanguageModel};
use weighhouse_seams::{Clock, CpuPool};
use weighhouse_types::text::TextLimits;

use super::Engine;
use super::classifier::{ClassifierEngine, EngineLimits, LoadError, load_models};
use super::embed::EmbedEngine;
use super::passthrough::{PassthroughEngine, Upstream};
use super::router::Router;
use super::text::{Generator, Paces, TextEngine, TextModel};
use crate::backend::{Decoder, Oip, OpenAi, digest_of_name};
use crate::config::{Config, Language, ModelConfig, ModelSource, Protocol, Remote, Text};

/// What loading needs from outside.
pub struct Surroundings<'a> {
    /// A file's bytes.
    pub read: &'a dyn Fn(&Path) -> io::Result<Vec<u8>>,
    /// What a configured path stands for.
    pub expand: &'a dyn Fn(&Path) -> PathBuf,
    /// Where the folder of a configured model is, fetched if it must be.
    pub folder: &'a dyn Fn(&Path) -> Result<PathBuf, String>,
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
            ModelSource::Language(language) => {
                own_generator(&name, (language, &place(model)?), config, around)?
            }
            ModelSource::Embedder(path) => {
                let folder = folder(&name, path, around)?;
                let loaded = Embedder::load_on(&place(model)?, &folder, &LoadLimits::STANDARD);
                let embedder = loaded
                    .map_err(|error| LoadError::Embedder { name: name.clone(), error: error.into() })?;
                embedders.push((name, version, embedder));
                continue;
            }
            ModelSource::Passthrough(remote) => {
                let digest = remote.digest.unwrap_or_else(|| digest_of_name(&remote.model));
                let upstream = Upstream {
                    url: remote.url.clone(),
                    model: remote.model.clone(),
                    connect_timeout: config.text.connect_timeout,
                    answer_timeout: config.limits.request_timeout,
                    paces: Paces::from(&config.text),
                };
                let (names, items_max) = ((name, version, digest), config.limits.items_max);
                engines.push(Arc::new(PassthroughEngine::new(
                    names,
                    upstream,
                    items_max,
                    around.clock.clone(),
                )));
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
    (language, place): (&Language, &Place),
    config: &Config,
    around: &Surroundings<'_>,
) -> Result<Arc<dyn Generator>, LoadError> {
    let model = match language {
        Language::Folder(path) => {
            LanguageModel::load_on(place, &folder(name, path, around)?, &LoadLimits::STANDARD)
        }
        Language::Builtin(builtin) => LanguageModel::builtin_on(place, *builtin),
    };
    let model = model.map_err(|error| LoadError::Language { name: name.to_owned(), error: error.into() })?;
    let limits = DecoderLimits {
        sequences_max: config.text.sequences_max,
        cache_tokens_max: config.text.cache_tokens_max,
    };
    let decoder = Decoder::start(model, limits, config.limits.queue_max, around.cpu)
        .map_err(|error| LoadError::Thread { name: name.to_owned(), error })?;
    Ok(Arc::new(decoder))
}

/// Where a model of our own is computed.
fn place(model: &ModelConfig) -> Result<Place, LoadError> {
    let place = Place::find(model.device);
    let place = place.map_err(|error| LoadError::Device { name: model.name.clone(), error })?;
    tracing::info!(model = model.name, device = place.name(), "computes");
    Ok(place)
}

fn folder(name: &str, path: &Path, around: &Surroundings<'_>) -> Result<PathBuf, LoadError> {
    (around.folder)(path).map_err(|why| LoadError::Folder { name: name.to_owned(), why })
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
            Ok(Arc::new(OpenAi::new(CompletionServer { url, model, key, connect_timeout }, digest)))
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

#[cfg(test)]
mod tests {
    use weighhouse_proto::ModelKind;
    use weighhouse_seams::SystemClock;
    use weighhouse_types::text::{TextAnswer, TextRequest, TextsAnswer, TextsLimits, TextsRequest};

    use super::*;

    fn read(path: &Path) -> io::Result<Vec<u8>> {
        match path.to_str() {
            Some("good.key") => Ok(b" secret\n".to_vec()),
            Some("two.key") => Ok(b"one\ntwo".to_vec()),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn load_all(models: &str) -> Result<Arc<dyn Engine>, LoadError> {
        let text = format!("wallet = {{ name = 'a', hotkey = 'b' }}\nchain = {{ netuid = 1 }}\n{models}");
        let config = Config::parse(&text).expect("a valid configuration");
        let golden = |path: &Path| {
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/testdata/language").join(path)
        };
        let expand = |path: &Path| path.to_owned();
        let (cpu, clock) = (CpuPool::new(1, 4), Arc::new(SystemClock::new()) as Arc<dyn Clock>);
        let folder = |path: &Path| match path.to_str() {
            Some("nobody/model") => Err("the hub has no such model".to_owned()),
            _ => Ok(golden(path)),
        };
        load(
            &config,
            &Surroundings { read: &read, expand: &expand, folder: &folder, cpu: &cpu, clock: &clock },
        )
    }

    #[tokio::test]
    async fn every_kind_of_model_is_served_side_by_side() {
        let engine = load_all(
            "[[model]]\nname = 'digits'\nbuiltin = 'digits-weak'\n\
             [[model]]\nname = 'own'\nkind = 'text'\npath = 'llama'\n\
             [[model]]\nname = 'carried'\nkind = 'text'\nbuiltin = 'language-weak'\n\
             [[model]]\nname = 'vectors'\nkind = 'embed'\npath = 'bert'\n\
             [[model]]\nname = 'far'\nkind = 'text'\nbackend = 'oip'\nurl = 'http://127.0.0.1:1'\nmodel = 'x'\n\
             [[model]]\nname = 'near'\nkind = 'text'\nbackend = 'openai'\nurl = 'http://127.0.0.1:1'\nmodel = 'x'\n\
             key_file = 'good.key'\n",
        )
        .expect("loaded");
        let kind = |name: &str| engine.find(name, "").expect(name).kind.expect(name);
        assert_eq!(kind("digits"), ModelKind::Classifier);
        assert_eq!(kind("carried"), ModelKind::Text);
        assert_eq!((kind("own"), kind("vectors")), (ModelKind::Text, ModelKind::Embedding));
        let samplers = |name: &str| engine.find(name, "").expect(name).samplers.clone();
        assert_eq!(samplers("own"), ["greedy", "gumbel/v1"]);
        assert_eq!((samplers("far"), samplers("near")), (vec!["greedy".into()], vec!["greedy".to_owned()]));
        let digest = |name: &str| engine.find(name, "").expect(name).digest;
        assert_eq!((digest("far"), digest("near")), (digest_of_name("x"), digest_of_name("x")));

        let asked = TextRequest::greedy("the", 3).to_infer("own", "1").expect("small");
        let answer = engine.infer(&asked).await.expect("answered");
        let limits = TextLimits { prompt_bytes: 64, prompt_tokens: 64, max_tokens: 3 };
        assert!(!TextAnswer::from_infer(&answer, &limits).expect("well-formed").tokens.is_empty());
        let asked = TextsRequest { texts: vec!["the model".into(), "another".into()] };
        let answer = engine.infer(&asked.to_infer("vectors", "2").expect("small")).await.expect("answered");
        let limits = TextsLimits { texts: 2, bytes: 64, dimensions: 4_096 };
        assert_eq!(TextsAnswer::from_infer(&answer, &limits).expect("well-formed").rows.len(), 2);
        let asked = TextRequest::greedy("the", 3).to_infer("near", "1").expect("small");
        assert!(matches!(engine.infer(&asked).await, Err(super::super::EngineError::Backend(_))));
    }

    #[tokio::test]
    async fn a_model_that_can_not_be_loaded_is_named() {
        let remote =
            "name = 'm'\nkind = 'text'\nbackend = 'openai'\nurl = 'http://h:1'\nmodel = 'x'\nkey_file";
        let cases = [
            ("name = 'm'\nkind = 'text'\npath = 'nobody/model'".to_owned(), "no such model"),
            ("name = 'm'\nkind = 'text'\npath = 'nowhere'".into(), "\"m\""),
            ("name = 'm'\nkind = 'text'\npath = 'bert'".into(), "\"m\""),
            ("name = 'm'\nkind = 'embed'\npath = 'llama'".into(), "\"m\""),
            (format!("{remote} = 'two.key'"), "two.key"),
            (format!("{remote} = 'no.key'"), "no.key"),
        ];
        for (model, word) in cases {
            let error = load_all(&format!("[[model]]\n{model}")).expect_err(word).to_string();
            assert!(error.contains(word), "{error}");
        }
    }
}
