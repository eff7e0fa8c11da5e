//! One verdict with its answer, shown to be in its validator's log: for a customer or a miner who has one answer and no epoch.

use serde::{Deserialize, Serialize};
use weighhouse_journal::{Segment, read_record, record_payload};
use weighhouse_merkle::{Checkpoint, NoteError, ProofError, SignedNote, leaf_hash, verify_inclusion};
use weighhouse_types::{
    CertifiedKey, Digest, Epoch, Exchange, Hotkey, Judgement, LogKeyUse, LogPlace, Record, Uid,
};
use weighhouse_wallet::answer::{AnswerSignature, answer_digest};
use weighhouse_wallet::certified::verify_certified;
use weighhouse_wallet::keypair::SignatureError;

use super::log::{self, ReadLog};
use super::{AuditError, context_of};
use crate::log::{WrongWitness, signers, verifier};
use crate::requests::request_bytes;

/// Whoever holds this needs neither the epoch's file nor its validator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnswerProof {
    pub place: LogPlace,
    /// The key of the log, certified by its validator.
    pub key: CertifiedKey,
    /// A signed note.
    pub checkpoint: String,
    /// The keys of the witnesses whose signatures it bears.
    pub witnesses: Vec<CertifiedKey>,
    /// The record's place in the log, and its audit path (RFC 9162, section 2.1.3).
    pub index: u64,
    pub path: Vec<Digest>,
    /// The record as it stands in the file, in hexadecimal, and the framed request and answer that it names.
    #[serde(with = "const_hex")]
    pub record: Vec<u8>,
    #[serde(with = "const_hex")]
    pub request: Vec<u8>,
    #[serde(with = "const_hex")]
    pub answer: Vec<u8>,
}

/// What a proof shows.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ProvenAnswer {
    pub validator: Hotkey,
    pub epoch: Epoch,
    pub round: u32,
    pub uid: Uid,
    pub miner: Hotkey,
    /// The model that the miner says it ran.
    pub model: Digest,
    pub judgement: Judgement,
    /// Records of the log, and its root.
    pub size: u64,
    pub root: Digest,
    pub witnesses: Vec<Hotkey>,
}

/// Why there is no proof, or it proves nothing.
#[derive(Debug, thiserror::Error)]
pub enum ProvenError {
    #[error(transparent)]
    Audit(#[from] AuditError),
    #[error("the epoch's file has no checkpoint of a log")]
    NoCheckpoint,
    #[error("no answer of uid {uid} was judged in round {round}")]
    NoAnswer { round: u32, uid: Uid },
    #[error("the log's key: {0}")]
    Certificate(#[from] SignatureError),
    #[error("the checkpoint: {0}")]
    Note(#[from] NoteError),
    #[error("the checkpoint is of another log")]
    Origin,
    #[error(transparent)]
    Witness(#[from] WrongWitness),
    #[error("the record is not in the log: {0}")]
    Inclusion(#[from] ProofError),
    #[error("the record is no verdict on an answer")]
    Record,
    #[error("request or answer are not those of the record")]
    Bytes,
    #[error("the miner has not signed this answer")]
    Unsigned,
}

/// Makes the proof of one answer out of an epoch's file.
///
/// # Errors
/// A file without a checkpoint, or an answer that isn't there.
pub fn prove(file: &[u8], round: u32, uid: Uid) -> Result<AnswerProof, ProvenError> {
    let segment = Segment::read(file).map_err(AuditError::from)?;
    let epoch = context_of(&segment)?.epoch;
    let ReadLog { place, log, tree, note, checkpoint, witnesses } =
        log::read(&segment).ok_or(ProvenError::NoCheckpoint)?;
    let is_asked = |record: &Record| match record {
        Record::Judged(judged) => (judged.round, judged.uid, judged.asked_in) == (round, uid, epoch),
        _ => false,
    };
    let none = || ProvenError::NoAnswer { round, uid };
    let at = segment.records().iter().position(is_asked).ok_or_else(none)?;
    let record = &segment.records()[at];
    let (_, exchange) = judged(record).ok_or_else(none)?;
    let request = request_bytes(&segment, &exchange.request).ok_or_else(none)?.into_owned();
    let answer = segment.blob(&exchange.answer).ok_or_else(none)?.to_vec();
    let index = log.size + segment.leaf_index(at) as u64;
    Ok(AnswerProof {
        place,
        key: log.key,
        checkpoint: note.to_string(),
        witnesses,
        index,
        path: tree.inclusion_proof(index, checkpoint.size).ok_or(ProvenError::NoCheckpoint)?,
        record: record_payload(record),
        request,
        answer,
    })
}

impl AnswerProof {
    /// Checks everything that the proof says.
    ///
    /// # Errors
    /// The first thing that isn't so.
    pub fn verify(&self) -> Result<ProvenAnswer, ProvenError> {
        verify_certified(&self.key, &self.place, LogKeyUse::Log)?;
        let log = verifier(&self.key, &self.place, LogKeyUse::Log).ok_or(ProvenError::Origin)?;
        let note = SignedNote::parse(&self.checkpoint)?;
        log.verify(&note)?;
        let Checkpoint { origin, size, root } = Checkpoint::of(&note)?;
        if origin != log.name() {
            return Err(ProvenError::Origin);
        }
        let mut witnesses = signers(&note, &self.witnesses, &self.place)?;
        witnesses.sort_unstable();
        witnesses.dedup();
        verify_inclusion(&leaf_hash(&self.record), self.index, size, &self.path, &root)?;
        let record = read_record(&self.record).map_err(|_| ProvenError::Record)?;
        let (judged, exchange) = judged(&record).ok_or(ProvenError::Record)?;
        let (request, answer) = (Digest::of(&self.request), Digest::of(&self.answer));
        if (request, answer) != (exchange.request, exchange.answer) {
            return Err(ProvenError::Bytes);
        }
        let signature = AnswerSignature::decode(&exchange.signature).map_err(|_| ProvenError::Unsigned)?;
        let signed = answer_digest(&request, &answer, &exchange.model);
        signature.verify(&judged.who.hotkey, &signed).map_err(|_| ProvenError::Unsigned)?;
        Ok(ProvenAnswer {
            validator: self.key.hotkey,
            epoch: judged.epoch,
            round: judged.round,
            uid: judged.uid,
            miner: judged.who.hotkey,
            model: exchange.model,
            judgement: judged.judgement.clone(),
            size,
            root,
            witnesses,
        })
    }
}

fn judged(record: &Record) -> Option<(&weighhouse_types::VerdictRecord, &Exchange)> {
    match record {
        Record::Judged(judged) => Some((judged, judged.exchange.as_ref()?)),
        _ => None,
    }
}
