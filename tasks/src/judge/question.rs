//! A question as the judge drew it, and an answer to it as it is handed back.

use parity_scale_codec::{Decode, Encode};
use weighhouse_types::{
    DrawSeed, DrawnChallenge, InferAnswer, JudgeAttempt, Judgement, Mark, Reason, Tensor,
};

/// Tensors of one answer at most.
pub(super) const TENSORS_MAX: usize = 64;
/// Bytes that an answer's tensor has in a message besides its name and data, at most: its shape and its type.
const TENSOR_OVERHEAD: usize = 256;

/// A question as the judge drew it, with its secret.
#[derive(Debug)]
pub(crate) struct DrawnQuestion {
    pub(super) challenge: DrawnChallenge,
    /// Later exchanges are drawn from it, too.
    pub(super) seed: [u8; 32],
}

impl Encode for DrawnQuestion {
    fn encode_to<T: parity_scale_codec::Output + ?Sized>(&self, dest: &mut T) {
        // Taken apart in full, so that no field added later is left out of the digest.
        let DrawnChallenge { question, secret, items } = &self.challenge;
        let tensor = |tensor: &Tensor| {
            let shape = tensor.shape().to_vec();
            (tensor.name().to_owned(), tensor.datatype(), shape, tensor.data().to_vec())
        };
        let inputs: Vec<_> = question.inputs.iter().map(tensor).collect();
        (inputs, &question.outputs, secret, items, self.seed).encode_to(dest);
    }
}

impl DrawnQuestion {
    /// The question after these answers.
    pub(super) fn next(&self, answers: &[InferAnswer]) -> DrawSeed {
        DrawSeed { seed: self.seed, answers: answers.iter().map(nameless).collect() }
    }

    pub(super) fn attempt(&self, testimony: &Testimony, answers: &[InferAnswer]) -> JudgeAttempt {
        let (challenge, testimony) = (self.challenge.clone(), testimony.0.clone());
        JudgeAttempt { challenge, answers: answers.to_vec(), testimony }
    }
}

/// Words of the judge before it judged: on an answer, or as the truth about a question; empty where there was nothing to say.
#[derive(Debug, Encode, Decode)]
pub(crate) struct Testimony(pub(super) Vec<u8>);

impl Testimony {
    pub(super) fn none() -> Self {
        Self(Vec::new())
    }
}

/// An answer without the names that a miner may choose.
pub(super) fn nameless(answer: &InferAnswer) -> InferAnswer {
    let (model, version, id) = Default::default();
    InferAnswer { model, version, id, outputs: answer.outputs.clone() }
}

/// The verdict on an answer that is too heavy to be handed on.
pub(super) fn weigh(answer: &InferAnswer, bytes_max: usize) -> Result<(), Judgement> {
    let weight = |tensor: &Tensor| tensor.name().len() + tensor.data().len() + TENSOR_OVERHEAD;
    let (tensors, bytes) = (answer.outputs.len(), answer.outputs.iter().map(weight).sum::<usize>());
    let what = if tensors > TENSORS_MAX {
        format!("{tensors} tensors, over the limit of {TENSORS_MAX}")
    } else if bytes > bytes_max {
        format!("{bytes} bytes, over the limit of {bytes_max}")
    } else {
        return Ok(());
    };
    Err(Judgement { mark: Mark::ZERO, reasons: vec![Reason::Malformed { item: 0, what }] })
}
