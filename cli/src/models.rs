//! Models by name: one that is built in, a folder, or a repository of the Hugging Face hub.

#[cfg(feature = "hub")]
mod hub;
mod named;

use std::path::{Path, PathBuf};

use weighhouse_models::device::Place;
use weighhouse_models::encoder::Embedder;
use weighhouse_models::language::{
    BuiltinLanguage, LanguageError, LanguageModel, LanguageTokens, ModelConfigError,
};
use weighhouse_models::precision::Precision;
use weighhouse_models::{Builtin, LoadLimits};
use weighhouse_types::Digest;

use crate::commands::expand;
use crate::failure::{Context, Exit, Failure};
pub(crate) use named::NamedModels;

#[cfg(feature = "hub")]
use hub::{HubName, fetch};

/// A language model: `language-reference`, `language-weak`, a folder, or `OWNER/NAME[@REVISION]` of the hub.
pub(crate) fn language(name: &str) -> Result<LanguageModel, Failure> {
    language_on(&Place::cpu(), name)
}

/// The same, computed where one wants it.
pub(crate) fn language_on(place: &Place, name: &str) -> Result<LanguageModel, Failure> {
    match name.parse::<BuiltinLanguage>() {
        Ok(builtin) => LanguageModel::builtin_on(place, builtin).exit(Exit::Internal, name),
        Err(_) => {
            LanguageModel::load_on(place, &named(name)?, &LoadLimits::STANDARD).exit(Exit::Missing, name)
        }
    }
}

/// The same, with the weights rounded.
pub(crate) fn language_rounded(name: &str, precision: Precision) -> Result<LanguageModel, Failure> {
    match name.parse::<BuiltinLanguage>() {
        Ok(builtin) => LanguageModel::builtin_rounded(builtin, precision).exit(Exit::Internal, name),
        Err(_) => LanguageModel::load_rounded(&named(name)?, &LoadLimits::STANDARD, precision)
            .exit(Exit::Missing, name),
    }
}

/// A weights file by path or built-in name.
pub(crate) fn weights(reference: &str) -> Result<Vec<u8>, Failure> {
    match reference.strip_prefix("digits-").and_then(|name| name.parse::<Builtin>().ok()) {
        Some(builtin) => Ok(builtin.bytes().to_vec()),
        None => std::fs::read(reference).exit(Exit::Missing, reference),
    }
}

/// A language model's tokens and identity, from its folder or the hub.
pub(crate) fn tokens(name: &str) -> Result<LanguageTokens, Failure> {
    LanguageTokens::read(&named(name)?, &LoadLimits::STANDARD).exit(Exit::Missing, name)
}

/// A folder's digests, the newest first, and its end tokens: of a language model, or of an encoder, which has none.
pub(crate) fn identity(name: &str) -> Result<(Vec<Digest>, Vec<u32>), Failure> {
    match LanguageTokens::read(&named(name)?, &LoadLimits::STANDARD) {
        Err(LanguageError::Config(ModelConfigError::Family(family))) if family == "bert" => {
            Ok((vec![encoder(name)?.digest()], Vec::new()))
        }
        read => read
            .map(|tokens| (tokens.digests().to_vec(), tokens.end_tokens().to_vec()))
            .exit(Exit::Missing, name),
    }
}

/// An encoder: a folder, or `OWNER/NAME[@REVISION]` of the hub.
pub(crate) fn encoder(name: &str) -> Result<Embedder, Failure> {
    encoder_on(&Place::cpu(), name)
}

/// The same, computed where one wants it.
pub(crate) fn encoder_on(place: &Place, name: &str) -> Result<Embedder, Failure> {
    Embedder::load_on(place, &named(name)?, &LoadLimits::STANDARD).exit(Exit::Missing, name)
}

/// The same, with the weights rounded.
pub(crate) fn encoder_rounded(name: &str, precision: Precision) -> Result<Embedder, Failure> {
    Embedder::load_rounded(&named(name)?, &LoadLimits::STANDARD, precision).exit(Exit::Missing, name)
}

fn named(name: &str) -> Result<PathBuf, Failure> {
    folder(Path::new(name)).map_err(|why| Failure::new(Exit::Missing, why))
}

/// The folder of a model, fetched into the hub's cache where it is no folder here but could be one there.
pub(crate) fn folder(path: &Path) -> Result<PathBuf, String> {
    let here = expand(path);
    #[cfg(not(feature = "hub"))]
    if !here.exists() && path.is_relative() && path.components().count() == 2 {
        let lacks = crate::commands::lacks("a model of the Hugging Face hub");
        return Err(format!("{}: there is no such folder here, and {lacks}", path.display()));
    }
    #[cfg(not(feature = "hub"))]
    return Ok(here);
    #[cfg(feature = "hub")]
    match path.to_str().and_then(HubName::parse) {
        Some(name) if !here.exists() => fetch(&name).map_err(|error| format!("{}: {error}", path.display())),
        _ => Ok(here),
    }
}
