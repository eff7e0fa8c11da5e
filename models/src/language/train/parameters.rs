//! What training changes: the network's tensors in one order, how they start, how AdamW moves them, how they are
//! written.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use burn::tensor::{Device, Gradients, Tensor, TensorData};
use rand_chacha::ChaCha20Rng;

use super::super::Shape;
use super::super::network::{Layer, Network};
use super::LanguageTrainError;
use crate::linear::Linear;
use crate::perturb::unit;
use crate::safetensors::{Datatype, NewTensor, write_as};

const SPREAD: f64 = 0.04;
const DECAY: f64 = 0.05;
/// The gradient's length is cut to this.
const LENGTH_MAX: f64 = 1.0;

/// The shapes that are trained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    Reference,
    Weak,
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Reference => "reference",
            Self::Weak => "weak",
        })
    }
}

impl FromStr for Size {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let named = [Self::Reference, Self::Weak].into_iter().find(|size| size.to_string() == name);
        named.ok_or_else(|| format!("no language model named {name:?}: there are reference and weak"))
    }
}

impl Size {
    /// Tokens of the tokenizer that both share.
    pub const VOCABULARY: usize = 2_048;

    /// `config.json`.
    pub fn config(self) -> String {
        let (width, inner, layers, heads, kv_heads) = match self {
            Self::Reference => (128, 352, 4, 4, 2),
            Self::Weak => (64, 176, 2, 2, 1),
        };
        let config = serde_json::json!({
            "architectures": ["LlamaForCausalLM"],
            "model_type": "llama",
            "vocab_size": Self::VOCABULARY,
            "hidden_size": width,
            "intermediate_size": inner,
            "num_hidden_layers": layers,
            "num_attention_heads": heads,
            "num_key_value_heads": kv_heads,
            "max_position_embeddings": 1_024,
            "rms_norm_eps": 1e-5,
            "hidden_act": "silu",
            "rope_theta": 10_000.0,
            "tie_word_embeddings": true,
            "eos_token_id": 0,
            "torch_dtype": "bfloat16",
        });
        format!("{config:#}\n")
    }

    pub(super) fn shape(self) -> Shape {
        Shape::parse(self.config().as_bytes()).expect("our own configuration")
    }
}

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
        Self {
            matrices: self.matrices.iter().map(|tensor| tensor.clone().autodiff().require_grad()).collect(),
            vectors: self.vectors.iter().map(|tensor| tensor.clone().autodiff().require_grad()).collect(),
        }
    }

    pub(super) fn network(&self, shape: &Shape, device: &Device) -> Network {
        let linear = |tensor: &Tensor<2>| Linear { weight: tensor.clone(), bias: None };
        let layer = |(matrices, vectors): (&[Tensor<2>], &[Tensor<1>])| Layer {
            before: vectors[0].clone(),
            qkv: linear(&matrices[0]),
            output: linear(&matrices[1]),
            after: vectors[1].clone(),
            inner: linear(&matrices[2]),
            down: linear(&matrices[3]),
        };
        let (embedding, matrices) = self.matrices.split_first().expect("an embedding");
        let (norm, vectors) = self.vectors.split_last().expect("a norm");
        Network {
            shape: shape.clone(),
            embedding: embedding.clone(),
            layers: matrices.chunks_exact(4).zip(vectors.chunks_exact(2)).map(layer).collect(),
            norm: norm.clone(),
            head: embedding.clone(),
            device: device.clone(),
            arithmetic: None,
        }
    }

    /// A safetensors file in bfloat16, under the names that Hugging Face has.
    pub(super) fn file(&self, shape: &Shape, metadata: &BTreeMap<String, String>) -> Option<Vec<u8>> {
        fn values<const D: usize>(tensor: &Tensor<D>) -> Option<Vec<f32>> {
            Some(tensor.clone().try_into_data().ok()?.as_slice::<f32>().ok()?.to_vec())
        }
        let (queries, keys) = shape.projected();
        let attention = [("q_proj", queries), ("k_proj", keys), ("v_proj", keys)];
        let mut tensors: Vec<(String, Vec<usize>, Vec<f32>)> = Vec::new();
        let mut matrix = |tensor: &Tensor<2>, names: &[(String, usize)]| {
            let [_, inputs] = tensor.dims();
            let mut all = values(tensor)?;
            for (name, outputs) in names {
                let rest = all.split_off(outputs * inputs);
                tensors.push((format!("model.{name}.weight"), vec![*outputs, inputs], all));
                all = rest;
            }
            Some(())
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
            tensors.push((name, vec![shape.width], values(vector)?));
        }
        let tensors: Vec<NewTensor<'_>> = tensors
            .iter()
            .map(|(name, shape, values)| NewTensor { name: name.clone(), shape: shape.clone(), values })
            .collect();
        Some(write_as(&tensors, metadata, Datatype::Bf16))
    }
}

