//! How the built-in weights were made: cross-entropy, Adam, one thread of randomness from one seed.
//!
//! The same recipe and seed give the same file on the same kind of processor. On another kind the last bits of the
//! weights may differ, and with them the file's digest: a trained file is shipped, not re-made.

use std::collections::BTreeMap;
use std::f64::consts::PI;
use std::fmt;
use std::str::FromStr;

use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Tensor, TensorData};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::classifier::{Classifier, ModelError, save};
use crate::digits::{self, CLASSES, HELD_OUT, PIXELS, Scan};
use crate::mlp::{Dense, Mlp};
use crate::perturb::{Perturbation, below, perturb, unit};

const BATCH: usize = 48;
const ALL: usize = usize::MAX;

/// Which weights to train.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Recipe {
    /// One small hidden layer, slightly perturbed scans.
    Reference,
    /// Two hidden layers, long, on scans perturbed as challenges are.
    Better,
    /// A tiny hidden layer, briefly, on a handful of scans.
    Weak,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no recipe named {name:?}: there are reference, better and weak")]
pub struct UnknownRecipe {
    pub name: String,
}

/// After each pass over the scans.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// Passes done, from 1.
    pub pass: u32,
    pub passes: u32,
    /// Mean cross-entropy of the pass, in nats.
    pub loss: f64,
}

/// What training made.
#[derive(Clone, Debug)]
pub struct Trained {
    /// A safetensors file that [`Classifier::load`] reads.
    pub file: Vec<u8>,
    /// The share of unperturbed held-out scans that it names rightly.
    pub held_out_accuracy: f64,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrainError {
    #[error("pass {pass}: the loss is not finite")]
    Diverged { pass: u32 },
    #[error("the backend gave no gradient or no result")]
    Backend,
    #[error("the trained weights don't load: {0}")]
    Model(#[from] ModelError),
}

/// Trains a classifier and says how good it is. Takes seconds to minutes of one thread, depending on the recipe.
///
/// # Errors
/// [`TrainError::Diverged`] as soon as the loss is no number.
pub fn train(recipe: Recipe, seed: u64, progress: &mut dyn FnMut(Progress)) -> Result<Trained, TrainError> {
    let plan = recipe.plan();
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let mut trainer = Trainer::new(&plan.hidden, &mut rng);
    let scans: Vec<Scan> = digits::training().take(plan.scans).collect();
    for pass in 0..plan.passes {
        let rate = plan.rate * 0.5 * (1.0 + libm::cos(PI * f64::from(pass) / f64::from(plan.passes)));
        let mut order: Vec<usize> = (0..scans.len()).collect();
        shuffle(&mut order, &mut rng);
        let mut total = 0.0;
        for batch in order.chunks(BATCH) {
            let batch: Vec<Scan> = batch.iter().map(|index| scans[*index]).collect();
            total += trainer.step(&batch, &plan, rate, &mut rng)? * batch.len() as f64;
        }
        let loss = total / scans.len() as f64;
        if !loss.is_finite() {
            return Err(TrainError::Diverged { pass: pass + 1 });
        }
        progress(Progress { pass: pass + 1, passes: plan.passes, loss });
    }
    let metadata = BTreeMap::from([
        ("data".to_owned(), "UCI optical digits, E. Alpaydin and C. Kaynak, CC BY 4.0".to_owned()),
        ("model".to_owned(), "weighhouse digits mlp 1".to_owned()),
        ("recipe".to_owned(), recipe.to_string()),
        ("seed".to_owned(), seed.to_string()),
    ]);
    let file = save(&trainer.layers()?, &metadata);
    let held_out_accuracy = held_out_accuracy(&Classifier::load(&file)?)?;
    Ok(Trained { file, held_out_accuracy })
}

/// The share of unperturbed held-out scans whose most probable digit is the right one.
///
/// # Errors
/// As [`Classifier::forward`].
pub fn held_out_accuracy(classifier: &Classifier) -> Result<f64, ModelError> {
    let pixels: Vec<f32> = digits::held_out().flat_map(digits::clean).collect();
    let rows = classifier.forward(&pixels)?;
    let right = digits::held_out().zip(&rows).filter(|(scan, row)| most_probable(row) == scan.digit).count();
    Ok(right as f64 / HELD_OUT as f64)
}

fn most_probable(row: &[f32; CLASSES]) -> u8 {
    (0_u8..).zip(row).max_by(|(_, a), (_, b)| a.total_cmp(b)).map_or(0, |(digit, _)| digit)
}

struct Plan {
    hidden: Vec<usize>,
    scans: usize,
    passes: u32,
    rate: f64,
    /// Decoupled from the gradient; see [`Trainer::step`].
    decay: f64,
    perturbation: Perturbation,
}

impl Recipe {
    pub const ALL: [Self; 3] = [Self::Reference, Self::Better, Self::Weak];

    fn plan(self) -> Plan {
        match self {
            Self::Reference => Plan {
                hidden: vec![64],
                scans: ALL,
                passes: 60,
                rate: 3e-3,
                decay: 0.01,
                perturbation: Perturbation {
                    max_shift_px: 0.0,
                    max_rotation_degrees: 0.0,
                    noise_sigma: 0.05,
                },
            },
            Self::Better => Plan {
                hidden: vec![256, 128],
                scans: ALL,
                passes: 400,
                rate: 2e-3,
                decay: 0.02,
                perturbation: Perturbation {
                    max_shift_px: 1.0,
                    max_rotation_degrees: 20.0,
                    noise_sigma: 0.1,
                },
            },
            Self::Weak => Plan {
                hidden: vec![16],
                scans: 100,
                passes: 80,
                rate: 3e-3,
                decay: 0.0,
                perturbation: Perturbation { max_shift_px: 0.0, max_rotation_degrees: 0.0, noise_sigma: 0.0 },
            },
        }
    }
}

impl fmt::Display for Recipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Reference => "reference",
            Self::Better => "better",
            Self::Weak => "weak",
        })
    }
}

