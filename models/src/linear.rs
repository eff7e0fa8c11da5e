//! A linear layer of burn's tensors.

use burn_tensor::Tensor;

/// `weight` is `[outputs, inputs]`, as PyTorch has it; multiplied through its strides, never copied.
#[derive(Clone, Debug)]
pub struct Linear {
    pub weight: Tensor<2>,
    pub bias: Option<Tensor<1>>,
}

impl Linear {
    pub(crate) fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
        let product = rows.matmul(self.weight.clone().transpose());
        match &self.bias {
            Some(bias) => product + bias.clone().unsqueeze(),
            None => product,
        }
    }
}
