//! What a validator has witnessed: the newest checkpoint of each other's log, durable before its signature leaves.
//!
//! A hotkey has one log at a time. One of a later first epoch takes the place of the one before, which nobody can go back to: so
//! one checkpoint of each hotkey is all that has to be remembered.

use std::collections::BTreeSet;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tracing::{error, warn};
use weighhouse_journal::JournalError;
use weighhouse_merkle::{Checkpoint, NoteError, ProofError, SignedNote};
use weighhouse_proto::CosignAsked;
use weighhouse_seams::{Clock, Entropy};
use weighhouse_types::{CertifiedKey, Digest, Epoch, Hotkey, LogKeyUse};
use weighhouse_wallet::certified::verify_certified;
use weighhouse_wallet::keypair::SignatureError;

use super::fork::Fork;
use super::gather::Gathering;
use super::keys::{self, KeptKey, LogOwner, verifier};
use super::witnessed::{Joined, Witnessed};
use crate::error::ValidatorError;
use crate::metrics;

const PREFIX: &str = "witnessed-";

/// See the module's text.
#[derive(Debug)]
pub(crate) struct WitnessBook {
    owner: LogOwner,
    key: KeptKey,
    clock: Arc<dyn Clock>,
    /// The epoch that the chain is in.
    epoch: AtomicU64,
    /// Whether the operator was told of a file that can't be read.
    told_unreadable: AtomicBool,
    /// Held from reading a file to writing it.
    writing: Mutex<Joined>,
    /// Whose logs were signed since this process began.
    active: Mutex<BTreeSet<Hotkey>>,
}

/// A witness's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Witnessing {
    Cosigned { key: CertifiedKey, line: String },
    Held(String),
}

