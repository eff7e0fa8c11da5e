use crate::TensorError;

/// Why tensors are no request or answer of this kind.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum TextError {
    #[error(transparent)]
    Tensor(#[from] TensorError),
    #[error("{name:?} is no input of this model")]
    UnknownInput { name: String },
    #[error("{name:?} is no output of this model")]
    UnknownOutput { name: String },
    #[error("a prompt comes as `text_input` or as `input_ids`: exactly one of them")]
    Prompt,
    #[error("`{name}` is there twice")]
    Twice { name: String },
    #[error("`{name}` is not valid UTF-8")]
    Utf8 { name: &'static str },
    #[error("`{name}` has shape {shape:?}, expected {expected}")]
    Shape { name: &'static str, shape: Vec<u64>, expected: &'static str },
    #[error("`{name}` is {value}, allowed is {allowed}")]
    Range { name: &'static str, value: String, allowed: String },
    #[error("`{name}` has {actual} {unit}, at most {max} are read")]
    TooMany { name: &'static str, unit: &'static str, actual: usize, max: usize },
    #[error("`{name}` is empty")]
    Empty { name: &'static str },
    #[error("`{name}` has {actual} entries beside {expected} tokens")]
    Lengths { name: &'static str, actual: usize, expected: usize },
}
