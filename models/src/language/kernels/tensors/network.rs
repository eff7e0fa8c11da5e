//! The layers, over rows of packed tokens: one matrix multiplication per layer whatever the sequences' lengths; only
//! attention looks at whose row is whose.

use burn_tensor::activation::silu;
use burn_tensor::{Device, FloatDType, Int, Tensor, TensorData};

use super::super::passes::ForcedSequence;
use super::attend::{AttentionMask, Projections, attend_each};
use crate::folder::{Folder, FolderError};
use crate::language::config::Shape;
use crate::linear::Linear;
use crate::loading::Loading;
use crate::precision::{self, Precision};

const HEAD: &str = "lm_head.weight";

#[derive(Clone, Debug)]
pub struct TensorLayer {
    pub before: Tensor<1>,
    /// Queries, keys and values, one below the other.
    pub qkv: Linear,
    pub output: Linear,
    pub after: Tensor<1>,
    /// Gate and up, one below the other.
    pub inner: Linear,
    pub down: Linear,
}

#[derive(Clone, Debug)]
pub struct TensorNetwork {
    pub shape: Shape,
    pub embedding: Tensor<2>,
    pub layers: Vec<TensorLayer>,
    pub norm: Tensor<1>,
    /// The embedding itself where the two are tied.
    pub head: Tensor<2>,
    pub device: Device,
    /// The type that each step's result is rounded to, where it is coarser than `f32`.
    pub arithmetic: Option<FloatDType>,
}

impl TensorNetwork {
    pub(crate) fn load(folder: &mut Folder, shape: &Shape, device: &Device) -> Result<Self, FolderError> {
        // Written by old exporters: computed here.
        let computed = [".rotary_emb.inv_freq", ".rotary_emb.cos_cached", ".rotary_emb.sin_cached"];
        folder.drop_where(|name| computed.iter().any(|end| name.ends_with(end)));
        // Folders saved from the bare model, without its head, leave the outer name out.
        let prefix = if folder.has("model.norm.weight") { "model." } else { "" };
        let embedded = format!("{prefix}embed_tokens.weight");
        // Of two names for one matrix, some exporters keep the head's.
        let embedded = match shape.tied && !folder.has(&embedded) && folder.has(HEAD) {
            true => HEAD.to_owned(),
            false => embedded,
        };
        let mut load = Loading::new(folder, device);
        let table = [shape.vocabulary, shape.width];
        let embedding = load.matrix(&[embedded], &[table[0]], table[1])?;
        let layer =
            |load: &mut Loading<'_>, index| read_layer(load, &format!("{prefix}layers.{index}"), shape);
        let layers = (0..shape.layers).map(|index| layer(&mut load, index));
        let layers = layers.collect::<Result<_, FolderError>>()?;
        let norm = load.vector(&[format!("{prefix}norm.weight")], &[shape.width])?;
        let head = if shape.tied {
            // Some exporters write the shared matrix twice.
            load.drop_where(|name| name == HEAD);
            embedding.clone()
        } else {
            load.matrix(&[HEAD], &[table[0]], table[1])?
        };
        let (shape, device) = (shape.clone(), device.clone());
        Ok(Self { shape, embedding, layers, norm, head, device, arithmetic: None })
    }

    /// The last layer's rows, not yet normalised. `attend` gets each layer's number and projections, and gives
    /// `[rows, heads * head_width]`.
    pub fn hidden(
        &self,
        tokens: &[u32],
        positions: impl Iterator<Item = usize>,
        mut attend: impl FnMut(usize, Projections) -> Tensor<2>,
    ) -> Tensor<2> {
        let (rows, shape) = (tokens.len(), &self.shape);
        let tokens: Vec<i32> = tokens.iter().map(|token| token.cast_signed()).collect();
        let tokens = Tensor::<1, Int>::from_data(TensorData::new(tokens, [rows]), &self.device);
        let (cosines, sines) = shape.rope.tables(positions);
        let table = |values| {
            let data = TensorData::new(values, [rows, 1, shape.head_width]);
            Tensor::<3>::from_data(data, &self.device)
        };
        let (cosines, sines) = (table(cosines), table(sines));
        let epsilon = shape.norm_epsilon;
        let (heads, kv_heads) = (shape.heads, shape.kv_heads);
        let mut hidden = self.near(self.embedding.clone().select(0, tokens));
        for (index, layer) in self.layers.iter().enumerate() {
            let before = self.near(normed(hidden.clone(), &layer.before, epsilon));
            let all = self.near(layer.qkv.forward(before));
            let all = all.reshape([rows, heads + 2 * kv_heads, shape.head_width]);
            let turned = self.near(rotated(all.clone().narrow(1, 0, heads + kv_heads), &cosines, &sines));
            let queries = turned.clone().narrow(1, 0, heads);
            let keys = turned.narrow(1, heads, kv_heads);
            let values = all.narrow(1, heads + kv_heads, kv_heads);
            let attended = self.near(attend(index, [queries, keys, values]));
            hidden = self.near(hidden + self.near(layer.output.forward(attended)));
            let after = self.near(normed(hidden.clone(), &layer.after, epsilon));
            let inner = self.near(layer.inner.forward(after));
            let gate = self.near(silu(inner.clone().narrow(1, 0, shape.inner)));
            let gated = self.near(gate * inner.narrow(1, shape.inner, shape.inner));
            hidden = self.near(hidden + self.near(layer.down.forward(gated)));
        }
        hidden
    }

