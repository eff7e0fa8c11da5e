//! Ways of embedding texts, honest and not.

use ndarray::Array2;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::Rng;
use weighhouse_models::precision::Precision;
use weighhouse_types::text::{TextsAnswer, TextsLimits, TextsRequest};
use weighhouse_types::{InferAnswer, InferRequest};

use crate::error::TaskError;
use crate::generate::witness::{Encoder, WitnessError};
use crate::persona::{Conduct, Persona};
use crate::references::Grade;

/// A challenge is far below these.
const LIMITS: TextsLimits = TextsLimits { texts: 1 << 10, bytes: 1 << 20, dimensions: 1 << 14 };
/// The version that answers carry; judges don't look at it.
const VERSION: &str = "1";

/// The catalogue.
pub(super) fn catalogue() -> Vec<Persona> {
    let honest = serving("honest", Conduct::Honest, Grade::Agreed);
    let cached = Persona::cached(&honest);
    let lazy = spoiling("lazy", |rng| {
        let mut byte = [0];
        rng.fill_bytes(&mut byte);
        // Centred on 0: rows of positive numbers would all point in about the same direction.
        f32::from(byte[0]) - 127.5
    });
    let nan = spoiling("nan", |_| f32::NAN);
    vec![
        honest,
        rounding("half", Conduct::Honest, Precision::Half),
        rounding("bf16", Conduct::Honest, Precision::Bfloat16),
        rounding("int8", Conduct::Cheat, Precision::Int8),
        rounding("int4", Conduct::Cheat, Precision::Int4),
        lazy,
        cached,
        nan,
        Persona::new("halving", Conduct::Cheat, |setup| {
            let encoder = setup.references.served_encoder(Grade::Agreed)?;
            Ok(Box::new(move |request| {
                let halves: Vec<String> = asked(request)?.texts.iter().map(|text| half(text)).collect();
                reply(request, embed(encoder.as_ref(), &halves)?)
            }))
        })
        .measured_only(),
        Persona::silent(),
    ]
}

fn serving(name: &'static str, conduct: Conduct, grade: Grade) -> Persona {
    Persona::new(name, conduct, move |setup| {
        let encoder = setup.references.served_encoder(grade)?;
        Ok(Box::new(move |request| reply(request, embed(encoder.as_ref(), &asked(request)?.texts)?)))
    })
}

fn rounding(name: &'static str, conduct: Conduct, precision: Precision) -> Persona {
    serving(name, conduct, Grade::Rounded(precision)).rounds_to(precision).measured_only()
}

/// Runs the model, and says other numbers.
fn spoiling(name: &'static str, value: fn(&mut ChaCha20Rng) -> f32) -> Persona {
    Persona::new(name, Conduct::Cheat, move |setup| {
        let encoder = setup.references.served_encoder(Grade::Agreed)?;
        let mut rng = setup.rng;
        Ok(Box::new(move |request| {
            let mut rows = embed(encoder.as_ref(), &asked(request)?.texts)?;
            rows.iter_mut().for_each(|number| *number = value(&mut rng));
            reply(request, rows)
        }))
    })
}

/// The first half of a text's words.
fn half(text: &str) -> String {
    let words: Vec<&str> = text.split(' ').collect();
    words[..words.len().div_ceil(2)].join(" ")
}

fn asked(request: &InferRequest) -> Result<TextsRequest, TaskError> {
    TextsRequest::from_infer(request, &LIMITS).map_err(refused)
}

fn embed(encoder: &dyn Encoder, texts: &[String]) -> Result<Array2<f32>, TaskError> {
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    Ok(encoder.embed(&texts).map_err(WitnessError::from)?)
}

fn reply(request: &InferRequest, rows: Array2<f32>) -> Result<Option<InferAnswer>, TaskError> {
    TextsAnswer { rows }.to_infer(&request.model, VERSION, &request.id).map(Some).map_err(refused)
}

fn refused(error: impl std::fmt::Display) -> TaskError {
    TaskError::Request(error.to_string())
}
