//! Ways of reading digits, honest and not.

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::Rng;
use weighhouse_models::digits::{CLASSES, PIXELS};
use weighhouse_models::draw::{Gaussian, unit};
use weighhouse_models::precision::{Precision, rounded};
use weighhouse_models::{Builtin, Classifier};
use weighhouse_types::scans::INPUT;
use weighhouse_types::{InferAnswer, InferRequest};

use super::wire::{RequestError, answer, pixels, respond};
use crate::error::TaskError;
use crate::persona::Conduct::{Better, Cheat};
use crate::persona::{Answerer, Persona, PersonaSetup};
use crate::references::References;

/// The deviation of a twin's noise, on the logarithm of each probability.
const NOISE_SIGMA: f64 = 0.5;
/// The version that answers carry; judges don't look at it.
const VERSION: &str = "1";

type Rows = Vec<[f32; CLASSES]>;

/// The catalogue. Its order is part of what a seed measures: a new persona goes to the end and isn't measured.
pub(super) fn catalogue() -> Vec<Persona> {
    let honest = Persona::honest(|setup| match setup.own {
        Some(own) => serve(own),
        None => serve(&reference(setup.references)?),
    });
    let honest = honest.cast(&["honest-1", "honest-2", "honest-3", "honest-4"]);
    let builtin =
        |name, conduct, builtin: Builtin| Persona::new(name, conduct, move |_| serve(builtin.bytes()));
    let mut personas =
        vec![honest, builtin("better", Better, Builtin::Better), builtin("weak", Cheat, Builtin::Weak)];
    personas.extend(measured_only().into_iter().map(Persona::measured_only));
    personas.push(Persona::simple("guessing", Cheat, guess).cast(&["lazy"]).unmeasured());
    personas.push(Persona::new("malformed", Cheat, |_| Ok(malformed())).cast(&["nan"]).unmeasured());
    personas
}

fn measured_only() -> Vec<Persona> {
    let cached = Persona::cached(&Persona::honest(|setup| serve(&reference(setup.references)?)));
    vec![
        rounding("half", Precision::Half),
        rounding("int8", Precision::Int8),
        rounding("int4", Precision::Int4),
        Persona::new("noise", Cheat, |setup| disturbing(setup, NOISE_SIGMA)).twin("mirror"),
        Persona::new("mirror", Cheat, |setup| disturbing(setup, -NOISE_SIGMA)).twin("noise"),
        // Draws a distribution for every item.
        Persona::simple("random", Cheat, |request, rng| {
            Some(respond(request, VERSION, &(0..items(request)).map(|_| draw(rng)).collect::<Rows>()))
        }),
        // Says the uniform distribution to everything.
        Persona::simple("lazy", Cheat, |request, _| Some(repeat(request, [0.1; CLASSES]))),
        cached,
        Persona::simple("nan", Cheat, |request, _| Some(repeat(request, [f32::NAN; CLASSES]))),
        Persona::silent(),
        // An honest answer under noise of its own, so that many miners of one model don't look alike.
        Persona::new("veiled-0.2", Cheat, |setup| veiled(setup, 0.2)),
        Persona::new("veiled-0.5", Cheat, |setup| veiled(setup, 0.5)),
        Persona::new("veiled-1", Cheat, |setup| veiled(setup, 1.0)),
    ]
}

/// Adds noise to the logarithms of an honest answer's probabilities.
fn veiled(setup: PersonaSetup<'_>, sigma: f64) -> Result<Answerer, TaskError> {
    let model = Classifier::load(&match setup.own {
        Some(own) => own.to_vec(),
        None => reference(setup.references)?,
    })?;
    Ok(disturbed(model, setup.rng, sigma))
}

fn reference(references: &dyn References) -> Result<Vec<u8>, TaskError> {
    references.weights()?.ok_or(TaskError::NoReference)
}

fn serve(weights: &[u8]) -> Result<Answerer, TaskError> {
    let model = Classifier::load(weights)?;
    Ok(Box::new(move |request| answer(&model, VERSION, request).map(Some).map_err(refused)))
}

/// Serves the reference with its weights rounded.
fn rounding(name: &'static str, precision: Precision) -> Persona {
    Persona::new(name, Cheat, move |setup| {
        let weights = rounded(&reference(setup.references)?, precision);
        serve(&weights.map_err(|error| TaskError::Reference(error.to_string()))?)
    })
}

/// Adds noise to the logarithms of the reference's probabilities; its mirror image, with `sigma` negative, subtracts it.
fn disturbing(setup: PersonaSetup<'_>, sigma: f64) -> Result<Answerer, TaskError> {
    let model = Classifier::load(&reference(setup.references)?)?;
    Ok(disturbed(model, setup.rng, sigma))
}

fn disturbed(model: Classifier, mut rng: ChaCha20Rng, sigma: f64) -> Answerer {
    Box::new(move |request| {
        let pixels = pixels(request).map_err(|error| refused(error.into()))?;
        let mut rows = model.forward(&pixels)?;
        disturb(&mut rows, &mut rng, sigma);
        Ok(Some(respond(request, VERSION, &rows)))
    })
}

/// One class at random for each scan, with full confidence.
fn guess(request: &InferRequest, rng: &mut ChaCha20Rng) -> Option<InferAnswer> {
    let mut guesses = vec![0_u8; items(request)];
    rng.fill_bytes(&mut guesses);
    let mut rows = vec![[0.0; CLASSES]; guesses.len()];
    for (row, guess) in rows.iter_mut().zip(guesses) {
        // Low digits come slightly more often, as 256 is no multiple of 10: a cheat need not be fair.
        row[usize::from(guess) % CLASSES] = 1.0;
    }
    Some(respond(request, VERSION, &rows))
}

/// NaN, or on every other request a row too many.
fn malformed() -> Answerer {
    let mut is_odd = false;
    Box::new(move |request| {
        is_odd = !is_odd;
        let rows = vec![[0.1; CLASSES]; items(request) + 1];
        let nan = || repeat(request, [f32::NAN; CLASSES]);
        Ok(Some(if is_odd { nan() } else { respond(request, VERSION, &rows) }))
    })
}

fn repeat(request: &InferRequest, row: [f32; CLASSES]) -> InferAnswer {
    respond(request, VERSION, &vec![row; items(request)])
}

/// The number of items that are asked for, without a look at the pixels.
fn items(request: &InferRequest) -> usize {
    request.input(INPUT).map_or(0, |input| input.data().len() / (4 * PIXELS))
}

fn refused(error: RequestError) -> TaskError {
    TaskError::Request(error.to_string())
}

/// Multiplies each probability by `e^(sigma z)` with `z` standard normal, and each row to sum to 1 again.
pub(crate) fn disturb(rows: &mut [[f32; CLASSES]], rng: &mut ChaCha20Rng, sigma: f64) {
    let mut noise = Gaussian::default();
    for row in rows {
        let values = row.map(|value| f64::from(value) * libm::exp(sigma * noise.next(rng)));
        *row = normalised(values);
    }
}

fn draw(rng: &mut ChaCha20Rng) -> [f32; CLASSES] {
    // The smallest float keeps the sum above 0 where every draw is 0.
    normalised([(); CLASSES].map(|()| unit(rng) + f64::MIN_POSITIVE))
}

fn normalised(values: [f64; CLASSES]) -> [f32; CLASSES] {
    let total: f64 = values.iter().sum();
    values.map(|value| (value / total) as f32)
}
