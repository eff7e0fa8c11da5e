//! One log as its witness knows it: the checkpoint that it signed last, those that went before, and larger ones that other
//! witnesses have signed.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use weighhouse_merkle::{Checkpoint, NoteError, ProofError, SignedNote, verify_consistency};
use weighhouse_types::{CertifiedKey, Digest, Epoch, Hotkey};

/// Checkpoints that are remembered beside the newest.
const PAST_MAX: usize = 8;
const BEYOND_MAX: usize = 4;

/// What is kept of a log, in a file of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Witnessed {
    pub(super) key: CertifiedKey,
    pub(super) checkpoint: String,
    /// Those that it has grown from, the oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    past: Vec<String>,
    /// The log has to show that it grew from these too, before it is signed again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    beyond: Vec<Beyond>,
}

/// A larger checkpoint than ours, which another witness has signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Beyond {
    checkpoint: String,
    seen_in: Epoch,
}

/// Sizes from which logs have shown, by one request for each, that they grew to the checkpoint with this root.
pub(super) type Joined = BTreeMap<Hotkey, (Digest, BTreeSet<u64>)>;

/// A checkpoint as it stands in a file and as it reads.
pub(super) type Known = (SignedNote, Checkpoint);

impl Witnessed {
    pub(super) fn new(key: CertifiedKey, checkpoint: String) -> Self {
        Self { key, checkpoint, past: Vec::new(), beyond: Vec::new() }
    }

    /// With a checkpoint that has grown from all that was known.
    pub(super) fn grown_to(mut self, checkpoint: String) -> Self {
        if self.checkpoint != checkpoint {
            self.past.push(std::mem::replace(&mut self.checkpoint, checkpoint));
        }
        self.past.extend(self.beyond.drain(..).map(|beyond| beyond.checkpoint));
        self.past.drain(..self.past.len().saturating_sub(PAST_MAX));
        self
    }

    pub(super) fn held(&self) -> Result<Known, NoteError> {
        parse(&self.checkpoint)
    }

    /// A checkpoint of this size with another root.
    pub(super) fn contradicted_by(&self, checkpoint: &Checkpoint) -> Result<Option<SignedNote>, NoteError> {
        let beyond = self.beyond.iter().map(|beyond| &beyond.checkpoint);
        for known in std::iter::once(&self.checkpoint).chain(&self.past).chain(beyond) {
            let (note, known) = parse(known)?;
            if known.size == checkpoint.size && known.root != checkpoint.root {
                return Ok(Some(note));
            }
        }
        Ok(None)
    }

    /// Takes note of a larger checkpoint that another witness has signed: true where it wasn't known.
    pub(super) fn see(&mut self, note: &SignedNote, size: u64, seen_in: Epoch) -> Result<bool, NoteError> {
        let mut is_known = size <= self.held()?.1.size || self.beyond.len() >= BEYOND_MAX;
        for beyond in &self.beyond {
            is_known |= parse(&beyond.checkpoint)?.1.size == size;
        }
        if !is_known {
            self.beyond.push(Beyond { checkpoint: note.to_string(), seen_in });
        }
        Ok(!is_known)
    }

    /// The sizes of larger checkpoints that the log has not been joined to since the epoch before this one.
    pub(super) fn unjoined(&self, epoch: Epoch) -> Result<Vec<u64>, NoteError> {
        let old = self.beyond.iter().filter(|beyond| beyond.seen_in.0.saturating_add(1) < epoch.0);
        old.map(|beyond| Ok(parse(&beyond.checkpoint)?.1.size)).collect()
    }

    /// The checkpoint from which the log has to prove next that it grew to this one; `None` once it has from all.
    pub(super) fn wanted(
        &self,
        joined: &mut Joined,
        checkpoint: &Checkpoint,
        (old_size, proof): (u64, &[Digest]),
    ) -> Result<Option<String>, ProofError> {
        let beyond = self.beyond.iter().map(|beyond| &beyond.checkpoint);
        let (root, done) = joined.entry(self.key.hotkey).or_default();
        if *root != checkpoint.root {
            (*root, *done) = (checkpoint.root, BTreeSet::new());
        }
        let mut wanted = None;
        for text in std::iter::once(&self.checkpoint).chain(beyond) {
            // It was read when it was taken note of.
            let Ok((_, known)) = parse(text) else { continue };
            if known.size == checkpoint.size || done.contains(&known.size) {
                continue;
            }
            if known.size == old_size && known.size < checkpoint.size {
                verify_consistency(known.size, checkpoint.size, &known.root, &checkpoint.root, proof)?;
                done.insert(known.size);
                continue;
            }
            wanted = wanted.or_else(|| Some(text.clone()));
        }
        Ok(wanted)
    }
}

fn parse(note: &str) -> Result<Known, NoteError> {
    let note = SignedNote::parse(note)?;
    let checkpoint = Checkpoint::of(&note)?;
    Ok((note, checkpoint))
}
