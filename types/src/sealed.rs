//! Answers that are committed to before anybody reveals one: what is asked, what the commitment covers, and how it is opened.
//!
//! The commitment names its author, so that nobody can take another's for their own and reveal the same afterwards.

use parity_scale_codec::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::{
    Block, Datatype, Digest, Hasher, Hotkey, InferAnswer, InferRequest, Netuid, Tensor, TensorError,
};

/// The output that is wanted of somebody who is to commit, and that has the commitment's 32 bytes.
pub const COMMITMENT: &str = "commitment";
/// The output of whoever reveals that has the salt's 32 bytes.
pub const SALT: &str = "salt";
/// The output of whoever reveals what had to stand on the chain: the commitment's place under the roots that were published.
pub const PROOF: &str = "proof";
/// The input that says within how many blocks a commitment has to stand on the chain.
const COMMIT_BLOCKS: &str = "commit_blocks";
/// The input that asks for a commitment and names the outputs that are to be committed to.
const SEAL: &str = "seal";
/// The input that asks for what was committed to, and names it in the same way.
const REVEAL: &str = "reveal";
const DOMAIN: &str = "weighhouse/commitment/v1";

/// Whose answer a commitment binds, and to what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Author {
    pub genesis: Digest,
    pub netuid: Netuid,
    /// The id of the request, which names the challenge: it covers validator, epoch, task and round.
    pub challenge: String,
    pub hotkey: Hotkey,
    /// What the chain had of this hotkey, where commitments have to stand there.
    pub root: Option<ChainRoot>,
}

/// The root of a hotkey's commitments as it stood on the chain with a block, the last one for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct ChainRoot {
    pub by: Block,
    /// `None` where the hotkey had none.
    pub root: Option<Digest>,
}

/// What a request asks of somebody who answers sealed questions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SealedRequest {
    /// To answer this question, keep the answer, and give the commitment to it; to put it on the chain as well, where that is
    /// wanted.
    Commit { question: InferRequest, on_chain: bool },
    /// To give the answer that was kept under this id.
    Reveal { id: String },
}

/// Why what was revealed is not what was committed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    #[error("no commitment of 32 bytes")]
    NoCommitment,
    #[error("revealed without a salt of 32 bytes")]
    NoSalt,
    #[error("not what was committed to")]
    Other,
    #[error("it had no root of commitments on the chain by block {0}")]
    NoRoot(Block),
    #[error("not under the root that it had on the chain by block {0}")]
    NotUnderRoot(Block),
    #[error("what the chain had of its commitments isn't recorded")]
    Unrecorded,
}

impl Author {
    /// H(domain, genesis, netuid, challenge, hotkey, salt, payload); the payload is the outputs, in their order.
    pub fn commitment(&self, salt: &[u8; 32], outputs: &[Tensor]) -> Digest {
        let mut hasher = Hasher::new(DOMAIN)
            .part(self.genesis.as_bytes())
            .part(&self.netuid.0.to_le_bytes())
            .part(self.challenge.as_bytes())
            .part(&self.hotkey.0)
            .part(salt);
        for output in outputs {
            let shape: Vec<u8> = output.shape().iter().flat_map(|size| size.to_le_bytes()).collect();
            hasher = hasher
                .part(output.name().as_bytes())
                .part(output.datatype().name().as_bytes())
                .part(&shape)
                .part(output.data());
        }
        hasher.finish()
    }

    /// What was committed to, once it is revealed.
    ///
    /// # Errors
    /// What is missing, or that it is something else.
    pub fn open(&self, committed: &InferAnswer, revealed: &InferAnswer) -> Result<InferAnswer, SealError> {
        let commitment = commitment(committed)?;
        let salt = bytes(revealed, SALT).ok_or(SealError::NoSalt)?;
        let mut opened = revealed.clone();
        opened
            .outputs
            .retain(|output| output.name() != SALT && (self.root.is_none() || output.name() != PROOF));
        match self.commitment(&salt, &opened.outputs) == commitment {
            true => Ok(opened),
            false => Err(SealError::Other),
        }
    }
}

/// The commitment in an answer.
///
/// # Errors
/// [`SealError::NoCommitment`].
pub fn commitment(answer: &InferAnswer) -> Result<Digest, SealError> {
    bytes(answer, COMMITMENT).map(Digest).ok_or(SealError::NoCommitment)
}

/// The request for a commitment to the answer of a question; one that has to stand on the chain within `blocks`.
///
/// # Errors
/// Names of outputs that are too long for a tensor.
pub fn committing(mut question: InferRequest, blocks: Option<u32>) -> Result<InferRequest, TensorError> {
    question.inputs.extend(blocks.map(|blocks| Tensor::integers(COMMIT_BLOCKS, &[blocks.into()])));
    question.inputs.push(Tensor::texts(SEAL, &question.outputs)?);
    question.outputs = vec![COMMITMENT.to_owned()];
    Ok(question)
}

/// The request for what was committed to, on the chain or in an answer alone; the question isn't sent again.
///
/// # Errors
/// As [`committing`].
pub fn revealing(mut question: InferRequest, on_chain: bool) -> Result<InferRequest, TensorError> {
    question.inputs = vec![Tensor::texts(REVEAL, &question.outputs)?];
    question.outputs.push(SALT.to_owned());
    question.outputs.extend(on_chain.then(|| PROOF.to_owned()));
    Ok(question)
}

impl SealedRequest {
    /// Recognises a request for a commitment or for what was committed to; `None` of any other.
    pub fn of(request: &InferRequest) -> Option<Self> {
        let last = request.inputs.last()?;
        let outputs = last.to_texts();
        match last.name() {
            SEAL if request.outputs == [COMMITMENT] => {
                let mut question = request.clone();
                question.inputs.pop();
                question.outputs = outputs.ok()?;
                let on_chain = question.inputs.pop_if(|input| input.name() == COMMIT_BLOCKS).is_some();
                Some(Self::Commit { question, on_chain })
            }
            REVEAL if request.inputs.len() == 1 && outputs.is_ok() => {
                Some(Self::Reveal { id: request.id.clone() })
            }
            _ => None,
        }
    }
}

/// 32 bytes as an output: UINT8, shape `[32]`.
pub fn output(name: &str, bytes: &[u8; 32]) -> Tensor {
    Tensor::new(name.to_owned(), Datatype::Uint8, vec![32], bytes.to_vec()).expect("32 bytes are 32 bytes")
}

fn bytes(answer: &InferAnswer, name: &str) -> Option<[u8; 32]> {
    let output = answer.outputs.iter().find(|output| output.name() == name)?;
    let is_of_bytes = output.datatype() == Datatype::Uint8;
    is_of_bytes.then(|| output.data().try_into().ok()).flatten()
}

#[cfg(test)]
mod tests;
