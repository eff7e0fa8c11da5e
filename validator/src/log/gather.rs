//! An epoch's checkpoint, signed, and on its way to the witnesses.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::{StreamExt as _, stream};
use tracing::{debug, warn};
use weighhouse_ask::witness::{CosignReply, WitnessError, cosign};
use weighhouse_ask::{Asker, ProxyLimits, Target};
use weighhouse_journal::{Journal, JournalError};
use weighhouse_merkle::{Checkpoint, NoteSignature, SignedNote};
use weighhouse_proto::CosignAsked;
use weighhouse_seams::{CpuPool, PoolError};
use weighhouse_types::{
    CertifiedKey, CheckpointRecord, Digest, Epoch, Fields, Hotkey, LogKeyUse, LogPlace, Record,
};
use weighhouse_wallet::certified::verify_certified;

use super::anchor::Anchor;
use super::keys::{KeptKey, verifier};

/// Witnesses that are asked at once.
const AT_ONCE: usize = 32;
/// A witness verifies three signatures and writes one file.
const LIMITS: ProxyLimits = ProxyLimits { deadline: Duration::from_secs(3), body_bytes_max: 128 << 10 };

/// Another validator, where the chain says that it serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Peer {
    pub(crate) hotkey: Hotkey,
    pub(crate) target: Target,
}

/// The checkpoint of an epoch, with the signatures so far.
#[derive(Clone, Debug)]
pub(crate) struct Gathering {
    pub(crate) epoch: Epoch,
    key: CertifiedKey,
    place: LogPlace,
    checkpoint: Checkpoint,
    note: SignedNote,
    witnesses: Vec<CertifiedKey>,
    /// The size from which each witness wanted its proof last.
    held: BTreeMap<Hotkey, u64>,
    /// Whether the record holds all signatures.
    pub(crate) is_recorded: bool,
}

/// What asking came to.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    /// New signatures.
    pub(crate) signed: usize,
    /// Why others have not signed.
    pub(crate) missing: Vec<(Hotkey, String)>,
}

/// What is needed to ask.
#[derive(Clone)]
pub(crate) struct Means {
    pub(crate) asker: Asker,
    pub(crate) journal: Arc<Mutex<Journal>>,
    pub(crate) cpu: CpuPool,
}

impl Gathering {
    /// Signs the log as it ends now.
    pub(crate) fn new(
        place: LogPlace,
        key: &KeptKey,
        certified: CertifiedKey,
        (epoch, size, root): (Epoch, u64, Digest),
        held: BTreeMap<Hotkey, u64>,
    ) -> Self {
        let origin = key.signing.verifier().name().to_owned();
        let checkpoint = Checkpoint { origin, size, root };
        let mut note = checkpoint.unsigned();
        note.add(key.signing.sign(&note, 0));
        Self {
            epoch,
            key: certified,
            place,
            checkpoint,
            note,
            witnesses: Vec::new(),
            held,
            is_recorded: false,
        }
    }

    /// Goes on with a checkpoint that is on record.
    pub(crate) fn resume(place: LogPlace, key: &CertifiedKey, record: &CheckpointRecord) -> Option<Self> {
        let note = SignedNote::parse(&record.note).ok()?;
        let checkpoint = Checkpoint::of(&note).ok()?;
        Some(Self {
            epoch: record.epoch,
            key: key.clone(),
            place,
            checkpoint,
            note,
            witnesses: record.witnesses.clone(),
            held: BTreeMap::new(),
            is_recorded: true,
        })
    }

    pub(crate) fn key(&self) -> &CertifiedKey {
        &self.key
    }

    pub(crate) fn note(&self) -> &SignedNote {
        &self.note
    }

    /// The sizes from which the next epoch's proofs are asked.
    pub(crate) fn held(&self) -> BTreeMap<Hotkey, u64> {
        let signed = self.witnesses.iter().map(|key| (key.hotkey, self.checkpoint.size));
        self.held.clone().into_iter().chain(signed).collect()
    }

    /// What is committed on the chain of it.
    pub(crate) fn anchor(&self) -> Anchor {
        Anchor { epoch: self.epoch, size: self.checkpoint.size, root: self.checkpoint.root }
    }

    pub(crate) fn record(&self) -> Record {
        Record::Checkpoint(CheckpointRecord {
            epoch: self.epoch,
            note: self.note.to_string(),
            witnesses: self.witnesses.clone(),
            fields: Fields::default(),
        })
    }

    pub(crate) fn has_signed(&self, hotkey: &Hotkey) -> bool {
        self.witnesses.iter().any(|key| key.hotkey == *hotkey)
    }

