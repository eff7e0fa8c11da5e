//! A `[[model]]` table as written. Its kind and backend choose the source that reads the rest.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use weighhouse_types::Digest;

/// A model to serve.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Model")]
pub(crate) struct ModelTable {
    /// The name that callers ask for.
    pub(crate) name: String,
    /// Shown to callers.
    #[serde(default = "default_version")]
    pub(crate) version: String,
    /// The work it does: `classifier`, `text` (continues a text), `embed` (maps texts to vectors), or `any` (whatever the
    /// server behind it does; needs `backend = "oip"`).
    #[serde(default = "default_kind")]
    pub(crate) kind: String,
    /// The program that runs it: `burn` (the miner itself), or a server that the miner fronts: for text `openai` or `oip`, for
    /// any `oip`.
    #[serde(default = "default_backend")]
    pub(crate) backend: String,
    /// A model that the software carries: `digits-reference`, `digits-better` or `digits-weak`, or for text
    /// `language-reference` or `language-weak`.
    pub(crate) builtin: Option<String>,
    /// A classifier's safetensors file.
    pub(crate) weights: Option<PathBuf>,
    /// A folder with `config.json`, `model.safetensors` (or its shards) and `tokenizer.json`, for text or embed; or
    /// `OWNER/NAME` of a model on the Hugging Face hub, `@REVISION` behind it if wanted. With `openai`, that of the backend's
    /// model: its tokenizer finds the ids of tokens that the backend names by words or not at all.
    pub(crate) path: Option<PathBuf>,
    /// The device that computes one of our own text or embedding models: `auto` (an accelerator where there is one), `cpu`,
    /// `cuda`, `cuda:1`, `wgpu`, `wgpu:1`. A build has `cuda` and `wgpu` if it was made with those features.
    pub(crate) device: Option<String>,
    /// The backend's address, `http://HOST:PORT`.
    pub(crate) url: Option<String>,
    /// The model's name at the backend.
    pub(crate) model: Option<String>,
    /// A file with the backend's API key, where it wants one (`openai` only).
    pub(crate) key_file: Option<PathBuf>,
    /// The digest that answers are signed with: of the backend's weights (absent: that of `path`, or one of the backend's model
    /// name), or of a text model's folder, which has two where there is a `generation_config.json`.
    pub(crate) digest: Option<Digest>,
}

fn default_kind() -> String {
    "classifier".to_owned()
}

fn default_backend() -> String {
    "burn".to_owned()
}

fn default_version() -> String {
    "1".to_owned()
}

impl ModelTable {
    /// The optional keys that stand in the table.
    pub(crate) fn present(&self) -> Vec<&'static str> {
        let keys = [
            ("builtin", self.builtin.is_some()),
            ("weights", self.weights.is_some()),
            ("path", self.path.is_some()),
            ("device", self.device.is_some()),
            ("url", self.url.is_some()),
            ("model", self.model.is_some()),
            ("digest", self.digest.is_some()),
            ("key_file", self.key_file.is_some()),
        ];
        keys.into_iter().filter(|(_, stands)| *stands).map(|(key, _)| key).collect()
    }
}
