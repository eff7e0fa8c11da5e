//! A network's tensors in one order: how they start, how a step moves them, how they are written.

use std::collections::BTreeMap;

use burn::optim::AdamWConfig;
use burn::tensor::{Device, Tensor, TensorData};
use rand_chacha::ChaCha20Rng;
use weighhouse_models::Linear;
use weighhouse_models::draw::unit;
use weighhouse_models::language::{Shape, TensorLayer, TensorNetwork};
use weighhouse_models::safetensors::{Datatype, NewTensor, write_as};

use crate::error::TrainError;
use crate::optimizer::{Moments, gradients_of, leaves, number, numbers};

const SPREAD: f64 = 0.04;
const DECAY: f32 = 0.05;
/// The greatest length of the gradient over all tensors; a longer one is cut to it.
const LENGTH_MAX: f64 = 1.0;

/// Matrices: the embedding, then of each layer queries-keys-values, output, inner, down. Vectors: of each layer the two
/// norms, then the last.
#[derive(Clone, Debug)]
pub(super) struct Parameters {
    matrices: Vec<Tensor<2>>,
    vectors: Vec<Tensor<1>>,
}

impl Parameters {
    pub(super) fn random(shape: &Shape, rng: &mut ChaCha20Rng) -> Self {
        let device = Device::flex();
        let (queries, keys) = shape.projected();
        let mut random = |outputs: usize, inputs: usize, spread: f64| {
            let values: Vec<f32> = (0..outputs * inputs).map(|_| (spread * normal(rng)) as f32).collect();
            Tensor::<2>::from_data(TensorData::new(values, [outputs, inputs]), &device)
        };
        let mut matrices = vec![random(shape.vocabulary, shape.width, SPREAD)];
        // What is added to the stream starts smaller the more layers add to it.
        let added = SPREAD / libm::sqrt(2.0 * shape.layers as f64);
        for _ in 0..shape.layers {
            matrices.push(random(queries + 2 * keys, shape.width, SPREAD));
            matrices.push(random(shape.width, queries, added));
            matrices.push(random(2 * shape.inner, shape.width, SPREAD));
            matrices.push(random(shape.width, shape.inner, added));
        }
        let vectors = vec![Tensor::ones([shape.width], &device); 2 * shape.layers + 1];
        Self { matrices, vectors }
    }

    fn leaves(&self) -> Self {
        Self { matrices: leaves(&self.matrices), vectors: leaves(&self.vectors) }
    }

    pub(super) fn network(&self, shape: &Shape, device: &Device) -> TensorNetwork {
        let linear = |tensor: &Tensor<2>| Linear { weight: tensor.clone(), bias: None };
        let layer = |(matrices, vectors): (&[Tensor<2>], &[Tensor<1>])| TensorLayer {
            before: vectors[0].clone(),
            qkv: linear(&matrices[0]),
            output: linear(&matrices[1]),
            after: vectors[1].clone(),
            inner: linear(&matrices[2]),
            down: linear(&matrices[3]),
        };
        let (embedding, matrices) = self.matrices.split_first().expect("an embedding");
        let (norm, vectors) = self.vectors.split_last().expect("a norm");
        TensorNetwork {
            shape: shape.clone(),
            embedding: embedding.clone(),
            layers: matrices.chunks_exact(4).zip(vectors.chunks_exact(2)).map(layer).collect(),
            norm: norm.clone(),
            // Tied: the configuration says `tie_word_embeddings`.
            head: embedding.clone(),
            device: device.clone(),
            arithmetic: None,
        }
    }

