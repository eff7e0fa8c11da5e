//! `Miner.Describe`'s answer to and from [`Description`].

use std::time::Duration;

use weighhouse_types::{Digest, Hotkey};

use crate::v1;

/// A miner's description of itself. Nothing in it enters a score.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    pub hotkey: Hotkey,
    /// Name and version of the serving software.
    pub software: String,
    pub models: Vec<ModelDescription>,
    pub limits: ServingLimits,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelDescription {
    pub name: String,
    pub version: String,
    /// Of the weights file.
    pub digest: Digest,
    /// `None` where the miner doesn't say.
    pub kind: Option<ModelKind>,
    /// Names of the samplers that a text model offers.
    pub samplers: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModelKind {
    /// Maps an input to a distribution over classes.
    Classifier,
    /// Continues a text.
    Text,
    /// Maps texts to vectors.
    Embedding,
}

/// Limits that a miner sets one caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServingLimits {
    /// Bytes of one framed request.
    pub request_bytes_max: u64,
    /// Items in the first dimension of one request's input.
    pub items_max: u32,
    /// HTTP/2 streams of one connection.
    pub streams_max: u32,
    pub request_timeout: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DescriptionError {
    #[error("a hotkey has 32 bytes, this one {length}")]
    Hotkey { length: usize },
    #[error("model {model:?}: a digest has 32 bytes, this one {length}")]
    Digest { model: String, length: usize },
    #[error("model {model:?}: unknown kind {kind}")]
    Kind { model: String, kind: i32 },
    #[error("the limits are missing")]
    NoLimits,
    #[error("the request timeout is missing or negative")]
    Timeout,
}

impl From<Description> for v1::DescribeResponse {
    fn from(description: Description) -> Self {
        let limits = description.limits;
        Self {
            hotkey: description.hotkey.0.to_vec(),
            software: description.software,
            models: description.models.into_iter().map(v1::ServedModel::from).collect(),
            limits: Some(v1::Limits {
                request_bytes_max: limits.request_bytes_max,
                items_max: limits.items_max,
                streams_max: limits.streams_max,
                // Only a timeout of over 292 billion years would not fit.
                request_timeout: limits.request_timeout.try_into().ok(),
            }),
        }
    }
}

impl From<ModelDescription> for v1::ServedModel {
    fn from(model: ModelDescription) -> Self {
        let kind = match model.kind {
            None => v1::ModelKind::Unspecified,
            Some(ModelKind::Classifier) => v1::ModelKind::Classifier,
            Some(ModelKind::Text) => v1::ModelKind::Text,
            Some(ModelKind::Embedding) => v1::ModelKind::Embedding,
        };
        Self {
            name: model.name,
            version: model.version,
            digest: model.digest.0.to_vec(),
            kind: kind.into(),
            samplers: model.samplers,
        }
    }
}

impl TryFrom<v1::DescribeResponse> for Description {
    type Error = DescriptionError;

    fn try_from(message: v1::DescribeResponse) -> Result<Self, DescriptionError> {
        let hotkey = <[u8; 32]>::try_from(message.hotkey)
            .map_err(|bytes| DescriptionError::Hotkey { length: bytes.len() })?;
        let limits = message.limits.ok_or(DescriptionError::NoLimits)?;
        let request_timeout = limits
            .request_timeout
            .and_then(|timeout| Duration::try_from(timeout).ok())
            .ok_or(DescriptionError::Timeout)?;
        Ok(Self {
            hotkey: Hotkey(hotkey),
            software: message.software,
            models: message.models.into_iter().map(ModelDescription::try_from).collect::<Result<_, _>>()?,
            limits: ServingLimits {
                request_bytes_max: limits.request_bytes_max,
                items_max: limits.items_max,
                streams_max: limits.streams_max,
                request_timeout,
            },
        })
    }
}

impl TryFrom<v1::ServedModel> for ModelDescription {
    type Error = DescriptionError;

    fn try_from(message: v1::ServedModel) -> Result<Self, DescriptionError> {
        let v1::ServedModel { name, version, digest, kind, samplers } = message;
        let digest = match <[u8; 32]>::try_from(digest) {
            Ok(bytes) => Digest(bytes),
            Err(bytes) => return Err(DescriptionError::Digest { model: name, length: bytes.len() }),
        };
        let kind = match v1::ModelKind::try_from(kind) {
            Ok(v1::ModelKind::Unspecified) => None,
            Ok(v1::ModelKind::Classifier) => Some(ModelKind::Classifier),
            Ok(v1::ModelKind::Text) => Some(ModelKind::Text),
            Ok(v1::ModelKind::Embedding) => Some(ModelKind::Embedding),
            Err(_) => {
                return Err(DescriptionError::Kind { model: name, kind });
            }
        };
        Ok(Self { name, version, digest, kind, samplers })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn description() -> Description {
        Description {
            hotkey: Hotkey([7; 32]),
            software: "weighhouse 0.1.0".into(),
            models: vec![ModelDescription {
                name: "digits".into(),
                version: "1".into(),
                digest: Digest::of(b"weights"),
                kind: Some(ModelKind::Text),
                samplers: vec!["greedy".into(), "gumbel/v1".into()],
            }],
            limits: ServingLimits {
                request_bytes_max: 1 << 20,
                items_max: 64,
                streams_max: 100,
                request_timeout: Duration::from_millis(1500),
            },
        }
    }

    #[test]
    fn a_description_round_trips() {
        let message = v1::DescribeResponse::from(description());
        assert_eq!(Description::try_from(message), Ok(description()));
    }

    #[test]
    fn a_description_that_lacks_something_is_refused() {
        let message = || v1::DescribeResponse::from(description());
        let short = v1::DescribeResponse { hotkey: vec![1; 31], ..message() };
        assert_eq!(Description::try_from(short), Err(DescriptionError::Hotkey { length: 31 }));
        let unlimited = v1::DescribeResponse { limits: None, ..message() };
        assert_eq!(Description::try_from(unlimited), Err(DescriptionError::NoLimits));
        let mut unknown = message();
        unknown.models[0].kind = 99;
        assert!(matches!(Description::try_from(unknown), Err(DescriptionError::Kind { kind: 99, .. })));
        let mut backwards = message();
        backwards.limits.as_mut().expect("set above").request_timeout =
            Some(prost_types::Duration { seconds: -1, nanos: 0 });
        assert_eq!(Description::try_from(backwards), Err(DescriptionError::Timeout));
    }
}
