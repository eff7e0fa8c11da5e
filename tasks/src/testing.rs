//! Test-only kinds of task for whoever runs rounds: one is committed to, revealed and judged together by itself, one by the roles, one is
//! divided among miners, and one is resolved two epochs later. What they have in common stands here.

mod divided;
mod hidden;
mod later;
mod personas;
mod sealed;

use std::sync::{Condvar, Mutex, PoisonError};

use weighhouse_models::draw::below;
use weighhouse_types::{Datatype, InferAnswer, InferRequest, Tensor};

use crate::kind::per_seed;
use crate::registry::{Registered, TaskLoader};
use crate::{OnRecord, References};
use divided::Divided;
use hidden::Hidden;
use later::Later;
use sealed::Sealed;

static TEST_KINDS: &[Registered] = &[
    Registered::of::<Sealed>(),
    Registered::of::<Hidden>(),
    Registered::of::<Divided>(),
    Registered::of::<Later>(),
];

/// Told each time that a miner withholds what it was to reveal.
pub static WITHHELD: Withheld = Withheld { times: Mutex::new(0), again: Condvar::new() };

/// The test-only kinds, and no references.
#[derive(Clone, Copy, Debug)]
pub struct TestKinds;

impl TaskLoader for TestKinds {
    fn references(&self) -> &dyn References {
        &OnRecord
    }

    fn further_kinds(&self) -> &'static [Registered] {
        TEST_KINDS
    }
}

/// A shared task of a test-only kind.
pub fn task_file(kind: &str) -> String {
    format!(
        "version = 1\nkind = \"{kind}\"\nmode = \"quality\"\nscope = \"shared\"\nmodel = \"{kind}\"\nitems = 1\n"
    )
}

/// A count of withheld answers that a thread can wait for.
#[derive(Debug)]
pub struct Withheld {
    times: Mutex<u32>,
    again: Condvar,
}

impl Withheld {
    fn note(&self) {
        *self.times.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.again.notify_all();
    }

    /// Blocks until one is withheld, if none was yet.
    pub fn wait(&self) {
        let times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.again.wait_while(times, |times| *times == 0));
    }
}

fn tensor(name: &str, bytes: &[u8]) -> Tensor {
    let shape = vec![bytes.len() as u64];
    Tensor::new(name.to_owned(), Datatype::Uint8, shape, bytes.to_vec()).expect("as many bytes as it says")
}

/// A number to ask about for each seed.
fn numbers(seeds: &[[u8; 32]]) -> Vec<u32> {
    per_seed(seeds, |rng| below(1_000, rng))
}

/// A question about a number.
pub fn request(name: &str, number: u32) -> InferRequest {
    InferRequest::asking(vec![tensor(name, &number.to_le_bytes())], &[])
}

/// The bytes of an answer's first tensor; none where there is none.
fn bytes(answer: &InferAnswer) -> &[u8] {
    answer.outputs.first().map_or(&[], Tensor::data)
}

fn number(bytes: &[u8]) -> Option<u32> {
    bytes.try_into().map(u32::from_le_bytes).ok()
}

/// An answer of these bytes.
fn answer(request: &InferRequest, bytes: &[u8]) -> Option<InferAnswer> {
    Some(request.answered(vec![tensor("answer", bytes)]))
}

#[cfg(test)]
mod tests;
