//! The transparency log over a validator's records: where an epoch's file begins in it, the checkpoints that are signed of it, and
//! what the next epoch will be opened with.

use std::fmt;

use parity_scale_codec::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::{Fields, JudgeIdentity, hex_bytes};
use crate::{Digest, Epoch, Hotkey, MechId, Netuid};

/// Subnet whose validator keeps a log, and its witnesses with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct LogPlace {
    pub genesis: Digest,
    pub netuid: Netuid,
    pub mechanism: MechId,
}

/// What an Ed25519 key of a validator signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogKeyUse {
    /// Checkpoints of its own log.
    #[codec(index = 0)]
    Log,
    /// Checkpoints of others that it has seen grow.
    #[codec(index = 1)]
    Witness,
}

/// An Ed25519 key, and its hotkey's sr25519 signature that it is this validator's.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct CertifiedKey {
    pub hotkey: Hotkey,
    /// The first epoch that it signs for.
    pub first_epoch: Epoch,
    #[serde(with = "const_hex")]
    pub key: [u8; 32],
    #[serde(with = "hex_bytes")]
    pub signature: Vec<u8>,
}

impl CertifiedKey {
    /// The name of the log, or of the witness: no two keys have the same.
    pub fn name(&self, place: &LogPlace, of: LogKeyUse) -> String {
        key_name(place, of, &self.hotkey, self.first_epoch)
    }
}

/// The name under which a validator's key signs notes.
pub fn key_name(place: &LogPlace, of: LogKeyUse, hotkey: &Hotkey, first_epoch: Epoch) -> String {
    let LogPlace { genesis, netuid, mechanism } = place;
    let of = match of {
        LogKeyUse::Log => "log",
        LogKeyUse::Witness => "witness",
    };
    let genesis = const_hex::encode(&genesis.as_bytes()[..8]);
    format!("weighhouse/{of}/{genesis}/{netuid}/{mechanism}/{hotkey}/{first_epoch}")
}

/// Where an epoch's file begins in the log: its leaves follow those of the epochs before.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct LogOpening {
    /// The key that signs the log's checkpoints.
    pub key: CertifiedKey,
    /// Records of the epochs before.
    pub size: u64,
    /// The roots of the complete subtrees over these, largest first.
    pub subtrees: Vec<Digest>,
}

/// A checkpoint of the log, signed behind an epoch's closing record: the log up to that record, as its witnesses have seen it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct CheckpointRecord {
    pub epoch: Epoch,
    /// A C2SP signed note, with the signatures of the log and of its witnesses.
    pub note: String,
    /// The witnesses' keys, in the order of their signatures.
    pub witnesses: Vec<CertifiedKey>,
    #[serde(default, skip_serializing_if = "Fields::is_empty")]
    pub fields: Fields,
}

/// What an epoch's closing record says that the next epoch is opened with, while nobody can know that epoch's questions yet.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct NextEpoch {
    /// Digest of the policy file.
    pub policy: Digest,
    /// Digest of the task file.
    pub task: Digest,
    pub judge: Option<JudgeIdentity>,
    pub rounds: u32,
}

impl fmt::Display for LogKeyUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Log => "log",
            Self::Witness => "witness",
        })
    }
}
