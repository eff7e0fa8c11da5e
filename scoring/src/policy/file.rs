//! Version 2 of the file, field by field, as it is written. Every section may be left out; its keys then have the values
//! named here.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A validator's way from judgements to weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// The version of this file's format: 2.
    pub version: u32,
    #[serde(default)]
    pub metrics: Metrics,
    #[serde(default)]
    pub deadline: Deadline,
    #[serde(default)]
    pub average: Average,
    #[serde(default)]
    pub significance: Significance,
    #[serde(default)]
    pub newcomer: Newcomer,
    #[serde(default)]
    pub shape: ShapeKeys,
    #[serde(default)]
    pub caps: Caps,
    #[serde(default)]
    pub burn: Burn,
    #[serde(default)]
    pub cluster: Cluster,
    #[serde(default)]
    pub guards: Guards,
    #[serde(default)]
    pub audit: Audit,
    #[serde(default)]
    pub expression: ExpressionKeys,
}

/// Worth of one verdict. The shares sum to 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Metrics {
    /// The share that the judge's mark decides, in [0, 1].
    #[schemars(range(min = 0.0, max = 1.0))]
    pub mark: f64,
    /// The share that having answered in time decides, whatever the answer, in [0, 1].
    #[schemars(range(min = 0.0, max = 1.0))]
    pub answered: f64,
}

/// Latency counts as a deadline and as capacity, never as a gradient below the deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Deadline {
    /// An answer that took longer is worth no more than silence, in milliseconds; 0: the validator's own deadline only.
    pub milliseconds: u32,
    /// Answers in time per epoch that make full capacity: below, an epoch's mean counts in proportion; 0: not counted.
    pub capacity: u32,
}

/// Averaging of the epochs' means. Marks are signed and averaged first; clipping comes last.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Average {
    pub kind: AverageKind,
    /// `ema`: epochs after which half of an average is forgotten; 0: only the newest epoch counts.
    #[schemars(range(min = 0.0, max = 1000.0))]
    pub half_life: f64,
    /// `ema`: the same where the new epoch is worse than the average; absent: `half_life`.
    #[schemars(range(min = 0.0, max = 1000.0))]
    pub fall_half_life: Option<f64>,
    /// The other kinds: epochs looked back on, from 1 to 64.
    #[schemars(range(min = 1, max = 64))]
    pub epochs: u32,
    /// `trimmed`: the share of epochs dropped at each end, below 0.5.
    #[schemars(range(min = 0.0, max = 0.5))]
    pub trim: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AverageKind {
    /// Exponential moving average over epochs.
    #[default]
    Ema,
    /// The mean of all verdicts in the window.
    Window,
    /// The median of the epochs' means in the window.
    MedianOfMeans,
    /// The mean of the epochs' means in the window without the extremes.
    Trimmed,
}

/// Certainty that an average must have.
#[derive(Clone, Copy, Debug, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Significance {
    /// Standard errors taken off an average before it is clipped to a score, with at most three decimals, up to 10.
    #[schemars(range(min = 0.0, max = 10.0))]
    pub standard_errors: f64,
}

/// Conditions that a new registration must meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Newcomer {
    /// Verdicts over all epochs, below which a registration has no weight.
    pub min_attempts: u32,
    /// Epochs over which its score grows to the full value; 0: at once.
    pub ramp_epochs: u32,
}

/// Conversion of scores to weights.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ShapeKeys {
    pub kind: ShapeKind,
    /// A score below this is worth nothing, in [0, 1].
    #[schemars(range(min = 0.0, max = 1.0))]
    pub floor: f64,
    /// `power`: the exponent, above 0 and at most 16.
    pub exponent: f64,
    /// `softmax`: the temperature, from 0.01 to 100.
    pub temperature: f64,
    /// `rank`: a place's weight over the one before it, above 0 and at most 1.
    pub ratio: f64,
    /// `rank`, `winner_takes_all`: the share by which a challenger must beat who is ahead, in [0, 1].
    pub hysteresis: f64,
    /// `top_k`: how many are paid, at least 1.
    pub keep: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ShapeKind {
    #[default]
    Linear,
    Power,
    Softmax,
    Rank,
    WinnerTakesAll,
    TopK,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Caps {
    /// The largest share of one miner, above 0 and at most 1; what is cut goes to the others in proportion.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub share: f64,
}

/// Emission that no miner gets.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Burn {
    /// The share, at least 0 and less than 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub share: f64,
    /// The registered hotkey that gets it, as an SS58 address: on Bittensor, what the owner's hotkey earns is burned. It
    /// must not mine: the pay for its answers would come on top.
    pub hotkey: Option<String>,
}

