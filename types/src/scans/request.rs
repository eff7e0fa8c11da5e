//! The question: rows of pixels.

use super::error::{ScansError, ShownShape};
use super::layout::{INPUT, OUTPUT, PIXELS};
use crate::{InferRequest, Tensor};

/// Scans to classify.
#[derive(Clone, Debug, PartialEq)]
pub struct ScansRequest {
    /// [`PIXELS`] numbers for each scan, one scan behind the other.
    pub pixels: Vec<f32>,
}

impl ScansRequest {
    /// Reads a request for 1 to `scans_max` scans.
    ///
    /// # Errors
    /// A missing, further or misshapen input, an output that isn't served, a pixel that is not finite.
    pub fn from_infer(request: &InferRequest, scans_max: usize) -> Result<Self, ScansError> {
        if let Some(name) = request.outputs.iter().find(|name| *name != OUTPUT) {
            return Err(ScansError::UnknownOutput { name: name.clone() });
        }
        if let Some(other) = request.inputs.iter().find(|tensor| tensor.name() != INPUT) {
            return Err(ScansError::UnknownInput { name: other.name().to_owned() });
        }
        let input = request.input(INPUT)?;
        let &[scans, width] = input.shape() else {
            return Err(ScansError::Shape { shape: ShownShape::of(input.shape()) });
        };
        if width != PIXELS as u64 {
            return Err(ScansError::Shape { shape: ShownShape::of(input.shape()) });
        }
        if scans == 0 || scans > scans_max as u64 {
            return Err(ScansError::Count { scans, scans_max: scans_max as u64 });
        }
        let pixels = input.to_f32()?;
        match pixels.iter().position(|pixel| !pixel.is_finite()) {
            Some(at) => Err(ScansError::NotFinite { scan: at / PIXELS, pixel: at % PIXELS }),
            None => Ok(Self { pixels }),
        }
    }

    /// Writes a request.
    ///
    /// # Panics
    /// If the pixels are no whole number of scans.
    pub fn to_infer(&self, model: &str, id: &str) -> InferRequest {
        let shape = vec![(self.pixels.len() / PIXELS) as u64, PIXELS as u64];
        let pixels = Tensor::from_f32(INPUT, shape, &self.pixels).expect("whole scans");
        InferRequest {
            model: model.to_owned(),
            version: String::new(),
            id: id.to_owned(),
            inputs: vec![pixels],
            outputs: vec![OUTPUT.to_owned()],
        }
    }
}
