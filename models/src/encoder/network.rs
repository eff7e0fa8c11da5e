//! The encoder's layers over rows of packed tokens, in burn's tensors.

use burn_tensor::activation::gelu;
use burn_tensor::module::layer_norm;
use burn_tensor::{Device, Int, Tensor, TensorData};

use super::config::EncoderShape;
use crate::folder::{Folder, FolderError};
use crate::language::{AttentionMask, attend_each};
use crate::linear::Linear;
use crate::loading::Loading;

#[derive(Clone, Debug)]
pub(super) struct Norm {
    pub(super) weight: Tensor<1>,
    pub(super) bias: Tensor<1>,
    epsilon: f64,
}

#[derive(Clone, Debug)]
pub(super) struct Layer {
    /// Queries, keys and values, one below the other.
    pub(super) qkv: Linear,
    pub(super) output: Linear,
    pub(super) after_attention: Norm,
    pub(super) inner: Linear,
    pub(super) down: Linear,
    pub(super) after: Norm,
}

/// The layers as operations of burn's tensors: what accelerators run, and what the slices are made from.
#[derive(Clone, Debug)]
pub(super) struct TensorNetwork {
    pub(super) words: Tensor<2>,
    pub(super) positions: Tensor<2>,
    /// The embedding of the first token type, which every token of a single text has.
    pub(super) kind: Tensor<2>,
    pub(super) norm: Norm,
    pub(super) layers: Vec<Layer>,
    device: Device,
}

impl Norm {
    fn load(load: &mut Loading<'_>, name: &str, shape: &EncoderShape) -> Result<Self, FolderError> {
        let mut of = |end: &str| load.vector(&[format!("{name}.LayerNorm.{end}")], &[shape.width]);
        Ok(Self { weight: of("weight")?, bias: of("bias")?, epsilon: shape.norm_epsilon })
    }

    fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
        layer_norm(rows, self.weight.clone(), Some(self.bias.clone()), self.epsilon)
    }
}

impl TensorNetwork {
    pub(super) fn load(
        folder: &mut Folder,
        shape: &EncoderShape,
        device: &Device,
    ) -> Result<Self, FolderError> {
        let prefix = if folder.has("bert.embeddings.word_embeddings.weight") { "bert." } else { "" };
        // Training's heads, and positions that follow from the shape: no embedding needs them.
        let beside = ["embeddings.position_ids", "pooler.dense.weight", "pooler.dense.bias"];
        folder.drop_where(|name| {
            beside.contains(&name.strip_prefix(prefix).unwrap_or(name)) || name.starts_with("cls.")
        });
        let mut load = Loading::new(folder, device);
        let table = |load: &mut Loading<'_>, name: &str, rows| {
            load.matrix(&[format!("{prefix}embeddings.{name}_embeddings.weight")], &[rows], shape.width)
        };
        let words = table(&mut load, "word", shape.vocabulary)?;
        let positions = table(&mut load, "position", shape.positions)?;
        let kind = table(&mut load, "token_type", shape.types)?.narrow(0, 0, 1);
        let norm = Norm::load(&mut load, &format!("{prefix}embeddings"), shape)?;
        let layer = |index| Layer::load(&mut load, &format!("{prefix}encoder.layer.{index}"), shape);
        let layers = (0..shape.layers).map(layer).collect::<Result<_, FolderError>>()?;
        Ok(Self { words, positions, kind, norm, layers, device: device.clone() })
    }

    /// The last layer's rows of a pack's sequences; `None` only if the backend can't hand its result back.
    pub(super) fn hidden(&self, pack: &[Vec<u32>], shape: &EncoderShape) -> Option<Vec<f32>> {
        let lengths: Vec<usize> = pack.iter().map(Vec::len).collect();
        let rows: usize = lengths.iter().sum();
        let indices =
            |values: Vec<i32>| Tensor::<1, Int>::from_data(TensorData::new(values, [rows]), &self.device);
        let tokens = indices(pack.iter().flatten().map(|token| token.cast_signed()).collect());
        let places = indices(lengths.iter().flat_map(|length| 0..*length as i32).collect());
        let embedded = self.words.clone().select(0, tokens)
            + self.positions.clone().select(0, places)
            + self.kind.clone();
        let mut hidden = self.norm.forward(embedded);
        for layer in &self.layers {
            hidden = layer.forward(hidden, &lengths, shape);
        }
        hidden.try_into_data().ok()?.try_into_vec().ok()
    }
}

impl Layer {
    fn load(load: &mut Loading<'_>, prefix: &str, shape: &EncoderShape) -> Result<Self, FolderError> {
        let (width, inner) = (shape.width, shape.inner);
        let own = |name: &str| vec![format!("{prefix}.{name}")];
        let qkv = ["query", "key", "value"].map(|name| format!("{prefix}.attention.self.{name}"));
        Ok(Self {
            qkv: load.linear(&qkv, &[width; 3], width, true)?,
            output: load.linear(&own("attention.output.dense"), &[width], width, true)?,
            after_attention: Norm::load(load, &format!("{prefix}.attention.output"), shape)?,
            inner: load.linear(&own("intermediate.dense"), &[inner], width, true)?,
            down: load.linear(&own("output.dense"), &[width], inner, true)?,
            after: Norm::load(load, &format!("{prefix}.output"), shape)?,
        })
    }

    fn forward(&self, hidden: Tensor<2>, lengths: &[usize], shape: &EncoderShape) -> Tensor<2> {
        let rows = hidden.dims()[0];
        let all = self.qkv.forward(hidden.clone());
        let all = all.reshape([rows, 3 * shape.heads, shape.width / shape.heads]);
        let projected = [0, 1, 2].map(|part| all.clone().narrow(1, part * shape.heads, shape.heads));
        let attended = self.output.forward(attend_each(lengths, projected, AttentionMask::All));
        let hidden = self.after_attention.forward(hidden + attended);
        let inner = self.down.forward(gelu(self.inner.forward(hidden.clone())));
        self.after.forward(hidden + inner)
    }
}
