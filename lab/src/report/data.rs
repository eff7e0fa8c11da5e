//! Data of a report: tables, curves and figures, in the form in which its JSON holds them.

use serde::{Deserialize, Serialize};

use crate::attack::MatrixCell;

/// Everything that a report shows. A part that is empty is left out of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Data {
    pub title: String,
    /// Earnings of attacks over those of honest work by the same operators.
    pub matrix: Vec<MatrixCell>,
    /// What each attack of the matrix does, how it is seen and what answers it.
    pub explanations: Vec<Note>,
    /// Best response that an optimiser in the attacker's place found.
    pub best_response: Option<BestResponse>,
    /// Each persona's share of what miners earn, epoch by epoch.
    pub curves: Vec<Series>,
    pub distributions: Vec<Distribution>,
    pub comparison: Option<Comparison>,
    pub figures: Vec<Figure>,
    /// Results by group and the measured figures that the run used.
    pub tables: Vec<ReportTable>,
    /// Seeds, policy hashes and whatever else it takes to run it again.
    pub notes: Vec<Note>,
}

/// The best strategy that a search found against a policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BestResponse {
    /// Profit over that of honest work, on seeds that the search did not see.
    pub profit_ratio: Option<f64>,
    pub evaluations: u64,
    pub goal: Option<Goal>,
    /// In words or as the strategy's own text.
    pub strategy: String,
}

/// One persona's share of what miners earn, by epoch, each in [0, 1].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Series {
    pub name: String,
    #[serde(default)]
    pub attacker: bool,
    /// The mean over seeds.
    pub values: Vec<Option<f64>>,
    /// Least over seeds; empty if there was only one.
    #[serde(default)]
    pub low: Vec<Option<f64>>,
    /// Most over seeds; empty if there was only one.
    #[serde(default)]
    pub high: Vec<Option<f64>>,
}

/// Weights by rank, the largest first, in any unit: shares of their sum are shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Distribution {
    pub label: String,
    pub weights: Vec<f64>,
}

/// Two policies over the same records.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Comparison {
    /// Name of the one policy.
    pub before: String,
    /// Name of the other.
    pub after: String,
    pub changes: Vec<Change>,
}

/// One miner's share of all, in [0, 1]; `None` where it is not registered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    pub miner: String,
    pub before: Option<f64>,
    pub after: Option<f64>,
}

/// Wanted range of a figure.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    AtMost(f64),
    AtLeast(f64),
}

/// One number with its unit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Figure {
    pub name: String,
    pub value: Option<f64>,
    /// `%` shows a share as percent.
    #[serde(default)]
    pub unit: String,
    pub goal: Option<Goal>,
}

/// A table of anything.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReportTable {
    pub title: String,
    pub columns: Vec<String>,
    /// As many entries each as there are columns; what is missing is a dash, what is more is left out.
    pub rows: Vec<Vec<ReportEntry>>,
}

/// One entry of a table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ReportEntry {
    Number(Option<f64>),
    Text(String),
}

/// One line about how the report was made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Note {
    pub name: String,
    pub value: String,
}

impl Note {
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), value: value.into() }
    }
}

impl Figure {
    pub fn new(name: impl Into<String>, value: impl Into<Option<f64>>, unit: &str) -> Self {
        Self { name: name.into(), value: value.into(), unit: unit.to_owned(), goal: None }
    }

    pub fn at_most(self, most: f64) -> Self {
        Self { goal: Some(Goal::AtMost(most)), ..self }
    }

    pub fn at_least(self, least: f64) -> Self {
        Self { goal: Some(Goal::AtLeast(least)), ..self }
    }

    /// True if it meets its goal; `None` without a goal. A figure that is missing does not meet one.
    pub fn met(&self) -> Option<bool> {
        self.goal.map(|goal| goal.met(self.value))
    }
}

impl Goal {
    /// A value that is missing or not a number meets no goal.
    pub fn met(self, value: Option<f64>) -> bool {
        value.is_some_and(|value| match self {
            Self::AtMost(most) => value <= most,
            Self::AtLeast(least) => value >= least,
        })
    }
}

impl Distribution {
    /// Sorts the weights; what is negative or not finite counts as zero.
    pub fn new(label: impl Into<String>, weights: impl IntoIterator<Item = f64>) -> Self {
        let sane = |weight: f64| if weight.is_finite() { weight.max(0.0) } else { 0.0 };
        let mut weights: Vec<f64> = weights.into_iter().map(sane).collect();
        weights.sort_by(|one, other| other.total_cmp(one));
        Self { label: label.into(), weights }
    }

    /// Shares of the sum, the largest first; empty if there is nothing to share.
    pub fn shares(&self) -> Vec<f64> {
        let sorted = Self::new("", self.weights.iter().copied()).weights;
        let most = sorted.first().copied().unwrap_or(0.0);
        if most <= 0.0 {
            return Vec::new();
        }
        // Relative to the largest first, so that the sum of the largest floats is finite.
        let sum: f64 = sorted.iter().map(|weight| weight / most).sum();
        sorted.iter().map(|weight| weight / most / sum).collect()
    }
}

impl Change {
    /// Gain of the miner, negative for a loss; 0 where a figure is missing or not finite.
    pub fn gain(&self) -> f64 {
        let sane = |share: Option<f64>| share.filter(|share| share.is_finite()).unwrap_or(0.0);
        sane(self.after) - sane(self.before)
    }
}

impl Comparison {
    /// Changes, the largest first, whether gain or loss; equals by name.
    pub fn by_size(&self) -> Vec<&Change> {
        let mut sorted: Vec<_> = self.changes.iter().collect();
        sorted.sort_by(|one, other| {
            other.gain().abs().total_cmp(&one.gain().abs()).then_with(|| one.miner.cmp(&other.miner))
        });
        sorted
    }

    /// The share that changes hands.
    pub fn moved(&self) -> f64 {
        self.changes.iter().map(|change| change.gain().max(0.0)).sum()
    }

    /// Numbers of miners that gain and that lose.
    pub fn sides(&self) -> (usize, usize) {
        let gain = self.changes.iter().filter(|change| change.gain() > 0.0).count();
        (gain, self.changes.iter().filter(|change| change.gain() < 0.0).count())
    }
}

impl From<&str> for ReportEntry {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for ReportEntry {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<f64> for ReportEntry {
    fn from(value: f64) -> Self {
        Self::Number(Some(value))
    }
}

impl From<Option<f64>> for ReportEntry {
    fn from(value: Option<f64>) -> Self {
        Self::Number(value)
    }
}