    /// A safetensors file in bfloat16, under the names that Hugging Face has.
    pub(super) fn file(
        &self,
        shape: &Shape,
        metadata: &BTreeMap<String, String>,
    ) -> Result<Vec<u8>, TrainError> {
        let (queries, keys) = shape.projected();
        let attention = [("q_proj", queries), ("k_proj", keys), ("v_proj", keys)];
        let mut tensors: Vec<(String, Vec<usize>, Vec<f32>)> = Vec::new();
        let mut matrix = |tensor: &Tensor<2>, names: &[(String, usize)]| {
            let [_, inputs] = tensor.dims();
            let mut all = numbers(tensor.clone())?;
            for (name, outputs) in names {
                let rest = all.split_off(outputs * inputs);
                tensors.push((format!("model.{name}.weight"), vec![*outputs, inputs], all));
                all = rest;
            }
            Ok::<_, TrainError>(())
        };
        matrix(&self.matrices[0], &[("embed_tokens".to_owned(), shape.vocabulary)])?;
        for (index, layer) in self.matrices[1..].chunks_exact(4).enumerate() {
            let own = |name: &str| format!("layers.{index}.{name}");
            matrix(&layer[0], &attention.map(|(name, rows)| (own(&format!("self_attn.{name}")), rows)))?;
            matrix(&layer[1], &[(own("self_attn.o_proj"), shape.width)])?;
            matrix(&layer[2], &["mlp.gate_proj", "mlp.up_proj"].map(|name| (own(name), shape.inner)))?;
            matrix(&layer[3], &[(own("mlp.down_proj"), shape.width)])?;
        }
        let names = (0..shape.layers).flat_map(|index| {
            ["input_layernorm", "post_attention_layernorm"]
                .map(|name| format!("model.layers.{index}.{name}.weight"))
        });
        for (name, vector) in names.chain(["model.norm.weight".to_owned()]).zip(&self.vectors) {
            tensors.push((name, vec![shape.width], numbers(vector.clone())?));
        }
        let tensors: Vec<NewTensor<'_>> = tensors
            .iter()
            .map(|(name, shape, values)| NewTensor { name: name.clone(), shape: shape.clone(), values })
            .collect();
        Ok(write_as(&tensors, metadata, Datatype::Bf16))
    }
}

/// AdamW over a network's parameters; only matrices decay.
pub(super) struct Optimizer {
    matrices: Moments<2>,
    vectors: Moments<1>,
}

impl Optimizer {
    pub(super) fn new(parameters: &Parameters) -> Self {
        let config = |decay| {
            let adam = AdamWConfig::new().with_beta_1(0.9).with_beta_2(0.98);
            adam.with_epsilon(1e-8).with_weight_decay(decay)
        };
        Self {
            matrices: Moments::new(&config(DECAY), parameters.matrices.len()),
            vectors: Moments::new(&config(0.0), parameters.vectors.len()),
        }
    }

    /// One step; gives the loss before it.
    pub(super) fn step(
        &mut self,
        parameters: &mut Parameters,
        rate: f64,
        loss: impl FnOnce(&Parameters) -> Tensor<1>,
    ) -> Result<f64, TrainError> {
        let leaves = parameters.leaves();
        let loss = loss(&leaves);
        let gradients = loss.backward();
        let matrices = gradients_of(&leaves.matrices, &gradients)?;
        let vectors = gradients_of(&leaves.vectors, &gradients)?;
        let squares = matrices.iter().map(|gradient| gradient.clone().square().sum());
        let squares = squares.chain(vectors.iter().map(|gradient| gradient.clone().square().sum()));
        let length = libm::sqrt(squares.map(number).sum::<Result<f64, _>>()?);
        // The least length keeps a gradient of 0 from being divided by.
        let cut = (LENGTH_MAX / length.max(1e-12)).min(1.0);
        let matrices = matrices.into_iter().map(|gradient| gradient * cut).collect();
        self.matrices.step(rate, &mut parameters.matrices, matrices);
        let vectors = vectors.into_iter().map(|gradient| gradient * cut).collect();
        self.vectors.step(rate, &mut parameters.vectors, vectors);
        number(loss.inner())
    }
}

/// Standard normal (G. Box and M. Muller, 1958) over pinned draws: the shipped weights depend on them.
fn normal(rng: &mut ChaCha20Rng) -> f64 {
    // The logarithm of 0 is infinite, and `unit` may be 0 but not 1.
    let radius = libm::sqrt(-2.0 * libm::log(1.0 - unit(rng)));
    radius * libm::cos(2.0 * std::f64::consts::PI * unit(rng))
}
