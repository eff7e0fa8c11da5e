//! `ModelInfer`'s messages to and from [`InferRequest`] and [`InferAnswer`].
//!
//! Reading accepts typed or raw contents, never both in one message; writing always gives raw contents. Parameters
//! are no part of the domain: none is supported, and as the protocol allows, they are passed over.

use std::collections::HashSet;

use weighhouse_types::{Datatype, InferAnswer, InferRequest, Tensor, TensorError};

use crate::contents;
use crate::inference::model_infer_request::{InferInputTensor, InferRequestedOutputTensor};
use crate::inference::model_infer_response::InferOutputTensor;
use crate::inference::{
    InferTensorContents, ModelInferRequest, ModelInferResponse, ModelStreamInferResponse,
};

/// A tensor as a message describes it, before its bytes are known to agree.
struct DeclaredTensor {
    name: String,
    datatype: String,
    shape: Vec<i64>,
    contents: Option<InferTensorContents>,
}

impl From<InferInputTensor> for DeclaredTensor {
    fn from(tensor: InferInputTensor) -> Self {
        let InferInputTensor { name, datatype, shape, parameters: _, contents } = tensor;
        Self { name, datatype, shape, contents }
    }
}

impl From<InferOutputTensor> for DeclaredTensor {
    fn from(tensor: InferOutputTensor) -> Self {
        let InferOutputTensor { name, datatype, shape, parameters: _, contents } = tensor;
        Self { name, datatype, shape, contents }
    }
}

impl TryFrom<ModelInferRequest> for InferRequest {
    type Error = TensorError;

    fn try_from(message: ModelInferRequest) -> Result<Self, TensorError> {
        Ok(Self {
            model: message.model_name,
            version: message.model_version,
            id: message.id,
            inputs: read_tensors(message.inputs, message.raw_input_contents)?,
            outputs: message.outputs.into_iter().map(|output| output.name).collect(),
        })
    }
}

impl TryFrom<ModelInferResponse> for InferAnswer {
    type Error = TensorError;

    fn try_from(message: ModelInferResponse) -> Result<Self, TensorError> {
        Ok(Self {
            model: message.model_name,
            version: message.model_version,
            id: message.id,
            outputs: read_tensors(message.outputs, message.raw_output_contents)?,
        })
    }
}

impl TryFrom<InferRequest> for ModelInferRequest {
    type Error = TensorError;

    fn try_from(request: InferRequest) -> Result<Self, TensorError> {
        let mut message = Self {
            model_name: request.model,
            model_version: request.version,
            id: request.id,
            ..Self::default()
        };
        for tensor in request.inputs {
            let (name, datatype) = (tensor.name().to_owned(), tensor.datatype().name().to_owned());
            let shape = wire_shape(&tensor)?;
            message.inputs.push(InferInputTensor { name, datatype, shape, ..Default::default() });
            message.raw_input_contents.push(tensor.into_data());
        }
        message.outputs = request
            .outputs
            .into_iter()
            .map(|name| InferRequestedOutputTensor { name, ..Default::default() })
            .collect();
        Ok(message)
    }
}

impl TryFrom<InferAnswer> for ModelInferResponse {
    type Error = TensorError;

    fn try_from(answer: InferAnswer) -> Result<Self, TensorError> {
        let mut message = Self {
            model_name: answer.model,
            model_version: answer.version,
            id: answer.id,
            ..Self::default()
        };
        for tensor in answer.outputs {
            let (name, datatype) = (tensor.name().to_owned(), tensor.datatype().name().to_owned());
            let shape = wire_shape(&tensor)?;
            message.outputs.push(InferOutputTensor { name, datatype, shape, ..Default::default() });
            message.raw_output_contents.push(tensor.into_data());
        }
        Ok(message)
    }
}

impl TryFrom<InferAnswer> for ModelStreamInferResponse {
    type Error = TensorError;

    fn try_from(answer: InferAnswer) -> Result<Self, TensorError> {
        Ok(Self { error_message: String::new(), infer_response: Some(answer.try_into()?) })
    }
}

/// The protocol's dimensions are signed; one past `i64` only occurs beside a zero, and no peer could read it.
fn wire_shape(tensor: &Tensor) -> Result<Vec<i64>, TensorError> {
    let dimensions: Result<_, _> = tensor.shape().iter().map(|dimension| i64::try_from(*dimension)).collect();
    dimensions.map_err(|_| TensorError::TooManyElements { name: tensor.name().to_owned() })
}

fn read_tensors<T: Into<DeclaredTensor>>(
    claims: Vec<T>,
    raw: Vec<Vec<u8>>,
) -> Result<Vec<Tensor>, TensorError> {
    if !raw.is_empty() && raw.len() != claims.len() {
        let (tensors, entries) = (claims.len(), raw.len());
        return Err(TensorError::Contents(format!(
            "{tensors} tensors but {entries} entries of raw contents"
        )));
    }
    let mut raw = (!raw.is_empty()).then(|| raw.into_iter());
    let mut names = HashSet::with_capacity(claims.len());
    let mut tensors = Vec::with_capacity(claims.len());
    for claim in claims {
        let tensor = read_tensor(claim.into(), raw.as_mut().and_then(Iterator::next))?;
        // Of two tensors with one name, two readers of the same signed bytes could each take another.
        if !names.insert(tensor.name().to_owned()) {
            return Err(TensorError::Contents(format!("two tensors named {:?}", tensor.name())));
        }
        tensors.push(tensor);
    }
    Ok(tensors)
}

fn read_tensor(claim: DeclaredTensor, raw: Option<Vec<u8>>) -> Result<Tensor, TensorError> {
    let DeclaredTensor { name, datatype, shape, contents } = claim;
    let Some(known) = Datatype::from_name(&datatype) else {
        return Err(TensorError::Datatype { name, datatype });
    };
    let mut dimensions = Vec::with_capacity(shape.len());
    for dimension in shape {
        let Ok(size) = u64::try_from(dimension) else {
            return Err(TensorError::NegativeDimension { name, dimension });
        };
        dimensions.push(size);
    }
    let data = match (raw, contents) {
        (Some(_), Some(_)) => {
            return Err(TensorError::Contents(format!("tensor {name:?} has typed contents beside raw ones")));
        }
        (Some(bytes), None) => bytes,
        (None, contents) => contents::to_bytes(&name, known, &contents.unwrap_or_default())?,
    };
    Tensor::new(name, known, dimensions, data)
}

#[cfg(test)]
mod tests;
