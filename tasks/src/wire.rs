//! Challenges and answers as inference messages, for scans of digits.

use weighhouse_models::{Classifier, ModelError, ROWS_MAX};
use weighhouse_types::scans::{CLASSES, ScansAnswer, ScansError, ScansRequest};
use weighhouse_types::{InferAnswer, InferRequest};

use crate::challenge::Challenge;

/// Why a request can't be answered. The asker's fault, but for [`RequestError::Model`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    #[error(transparent)]
    Scans(#[from] ScansError),
    #[error("{0}")]
    Model(#[from] ModelError),
}

pub(crate) fn request(model: &str, challenge: &Challenge, id: String) -> InferRequest {
    ScansRequest { pixels: challenge.pixels().to_vec() }.to_infer(model, &id)
}

/// Checks a request and gives its rows of 64 pixels.
///
/// # Errors
/// As [`ScansRequest::from_infer`].
pub fn pixels(request: &InferRequest) -> Result<Vec<f32>, ScansError> {
    Ok(ScansRequest::from_infer(request, ROWS_MAX)?.pixels)
}

/// Makes the answer that carries these rows.
pub fn respond(request: &InferRequest, version: &str, rows: &[[f32; CLASSES]]) -> InferAnswer {
    ScansAnswer { rows: rows.to_vec() }.to_infer(&request.model, version, &request.id)
}

/// Answers one request: [`pixels`], a forward pass, [`respond`].
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
