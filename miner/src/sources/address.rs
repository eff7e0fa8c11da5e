//! The keys of a model behind another server: `url`, `model` and `digest`.

use weighhouse_types::Digest;

use super::source::Site;
use crate::backend::digest_of_name;
use crate::config::error::ConfigError;
use crate::config::model::ModelTable;
use crate::engine::{Paces, Upstream};

/// A model at another server.
#[derive(Debug)]
pub(super) struct ModelAddress {
    pub(super) url: http::Uri,
    /// The model's name there.
    pub(super) model: String,
    pub(super) digest: Digest,
}

impl ModelAddress {
    pub(super) fn read(table: &mut ModelTable) -> Result<Self, ConfigError> {
        let (Some(url), Some(model)) = (table.url.take(), table.model.take()) else {
            return Err(ConfigError::model(format!("{:?} needs a `url` and a `model`", table.name)));
        };
        let digest = table.digest.unwrap_or_else(|| digest_of_name(&model));
        Ok(Self { url: parse_url(&url)?, model, digest })
    }

    /// The server of the Open Inference Protocol there, held to the miner's deadlines.
    pub(super) fn upstream(&self, site: &Site<'_>) -> Upstream {
        Upstream {
            url: self.url.clone(),
            model: self.model.clone(),
            connect_timeout: site.text.connect_timeout,
            answer_timeout: site.limits.request_timeout,
            paces: Paces::from(site.text),
        }
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