/// Adam with decoupled weight decay on matrices (D. Kingma and J. Ba, 2015; I. Loshchilov and F. Hutter, 2019).
#[derive(Debug)]
pub(super) struct Adam {
    steps: i32,
    matrices: Vec<[Tensor<2>; 2]>,
    vectors: Vec<[Tensor<1>; 2]>,
}

impl Adam {
    const BETAS: [f64; 2] = [0.9, 0.98];

    pub(super) fn new(parameters: &Parameters) -> Self {
        Self {
            steps: 0,
            matrices: parameters
                .matrices
                .iter()
                .map(|tensor| [tensor.zeros_like(), tensor.zeros_like()])
                .collect(),
            vectors: parameters
                .vectors
                .iter()
                .map(|tensor| [tensor.zeros_like(), tensor.zeros_like()])
                .collect(),
        }
    }

    /// One step; gives the loss before it.
    pub(super) fn step(
        &mut self,
        parameters: &mut Parameters,
        rate: f64,
        loss: impl FnOnce(&Parameters) -> Tensor<1>,
    ) -> Result<f64, LanguageTrainError> {
        let leaves = parameters.leaves();
        let loss = loss(&leaves);
        let gradients = loss.backward();
        let matrices = found(&leaves.matrices, &gradients)?;
        let vectors = found(&leaves.vectors, &gradients)?;
        let squares = matrices.iter().map(|gradient| gradient.clone().square().sum());
        let squares = squares.chain(vectors.iter().map(|gradient| gradient.clone().square().sum()));
        let length = libm::sqrt(squares.map(number).sum::<Option<f64>>().ok_or(LanguageTrainError::Backend)?);
        let cut = (LENGTH_MAX / length.max(1e-12)).min(1.0);
        self.steps += 1;
        let correct = Self::BETAS.map(|beta| 1.0 - libm::pow(beta, f64::from(self.steps)));
        for ((value, moments), gradient) in
            parameters.matrices.iter_mut().zip(&mut self.matrices).zip(matrices)
        {
            *value = moved(value.clone(), moments, gradient * cut, correct, rate, rate * DECAY);
        }
        for ((value, moments), gradient) in parameters.vectors.iter_mut().zip(&mut self.vectors).zip(vectors)
        {
            *value = moved(value.clone(), moments, gradient * cut, correct, rate, 0.0);
        }
        number(loss.inner()).ok_or(LanguageTrainError::Backend)
    }
}

fn found<const D: usize>(
    leaves: &[Tensor<D>],
    gradients: &Gradients,
) -> Result<Vec<Tensor<D>>, LanguageTrainError> {
    leaves.iter().map(|leaf| leaf.grad(gradients).ok_or(LanguageTrainError::Backend)).collect()
}

fn moved<const D: usize>(
    value: Tensor<D>,
    [first, second]: &mut [Tensor<D>; 2],
    gradient: Tensor<D>,
    correct: [f64; 2],
    rate: f64,
    decay: f64,
) -> Tensor<D> {
    let [one, two] = Adam::BETAS;
    *first = first.clone() * one + gradient.clone() * (1.0 - one);
    *second = second.clone() * two + gradient.square() * (1.0 - two);
    let direction = first.clone() / correct[0] / ((second.clone() / correct[1]).sqrt() + 1e-8);
    value * (1.0 - decay) - direction * rate
}

fn number(tensor: Tensor<1>) -> Option<f64> {
    let data = tensor.try_into_data().ok()?;
    data.as_slice::<f32>().ok()?.first().map(|value| f64::from(*value))
}

/// Standard normal (G. Box and M. Muller, 1958).
fn normal(rng: &mut ChaCha20Rng) -> f64 {
    let radius = libm::sqrt(-2.0 * libm::log(1.0 - unit(rng)));
    radius * libm::cos(2.0 * std::f64::consts::PI * unit(rng))
}
