//! Kinds of answerers, as engines would implement them: from a request to an answer, or none.

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use weighhouse_models::digits::{CLASSES, PIXELS};
use weighhouse_models::draw::{Gaussian, unit};
use weighhouse_models::precision::{Precision, rounded};
use weighhouse_models::{Builtin, Classifier};
use weighhouse_types::scans::INPUT;
use weighhouse_types::{Failure, InferAnswer, InferRequest};

use super::MeasureError;
use crate::{RequestError, answer, pixels, respond};

/// The deviation of a twin's noise, on the logarithm of each probability.
const NOISE_SIGMA: f64 = 0.5;
/// The version that answers carry; judges don't look at it.
const VERSION: &str = "1";

/// Who answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Persona {
    /// Serves the reference, or a model of its own.
    Honest,
    /// Serves the built-in weights that are better.
    Better,
    /// Serves the built-in weights that are worse.
    Weak,
    /// Serves the reference rounded to half precision.
    Half,
    /// Serves the reference rounded to 8-bit integers.
    Int8,
    /// Serves the reference rounded to 4-bit integers.
    Int4,
    /// Adds Gaussian noise to the logarithms of the reference's probabilities.
    Noise,
    /// Subtracts what its twin adds.
    Mirror,
    /// Draws a distribution for every item.
    Random,
    /// Says the same distribution, the uniform one, to everything.
    Lazy,
    /// Repeats its answer to an earlier challenge.
    Cached,
    /// Answers NaN.
    Nan,
    /// Doesn't answer.
    Silent,
}

impl Persona {
    pub const ALL: [Self; 13] = [
        Self::Honest,
        Self::Better,
        Self::Weak,
        Self::Half,
        Self::Int8,
        Self::Int4,
        Self::Noise,
        Self::Mirror,
        Self::Random,
        Self::Lazy,
        Self::Cached,
        Self::Nan,
        Self::Silent,
    ];

    /// As in a profile: lower case.
    pub fn name(self) -> &'static str {
        match self {
            Self::Honest => "honest",
            Self::Better => "better",
            Self::Weak => "weak",
            Self::Half => "half",
            Self::Int8 => "int8",
            Self::Int4 => "int4",
            Self::Noise => "noise",
            Self::Mirror => "mirror",
            Self::Random => "random",
            Self::Lazy => "lazy",
            Self::Cached => "cached",
            Self::Nan => "nan",
            Self::Silent => "silent",
        }
    }

    pub(super) fn is_twin(self) -> bool {
        matches!(self, Self::Noise | Self::Mirror)
    }

    /// The second of a pair.
    pub(super) fn other(self) -> Self {
        match self {
            Self::Noise => Self::Mirror,
            Self::Mirror => Self::Noise,
            same => same,
        }
    }
}

/// One miner of a persona.
pub(super) struct Answerer {
    persona: Persona,
    work: Work,
}

enum Work {
    Serve(Classifier),
    /// `sigma` is negative for the mirror image.
    Disturb {
        model: Classifier,
        rng: ChaCha20Rng,
        sigma: f64,
    },
    Draw(ChaCha20Rng),
    Repeat([f32; CLASSES]),
    Replay(Vec<[f32; CLASSES]>),
    Nothing,
}

impl Answerer {
    /// `reference` is what honest miners serve, or what cheats start from; `earlier` is a challenge from before the
    /// measurement.
    pub(super) fn new(
        persona: Persona,
        reference: &[u8],
        earlier: &InferRequest,
        seed: u64,
    ) -> Result<Self, MeasureError> {
        let load = |file: &[u8]| {
            Classifier::load(file).map_err(|source| MeasureError::Model { persona: persona.name(), source })
        };
        let rng = ChaCha20Rng::seed_from_u64(seed);
        let work = match persona {
            Persona::Honest => Work::Serve(load(reference)?),
            Persona::Better => Work::Serve(load(Builtin::Better.bytes())?),
            Persona::Weak => Work::Serve(load(Builtin::Weak.bytes())?),
            Persona::Half => Work::Serve(load(&rounded(reference, Precision::Half)?)?),
            Persona::Int8 => Work::Serve(load(&rounded(reference, Precision::Int8)?)?),
            Persona::Int4 => Work::Serve(load(&rounded(reference, Precision::Int4)?)?),
            Persona::Noise => Work::Disturb { model: load(reference)?, rng, sigma: NOISE_SIGMA },
            Persona::Mirror => Work::Disturb { model: load(reference)?, rng, sigma: -NOISE_SIGMA },
            Persona::Random => Work::Draw(rng),
            Persona::Lazy => Work::Repeat([0.1; CLASSES]),
            Persona::Nan => Work::Repeat([f32::NAN; CLASSES]),
            Persona::Cached => Work::Replay(rows(persona, &load(reference)?, earlier)?),
            Persona::Silent => Work::Nothing,
        };
        Ok(Self { persona, work })
    }

    pub(super) fn answers(
        &mut self,
        requests: &[InferRequest],
    ) -> Result<Vec<Result<InferAnswer, Failure>>, MeasureError> {
        requests.iter().map(|request| self.answer(request)).collect()
    }

    fn answer(&mut self, request: &InferRequest) -> Result<Result<InferAnswer, Failure>, MeasureError> {
        let persona = self.persona;
        let rows = match &mut self.work {
            Work::Serve(model) => {
                let served = answer(model, VERSION, request);
                let served =
                    served.map_err(|source| MeasureError::Answer { persona: persona.name(), source });
                return served.map(Ok);
            }
            Work::Nothing => return Ok(Err(Failure::DeadlineExceeded)),
            Work::Disturb { model, rng, sigma } => {
                let mut rows = rows(persona, model, request)?;
                disturb(&mut rows, rng, *sigma);
                rows
            }
            Work::Draw(rng) => (0..items(request)).map(|_| draw(rng)).collect(),
            Work::Repeat(row) => vec![*row; items(request)],
            Work::Replay(rows) => return Ok(Ok(respond(request, VERSION, rows))),
        };
        Ok(Ok(respond(request, VERSION, &rows)))
    }
}

fn rows(
    persona: Persona,
    model: &Classifier,
    request: &InferRequest,
) -> Result<Vec<[f32; CLASSES]>, MeasureError> {
    let forward = |pixels: Vec<f32>| Ok::<_, RequestError>(model.forward(&pixels)?);
    pixels(request)
        .map_err(RequestError::from)
        .and_then(forward)
        .map_err(|source| MeasureError::Answer { persona: persona.name(), source })
}

/// How many items are asked for, without a look at the pixels.
fn items(request: &InferRequest) -> usize {
    request.input(INPUT).map_or(0, |input| input.data().len() / (4 * PIXELS))
}

/// Multiplies each probability by `e^(sigma z)` with `z` standard normal, and each row to sum to 1 again.
pub(super) fn disturb(rows: &mut [[f32; CLASSES]], rng: &mut ChaCha20Rng, sigma: f64) {
    let mut noise = Gaussian::default();
    for row in rows {
        let values = row.map(|value| f64::from(value) * libm::exp(sigma * noise.next(rng)));
        *row = normalised(values);
    }
}

fn draw(rng: &mut ChaCha20Rng) -> [f32; CLASSES] {
    normalised([(); CLASSES].map(|()| unit(rng) + f64::MIN_POSITIVE))
}

fn normalised(values: [f64; CLASSES]) -> [f32; CLASSES] {
    let total: f64 = values.iter().sum();
    values.map(|value| (value / total) as f32)
}
