//! Choices that make a localnet.

use serde::{Deserialize, Serialize};

/// A localnet as it is asked for. A kept state has its own seed, and goes on only with the same choices.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    pub task: Work,
    pub mode: Mode,
    /// Weights are committed under a timelock, and the chain opens them in the epoch after.
    pub commit_reveal: bool,
    /// The state's, or a random one, when absent.
    pub seed: Option<u64>,
    /// Epochs of this run; without an end when absent.
    pub epochs: Option<u64>,
}

/// The work of a localnet's miners.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Work {
    #[default]
    Digits,
    Generate,
    Embed,
}

impl Work {
    pub fn name(self) -> &'static str {
        match self {
            Self::Digits => "digits",
            Self::Generate => "generate",
            Self::Embed => "embed",
        }
    }
}

/// The quality that is paid: fidelity to the reference model, or closeness to the truth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    Conformance,
    Quality,
}

impl Mode {
    pub fn name(self) -> &'static str {
        match self {
            Self::Conformance => "conformance",
            Self::Quality => "quality",
        }
    }
}
