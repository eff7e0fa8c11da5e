//! Reading a model's matrices and vectors from its folder into tensors.

use burn_tensor::{Device, Tensor, TensorData};

use crate::folder::{Folder, FolderError};
use crate::linear::Linear;
use crate::panels::Matrix;

/// Reads tensors of a folder, one memory for each.
pub(crate) struct Loading<'a> {
    folder: &'a mut Folder,
    device: &'a Device,
}

impl<'a> Loading<'a> {
    pub(crate) fn new(folder: &'a mut Folder, device: &'a Device) -> Self {
        Self { folder, device }
    }

    pub(crate) fn drop_where(&mut self, known: impl Fn(&str) -> bool) {
        self.folder.drop_where(known);
    }

    /// Matrices below each other, `[sum of outputs, inputs]`.
    pub(crate) fn matrix(
        &mut self,
        names: &[impl AsRef<str>],
        outputs: &[usize],
        inputs: usize,
    ) -> Result<Tensor<2>, FolderError> {
        // Nothing is allocated for what the configuration claims before the file is known to have it.
        for (name, outputs) in names.iter().zip(outputs) {
            self.folder.check(name.as_ref(), &[*outputs, inputs])?;
        }
        let total: usize = outputs.iter().sum();
        // With the room that the layout in panels takes, so that it needs no copy.
        let mut values = Vec::with_capacity(Matrix::room(total, inputs));
        for name in names {
            self.folder.take(name.as_ref(), &mut values)?;
        }
        Ok(Tensor::from_data(TensorData::new(values, [total, inputs]), self.device))
    }

    pub(crate) fn vector(
        &mut self,
        names: &[impl AsRef<str>],
        widths: &[usize],
    ) -> Result<Tensor<1>, FolderError> {
        let mut values = Vec::new();
        for (name, width) in names.iter().zip(widths) {
            self.folder.check(name.as_ref(), &[*width])?;
            self.folder.take(name.as_ref(), &mut values)?;
        }
        let total = values.len();
        Ok(Tensor::from_data(TensorData::new(values, [total]), self.device))
    }

    pub(crate) fn linear(
        &mut self,
        names: &[String],
        outputs: &[usize],
        inputs: usize,
        bias: bool,
    ) -> Result<Linear, FolderError> {
        let full = |end: &str| names.iter().map(|name| format!("{name}.{end}")).collect::<Vec<_>>();
        let weight = self.matrix(&full("weight"), outputs, inputs)?;
        let bias = bias.then(|| self.vector(&full("bias"), outputs)).transpose()?;
        Ok(Linear { weight, bias })
    }
}