/// Effect on pay of answers that are more alike than the judge expects.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Cluster {
    pub pay: ClusterPay,
    /// The share of common rounds in which two miners were alike, from which they are one cluster; above 0, at most 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub agreement: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClusterPay {
    /// Likeness means nothing.
    #[default]
    Each,
    /// A cluster gets what its best member alone would, in equal parts.
    Split,
    /// A cluster's earliest registration gets what its best member alone would, the others nothing.
    First,
}

/// When nothing is published at all.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Guards {
    /// The share of miners that the epoch must have judged, in [0, 1]. Silence is a verdict, so going silent stops nobody.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub min_coverage: f64,
    /// Verdicts that the epoch must have given a miner for it to count as judged, at least 1.
    #[schemars(range(min = 1))]
    pub min_samples: u32,
    /// Miners with enough verdicts, recent enough, below which no vector is published.
    pub min_miners: u16,
    /// Epochs for which an average counts after the last verdict behind it.
    pub max_age_epochs: u32,
}

/// Number of questions.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Audit {
    /// Rounds per epoch in which every miner is asked; 0: the validator's own setting.
    pub rounds: u32,
    /// Further rounds per epoch, for newcomers, for miners within three standard errors of the floor, and for a random
    /// share of the others.
    pub spot_rounds: u32,
    /// That random share, in [0, 1].
    #[schemars(range(min = 0.0, max = 1.0))]
    pub spot_share: f64,
    /// Of the other validators whose weights count, more than this share has to have signed an epoch's checkpoint; at least 0.5, so that
    /// two records always have a witness in common, and below 1.
    #[schemars(range(min = 0.5, max = 1.0))]
    pub witness_share: f64,
}

/// An expression in CEL, for what no field can say.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ExpressionKeys {
    /// The score before floor and ramp, from `score`, `average`, `error`, `answered`, `capacity` (doubles), `attempts` and
    /// `age` (ints, verdicts and epochs), with `min`, `max`, `abs`, `sqrt`, arithmetic, comparisons and `? :`.
    pub score: Option<String>,
}

impl Default for Audit {
    fn default() -> Self {
        Self { rounds: 0, spot_rounds: 0, spot_share: 0.0, witness_share: 0.5 }
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self { mark: 1.0, answered: 0.0 }
    }
}

impl Default for Average {
    fn default() -> Self {
        Self { kind: AverageKind::Ema, half_life: 0.0, fall_half_life: None, epochs: 8, trim: 0.0 }
    }
}

impl Default for Newcomer {
    fn default() -> Self {
        Self { min_attempts: 1, ramp_epochs: 0 }
    }
}

impl Default for ShapeKeys {
    fn default() -> Self {
        Self {
            kind: ShapeKind::Linear,
            floor: 0.0,
            exponent: 1.0,
            temperature: 1.0,
            ratio: 0.5,
            hysteresis: 0.0,
            keep: 1,
        }
    }
}

impl Default for Caps {
    fn default() -> Self {
        Self { share: 1.0 }
    }
}

impl Default for Cluster {
    fn default() -> Self {
        Self { pay: ClusterPay::Each, agreement: 0.9 }
    }
}

impl Default for Guards {
    fn default() -> Self {
        Self { min_coverage: 0.8, min_samples: 1, min_miners: 1, max_age_epochs: 3 }
    }
}

impl Default for File {
    fn default() -> Self {
        Self {
            version: super::error::POLICY_VERSION,
            metrics: Metrics::default(),
            deadline: Deadline::default(),
            average: Average::default(),
            significance: Significance::default(),
            newcomer: Newcomer::default(),
            shape: ShapeKeys::default(),
            caps: Caps::default(),
            burn: Burn::default(),
            cluster: Cluster::default(),
            guards: Guards::default(),
            audit: Audit::default(),
            expression: ExpressionKeys::default(),
        }
    }
}

/// The JSON Schema (draft 2020-12) of a version 2 file.
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(File).to_value()
}
