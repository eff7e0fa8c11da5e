//! The `[[model]]` tables: what each names must fit its kind and its backend, and nothing besides may stand there.

use std::collections::HashSet;
use std::path::PathBuf;

use weighhouse_models::Builtin;
use weighhouse_models::device::Device;
use weighhouse_models::language::{BuiltinLanguage, UnknownLanguage};
use weighhouse_types::Digest;

use super::ConfigError;
use super::raw::{Backend, Kind, Model};

/// Built-in classifiers are named after their task first.
const BUILTIN_PREFIX: &str = "digits-";

/// A model to serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelConfig {
    pub name: String,
    pub version: String,
    pub source: ModelSource,
    /// What runs a model of our own.
    pub device: Device,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModelSource {
    /// A classifier that the software carries.
    Builtin(Builtin),
    /// A classifier's safetensors file.
    Weights(PathBuf),
    /// A text model that the miner runs.
    Language(Language),
    /// The folder, or the hub's name, of an embedding model that the miner runs.
    Embedder(PathBuf),
    /// A text model behind another server.
    Remote(Remote),
    /// Any model behind a server of the Open Inference Protocol, whose requests are forwarded as they are.
    Passthrough(Remote),
}

/// Where a text model of our own comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Language {
    Builtin(BuiltinLanguage),
    /// A folder, or the hub's name of one.
    Folder(PathBuf),
}

/// A text model behind another server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remote {
    pub protocol: Protocol,
    pub url: http::Uri,
    /// What the server calls it.
    pub model: String,
    pub digest: Option<Digest>,
    pub key_file: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// OpenAI's completions.
    OpenAi,
    /// The Open Inference Protocol, version 2.
    Oip,
}

pub(super) fn check(models: Vec<Model>) -> Result<Vec<ModelConfig>, ConfigError> {
    if models.is_empty() {
        return Err(wrong("there is nothing to serve: add a [[model]]".into()));
    }
    let mut names = HashSet::new();
    let mut checked = Vec::with_capacity(models.len());
    for model in models {
        if !names.insert(model.name.clone()) {
            let why = format!("{:?} comes twice", model.name);
            return Err(ConfigError::Value { key: "model.name", why });
        }
        checked.push(check_one(model)?);
    }
    Ok(checked)
}

fn wrong(why: String) -> ConfigError {
    ConfigError::Value { key: "model", why }
}

fn check_one(model: Model) -> Result<ModelConfig, ConfigError> {
    check_keys(&model)?;
    let Model { name, version, kind, backend, builtin, weights, path, device, url, model, key_file, digest } =
        model;
    let device = device.map_or(Ok(Device::Auto), |device| device.parse::<Device>());
    let device =
        device.map_err(|error| ConfigError::Value { key: "model.device", why: error.to_string() })?;
    let source = match (kind, backend) {
        (Kind::Classifier, Backend::Burn) => match (builtin, weights) {
            (Some(builtin), None) => ModelSource::Builtin(parse_builtin(&builtin)?),
            (None, Some(path)) => ModelSource::Weights(path),
            _ => return Err(wrong(format!("{name:?} needs either `builtin` or `weights`"))),
        },
        (Kind::Text, Backend::Burn) => match (builtin, path) {
            (Some(builtin), None) => {
                let known = builtin.parse().map_err(|error: UnknownLanguage| unknown(error.to_string()))?;
                ModelSource::Language(Language::Builtin(known))
            }
            (None, Some(path)) => ModelSource::Language(Language::Folder(path)),
            _ => return Err(wrong(format!("{name:?} needs either `builtin` or `path`"))),
        },
        (Kind::Embed, Backend::Burn) => {
            ModelSource::Embedder(path.ok_or_else(|| wrong(format!("{name:?} needs a `path`")))?)
        }
        (Kind::Any, Backend::Burn | Backend::OpenAi) => {
            let why = format!("{name:?}: `kind = \"any\"` needs `backend = \"oip\"`, with `url` and `model`");
            return Err(wrong(why));
        }
        (Kind::Text | Kind::Any, Backend::OpenAi | Backend::Oip) => {
            let (Some(url), Some(model)) = (url, model) else {
                return Err(wrong(format!("{name:?} needs a `url` and a `model`")));
            };
            let protocol = if backend == Backend::Oip { Protocol::Oip } else { Protocol::OpenAi };
            let url = parse_url(&url)?;
            let remote = Remote { protocol, url, model, digest, key_file };
            if kind == Kind::Any { ModelSource::Passthrough(remote) } else { ModelSource::Remote(remote) }
        }
        (Kind::Classifier | Kind::Embed, Backend::OpenAi | Backend::Oip) => {
            let why = format!(
                "{name:?}: behind another server stands `kind = \"text\"`, or `kind = \"any\"` with `backend = \"oip\"`"
            );
            return Err(wrong(why));
        }
    };
    Ok(ModelConfig { name, version, source, device })
}

/// A key that would not be read is a mistake.
fn check_keys(model: &Model) -> Result<(), ConfigError> {
    let remote = model.backend != Backend::Burn;
    let present = [
        ("builtin", model.builtin.is_some(), !remote && matches!(model.kind, Kind::Classifier | Kind::Text)),
        ("weights", model.weights.is_some(), !remote && model.kind == Kind::Classifier),
        ("path", model.path.is_some(), !remote && matches!(model.kind, Kind::Text | Kind::Embed)),
        ("device", model.device.is_some(), !remote && matches!(model.kind, Kind::Text | Kind::Embed)),
        ("url", model.url.is_some(), remote),
        ("model", model.model.is_some(), remote),
        ("digest", model.digest.is_some(), remote),
        ("key_file", model.key_file.is_some(), model.backend == Backend::OpenAi),
    ];
    match present.into_iter().find(|(_, present, read)| *present && !read) {
        Some((key, ..)) => {
            Err(wrong(format!("{:?}: `{key}` says nothing to this kind and backend", model.name)))
        }
        None => Ok(()),
    }
}

fn parse_url(text: &str) -> Result<http::Uri, ConfigError> {
    let wrong = |why: &str| ConfigError::Value { key: "model.url", why: format!("{text:?} {why}") };
    let url: http::Uri = text.parse().map_err(|_| wrong("is no URL"))?;
    if url.scheme_str() != Some("http") {
        return Err(wrong("is not http://: a backend stands beside the miner, or behind a tunnel"));
    }
    if url.host().is_none_or(str::is_empty) || url.query().is_some() {
        return Err(wrong("is not http://HOST:PORT"));
    }
    Ok(url)
}

fn parse_builtin(name: &str) -> Result<Builtin, ConfigError> {
    let known = |builtin: &Builtin| format!("{BUILTIN_PREFIX}{builtin}");
    Builtin::ALL.into_iter().find(|builtin| known(builtin) == name).ok_or_else(|| {
        let names: Vec<_> = Builtin::ALL.iter().map(known).collect();
        unknown(format!("no {name:?}: there are {}", names.join(", ")))
    })
}

fn unknown(why: String) -> ConfigError {
    ConfigError::Value { key: "model.builtin", why }
}
