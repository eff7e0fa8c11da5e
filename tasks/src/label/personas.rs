//! Ways of labelling, honest and not.

use rand_chacha::ChaCha20Rng;
use weighhouse_models::draw::{below, unit};
use weighhouse_models::{Builtin, Classifier};
use weighhouse_types::scans::{CLASSES, INPUT};
use weighhouse_types::{Digest, InferAnswer, InferRequest, Tensor};

use crate::classify::wire::{pixels, respond};
use crate::error::TaskError;
use crate::kind::generator;
use crate::persona::{Answerer, Conduct, Persona};

use super::items::{LABELS, TEXTS, topic};

const TOPICS: u32 = 4;
/// Of the items, how many a gold spotter takes for gold, and looks at.
const SPOTTED: f64 = 0.05;

/// From what somebody who looks sees of an item, its own chance and the item's: the label.
type Label = fn(usize, u32, &mut ChaCha20Rng, &mut ChaCha20Rng) -> usize;

pub(super) fn catalogue() -> Vec<Persona> {
    use Conduct::{Cheat, Honest};
    let honest =
        persona("honest", Honest, Builtin::Better, |seen, classes, rng, _| slip(0.05, seen, classes, rng));
    let honest = honest.cast(&[
        "honest-1", "honest-2", "honest-3", "honest-4", "honest-5", "honest-6", "honest-7", "honest-8",
    ]);
    vec![
        honest,
        persona("hasty", Cheat, Builtin::Better, |seen, classes, rng, _| slip(0.5, seen, classes, rng)),
        persona("random", Cheat, Builtin::Better, |_, classes, rng, _| below(classes, rng) as usize),
        persona("constant", Cheat, Builtin::Better, |_, _, _, _| 1),
        // Says of each item what its league can work out of the item alone.
        persona("clique", Cheat, Builtin::Better, |_, classes, _, item| below(classes, item) as usize)
            .cast(&["clique-1", "clique-2", "clique-3"]),
        // All serve one model that is wrong on one item of four, and wrong where the others are.
        persona("same-model", Cheat, Builtin::Better, |seen, classes, _, item| {
            slip(0.25, seen, classes, item)
        })
        .cast(&["same-1", "same-2"]),
        persona("gold-spotter", Cheat, Builtin::Better, |seen, classes, rng, _| {
            if unit(rng) < SPOTTED { seen } else { below(classes, rng) as usize }
        }),
        Persona::silent(),
    ]
}

fn persona(name: &'static str, conduct: Conduct, model: Builtin, label: Label) -> Persona {
    Persona::new(name, conduct, move |setup| {
        let (model, mut rng) = (Classifier::load(model.bytes())?, setup.rng);
        let answer: Answerer = Box::new(move |request| answer(&model, request, label, &mut rng));
        Ok(answer)
    })
}

fn answer(
    model: &Classifier,
    request: &InferRequest,
    label: Label,
    rng: &mut ChaCha20Rng,
) -> Result<Option<InferAnswer>, TaskError> {
    let refused = |error: &dyn std::fmt::Display| TaskError::Request(error.to_string());
    if request.input(INPUT).is_ok() {
        let pixels = pixels(request).map_err(|error| refused(&error))?;
        let rows = model.forward(&pixels)?;
        let items = pixels.chunks(pixels.len() / rows.len().max(1));
        let labels = rows.iter().zip(items).map(|(row, pixels)| {
            let bytes: Vec<u8> = pixels.iter().flat_map(|pixel| pixel.to_le_bytes()).collect();
            let mut certain = [0.0; CLASSES];
            certain[label(best(row), CLASSES as u32, rng, &mut generator(Digest::of(&bytes).0))] = 1.0;
            certain
        });
        return Ok(Some(respond(request, "1", &labels.collect::<Vec<_>>())));
    }
    let texts = request.input(TEXTS).and_then(Tensor::to_texts).map_err(|error| refused(&error))?;
    let labels = texts
        .iter()
        .map(|text| label(topic(text), TOPICS, rng, &mut generator(Digest::of(text.as_bytes()).0)) as i64);
    Ok(Some(request.answered(vec![Tensor::integers(LABELS, &labels.collect::<Vec<_>>())])))
}

/// Another class than the one seen, now and then.
fn slip(chance: f64, seen: usize, classes: u32, rng: &mut ChaCha20Rng) -> usize {
    let (slips, other) = (unit(rng) < chance, below(classes - 1, rng) as usize);
    if slips { other + usize::from(other >= seen) } else { seen }
}

fn best(row: &[f32]) -> usize {
    (0..row.len()).max_by(|one, other| row[*one].total_cmp(&row[*other])).unwrap_or(0)
}
