//! A policy file with some of its keys set anew.
//!
//! A policy is edited as a document: the base's version 2 file with every default written out, keys by dotted path. What comes
//! out is text, and only text that [`Policy::parse`] takes counts.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use weighhouse_types::config;

use super::fold::{linear, logarithmic, step, step_middle, unlinear, unlogarithmic};
use weighhouse_scoring::policy::{File, Policy, PolicyFile};

/// Decimals of a parameter that does not say how many.
const DECIMALS: u32 = 3;
/// As many as a policy's fractions may have.
const DECIMALS_MOST: u32 = 9;
/// Choices of one parameter.
const CHOICES_MOST: usize = 64;

/// A key of the policy file that may move: within a range or among choices.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Parameter {
    /// Dotted path, such as `average.half_life`.
    pub key: String,
    /// The range's ends.
    #[serde(default)]
    pub low: Option<f64>,
    #[serde(default)]
    pub high: Option<f64>,
    /// Equal factors for equal steps; both ends positive.
    #[serde(default)]
    pub logarithmic: bool,
    /// Whole numbers only.
    #[serde(default)]
    pub integer: bool,
    /// Decimals of other numbers: 3 if not set, at most 9.
    #[serde(default)]
    pub decimals: Option<u32>,
    /// Instead of a range: the values, strings or numbers.
    #[serde(default)]
    #[schemars(with = "Vec<serde_json::Value>")]
    pub choices: Vec<toml::Value>,
}

#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum CandidateError {
    #[error("the base policy is of version 1; only files of version 2 can be tuned")]
    OldBase,
    #[error("the base policy: {message}")]
    Base { message: String },
    #[error("parameter `{key}`: {message}")]
    Parameter { key: String, message: String },
}

/// A base policy and the parameters that move.
#[derive(Clone, Debug)]
pub struct Candidates {
    base: toml::Table,
    parameters: Vec<Parameter>,
}

impl Candidates {
    /// Checks that every parameter is a key of policy files that takes both ends of its range, or each of its choices.
    ///
    /// # Errors
    /// Names the parameter and what is wrong with it.
    pub fn new(base: &PolicyFile, parameters: &[Parameter]) -> Result<Self, CandidateError> {
        let keys = base.keys().ok_or(CandidateError::OldBase)?;
        let base = toml::Table::try_from(keys)
            .map_err(|error| CandidateError::Base { message: error.to_string() })?;
        let candidates = Self { base, parameters: parameters.to_vec() };
        for (at, parameter) in parameters.iter().enumerate() {
            let bad = |message: String| CandidateError::Parameter { key: parameter.key.clone(), message };
            parameter.check().map_err(bad)?;
            if parameters[..at].iter().any(|other| other.key == parameter.key) {
                return Err(bad("comes twice".to_owned()));
            }
            candidates.check_key(parameter).map_err(bad)?;
        }
        Ok(candidates)
    }

    /// The key must exist with this type; of the extremes, one at least must be valid beside the base's other values, as
    /// another's validity may depend on a further parameter.
    fn check_key(&self, parameter: &Parameter) -> Result<(), String> {
        let mut refused = Ok(());
        let mut fits = false;
        for value in parameter.extremes() {
            let mut table = self.base.clone();
            set(&mut table, &parameter.key, value)?;
            let text = toml::to_string(&table).map_err(|error| error.to_string())?;
            // First, so that an unknown key is called one before its value is found wrong.
            config::parse::<File>(&text).map_err(|error| unplaced(&error.message))?;
            match Policy::parse(text.as_bytes()) {
                Ok(_) => fits = true,
                Err(error) => refused = Err(error.to_string()),
            }
        }
        if fits { Ok(()) } else { refused }
    }

    pub fn dimensions(&self) -> usize {
        self.parameters.len()
    }

    /// The parameters' values at a point of the unit box.
    pub fn values(&self, at: &[f64]) -> Vec<(String, toml::Value)> {
        let moved = self.parameters.iter().zip(at);
        moved.map(|(parameter, unit)| (parameter.key.clone(), parameter.value(*unit))).collect()
    }

    /// The policy at a point, or `None` where these values are no policy.
    pub fn policy(&self, at: &[f64]) -> Option<PolicyFile> {
        let mut table = self.base.clone();
        for (key, value) in self.values(at) {
            set(&mut table, &key, value).ok()?;
        }
        let text = toml::to_string(&table).ok()?;
        PolicyFile::parse(text.as_bytes()).ok()
    }

    /// The base policy with all keys written out.
    ///
    /// # Errors
    /// None for a base that was read from a file: its keys are valid whatever is written out.
    pub fn base(&self) -> Result<PolicyFile, CandidateError> {
        PolicyFile::parse(self.base_text().as_bytes())
            .map_err(|error| CandidateError::Base { message: error.to_string() })
    }