impl FromStr for Recipe {
    type Err = UnknownRecipe;

    fn from_str(name: &str) -> Result<Self, UnknownRecipe> {
        let named = Self::ALL.into_iter().find(|recipe| recipe.to_string() == name);
        named.ok_or_else(|| UnknownRecipe { name: name.to_owned() })
    }
}

/// Adam with decoupled weight decay (D. Kingma and J. Ba, 2015; I. Loshchilov and F. Hutter, 2019).
struct Trainer {
    device: Device,
    /// Weights and biases by turns, each with its first and second moment.
    parameters: Vec<Parameter>,
    steps: i32,
}

struct Parameter {
    value: Tensor<2>,
    first: Tensor<2>,
    second: Tensor<2>,
}

impl Trainer {
    const BETA_1: f64 = 0.9;
    const BETA_2: f64 = 0.999;
    const EPSILON: f64 = 1e-8;

    /// Weights are uniform with variance `2 / inputs` (K. He and others, 2015), biases 0.
    fn new(hidden: &[usize], rng: &mut ChaCha20Rng) -> Self {
        let device = Device::flex();
        let widths: Vec<usize> = [&[PIXELS], hidden, &[CLASSES]].concat();
        let mut dense = |pair: &[usize]| {
            let (inputs, outputs) = (pair[0], pair[1]);
            let bound = libm::sqrt(6.0 / inputs as f64);
            let weight = (0..inputs * outputs).map(|_| ((2.0 * unit(rng) - 1.0) * bound) as f32).collect();
            Dense { inputs, outputs, weight, bias: vec![0.0; outputs] }
        };
        let layers: Vec<Dense> = widths.windows(2).map(&mut dense).collect();
        let tensors = Mlp::new(&layers, &device).layers.into_iter().flat_map(|(weight, bias)| [weight, bias]);
        let parameters =
            tensors.map(|value| Parameter { first: value.zeros_like(), second: value.zeros_like(), value });
        Self { device: device.clone(), parameters: parameters.collect(), steps: 0 }
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

        let leaves: Vec<Tensor<2>> = self
            .parameters
            .iter()
            .map(|parameter| parameter.value.clone().autodiff().require_grad())
            .collect();
        let layers = leaves.chunks_exact(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect();
        let logits = Mlp { layers }.logits(pixels.autodiff());
        let loss = -(log_softmax(logits, 1) * truth.autodiff()).sum() / batch.len() as f64;
        let gradients = loss.backward();

        self.steps += 1;
        let correct_1 = 1.0 - libm::pow(Self::BETA_1, f64::from(self.steps));
        let correct_2 = 1.0 - libm::pow(Self::BETA_2, f64::from(self.steps));
        for (parameter, leaf) in self.parameters.iter_mut().zip(&leaves) {
            let gradient = leaf.grad(&gradients).ok_or(TrainError::Backend)?;
            parameter.first =
                parameter.first.clone() * Self::BETA_1 + gradient.clone() * (1.0 - Self::BETA_1);
            parameter.second =
                parameter.second.clone() * Self::BETA_2 + gradient.square() * (1.0 - Self::BETA_2);
            let denominator = (parameter.second.clone() / correct_2).sqrt() + Self::EPSILON;
            let direction = parameter.first.clone() / correct_1 / denominator;
            parameter.value = parameter.value.clone() * (1.0 - rate * plan.decay) - direction * rate;
        }
        let loss = loss.inner().try_into_data().map_err(|_| TrainError::Backend)?;
        let loss = loss.as_slice::<f32>().map_err(|_| TrainError::Backend)?;
        loss.first().map(|loss| f64::from(*loss)).ok_or(TrainError::Backend)
    }

    fn layers(&self) -> Result<Vec<Dense>, TrainError> {
        let values = |tensor: Tensor<2>| -> Result<Vec<f32>, TrainError> {
            let data = tensor.try_into_data().map_err(|_| TrainError::Backend)?;
            Ok(data.as_slice::<f32>().map_err(|_| TrainError::Backend)?.to_vec())
        };
        let layer = |pair: &[Parameter]| {
            let [inputs, outputs] = pair[0].value.dims();
            let weight = values(pair[0].value.clone().transpose())?;
            Ok(Dense { inputs, outputs, weight, bias: values(pair[1].value.clone())? })
        };
        self.parameters.chunks_exact(2).map(layer).collect()
    }
}

/// R. Durstenfeld, 1964.
fn shuffle(order: &mut [usize], rng: &mut ChaCha20Rng) {
    for last in (1..order.len()).rev() {
        order.swap(last, below(last as u32 + 1, rng) as usize);
    }
}
