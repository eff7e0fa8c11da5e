//! Answers to sealed questions: committed to first, revealed when their validator asks for them.
//!
//! **Invariant.** An answer and its salt are on disk before the commitment to it leaves, so that a restart between the two costs nothing.

mod roots;

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use parity_scale_codec::{DecodeAll as _, Encode as _};
use rand::Rng as _;
use weighhouse_proto::frame::{self, FrameError};
use weighhouse_proto::inference::ModelInferResponse;
use weighhouse_seams::{Entropy, Storage};
use weighhouse_types::sealed::{self, Author, COMMITMENT, PROOF, SALT};
use weighhouse_types::{Datatype, Digest, Hasher, Hotkey, InferAnswer, Netuid, Tensor, TensorError};

pub(crate) use roots::CommittedRoots;

/// What its files' names begin with.
const FILE_PREFIX: &str = "sealed-";
/// Answers kept of one validator: several rounds' worth. Older ones go first.
const KEPT_MAX: usize = 64;

/// Why there is no commitment, or nothing to reveal.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SealingError {
    #[error("nothing was committed to under this id")]
    NotKept,
    #[error("what was committed to can't be read any more: {0}")]
    Damaged(String),
    #[error("the answer can't be stored in state.dir, so nothing is committed to: {0}")]
    Storage(#[from] io::Error),
    #[error("{0}")]
    Tensors(#[from] TensorError),
}

/// A hotkey's answers that it has committed to.
#[derive(Debug)]
pub(crate) struct SealedAnswers {
    subnet: (Digest, Netuid),
    hotkey: Hotkey,
    storage: Arc<dyn Storage>,
    entropy: Entropy,
    /// Names of files by caller, oldest first.
    kept: Mutex<HashMap<String, VecDeque<String>>>,
    roots: Arc<CommittedRoots>,
}

impl SealedAnswers {
    pub(crate) fn open(
        hotkey: Hotkey,
        subnet: (Digest, Netuid),
        storage: Arc<dyn Storage>,
        entropy: Entropy,
    ) -> io::Result<Arc<Self>> {
        let mut kept: HashMap<String, VecDeque<String>> = HashMap::new();
        for name in storage.list()? {
            // Their order is lost with the process, and all are older than what comes.
            if let Some((caller, _)) = name.strip_prefix(FILE_PREFIX).and_then(|rest| rest.split_once('-')) {
                kept.entry(caller.to_owned()).or_default().push_back(name.clone());
            }
        }
        let roots = Arc::new(CommittedRoots::open(storage.clone())?);
        Ok(Arc::new(Self { subnet, hotkey, storage, entropy, kept: Mutex::new(kept), roots }))
    }

    /// The commitments that have to stand on the chain.
    pub(crate) fn roots(&self) -> Arc<CommittedRoots> {
        self.roots.clone()
    }

    /// The commitment to an answer that was kept before, for a validator that asks again.
    pub(crate) fn committed(
        &self,
        caller: &Hotkey,
        (id, on_chain): (&str, bool),
    ) -> Result<Option<InferAnswer>, SealingError> {
        let kept = self.read(caller, id)?;
        Ok(kept.map(|(salt, answer)| self.commitment((id, on_chain), &salt, answer)))
    }

    /// Keeps an answer and commits to it, on the chain as well where that is wanted. Blocks while it is written.
    pub(crate) fn commit(
        &self,
        caller: &Hotkey,
        (id, on_chain): (&str, bool),
        answer: InferAnswer,
    ) -> Result<InferAnswer, SealingError> {
        let mut salt = [0; 32];
        self.entropy.clone().fill_bytes(&mut salt);
        let message = ModelInferResponse::try_from(answer.clone())?;
        let name = file_name(caller, id);
        self.storage.write_secret(&name, &(salt, frame::encode(&message).to_vec()).encode())?;
        self.make_room(caller, name)?;
        Ok(self.commitment((id, on_chain), &salt, answer))
    }

    /// What was committed to, with its salt, and with its place under the roots that were published.
    pub(crate) fn reveal(&self, caller: &Hotkey, id: &str) -> Result<InferAnswer, SealingError> {
        let (salt, mut answer) = self.read(caller, id)?.ok_or(SealingError::NotKept)?;
        let places = self.roots.places(&self.hash(id, &salt, &answer));
        answer.outputs.push(sealed::output(SALT, &salt));
        if !places.is_empty() {
            let bytes = places.encode();
            let shape = vec![bytes.len() as u64];
            answer.outputs.push(Tensor::new(PROOF.to_owned(), Datatype::Uint8, shape, bytes)?);
        }
        Ok(answer)
    }

    fn commitment(&self, (id, on_chain): (&str, bool), salt: &[u8; 32], answer: InferAnswer) -> InferAnswer {
        let commitment = self.hash(id, salt, &answer);
        if on_chain {
            self.roots.add(commitment);
        }
        InferAnswer { outputs: vec![sealed::output(COMMITMENT, &commitment.0)], ..answer }
    }

    fn hash(&self, id: &str, salt: &[u8; 32], answer: &InferAnswer) -> Digest {
        let ((genesis, netuid), hotkey) = (self.subnet, self.hotkey);
        let author = Author { genesis, netuid, challenge: id.to_owned(), hotkey, root: None };
        author.commitment(salt, &answer.outputs)
    }

    fn read(&self, caller: &Hotkey, id: &str) -> Result<Option<([u8; 32], InferAnswer)>, SealingError> {
        let Some(bytes) = self.storage.read(&file_name(caller, id))? else { return Ok(None) };
        let damaged = |error: &dyn std::fmt::Display| SealingError::Damaged(error.to_string());
        let (salt, framed) =
            <([u8; 32], Vec<u8>)>::decode_all(&mut &bytes[..]).map_err(|error| damaged(&error))?;
        let message: ModelInferResponse =
            frame::decode(&framed).map_err(|error: FrameError| damaged(&error))?;
        Ok(Some((salt, InferAnswer::try_from(message)?)))
    }

    fn make_room(&self, caller: &Hotkey, name: String) -> io::Result<()> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let names = kept.entry(caller.to_string()).or_default();
        names.push_back(name);
        while names.len() > KEPT_MAX {
            let Some(oldest) = names.pop_front() else { break };
            self.storage.remove(&oldest)?;
        }
        Ok(())
    }
}

/// An id is a stranger's text: only its hash becomes part of a name.
fn file_name(caller: &Hotkey, id: &str) -> String {
    let id = Hasher::new("weighhouse/sealed-answer/v1").part(id.as_bytes()).finish();
    format!("{FILE_PREFIX}{caller}-{id}")
}

#[cfg(test)]
mod tests;
