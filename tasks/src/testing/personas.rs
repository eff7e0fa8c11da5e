//! The ways of answering the test-only kinds.

use rand_chacha::ChaCha20Rng;
use weighhouse_types::{Digest, InferAnswer, InferRequest};

use super::{WITHHELD, answer, number};
use crate::persona::{Conduct, Persona};

type Answer = fn(&InferRequest, &mut ChaCha20Rng) -> Option<InferAnswer>;

fn persona(name: &'static str, conduct: Conduct, cast: &'static [&'static str], answer: Answer) -> Persona {
    Persona::simple(name, conduct, answer).cast(cast)
}

pub(super) fn sealed() -> Vec<Persona> {
    use Conduct::{Cheat, Honest};
    vec![
        persona("honest", Honest, &["honest-1", "honest-2"], |asked, _| guess(asked, 10)),
        persona("far", Cheat, &["far"], |asked, _| guess(asked, 40)),
        persona("withholding", Cheat, &["withholding"], |asked, _| match asked.inputs[0].name() {
            "commit" => guess(asked, 10),
            _ => {
                WITHHELD.note();
                None
            }
        }),
        // Reveals another guess than it committed to.
        persona("changing", Cheat, &["changing"], |asked, _| match asked.inputs[0].name() {
            "commit" => guess(asked, 40),
            _ => guess(asked, 10),
        }),
        persona("open", Cheat, &["open"], |asked, _| {
            answer(asked, &number(asked.inputs[0].data())?.to_le_bytes())
        }),
    ]
}

/// Commits to a guess so far above the question's number, and reveals it.
fn guess(asked: &InferRequest, above: u32) -> Option<InferAnswer> {
    let guess = (number(asked.inputs[0].data())? + above).to_le_bytes();
    match asked.inputs[0].name() {
        "commit" => answer(asked, Digest::of(&guess).as_bytes()),
        _ => answer(asked, &guess),
    }
}

/// None of them knows that its guess is sealed.
pub(super) fn hidden() -> Vec<Persona> {
    use Conduct::{Cheat, Honest};
    vec![
        persona("honest", Honest, &["honest-1", "honest-2"], |asked, _| guess(asked, 10)),
        persona("far", Cheat, &["far"], |asked, _| guess(asked, 40)),
        Persona::silent(),
    ]
}

pub(super) fn divided() -> Vec<Persona> {
    let mut personas = later();
    personas.push(Persona::silent());
    personas
}

pub(super) fn later() -> Vec<Persona> {
    vec![
        persona("honest", Conduct::Honest, &["honest-1", "honest-2"], |asked, _| double(asked, 0)),
        persona("wrong", Conduct::Cheat, &["wrong"], |asked, _| double(asked, 1)),
    ]
}

fn double(asked: &InferRequest, off: u32) -> Option<InferAnswer> {
    answer(asked, &(number(asked.inputs[0].data())? * 2 + off).to_le_bytes())
}
