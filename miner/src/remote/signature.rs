//! The tensors that an upstream model takes and gives, and the check of requests and answers against them.

use std::fmt;

use weighhouse_proto::inference::ModelMetadataResponse;
use weighhouse_proto::inference::model_metadata_response::TensorMetadata;
use weighhouse_types::{Datatype, Tensor};

use crate::engine::served::TensorSpec;

/// Inputs or outputs of one model at most; more are no real model's.
const TENSORS_MAX: usize = 256;
/// Dimensions of one tensor at most.
const DIMENSIONS_MAX: usize = 16;

/// An upstream model's inputs and outputs; a list that is left empty says nothing, and nothing is held to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Signature {
    pub(crate) inputs: Vec<TensorSpec>,
    pub(crate) outputs: Vec<TensorSpec>,
}

impl Signature {
    /// Reads a server's metadata.
    pub(crate) fn read(metadata: &ModelMetadataResponse) -> Result<Self, String> {
        Ok(Self { inputs: specs(&metadata.inputs)?, outputs: specs(&metadata.outputs)? })
    }

    /// Says why an input doesn't fit. An input that is left out is the upstream's to judge: it may be optional.
    pub(crate) fn check_inputs(&self, inputs: &[Tensor], items_max: u32) -> Result<(), String> {
        for tensor in inputs.iter().filter(|_| !self.inputs.is_empty()) {
            let spec = check(&self.inputs, tensor, "input")?;
            let items = tensor.shape().first().copied().unwrap_or(0);
            // Only a first dimension of any size is a batch; a fixed one is checked below like all others.
            if spec.shape.first() == Some(&None) && items > u64::from(items_max) {
                return Err(format!(
                    "input {:?} has {items} items, at most {items_max} are served at once",
                    spec.name
                ));
            }
        }
        Ok(())
    }

    /// Says which wanted output the model doesn't have.
    pub(crate) fn unknown_output<'a>(&self, wanted: &'a [String]) -> Option<&'a String> {
        let told = !self.outputs.is_empty();
        wanted.iter().find(|name| told && !self.outputs.iter().any(|spec| spec.name == **name))
    }

    pub(crate) fn check_outputs(&self, outputs: &[Tensor]) -> Result<(), String> {
        let told = !self.outputs.is_empty();
        outputs
            .iter()
            .filter(|_| told)
            .try_for_each(|tensor| check(&self.outputs, tensor, "output").map(|_| ()))
    }
}

/// `x FP32 [any, 8] -> y FP32 [any]`, for people.
impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} -> {}", listed(&self.inputs), listed(&self.outputs))
    }
}

fn listed(specs: &[TensorSpec]) -> String {
    let one = |spec: &TensorSpec| format!("{} {} [{}]", spec.name, spec.datatype.name(), expected(spec));
    if specs.is_empty() {
        "whatever comes".to_owned()
    } else {
        specs.iter().map(one).collect::<Vec<_>>().join(", ")
    }
}

fn expected(spec: &TensorSpec) -> String {
    let size = |size: &Option<u64>| size.map_or("any".to_owned(), |size| size.to_string());
    spec.shape.iter().map(size).collect::<Vec<_>>().join(", ")
}

fn specs(tensors: &[TensorMetadata]) -> Result<Vec<TensorSpec>, String> {
    if tensors.len() > TENSORS_MAX {
        return Err(format!("{} tensors, at most {TENSORS_MAX} are read", tensors.len()));
    }
    tensors.iter().map(spec).collect()
}

fn spec(tensor: &TensorMetadata) -> Result<TensorSpec, String> {
    let TensorMetadata { name, datatype, shape } = tensor;
    let datatype =
        Datatype::from_name(datatype).ok_or_else(|| format!("{name:?} has the datatype {datatype:?}"))?;
    if shape.len() > DIMENSIONS_MAX {
        return Err(format!("{name:?} has {} dimensions, at most {DIMENSIONS_MAX} are read", shape.len()));
    }
    // The protocol writes a dimension of any size as -1.
    let shape = shape.iter().map(|size| u64::try_from(*size).ok()).collect();
    Ok(TensorSpec { name: name.clone(), datatype, shape })
}

fn check<'a>(specs: &'a [TensorSpec], tensor: &Tensor, what: &str) -> Result<&'a TensorSpec, String> {
    let name = tensor.name();
    let spec = specs.iter().find(|spec| spec.name == name);
    let spec = spec.ok_or_else(|| format!("{name:?} is no {what} of this model"))?;
    if spec.datatype != tensor.datatype() {
        let (found, expected) = (tensor.datatype().name(), spec.datatype.name());
        return Err(format!("{what} {name:?} is {found}, expected {expected}"));
    }
    let fits = spec.shape.len() == tensor.shape().len()
        && spec.shape.iter().zip(tensor.shape()).all(|(spec, size)| spec.is_none_or(|spec| spec == *size));
    if !fits {
        let found: Vec<String> =
            tensor.shape().iter().take(DIMENSIONS_MAX).map(|size| size.to_string()).collect();
        return Err(format!(
            "{what} {name:?} has shape [{}], expected [{}]",
            found.join(", "),
            expected(spec)
        ));
    }
    Ok(spec)
}
