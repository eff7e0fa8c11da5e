//! `config.json` of a BERT model, and the files that `sentence-transformers` puts beside it.

use std::path::{Component, Path};

use serde::Deserialize;

use crate::folder::{Folder, FolderError};
use crate::language::{ModelConfigError, model_type, within};

/// The way in which the tokens' vectors become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pooling {
    Mean,
    /// The first token's.
    First,
}

#[derive(Debug, thiserror::Error)]
pub enum EncoderConfigError {
    #[error("config.json: {0}")]
    Config(#[from] ModelConfigError),
    #[error("{file}: {what}")]
    Beside { file: &'static str, what: String },
    #[error(transparent)]
    Folder(#[from] FolderError),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct EncoderShape {
    pub(crate) vocabulary: usize,
    pub(crate) width: usize,
    pub(crate) inner: usize,
    pub(crate) layers: usize,
    pub(crate) heads: usize,
    pub(crate) positions: usize,
    pub(crate) types: usize,
    pub(crate) norm_epsilon: f64,
    pub(crate) tokens_max: usize,
    pub(crate) pooling: Pooling,
    /// To length 1.
    pub(crate) normalise: bool,
}

#[derive(Debug, Deserialize)]
struct Raw {
    vocab_size: usize,
    hidden_size: usize,
    intermediate_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    max_position_embeddings: usize,
    type_vocab_size: usize,
    layer_norm_eps: f64,
    hidden_act: String,
    position_embedding_type: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Module {
    #[serde(rename = "type")]
    kind: String,
    path: String,
}

#[derive(Debug, Deserialize)]
struct RawPooling {
    /// A newer form of the keys below.
    pooling_mode: Option<String>,
    #[serde(default)]
    pooling_mode_cls_token: bool,
    #[serde(default)]
    pooling_mode_mean_tokens: bool,
    #[serde(flatten)]
    others: std::collections::BTreeMap<String, serde_json::Value>,
}

#[derive(Debug, Deserialize)]
struct Sentence {
    max_seq_length: usize,
}

impl RawPooling {
    fn mode(self) -> Result<Pooling, &'static str> {
        let on = |(key, value): (&String, &serde_json::Value)| {
            key.starts_with("pooling_mode_") && value.as_bool() == Some(true)
        };
        let others = self.others.iter().any(on);
        match (self.pooling_mode_mean_tokens, self.pooling_mode_cls_token, self.pooling_mode.as_deref()) {
            (true, false, None) | (false, false, Some("mean")) if !others => Ok(Pooling::Mean),
            (false, true, None) | (false, false, Some("cls")) if !others => Ok(Pooling::First),
            _ => Err("only the mean over tokens or the first token is served"),
        }
    }
}

impl EncoderShape {
    pub(crate) fn read(config: &[u8], root: &Path) -> Result<Self, EncoderConfigError> {
        let value = model_type(config)?;
        if value != "bert" {
            return Err(ModelConfigError::Unserved { key: "model_type", value, served: "bert" }.into());
        }
        let raw: Raw =
            serde_json::from_slice(config).map_err(|error| ModelConfigError::Json(error.to_string()))?;
        if raw.hidden_act != "gelu" {
            let (key, value) = ("hidden_act", raw.hidden_act);
            return Err(ModelConfigError::Unserved { key, value, served: "gelu" }.into());
        }
        if let Some(value) = raw.position_embedding_type.filter(|kind| kind != "absolute") {
            let key = "position_embedding_type";
            return Err(ModelConfigError::Unserved { key, value, served: "absolute" }.into());
        }
        let heads = within("num_attention_heads", raw.num_attention_heads, 1..=256)?;
        // At least `heads`, so that each head has a number.
        let width = within("hidden_size", raw.hidden_size, heads..=65_536)?;
        if !width.is_multiple_of(heads) {
            let what = format!("{width} numbers can't be split over {heads} heads");
            return Err(ModelConfigError::Inconsistent(what).into());
        }
        let positions = within("max_position_embeddings", raw.max_position_embeddings, 1..=65_536)?;
        let sentence: Option<Sentence> = beside(root, "sentence_bert_config.json")?;
        let (pooling, normalise) = pooling(root)?;
        Ok(Self {
            vocabulary: within("vocab_size", raw.vocab_size, 1..=1_048_576)?,
            width,
            inner: within("intermediate_size", raw.intermediate_size, 1..=65_536)?,
            layers: within("num_hidden_layers", raw.num_hidden_layers, 1..=256)?,
            heads,
            positions,
            types: within("type_vocab_size", raw.type_vocab_size, 1..=256)?,
            norm_epsilon: raw.layer_norm_eps,
            // Positions beyond the table have no embedding, whatever the file beside it says.
            tokens_max: sentence.map_or(positions, |sentence| sentence.max_seq_length.min(positions)),
            pooling,
            normalise,
        })
    }
}

fn pooling(root: &Path) -> Result<(Pooling, bool), EncoderConfigError> {
    let file = "modules.json";
    let Some(modules) = beside::<Vec<Module>>(root, file)? else {
        if root.join("1_Pooling").exists() {
            let what = "is missing, though there is 1_Pooling: is the download complete?".to_owned();
            return Err(EncoderConfigError::Beside { file, what });
        }
        return Ok((Pooling::Mean, false));
    };
    let (mut pooling, mut normalise) = (Pooling::Mean, false);
    for module in modules {
        match module.kind.rsplit('.').next().unwrap_or_default() {
            "Transformer" => {}
            "Normalize" => normalise = true,
            // The path comes with the model and must not lead out of its folder.
            "Pooling"
                if Path::new(&module.path).components().all(|part| matches!(part, Component::Normal(_))) =>
            {
                let raw: Option<RawPooling> = beside(&root.join(&module.path), "config.json")?;
                pooling = raw
                    .map_or_else(|| Err("is missing: is the download complete?"), RawPooling::mode)
                    .map_err(|what| EncoderConfigError::Beside {
                        file: "the pooling's config.json",
                        what: what.to_owned(),
                    })?;
            }
            _ => {
                let what = format!("module {:?} is not served", module.kind);
                return Err(EncoderConfigError::Beside { file, what });
            }
        }
    }
    Ok((pooling, normalise))
}

fn beside<T: serde::de::DeserializeOwned>(
    root: &Path,
    file: &'static str,
) -> Result<Option<T>, EncoderConfigError> {
    let Some(bytes) = Folder::optional(root, file)? else { return Ok(None) };
    let refuse = |error: serde_json::Error| EncoderConfigError::Beside { file, what: error.to_string() };
    serde_json::from_slice(&bytes).map(Some).map_err(refuse)
}
