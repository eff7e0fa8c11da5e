//! Training of the digits' classifiers: cross-entropy, AdamW, one thread of randomness from one seed.
//!
//! The same recipe and seed give the same file on the same kind of processor. On another kind the last bits of the
//! weights may differ, and with them the file's digest: a trained file is shipped, not made again. The weights that ship
//! were trained before burn's optimiser took the place of an own one; the same draws give theirs to within 0.02 of a
//! probability, which a test holds.

mod recipe;

use std::collections::BTreeMap;
use std::f64::consts::PI;

use burn::optim::AdamWConfig;
use burn::tensor::activation::{log_softmax, relu};
use burn::tensor::{Device, Tensor, TensorData};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use weighhouse_models::digits::{self, CLASSES, PIXELS, Scan};
use weighhouse_models::draw::{shuffle, unit};
use weighhouse_models::perturb::perturb;
use weighhouse_models::safetensors::{NewTensor, write};
use weighhouse_models::{Classifier, held_out_accuracy};

use crate::error::TrainError;
use crate::optimizer::{Moments, gradients_of, leaves, number, numbers};
use recipe::Plan;

pub(crate) use recipe::Recipe;

const BATCH: usize = 48;

/// Progress after each pass over the scans.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct TrainingProgress {
    /// Passes done, from 1.
    pub(crate) pass: u32,
    pub(crate) passes: u32,
    /// Mean cross-entropy of the pass, in nats.
    pub(crate) loss: f64,
}

/// A trained classifier.
#[derive(Clone, Debug)]
pub(crate) struct TrainedClassifier {
    /// A safetensors file that [`Classifier::load`] reads.
    pub(crate) file: Vec<u8>,
    /// The share of unperturbed held-out scans that it names rightly.
    pub(crate) held_out_accuracy: f64,
}

/// Trains a classifier and says how good it is. Takes seconds to minutes of one thread, depending on the recipe.
///
/// # Errors
/// [`TrainError::Diverged`] as soon as the loss isn't finite.
pub(crate) fn train(
    recipe: Recipe,
    seed: u64,
    progress: &mut dyn FnMut(TrainingProgress),
) -> Result<TrainedClassifier, TrainError> {
    let plan = recipe.plan();
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let mut trainer = Trainer::new(&plan, &mut rng);
    let scans: Vec<Scan> = digits::training().take(plan.scans).collect();
    for pass in 0..plan.passes {
        let rate = plan.rate * 0.5 * (1.0 + libm::cos(PI * f64::from(pass) / f64::from(plan.passes)));
        let mut order: Vec<usize> = (0..scans.len()).collect();
        // A pinned draw: the shipped weights depend on it.
        shuffle(&mut order, &mut rng);
        let mut total = 0.0;
        for batch in order.chunks(BATCH) {
            let batch: Vec<Scan> = batch.iter().map(|index| scans[*index]).collect();
            // The last batch of a pass may be shorter, and its mean counts for less.
            total += trainer.step(&batch, &plan, rate, &mut rng)? * batch.len() as f64;
        }
        let loss = total / scans.len() as f64;
        if !loss.is_finite() {
            return Err(TrainError::Diverged { step: pass + 1 });
        }
        progress(TrainingProgress { pass: pass + 1, passes: plan.passes, loss });
    }
    let metadata = BTreeMap::from([
        ("data".to_owned(), "UCI optical digits, E. Alpaydin and C. Kaynak, CC BY 4.0".to_owned()),
        ("model".to_owned(), "weighhouse digits mlp 1".to_owned()),
        ("recipe".to_owned(), recipe.to_string()),
        ("seed".to_owned(), seed.to_string()),
    ]);
    let file = trainer.file(&metadata)?;
    let held_out_accuracy = held_out_accuracy(&Classifier::load(&file)?)?;
    Ok(TrainedClassifier { file, held_out_accuracy })
}