    pub(super) fn at(&self, precision: Precision) -> Option<Self> {
        let round = |tensor: &Tensor<2>| {
            let shape = tensor.dims();
            let data = tensor.clone().try_into_data().ok()?;
            let mut values = data.as_slice::<f32>().ok()?.to_vec();
            precision::round(&mut values, &shape, precision);
            Some(Tensor::<2>::from_data(TensorData::new(values, shape), &self.device))
        };
        let mut rounded = self.clone();
        for layer in &mut rounded.layers {
            for linear in [&mut layer.qkv, &mut layer.output, &mut layer.inner, &mut layer.down] {
                linear.weight = round(&linear.weight)?;
            }
        }
        if matches!(precision, Precision::Half | Precision::Bfloat16) {
            rounded.embedding = round(&self.embedding)?;
            // Rounded once: tied weights stay one tensor in memory.
            let tied = self.shape.tied;
            rounded.head = if tied { rounded.embedding.clone() } else { round(&self.head)? };
        }
        Some(rounded)
    }

    /// Logits of rows of [`TensorNetwork::hidden`].
    pub fn logits(&self, hidden: Tensor<2>) -> Tensor<2> {
        let rows = self.near(normed(hidden, &self.norm, self.shape.norm_epsilon));
        self.near(rows.matmul(self.head.clone().transpose()))
    }

    fn near<const D: usize>(&self, result: Tensor<D>) -> Tensor<D> {
        match self.arithmetic {
            Some(coarse) => result.cast(coarse).cast(FloatDType::F32),
            None => result,
        }
    }

    pub(super) fn logits_of(&self, pack: &[ForcedSequence<'_>], rows_max: usize) -> Option<Vec<Vec<f32>>> {
        let tokens: Vec<u32> = pack.iter().flat_map(|sequence| sequence.tokens).copied().collect();
        let lengths: Vec<usize> = pack.iter().map(|sequence| sequence.tokens.len()).collect();
        let positions = lengths.iter().flat_map(|length| 0..*length);
        let hidden = self.hidden(&tokens, positions, |_, projected| {
            attend_each(&lengths, projected, AttentionMask::Before)
        });
        let mut start = 0;
        let mut logits = Vec::with_capacity(pack.len());
        for sequence in pack {
            // Row n predicts token n + 1.
            let (mut at, end) = (start + sequence.from - 1, start + sequence.tokens.len() - 1);
            let mut rows = Vec::with_capacity((end - at) * self.shape.vocabulary);
            while at < end {
                let count = rows_max.min(end - at);
                let part = self.logits(hidden.clone().narrow(0, at, count)).try_into_data().ok()?;
                rows.extend_from_slice(part.as_slice::<f32>().ok()?);
                at += count;
            }
            logits.push(rows);
            start += sequence.tokens.len();
        }
        Some(logits)
    }
}

/// RMSNorm.
fn normed(rows: Tensor<2>, weight: &Tensor<1>, epsilon: f64) -> Tensor<2> {
    let scale = (rows.clone().square().mean_dim(1) + epsilon).sqrt().recip();
    rows * scale * weight.clone().unsqueeze()
}

/// Turns each pair (first half, second half) by its angle; `sines` has its first half negated.
fn rotated(heads: Tensor<3>, cosines: &Tensor<3>, sines: &Tensor<3>) -> Tensor<3> {
    let half = heads.dims()[2] / 2;
    let swapped = Tensor::cat(vec![heads.clone().narrow(2, half, half), heads.clone().narrow(2, 0, half)], 2);
    heads * cosines.clone() + swapped * sines.clone()
}

fn read_layer(load: &mut Loading<'_>, prefix: &str, shape: &Shape) -> Result<TensorLayer, FolderError> {
    let (queries, keys) = shape.projected();
    let (width, inner) = (shape.width, shape.inner);
    let names = |of: &[&str]| of.iter().map(|name| format!("{prefix}.{name}")).collect::<Vec<_>>();
    let qkv = names(&["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"]);
    let inner_names = names(&["mlp.gate_proj", "mlp.up_proj"]);
    Ok(TensorLayer {
        before: load.vector(&[format!("{prefix}.input_layernorm.weight")], &[width])?,
        qkv: load.linear(&qkv, &[queries, keys, keys], width, shape.qkv_bias)?,
        output: load.linear(&names(&["self_attn.o_proj"]), &[width], queries, shape.output_bias)?,
        after: load.vector(&[format!("{prefix}.post_attention_layernorm.weight")], &[width])?,
        inner: load.linear(&inner_names, &[inner, inner], width, shape.inner_bias)?,
        down: load.linear(&names(&["mlp.down_proj"]), &[width], inner, shape.inner_bias)?,
    })
}
