//! An epoch's checkpoint, signed, and on its way to the witnesses.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::{StreamExt as _, stream};
use tracing::debug;
use weighhouse_ask::call::CallError;
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

/// Reasons that are told at once, and characters of a witness's own words.
const REASONS_MAX: usize = 3;
const WORDS_MAX: usize = 120;
/// Proofs to one witness: from its own checkpoint, and from those that it has seen with others.
const PROOFS_MAX: usize = 6;
/// Witnesses that are asked at once.
const AT_ONCE: usize = 32;
/// A witness verifies three signatures and writes one file.
const LIMITS: ProxyLimits = ProxyLimits { deadline: Duration::from_secs(3), body_bytes_max: 128 << 10 };

/// What a refusal to go back is owed to, and what helps.
const GO_BACK: &str = "so the journal was put back from an older copy, or another process writes with its key: move log-key out of \
                       journal.dir, and a new log begins with the next epoch";
/// Why there is no proof for a witness that was away longer than files are kept.
const OUT_OF_REACH: &str = "it was away for longer than this journal keeps files (journal.keep_epochs): it witnesses again only once a \
                            new log begins, as when log-key is moved out of journal.dir";

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
    /// Why others have not signed yet.
    missing: Vec<(Hotkey, String)>,
    /// Whether the record holds all signatures.
    pub(crate) is_recorded: bool,
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
            missing: Vec::new(),
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
            missing: Vec::new(),
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
    pub(crate) async fn ask(&mut self, means: Means, peers: &[Peer]) {
        let asked: Vec<Peer> = peers.iter().filter(|peer| !self.has_signed(&peer.hotkey)).copied().collect();
        let this = Arc::new(self.clone());
        let asking = stream::iter(asked).map(|peer| {
            let (this, means) = (this.clone(), means.clone());
            async move { (peer.hotkey, this.ask_one(means, peer).await) }
        });
        let answers: Vec<_> = asking.buffer_unordered(AT_ONCE).collect().await;
        self.missing.clear();
        for (hotkey, answer) in answers {
            match answer {
                Ok((key, signature)) => {
                    self.note.add(signature);
                    self.witnesses.push(key);
                    self.is_recorded = false;
                }
                Err(Unsigned { why, held }) => {
                    self.held.extend(held.map(|size| (hotkey, size)));
                    debug!(validator = %hotkey, %why, "it has not signed the checkpoint");
                    self.missing.push((hotkey, why));
                }
            }
        }
    }

    /// Why these have not signed, in a sentence: each reason once.
    pub(crate) fn why_missing(&self, wanted: &[Hotkey]) -> String {
        let mut reasons: Vec<String> = Vec::new();
        for hotkey in wanted.iter().filter(|hotkey| !self.has_signed(hotkey)) {
            let known = self.missing.iter().find(|(missing, _)| missing == hotkey);
            let why = known.map_or("it serves no verdicts (verdicts.listen)", |(_, why)| why.as_str());
            if reasons.len() < REASONS_MAX && !reasons.iter().any(|known| known.ends_with(why)) {
                reasons.push(format!("{hotkey}: {why}"));
            }
        }
        reasons.join("; ")
    }

    async fn ask_one(&self, means: Means, peer: Peer) -> Result<(CertifiedKey, NoteSignature), Unsigned> {
        let mut from = self.held.get(&peer.hotkey).copied().unwrap_or(0);
        // Again with the proof from where the witness is, and from what it has seen with others.
        for _ in 0..PROOFS_MAX {
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
                proof.await??.ok_or(OUT_OF_REACH)?
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
            return Err(format!("it knows a larger checkpoint of this log, {GO_BACK}").into());
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
        match error {
            WitnessError::Call(CallError::Refused(status)) => {
                // A status's words are a stranger's.
                let clean = |c: char| if c.is_control() { ' ' } else { c };
                let said: String = status.message().chars().map(clean).take(WORDS_MAX).collect();
                let refuses_growth = status.code() == tonic::Code::FailedPrecondition;
                let advice = if refuses_growth { format!(", {GO_BACK}") } else { String::new() };
                format!("it says `{said}`{advice}").into()
            }
            WitnessError::Call(CallError::Unreachable) => "it can't be reached".into(),
            error => error.to_string().into(),
        }
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