/// Why a checkpoint is not witnessed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WitnessRefusal {
    #[error("another subnet or mechanism")]
    Elsewhere,
    #[error("the key is not certified by the caller: {0}")]
    Certificate(#[from] SignatureError),
    #[error("the caller has not certified the key")]
    OtherHotkey,
    #[error("the checkpoint: {0}")]
    Note(#[from] NoteError),
    #[error("the checkpoint is of another log")]
    Origin,
    #[error("the log does not grow from what was witnessed before: {0}")]
    Proof(#[from] ProofError),
    #[error("this log has another checkpoint of the same size")]
    Forked,
    #[error("a later log of the same hotkey was witnessed before")]
    Superseded,
    #[error("the log begins in another epoch than the chain is in")]
    OtherEpoch,
    #[error("{0}")]
    Folder(#[from] io::Error),
}

impl WitnessBook {
    pub(crate) fn open(
        owner: LogOwner,
        epoch: Epoch,
        clock: Arc<dyn Clock>,
        entropy: &mut Entropy,
    ) -> Result<Self, ValidatorError> {
        let key = keys::own(&owner, LogKeyUse::Witness, epoch, entropy)?;
        let (epoch, told_unreadable) = (AtomicU64::new(epoch.0), AtomicBool::new(false));
        Ok(Self {
            owner,
            key,
            clock,
            epoch,
            told_unreadable,
            writing: Mutex::default(),
            active: Mutex::default(),
        })
    }

    /// Takes note of the epoch that the chain is in.
    pub(crate) fn note_epoch(&self, epoch: Epoch) {
        self.epoch.store(epoch.0, Ordering::Relaxed);
    }

    pub(crate) fn key(&self) -> &CertifiedKey {
        &self.key.certified
    }

    /// Signs a checkpoint that extends the one that was signed before. Blocks while it writes.
    pub(crate) fn cosign(&self, caller: Hotkey, asked: &CosignAsked) -> Result<Witnessing, WitnessRefusal> {
        let place = &self.owner.place;
        if (asked.netuid, asked.mechanism) != (place.netuid, place.mechanism) {
            return Err(WitnessRefusal::Elsewhere);
        }
        if asked.key.hotkey != caller {
            return Err(WitnessRefusal::OtherHotkey);
        }
        let (mut note, checkpoint) = self.read(&asked.key, &asked.checkpoint)?;
        // Nobody could take its place any more.
        if asked.key.first_epoch.0 > self.epoch.load(Ordering::Relaxed).saturating_add(1) {
            return Err(WitnessRefusal::OtherEpoch);
        }
        let mut joined = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let known = self.witnessed(&caller)?;
        if let Some(known) = &known
            && let Some(held) = self.held(&mut joined, known, asked, (&note, &checkpoint))?
        {
            return Ok(Witnessing::Held(held));
        }
        let seconds = self.clock.now().0 / 1_000_000_000;
        let signature = self.key.signing.sign(&note, seconds);
        note.add(signature.clone());
        let grown = match known.filter(|known| known.key.key == asked.key.key) {
            Some(known) => known.grown_to(note.to_string()),
            None => Witnessed::new(asked.key.clone(), note.to_string()),
        };
        self.write(&grown)?;
        joined.remove(&caller);
        self.active.lock().unwrap_or_else(PoisonError::into_inner).insert(caller);
        Ok(Witnessing::Cosigned { key: self.key.certified.clone(), line: signature.to_string() })
    }

    /// The checkpoint from which a log has to prove its growth, where its proof leads from another.
    fn held(
        &self,
        joined: &mut Joined,
        known: &Witnessed,
        asked: &CosignAsked,
        (note, checkpoint): (&SignedNote, &Checkpoint),
    ) -> Result<Option<String>, WitnessRefusal> {
        if known.key.key != asked.key.key {
            let first_epoch = asked.key.first_epoch;
            if first_epoch <= known.key.first_epoch {
                return Err(WitnessRefusal::Superseded);
            }
            // A log that begins in the past would tell it anew.
            let is_new = first_epoch.0.saturating_add(1) >= self.epoch.load(Ordering::Relaxed);
            return if is_new { Ok(None) } else { Err(WitnessRefusal::OtherEpoch) };
        }
        if let Some(other) = known.contradicted_by(checkpoint)? {
            self.expose((&asked.key, &other), note, [self.key.certified.clone()]);
            return Err(WitnessRefusal::Forked);
        }
        let (_, held) = known.held()?;
        match checkpoint.size.cmp(&held.size) {
            std::cmp::Ordering::Less => Ok(Some(known.checkpoint.clone())),
            std::cmp::Ordering::Equal => Ok(None),
            std::cmp::Ordering::Greater => {
                Ok(known.wanted(joined, checkpoint, (asked.old_size, &asked.proof))?)
            }
        }
    }

    /// Keeps a checkpoint of our own log, so that whoever shows another of its size is found out.
    pub(crate) fn keep_own(&self, own: &Gathering) -> Result<(), JournalError> {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let written = self.write(&Witnessed::new(own.key().clone(), own.note().to_string()));
        let file = self.owner.storage.describe(&file_name(&own.key().hotkey));
        written.map_err(|source| JournalError::Io {
            file,
            doing: "write the log's newest checkpoint",
            source,
        })
    }

    /// The newest checkpoint of every log that was witnessed, at most so many. Those that were signed since this process began are ahead
    /// of those of validators that may have left long ago: a witness never forgets one.
    pub(crate) fn newest(&self, max: usize) -> io::Result<Vec<(CertifiedKey, String)>> {
        let active = self.active.lock().unwrap_or_else(PoisonError::into_inner);
        let active: BTreeSet<String> = active.iter().map(file_name).collect();
        let mut names = self.owner.storage.list()?;
        names.retain(|name| name.starts_with(PREFIX));
        names.sort_by_key(|name| (!active.contains(name), name.clone()));
        let mut newest = Vec::new();
        for name in &names {
            // One that can't be read says nothing of the others.
            newest.extend(self.read_file(name).ok().flatten().map(|log| (log.key, log.checkpoint)));
            if newest.len() == max {
                break;
            }
        }
        Ok(newest)
    }

    /// Compares a checkpoint that another witness has signed with our own; true where they expose a fork. From a larger one than ours
    /// the log has to prove its growth as well, before we sign it again.
    pub(crate) fn compare(
        &self,
        witness: &CertifiedKey,
        (key, note): (&CertifiedKey, &str),
    ) -> Result<bool, WitnessRefusal> {
        let (note, checkpoint) = self.read(key, note)?;
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let known = self.witnessed(&key.hotkey)?;
        let Some(mut log) = known.filter(|log| log.key.key == key.key) else { return Ok(false) };
        if let Some(other) = log.contradicted_by(&checkpoint)? {
            self.expose((key, &other), &note, [self.key.certified.clone(), witness.clone()]);
            return Ok(true);
        }
        let epoch = Epoch(self.epoch.load(Ordering::Relaxed));
        let is_own = key.hotkey == self.key.certified.hotkey;
        if !is_own && log.see(&note, checkpoint.size, epoch)? {
            self.write(&log)?;
        }
        Ok(false)
    }

    /// Logs that came to us to be signed and, in more than an epoch, haven't shown that they grew from a checkpoint of this size, which
    /// another witness has signed.
    pub(crate) fn unjoined(&self) -> Vec<(Hotkey, u64)> {
        let epoch = Epoch(self.epoch.load(Ordering::Relaxed));
        let joined = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let came = joined.iter().filter(|(_, (_, done))| !done.is_empty());
        let unjoined = came.filter_map(|(hotkey, _)| {
            let log = self.witnessed(hotkey).ok()??;
            Some((*hotkey, *log.unjoined(epoch).ok()?.first()?))
        });
        unjoined.collect()
    }

    /// A checkpoint that its log has signed.
    fn read(&self, key: &CertifiedKey, note: &str) -> Result<(SignedNote, Checkpoint), WitnessRefusal> {
        verify_certified(key, &self.owner.place, LogKeyUse::Log)?;
        let log = verifier(key, &self.owner.place, LogKeyUse::Log).ok_or(WitnessRefusal::Origin)?;
        let note = SignedNote::parse(note)?;
        log.verify(&note)?;
        let checkpoint = Checkpoint::of(&note)?;
        if checkpoint.origin == log.name() { Ok((note, checkpoint)) } else { Err(WitnessRefusal::Origin) }
    }

    /// Two checkpoints of one size: keeps the proof, and tells of it once.
    fn expose(
        &self,
        (key, held): (&CertifiedKey, &SignedNote),
        other: &SignedNote,
        witnesses: impl IntoIterator<Item = CertifiedKey>,
    ) {
        let of = (&self.owner.place, key);
        let Some(fork) = Fork::new(of, (held, other), (Digest::default(), Vec::new()), witnesses) else {
            return;
        };
        let (storage, name) = (&self.owner.storage, fork.file_name());
        if matches!(storage.read(&name), Ok(Some(_))) {
            return;
        }
        metrics::fork_exposed();
        let json = serde_json::to_vec_pretty(&fork).unwrap_or_default();
        if let Err(error) = storage.write_atomic(&name, &json) {
            error!(%error, "the proof of a fork can't be written");
        }
        if key.hotkey == self.key.certified.hotkey {
            error!(
                file = storage.describe(&name),
                "this validator's own log has two records, which the file proves to anybody: another process runs with its hotkey and a \
                 copy of its journal, or the journal was put back from an older copy"
            );
            return;
        }
        warn!(
            validator = %key.hotkey,
            file = storage.describe(&name),
            "a validator has signed two records of its own past: the file proves it to anybody (weighhouse audit FILE)"
        );
    }

    fn witnessed(&self, hotkey: &Hotkey) -> io::Result<Option<Witnessed>> {
        self.read_file(&file_name(hotkey))
    }

    fn read_file(&self, name: &str) -> io::Result<Option<Witnessed>> {
        let Some(bytes) = self.owner.storage.read(name)? else { return Ok(None) };
        // Unreadable state never becomes a default: a witness that forgets could be made to sign two checkpoints.
        serde_json::from_slice(&bytes).map(Some).map_err(|error| {
            let file = self.owner.storage.describe(name);
            if !self.told_unreadable.swap(true, Ordering::Relaxed) {
                error!(
                    file,
                    %error,
                    "what was witnessed can't be read, so that this log isn't witnessed any more: restore the file from a copy. Without \
                     it, which removing it comes to, this validator could be made to sign two records"
                );
            }
            io::Error::other(format!("{file}: {error}"))
        })
    }

    fn write(&self, witnessed: &Witnessed) -> io::Result<()> {
        let json = serde_json::to_vec(witnessed).map_err(io::Error::other)?;
        self.owner.storage.write_atomic(&file_name(&witnessed.key.hotkey), &json)
    }
}

fn file_name(hotkey: &Hotkey) -> String {
    format!("{PREFIX}{hotkey}.json")
}
