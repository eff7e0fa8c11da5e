//! Where a model's folder keeps its chat template and its special tokens.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

const TEMPLATE: &str = "chat_template.jinja";
const CONFIG: &str = "tokenizer_config.json";
const OLD_TEMPLATE: &str = "chat_template.json";
const TOKENIZER: &str = "tokenizer.json";
const POINTER: &str = "version https://git-lfs.github.com/spec/";
const TEMPLATE_BYTES_MAX: u64 = 1 << 20;
const TOKENIZER_BYTES_MAX: u64 = 64 << 20;

/// Reasons why a folder gives no chat template.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    #[error("{}: {error}", path.display())]
    Read { path: PathBuf, error: io::Error },
    #[error("{} is over the limit of {limit} bytes", path.display())]
    TooLong { path: PathBuf, limit: u64 },
    #[error("{}: {what}", path.display())]
    Unreadable { path: PathBuf, what: String },
    #[error("{} has no chat template: neither {TEMPLATE} nor `chat_template` in {CONFIG}; base models have none", .0.display())]
    None(PathBuf),
    #[error("the chat template doesn't compile: {0}")]
    Template(String),
}

/// A template's source and what it is given besides the messages.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) source: String,
    /// `bos_token`, `eos_token` and others, by name.
    pub(super) tokens: Map<String, Value>,
    pub(super) begins_with: Option<String>,
}

pub(super) fn find(folder: &Path) -> Result<Found, TemplateError> {
    let config = json(&folder.join(CONFIG), TEMPLATE_BYTES_MAX * 4)?.unwrap_or_default();
    let mut source = text(&folder.join(TEMPLATE), TEMPLATE_BYTES_MAX)?;
    if source.is_none() {
        source = template_in(&config);
    }
    if source.is_none() {
        source = template_in(&json(&folder.join(OLD_TEMPLATE), TEMPLATE_BYTES_MAX)?.unwrap_or_default());
    }
    let source = source.ok_or_else(|| TemplateError::None(folder.to_owned()))?;
    let mut tokens = Map::new();
    for (name, value) in config.as_object().into_iter().flatten() {
        // A token is a text, or an object with one.
        let token = value.as_str().or_else(|| value["content"].as_str());
        if let Some(token) = token.filter(|_| name.ends_with("_token")) {
            tokens.insert(name.clone(), token.into());
        }
    }
    let begins_with = begins_with(&config, &tokens, folder)?;
    Ok(Found { source, tokens, begins_with })
}

/// The template itself, or the one named `default` of several.
fn template_in(config: &Value) -> Option<String> {
    let template = &config["chat_template"];
    let named = || template.as_array()?.iter().find(|entry| entry["name"] == "default")?["template"].as_str();
    template.as_str().or_else(named).map(str::to_owned)
}

/// The first token of every text, as the tokenizer puts it there by itself.
fn begins_with(
    config: &Value,
    tokens: &Map<String, Value>,
    folder: &Path,
) -> Result<Option<String>, TemplateError> {
    let Some(first) = tokens.get("bos_token").and_then(Value::as_str) else { return Ok(None) };
    let tokenizer = json(&folder.join(TOKENIZER), TOKENIZER_BYTES_MAX)?;
    let adds = match &tokenizer {
        Some(tokenizer) => adds_first(&tokenizer["post_processor"], first),
        None => config["add_bos_token"] == true,
    };
    Ok(adds.then(|| first.to_owned()))
}

fn adds_first(processor: &Value, token: &str) -> bool {
    let within =
        |list: &Value| list.as_array().is_some_and(|list| list.iter().any(|one| adds_first(one, token)));
    match processor["type"].as_str() {
        Some("TemplateProcessing") => processor["single"][0]["SpecialToken"]["id"] == token,
        Some("Sequence") => within(&processor["processors"]),
        Some("BertProcessing" | "RobertaProcessing") => processor["cls"][0] == token,
        _ => false,
    }
}

fn json(path: &Path, limit: u64) -> Result<Option<Value>, TemplateError> {
    let unreadable = |error: serde_json::Error| TemplateError::Unreadable {
        path: path.to_owned(),
        what: error.to_string(),
    };
    text(path, limit)?.map(|text| serde_json::from_str(&text).map_err(unreadable)).transpose()
}

/// A file's text; `None` where there is no such file.
fn text(path: &Path, limit: u64) -> Result<Option<String>, TemplateError> {
    let failed = |error| TemplateError::Read { path: path.to_owned(), error };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let mut text = String::new();
    file.take(limit + 1).read_to_string(&mut text).map_err(failed)?;
    if text.len() as u64 > limit {
        return Err(TemplateError::TooLong { path: path.to_owned(), limit });
    }
    // As a template any text would compile.
    let what = if text.trim().is_empty() {
        "is empty: download it again"
    } else if text.starts_with(POINTER) {
        "is a Git LFS pointer that stands for the file: run `git lfs pull` in its folder"
    } else {
        return Ok(Some(text));
    };
    Err(TemplateError::Unreadable { path: path.to_owned(), what: what.to_owned() })
}
