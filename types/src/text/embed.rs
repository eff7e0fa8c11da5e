//! Texts in, a row of numbers for each out.

use ndarray::Array2;

use super::error::TextError;
use super::name;
use super::scalar::{at_most, elements, list, table, text, write_texts};
use crate::{Datatype, InferAnswer, InferRequest, Tensor};

/// The texts to embed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextsRequest {
    pub texts: Vec<String>,
}

/// Limits of what is read: a server's of one request, a caller's of one answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextsLimits {
    pub texts: usize,
    /// Of all texts together.
    pub bytes: usize,
    /// Of one row.
    pub dimensions: usize,
}

/// A row for each text.
#[derive(Clone, Debug, PartialEq)]
pub struct TextsAnswer {
    pub rows: Array2<f32>,
}

impl TextsRequest {
    pub fn from_infer(request: &InferRequest, limits: &TextsLimits) -> Result<Self, TextError> {
        if let Some(other) = request.inputs.iter().find(|tensor| tensor.name() != name::TEXT_INPUT) {
            return Err(TextError::UnknownInput { name: other.name().to_owned() });
        }
        let data = list(request.input(name::TEXT_INPUT)?, name::TEXT_INPUT, Datatype::Bytes)?;
        let count = elements(data).count();
        if count == 0 {
            return Err(TextError::Empty { name: name::TEXT_INPUT });
        }
        at_most(name::TEXT_INPUT, "texts", count, limits.texts)?;
        // Each text stands behind four bytes that hold its length.
        at_most(name::TEXT_INPUT, "bytes", data.len() - 4 * count, limits.bytes)?;
        let texts = elements(data).map(|bytes| text(bytes, name::TEXT_INPUT)).collect::<Result<_, _>>()?;
        Ok(Self { texts })
    }

    pub fn to_infer(&self, model: &str, id: &str) -> Result<InferRequest, TextError> {
        let texts = write_texts(name::TEXT_INPUT, self.texts.iter().map(String::as_str))?;
        Ok(InferRequest {
            model: model.to_owned(),
            version: String::new(),
            id: id.to_owned(),
            inputs: vec![texts],
            outputs: Vec::new(),
        })
    }
}

impl TextsAnswer {
    pub fn from_infer(answer: &InferAnswer, limits: &TextsLimits) -> Result<Self, TextError> {
        let tensor = answer.output(name::EMBEDDING)?;
        let (rows, columns) = table(tensor, name::EMBEDDING, Datatype::Fp32)?;
        at_most(name::EMBEDDING, "rows", rows, limits.texts)?;
        at_most(name::EMBEDDING, "columns", columns, limits.dimensions)?;
        if columns == 0 {
            return Err(TextError::Empty { name: name::EMBEDDING });
        }
        Ok(Self { rows: tensor.matrix()? })
    }

    pub fn to_infer(&self, model: &str, version: &str, id: &str) -> Result<InferAnswer, TextError> {
        Ok(InferAnswer {
            model: model.to_owned(),
            version: version.to_owned(),
            id: id.to_owned(),
            outputs: vec![Tensor::table(name::EMBEDDING, self.rows.view())],
        })
    }
}
