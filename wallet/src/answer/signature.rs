//! One signature per answer, or one per batch with a Merkle proof for each answer in it.

use weighhouse_merkle::{ProofError, inclusion_proof, leaf_hash, root, root_from_inclusion};
use weighhouse_types::{Digest, Hasher, Hotkey};

use crate::keypair::{self, Keypair, SIGNATURE_BYTES, SignatureError};

/// Longest inclusion proof: a tree of 2^64 leaves is no deeper.
pub const PATH_MAX: usize = 64;

const VERSION: u8 = 1;
const TAG_SINGLE: u8 = 0;
const TAG_MERKLE: u8 = 1;
const ROOT_DOMAIN: &str = "weighhouse/answer-root/v1";

/// A miner's signature for one answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AnswerSignature {
    /// Over the answer's digest itself.
    Single([u8; SIGNATURE_BYTES]),
    /// Over the root of an RFC 6962 tree whose leaves are answer digests.
    MerkleProof { signature: [u8; SIGNATURE_BYTES], index: u64, size: u64, path: Vec<Digest> },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    #[error("the answer's signature is empty")]
    Empty,
    #[error("an answer's signature of version {0} is unknown")]
    Version(u8),
    #[error("an answer's signature with tag {0} is unknown")]
    Tag(u8),
    #[error("the answer's signature is cut short or too long")]
    Length,
    #[error("the inclusion proof has {0} steps, at most {PATH_MAX} make sense")]
    Path(usize),
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    #[error(transparent)]
    Signature(#[from] SignatureError),
    #[error(transparent)]
    Proof(#[from] ProofError),
}

impl AnswerSignature {
    /// Signs one answer.
    pub fn single(keypair: &Keypair, answer: &Digest) -> Self {
        Self::Single(keypair.sign(answer.as_bytes()))
    }

    /// Version, tag, signature; for a proof also index and size (8 little-endian bytes each), the number of steps
    /// (one byte) and the steps.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Single(signature) => [&[VERSION, TAG_SINGLE], &signature[..]].concat(),
            Self::MerkleProof { signature, index, size, path } => {
                let mut bytes = [&[VERSION, TAG_MERKLE], &signature[..]].concat();
                bytes.extend_from_slice(&index.to_le_bytes());
                bytes.extend_from_slice(&size.to_le_bytes());
                bytes.push(u8::try_from(path.len()).unwrap_or(u8::MAX));
                bytes.extend(path.iter().flat_map(|step| step.0));
                bytes
            }
        }
    }

    /// The inverse of [`Self::encode`]; accepts nothing else.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let (version, rest) = bytes.split_first().ok_or(DecodeError::Empty)?;
        if *version != VERSION {
            return Err(DecodeError::Version(*version));
        }
        let (tag, rest) = rest.split_first().ok_or(DecodeError::Length)?;
        if !matches!(*tag, TAG_SINGLE | TAG_MERKLE) {
            return Err(DecodeError::Tag(*tag));
        }
        let (signature, rest) = take::<SIGNATURE_BYTES>(rest)?;
        if *tag == TAG_SINGLE {
            return if rest.is_empty() { Ok(Self::Single(signature)) } else { Err(DecodeError::Length) };
        }
        let (index, rest) = take(rest)?;
        let (size, rest) = take(rest)?;
        let ([steps], rest) = take(rest)?;
        let steps = usize::from(steps);
        if steps > PATH_MAX {
            return Err(DecodeError::Path(steps));
        }
        let (path, left) = rest.as_chunks::<32>();
        if path.len() != steps || !left.is_empty() {
            return Err(DecodeError::Length);
        }
        let path = path.iter().map(|step| Digest(*step)).collect();
        Ok(Self::MerkleProof {
            signature,
            index: u64::from_le_bytes(index),
            size: u64::from_le_bytes(size),
            path,
        })
    }

    /// Checks that `hotkey` signed for the answer with this digest ([`super::answer_digest`]).
    pub fn verify(&self, hotkey: &Hotkey, answer: &Digest) -> Result<(), VerifyError> {
        match self {
            Self::Single(signature) => Ok(keypair::verify(hotkey.as_bytes(), answer.as_bytes(), signature)?),
            Self::MerkleProof { signature, index, size, path } => {
                let root = root_from_inclusion(&leaf_hash(answer.as_bytes()), *index, *size, path)?;
                let signed = root_digest(&root, *size);
                Ok(keypair::verify(hotkey.as_bytes(), signed.as_bytes(), signature)?)
            }
        }
    }
}

/// Signs many answers with one signature; the result has the order of `answers`.
pub fn sign_batch(keypair: &Keypair, answers: &[Digest]) -> Vec<AnswerSignature> {
    // A tree of one leaf would only add 17 bytes for index, size and number of steps.
    if let [answer] = answers {
        return vec![AnswerSignature::single(keypair, answer)];
    }
    let leaves: Vec<Digest> = answers.iter().map(|answer| leaf_hash(answer.as_bytes())).collect();
    let size = leaves.len() as u64;
    let signature = keypair.sign(root_digest(&root(&leaves), size).as_bytes());
    (0..leaves.len())
        .map(|index| AnswerSignature::MerkleProof {
            signature,
            index: index as u64,
            size,
            path: inclusion_proof(&leaves, index).expect("the index is within the tree"),
        })
        .collect()
}

/// The payload that is signed for a batch. Its domain differs from a single answer's, so neither passes for the other.
fn root_digest(root: &Digest, size: u64) -> Digest {
    // The size is signed too, or one proof could be shown again with another index and size.
    Hasher::new(ROOT_DOMAIN).part(root.as_bytes()).part(&size.to_le_bytes()).finish()
}

fn take<const N: usize>(bytes: &[u8]) -> Result<([u8; N], &[u8]), DecodeError> {
    bytes.split_first_chunk::<N>().map(|(head, rest)| (*head, rest)).ok_or(DecodeError::Length)
}