/// A network's layers by turns: weights `[inputs, outputs]`, biases `[1, outputs]`.
struct Trainer {
    device: Device,
    parameters: Vec<Tensor<2>>,
    moments: Moments<2>,
}

impl Trainer {
    /// Weights are uniform with variance `2 / inputs` (K. He and others, 2015), biases 0.
    fn new(plan: &Plan, rng: &mut ChaCha20Rng) -> Self {
        let device = Device::flex();
        let widths: Vec<usize> = [&[PIXELS], &plan.hidden[..], &[CLASSES]].concat();
        let layer = |pair: &[usize]| {
            let (inputs, outputs) = (pair[0], pair[1]);
            // Uniform numbers up to a bound have a variance of a third of its square.
            let bound = libm::sqrt(6.0 / inputs as f64);
            let weight: Vec<f32> =
                (0..inputs * outputs).map(|_| ((2.0 * unit(rng) - 1.0) * bound) as f32).collect();
            let weight = Tensor::<2>::from_data(TensorData::new(weight, [outputs, inputs]), &device);
            [weight.transpose(), Tensor::zeros([1, outputs], &device)]
        };
        let parameters: Vec<Tensor<2>> = widths.windows(2).flat_map(layer).collect();
        let adam = AdamWConfig::new().with_epsilon(1e-8).with_weight_decay(plan.decay as f32);
        Self { device: device.clone(), moments: Moments::new(&adam, parameters.len()), parameters }
    }

    /// One step down the gradient; the batch's mean loss before it, in nats.
    fn step(
        &mut self,
        batch: &[Scan],
        plan: &Plan,
        rate: f64,
        rng: &mut ChaCha20Rng,
    ) -> Result<f64, TrainError> {
        let pixels: Vec<f32> =
            batch.iter().flat_map(|scan| perturb(scan.pixels, &plan.perturbation, rng)).collect();
        let truth: Vec<f32> = batch
            .iter()
            .flat_map(|scan| (0..CLASSES).map(|class| f32::from(class == usize::from(scan.digit))))
            .collect();
        let pixels = Tensor::<2>::from_data(TensorData::new(pixels, [batch.len(), PIXELS]), &self.device);
        let truth = Tensor::<2>::from_data(TensorData::new(truth, [batch.len(), CLASSES]), &self.device);
        let leaves = leaves(&self.parameters);
        let logits = logits(&leaves, pixels.autodiff());
        let loss = -(log_softmax(logits, 1) * truth.autodiff()).sum() / batch.len() as f64;
        let gradients = gradients_of(&leaves, &loss.backward())?;
        self.moments.step(rate, &mut self.parameters, gradients);
        number(loss.inner())
    }

    /// A safetensors file, named as [`Classifier::load`] expects.
    fn file(&self, metadata: &BTreeMap<String, String>) -> Result<Vec<u8>, TrainError> {
        let mut layers = Vec::new();
        for (index, pair) in self.parameters.chunks_exact(2).enumerate() {
            let [inputs, outputs] = pair[0].dims();
            let weight = numbers(pair[0].clone().transpose())?;
            layers.push((format!("layers.{index}.weight"), vec![outputs, inputs], weight));
            layers.push((format!("layers.{index}.bias"), vec![outputs], numbers(pair[1].clone())?));
        }
        let tensors: Vec<NewTensor<'_>> = layers
            .iter()
            .map(|(name, shape, values)| NewTensor { name: name.clone(), shape: shape.clone(), values })
            .collect();
        Ok(write(&tensors, metadata))
    }
}

/// `[rows, 64]` to logits, `[rows, 10]`, with a rectifier between layers.
fn logits(parameters: &[Tensor<2>], pixels: Tensor<2>) -> Tensor<2> {
    let last = parameters.len() / 2 - 1;
    parameters.chunks_exact(2).enumerate().fold(pixels, |input, (index, pair)| {
        let output = input.matmul(pair[0].clone()) + pair[1].clone();
        if index < last { relu(output) } else { output }
    })
}

#[cfg(test)]
mod tests;