    /// The base policy's text, all keys written out.
    pub fn base_text(&self) -> String {
        toml::to_string(&self.base).expect("a table that was made of a policy file has a text")
    }

    /// The point at which the base lies, as nearly as ranges allow.
    pub fn start(&self) -> Vec<f64> {
        self.parameters.iter().map(|parameter| parameter.unit(get(&self.base, &parameter.key))).collect()
    }
}

impl Parameter {
    fn check(&self) -> Result<(), String> {
        let ends = (self.low, self.high);
        if !self.choices.is_empty() {
            if ends != (None, None) {
                return Err("has both a range and choices".to_owned());
            }
            let count = self.choices.len();
            let right = count <= CHOICES_MOST;
            return if right { Ok(()) } else { Err(format!("{count} choices, at most {CHOICES_MOST}")) };
        }
        let (Some(low), Some(high)) = ends else {
            return Err("needs `low` and `high`, or `choices`".to_owned());
        };
        let is_ordered = low.is_finite() && high.is_finite() && low < high;
        if !is_ordered || low.abs().max(high.abs()) > 1e9 {
            return Err(format!("{low} to {high} is no range within a thousand million"));
        }
        if self.logarithmic && low <= 0.0 {
            return Err(format!("a logarithmic range must begin above 0, not at {low}"));
        }
        if self.integer && (low.fract() != 0.0 || high.fract() != 0.0) {
            return Err(format!("{low} to {high} are no whole numbers"));
        }
        match self.decimals {
            Some(decimals) if decimals > DECIMALS_MOST => {
                Err(format!("{decimals} decimals, at most {DECIMALS_MOST}"))
            }
            _ => Ok(()),
        }
    }

    fn ends(&self) -> (f64, f64) {
        (self.low.unwrap_or(0.0), self.high.unwrap_or(1.0))
    }

    fn extremes(&self) -> Vec<toml::Value> {
        if self.choices.is_empty() { vec![self.value(0.0), self.value(1.0)] } else { self.choices.clone() }
    }

    fn value(&self, unit: f64) -> toml::Value {
        if !self.choices.is_empty() {
            return self.choices[step(unit, self.choices.len())].clone();
        }
        let (low, high) = self.ends();
        if self.integer && !self.logarithmic {
            // Equally wide steps: by rounding, either end would get only half of one.
            let steps = (high - low) as usize + 1;
            return toml::Value::Integer(low as i64 + step(unit, steps) as i64);
        }
        let value = if self.logarithmic { logarithmic(unit, low, high) } else { linear(unit, low, high) };
        if self.integer {
            return toml::Value::Integer(libm::round(value) as i64);
        }
        // Rounded to what a policy file takes: its fractions have nine decimals at most.
        let scale = libm::pow(10.0, f64::from(self.decimals.unwrap_or(DECIMALS)));
        toml::Value::Float(libm::round(value * scale) / scale)
    }

    /// [`Parameter::value`]'s inverse; the middle for what is not set or no value of it.
    fn unit(&self, value: Option<&toml::Value>) -> f64 {
        let Some(value) = value else { return 0.5 };
        if !self.choices.is_empty() {
            let at = self.choices.iter().position(|choice| choice == value);
            return at.map_or(0.5, |at| step_middle(at, self.choices.len()));
        }
        let number = match value {
            toml::Value::Integer(integer) => *integer as f64,
            toml::Value::Float(float) => *float,
            _ => return 0.5,
        };
        let (low, high) = self.ends();
        if self.logarithmic {
            unlogarithmic(number, low, high)
        } else if self.integer {
            step_middle((number.clamp(low, high) - low) as usize, (high - low) as usize + 1)
        } else {
            unlinear(number, low, high)
        }
    }
}

fn get<'a>(table: &'a toml::Table, key: &str) -> Option<&'a toml::Value> {
    match key.split_once('.') {
        Some((section, rest)) => get(table.get(section)?.as_table()?, rest),
        None => table.get(key),
    }
}

/// Sets a dotted key; sections must exist, which in a file with all defaults they do.
fn set(table: &mut toml::Table, key: &str, value: toml::Value) -> Result<(), String> {
    match key.split_once('.') {
        Some((section, rest)) => {
            let inner = table.get_mut(section).and_then(toml::Value::as_table_mut);
            set(inner.ok_or_else(|| format!("policies have no section `{section}`"))?, rest, value)
        }
        None => {
            table.insert(key.to_owned(), value);
            Ok(())
        }
    }
}

/// A message without the line of a text that nobody wrote.
fn unplaced(message: &str) -> String {
    let place = message.split_once(": ").filter(|(place, _)| place.starts_with("line "));
    place.map_or(message, |(_, rest)| rest).trim_end().replace('\n', " ")
}

#[cfg(test)]
mod tests;