    /// Asks those who have not signed yet, all at once.
    pub(crate) async fn ask(&mut self, means: Means, peers: &[Peer]) -> Gathered {
        let asked: Vec<Peer> = peers.iter().filter(|peer| !self.has_signed(&peer.hotkey)).copied().collect();
        let this = Arc::new(self.clone());
        let asking = stream::iter(asked).map(|peer| {
            let (this, means) = (this.clone(), means.clone());
            async move { (peer.hotkey, this.ask_one(means, peer).await) }
        });
        let answers: Vec<_> = asking.buffer_unordered(AT_ONCE).collect().await;
        let mut gathered = Gathered::default();
        for (hotkey, answer) in answers {
            match answer {
                Ok((key, signature)) => {
                    self.note.add(signature);
                    self.witnesses.push(key);
                    self.is_recorded = false;
                    gathered.signed += 1;
                }
                Err(Unsigned { why, held }) => {
                    self.held.extend(held.map(|size| (hotkey, size)));
                    gathered.missing.push((hotkey, why));
                }
            }
        }
        gathered
    }

    async fn ask_one(&self, means: Means, peer: Peer) -> Result<(CertifiedKey, NoteSignature), Unsigned> {
        let mut from = self.held.get(&peer.hotkey).copied().unwrap_or(0);
        // The second time with the proof from where the witness is.
        for _ in 0..2 {
            let asked = self.asked(&means, from).await?;
            match cosign(&means.asker, peer.target, asked, LIMITS).await? {
                CosignReply::Cosigned { key, line } => {
                    return self
                        .checked(peer.hotkey, key, &line)
                        .ok_or_else(|| "its signature is wrong".into());
                }
                CosignReply::Held(held) => from = self.held_size(&held)?,
            }
        }
        Err(Unsigned { why: "it wants another proof each time".to_owned(), held: Some(from) })
    }

    async fn asked(&self, means: &Means, old_size: u64) -> Result<CosignAsked, Unsigned> {
        let proof = match old_size {
            0 => Vec::new(),
            _ => {
                let (journal, size) = (means.journal.clone(), self.checkpoint.size);
                let proof = means.cpu.run(move || {
                    let journal = journal.lock().unwrap_or_else(PoisonError::into_inner);
                    let tree = journal.log_since(old_size)?;
                    Ok::<_, JournalError>(tree.and_then(|tree| tree.consistency_proof(old_size, size)))
                });
                proof.await??.ok_or("the file that holds its last checkpoint is no longer here")?
            }
        };
        Ok(CosignAsked {
            netuid: self.place.netuid,
            mechanism: self.place.mechanism,
            key: self.key.clone(),
            checkpoint: self.note.to_string(),
            old_size,
            proof,
        })
    }

    /// The size of the checkpoint of ours that a witness says it has signed last.
    fn held_size(&self, held: &str) -> Result<u64, Unsigned> {
        let log = verifier(&self.key, &self.place, LogKeyUse::Log).ok_or("the log has no name")?;
        let note = SignedNote::parse(held).map_err(|error| error.to_string())?;
        log.verify(&note).map_err(|error| error.to_string())?;
        let held = Checkpoint::of(&note).map_err(|error| error.to_string())?;
        if held.size > self.checkpoint.size {
            warn!(
                "a witness has signed a larger checkpoint of this validator's log: the journal was put back from an older copy, or \
                 another process writes with its key. Move `log-key` out of journal.dir, and a new log begins with the next epoch"
            );
            return Err("it has signed a larger checkpoint of this log".into());
        }
        Ok(held.size)
    }

    fn checked(
        &self,
        hotkey: Hotkey,
        key: CertifiedKey,
        line: &str,
    ) -> Option<(CertifiedKey, NoteSignature)> {
        let signature = NoteSignature::parse(line)?;
        let witness = verifier(&key, &self.place, LogKeyUse::Witness)?;
        verify_certified(&key, &self.place, LogKeyUse::Witness).ok()?;
        let mut note = self.note.clone();
        note.add(signature.clone());
        witness.verify(&note).ok()?;
        debug!(%hotkey, size = self.checkpoint.size, "a witness has signed the checkpoint");
        (key.hotkey == hotkey).then_some((key, signature))
    }
}

/// Why a witness has not signed.
#[derive(Debug)]
struct Unsigned {
    why: String,
    /// The size of the checkpoint that it holds, where it said so.
    held: Option<u64>,
}

impl From<String> for Unsigned {
    fn from(why: String) -> Self {
        Self { why, held: None }
    }
}

impl From<&str> for Unsigned {
    fn from(why: &str) -> Self {
        why.to_owned().into()
    }
}

impl From<WitnessError> for Unsigned {
    fn from(error: WitnessError) -> Self {
        error.to_string().into()
    }
}

impl From<JournalError> for Unsigned {
    fn from(error: JournalError) -> Self {
        error.to_string().into()
    }
}

impl From<PoolError> for Unsigned {
    fn from(error: PoolError) -> Self {
        error.to_string().into()
    }
}
