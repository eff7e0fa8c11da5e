//! Challenges and answers as inference messages: what both sides of the wire agree on, and the reading of foreign
//! tensors.

use weighhouse_models::digits::{CLASSES, PIXELS};
use weighhouse_models::{Classifier, ModelError, ROWS_MAX};
use weighhouse_types::{Datatype, InferAnswer, InferRequest, Tensor, TensorError};

/// The input's name: FP32, shape `[items, 64]`, values in [0, 1].
pub const INPUT: &str = "pixels";
/// The output's name: FP32, shape `[items, 10]`, each row a distribution over the digits.
pub const OUTPUT: &str = "probabilities";

/// How far from 1 a row may sum; honest rounding is below 1e-6, half-precision arithmetic below this.
const SUM_TOLERANCE: f64 = 1e-3;
/// Dimensions of a wrong shape that a message shows.
const DIMENSIONS_SHOWN: usize = 4;

/// Why a request can't be answered. The asker's fault, but for [`RequestError::Model`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    #[error("{0}")]
    Tensor(#[from] TensorError),
    #[error("input {INPUT:?} has shape {shape}, expected [1 to {ROWS_MAX}, 64]")]
    Shape { shape: String },
    #[error("output {name:?} is not served, only {OUTPUT:?} is")]
    Output { name: String },
    #[error("pixel {pixel} of item {item} is not finite")]
    NotFinite { item: usize, pixel: usize },
    #[error("{0}")]
    Model(#[from] ModelError),
}

/// What a distribution over digits is not. `item` counts from 0 within the challenge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Malformed {
    pub(crate) item: u32,
    pub(crate) what: String,
}

pub(crate) fn request(pixels: &[f32]) -> InferRequest {
    let shape = vec![(pixels.len() / PIXELS) as u64, PIXELS as u64];
    let pixels = Tensor::from_f32(INPUT, shape, pixels).expect("a challenge has 64 pixels an item");
    InferRequest {
        model: String::new(),
        version: String::new(),
        id: String::new(),
        inputs: vec![pixels],
        outputs: vec![OUTPUT.to_owned()],
    }
}

/// The miner's side: checks a request and gives its rows of 64 pixels, for a batch.
///
/// # Errors
/// A missing or misshapen input, an output that isn't served, a pixel that is not finite.
pub fn pixels(request: &InferRequest) -> Result<Vec<f32>, RequestError> {
    if let Some(name) = request.outputs.iter().find(|name| *name != OUTPUT) {
        return Err(RequestError::Output { name: name.clone() });
    }
    let input = request.input(INPUT)?;
    match *input.shape() {
        [rows, width] if width == PIXELS as u64 && (1..=ROWS_MAX as u64).contains(&rows) => {}
        _ => return Err(RequestError::Shape { shape: shown(input.shape()) }),
    }
    let pixels = input.to_f32()?;
    match pixels.iter().position(|pixel| !pixel.is_finite()) {
        Some(at) => Err(RequestError::NotFinite { item: at / PIXELS, pixel: at % PIXELS }),
        None => Ok(pixels),
    }
}

/// The miner's side: the answer that carries these rows.
pub fn respond(request: &InferRequest, version: &str, rows: &[[f32; CLASSES]]) -> InferAnswer {
    let shape = vec![rows.len() as u64, CLASSES as u64];
    let probabilities =
        Tensor::from_f32(OUTPUT, shape, rows.as_flattened()).expect("rows have ten values each");
    InferAnswer {
        model: request.model.clone(),
        version: version.to_owned(),
        id: request.id.clone(),
        outputs: vec![probabilities],
    }
}

/// The miner's side in one go, for one request: [`pixels`], a forward pass, [`respond`].
///
/// # Errors
/// As [`pixels`], and what the model refuses.
pub fn answer(
    model: &Classifier,
    version: &str,
    request: &InferRequest,
) -> Result<InferAnswer, RequestError> {
    let rows = model.forward(&pixels(request)?)?;
    Ok(respond(request, version, &rows))
}

/// The judge's side: the answer's rows, `items` of them, each checked to be a distribution.
pub(crate) fn probabilities(answer: &InferAnswer, items: usize) -> Result<Vec<[f32; CLASSES]>, Malformed> {
    let malformed = |what: String| Malformed { item: 0, what };
    let output = answer.output(OUTPUT).map_err(|_| malformed(format!("no output named {OUTPUT:?}")))?;
    if output.datatype() != Datatype::Fp32 {
        return Err(malformed(format!("datatype {}, expected FP32", output.datatype().name())));
    }
    if output.shape() != [items as u64, CLASSES as u64] {
        return Err(malformed(format!("shape {}, expected [{items}, {CLASSES}]", shown(output.shape()))));
    }
    let values = output.to_f32().map_err(|_| malformed("not FP32".to_owned()))?;
    let (rows, _) = values.as_chunks::<CLASSES>();
    for (item, row) in (0_u32..).zip(rows) {
        check_row(row).map_err(|what| Malformed { item, what })?;
    }
    Ok(rows.to_vec())
}

/// Says what is wrong with a row that should be a distribution.
pub(crate) fn check_row(row: &[f32; CLASSES]) -> Result<(), String> {
    if let Some((class, value)) =
        row.iter().enumerate().find(|(_, value)| !value.is_finite() || **value < 0.0)
    {
        return Err(format!("probability {value} of digit {class}"));
    }
    let sum: f64 = row.iter().map(|value| f64::from(*value)).sum();
    if (sum - 1.0).abs() > SUM_TOLERANCE {
        return Err(format!("probabilities sum to {sum:.6}"));
    }
    Ok(())
}

/// A foreign shape, cut short: its length is the sender's choice.
fn shown(shape: &[u64]) -> String {
    let dimensions: Vec<String> = shape.iter().take(DIMENSIONS_SHOWN).map(u64::to_string).collect();
    let rest = if shape.len() > DIMENSIONS_SHOWN { ", .." } else { "" };
    format!("[{}{rest}]", dimensions.join(", "))
}
