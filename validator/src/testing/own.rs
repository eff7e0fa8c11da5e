//! What the test-only kinds have in common: their messages, their task files, and miners that answer them.

use weighhouse_tasks::References;
use weighhouse_tasks::registry::Registered;
use weighhouse_types::{Datatype, Digest, InferAnswer, InferRequest, Tensor};

use super::Behaviour;
use super::forecast::Forecast;
use super::sealed::Sealed;

static OWN: &[Registered] = &[Registered::of::<Sealed>(), Registered::of::<Forecast>()];

/// The test-only kinds, and no references.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OwnKinds;

impl References for OwnKinds {
    fn further_kinds(&self) -> &'static [Registered] {
        OWN
    }
}

/// A task of a test-only kind.
pub(crate) fn task_file(kind: &str) -> String {
    format!(
        "version = 1\nkind = \"{kind}\"\nmode = \"quality\"\nscope = \"shared\"\nmodel = \"own\"\nitems = 1\n"
    )
}

fn tensor(name: &str, bytes: &[u8]) -> Tensor {
    let shape = vec![bytes.len() as u64];
    Tensor::new(name.to_owned(), Datatype::Uint8, shape, bytes.to_vec()).expect("as many bytes as it says")
}

/// A question about a number.
pub(crate) fn request(name: &str, number: u32) -> InferRequest {
    let inputs = vec![tensor(name, &number.to_le_bytes())];
    let (model, version, id) = Default::default();
    InferRequest { model, version, id, inputs, outputs: Vec::new() }
}

/// The bytes of an answer.
pub(crate) fn bytes(answer: &InferAnswer) -> Option<Vec<u8>> {
    answer.outputs.first().map(|output| output.data().to_vec())
}

/// The answer of the miner at this place; `None` from one that keeps silent.
pub(crate) fn answer(behaviour: Behaviour, place: u32, request: &InferRequest) -> Option<InferAnswer> {
    let asked = &request.inputs[0];
    let number = u32::from_le_bytes(*asked.data().first_chunk().expect("a number"));
    // The question's own bytes salt the guess, which is the place.
    let guess: Vec<u8> = place.to_le_bytes().into_iter().chain(number.to_le_bytes()).collect();
    let bytes = match (asked.name(), behaviour) {
        ("reveal", Behaviour::Withholds) => return None,
        ("reveal", Behaviour::Reseeds) => vec![0; 8],
        ("reveal", _) => guess,
        ("commit", Behaviour::Cuts) => vec![0; 5],
        ("commit", _) => Digest::of(&guess).as_bytes().to_vec(),
        (_, Behaviour::Reseeds) => (number + 1).to_le_bytes().to_vec(),
        _ => (number * 2).to_le_bytes().to_vec(),
    };
    Some(InferAnswer {
        model: request.model.clone(),
        version: "1".to_owned(),
        id: request.id.clone(),
        outputs: vec![tensor("answer", &bytes)],
    })
}
