//! Rotary position embeddings (J. Su and others, 2021) with the scalings that Hugging Face publishes.
//!
//! Frequencies and angles are `f32` as PyTorch computes them, so that logits agree far into a long context.

use std::f64::consts::PI;

use serde_json::Value;

const THETA_DEFAULT: f64 = 10_000.0;

#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum RopeError {
    #[error("rope_type {0:?} is not served; default, linear, dynamic, llama3 and yarn are")]
    Unserved(String),
    #[error("one for each kind of layer, or no object of keys, is not served")]
    Form,
    #[error("partial_rotary_factor = {factor} is not served, only 1 is")]
    Partial { factor: f64 },
    #[error("{key} is missing or no finite number above 0")]
    Number { key: &'static str },
    #[error("low_freq_factor must be below high_freq_factor")]
    Bands,
}

/// Angles per position, and what their sines and cosines are multiplied with.
#[derive(Clone, Debug, PartialEq)]
pub struct Rope {
    frequencies: Vec<f32>,
    magnitude: f32,
}

impl Rope {
    /// `theta` is the base beside `scaling`; newer files have it within.
    pub(crate) fn read(
        theta: Option<f64>,
        scaling: Option<&Value>,
        head_width: usize,
        context: usize,
    ) -> Result<Self, RopeError> {
        let null = Value::Null;
        let scaling = scaling.unwrap_or(&null);
        if scaling.as_object().map_or(!scaling.is_null(), |keys| keys.values().any(Value::is_object)) {
            return Err(RopeError::Form);
        }
        let given = |key: &str| scaling.get(key).filter(|value| !value.is_null());
        let theta = match given("rope_theta") {
            Some(_) => number(scaling, "rope_theta")?,
            None => positive(theta.unwrap_or(THETA_DEFAULT), "rope_theta")?,
        };
        // Older files call it `type`.
        let kind = match given("rope_type").or_else(|| given("type")) {
            Some(kind) => Some(kind.as_str().ok_or_else(|| RopeError::Unserved(kind.to_string()))?),
            None => None,
        };
        let plain = frequencies(theta, head_width);
        let as_is = |frequencies| Self { frequencies, magnitude: 1.0 };
        match kind.unwrap_or("default") {
            // The base of "dynamic" grows with the sequence only beyond `max_position_embeddings`, which nothing here
            // exceeds.
            "default" | "dynamic" => Ok(as_is(plain)),
            "linear" => {
                let factor = number(scaling, "factor")? as f32;
                Ok(as_is(plain.iter().map(|frequency| frequency / factor).collect()))
            }
            "llama3" => Ok(as_is(llama3(&plain, scaling, context)?)),
            "yarn" => yarn(theta, &plain, scaling, context),
            other => Err(RopeError::Unserved(other.to_owned())),
        }
    }

    /// Cosines and sines of these positions, `[positions, head_width]` each, the second half as the first but for its
    /// sign: sines' first half is negated.
    pub(crate) fn tables(&self, positions: impl Iterator<Item = usize>) -> (Vec<f32>, Vec<f32>) {
        let (mut cosines, mut sines) = (Vec::new(), Vec::new());
        for position in positions {
            let row = cosines.len();
            for frequency in &self.frequencies {
                // The product is an f32 as in PyTorch; only its sine and cosine are taken exactly.
                let angle = f64::from(position as f32 * frequency);
                cosines.push(libm::cos(angle) as f32 * self.magnitude);
                sines.push(-libm::sin(angle) as f32 * self.magnitude);
            }
            cosines.extend_from_within(row..);
            let half = sines.len();
            sines.extend_from_within(row..);
            sines[half..].iter_mut().for_each(|sine| *sine = -*sine);
        }
        (cosines, sines)
    }
}

/// `theta^(-2i / head_width)`.
fn frequencies(theta: f64, head_width: usize) -> Vec<f32> {
    let exponent = |pair: usize| (2 * pair) as f32 / head_width as f32;
    (0..head_width / 2).map(|pair| 1.0 / libm::pow(theta, f64::from(exponent(pair))) as f32).collect()
}

/// Llama 3.1: long waves are stretched, short ones kept, those between mixed.
fn llama3(plain: &[f32], scaling: &Value, context: usize) -> Result<Vec<f32>, RopeError> {
    let factor = number(scaling, "factor")?;
    let (low, high) = (number(scaling, "low_freq_factor")?, number(scaling, "high_freq_factor")?);
    if low >= high {
        return Err(RopeError::Bands);
    }
    let original = original(scaling, context)?;
    let stretch = |frequency: &f32| {
        let plain = f64::from(*frequency);
        let wave = 2.0 * PI / plain;
        if wave < original / high {
            return *frequency;
        }
        if wave > original / low {
            return (plain / factor) as f32;
        }
        let smooth = (original / wave - low) / (high - low);
        ((1.0 - smooth) * plain / factor + smooth * plain) as f32
    };
    Ok(plain.iter().map(stretch).collect())
}

/// YaRN (B. Peng and others, 2023).
fn yarn(theta: f64, plain: &[f32], scaling: &Value, context: usize) -> Result<Rope, RopeError> {
    let factor = number(scaling, "factor")?;
    let original = original(scaling, context)?;
    let pairs = plain.len();
    let width = 2 * pairs;
    let or = |key: &'static str, default: f64| match scaling.get(key) {
        Some(value) if !value.is_null() => number(scaling, key),
        _ => Ok(default),
    };
    let correction = |rotations: f64| {
        width as f64 * libm::log(original / (rotations * 2.0 * PI)) / (2.0 * libm::log(theta))
    };
    let (mut low, mut high) = (correction(or("beta_fast", 32.0)?), correction(or("beta_slow", 1.0)?));
    // Rounded unless the file says otherwise, as transformers does.
    if scaling.get("truncate").and_then(Value::as_bool).unwrap_or(true) {
        (low, high) = (low.floor(), high.ceil());
    }
    let (low, mut high) = (low.max(0.0), high.min(width as f64 - 1.0));
    // The ramp's width is divided by below.
    if low == high {
        high += 0.001;
    }
    let mix = |(pair, frequency): (usize, &f32)| {
        let ramp = ((pair as f64 - low) / (high - low)).clamp(0.0, 1.0);
        let plain = f64::from(*frequency);
        (plain / factor * ramp + plain * (1.0 - ramp)) as f32
    };
    let scale = |weight: f64| if factor <= 1.0 { 1.0 } else { 0.1 * weight * libm::log(factor) + 1.0 };
    let magnitude = match (scaling.get("mscale"), scaling.get("mscale_all_dim")) {
        (Some(_), Some(_)) => scale(number(scaling, "mscale")?) / scale(number(scaling, "mscale_all_dim")?),
        _ => scale(1.0),
    };
    let magnitude = or("attention_factor", magnitude)? as f32;
    Ok(Rope { frequencies: plain.iter().enumerate().map(mix).collect(), magnitude })
}

fn original(scaling: &Value, context: usize) -> Result<f64, RopeError> {
    match scaling.get("original_max_position_embeddings") {
        Some(value) if !value.is_null() => number(scaling, "original_max_position_embeddings"),
        _ => Ok(context as f64),
    }
}

fn number(scaling: &Value, key: &'static str) -> Result<f64, RopeError> {
    positive(scaling.get(key).and_then(Value::as_f64).unwrap_or(f64::NAN), key)
}

fn positive(value: f64, key: &'static str) -> Result<f64, RopeError> {
    if value.is_finite() && value > 0.0 { Ok(value) } else { Err(RopeError::Number { key }) }
}
