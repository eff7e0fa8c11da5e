//! Records of version 1: read, never written.
//!
//! The layouts that changed are here as they were; the others are the same in both versions. What a record of version 1
//! doesn't say is absent in the record that it becomes.

use parity_scale_codec::{Decode, DecodeAll, Error};

use super::{
    ChallengeRecord, ChallengeScope, EpochContext, Evidence, Exchange, Fields, Likeness, Record, Trail,
    VerdictRecord,
};
use crate::{
    Beacon, Blob, Block, Digest, Epoch, Hotkey, Intent, IntentUpdate, Judgement, MechId, Netuid,
    RegistrationId, Standing, SubnetState, Uid,
};

/// The version that this module reads.
pub const RECORD_VERSION: u16 = 1;

/// Reads the SCALE of one record.
///
/// # Errors
/// For bytes that are not exactly one record of version 1.
pub fn decode(bytes: &[u8]) -> Result<Record, Error> {
    RecordV1::decode_all(&mut &bytes[..]).map(Record::from)
}

#[derive(Decode)]
enum RecordV1 {
    #[codec(index = 0)]
    Blob(Blob),
    #[codec(index = 1)]
    EpochOpened(Box<EpochContextV1>),
    #[codec(index = 2)]
    Asked(AskedV1),
    #[codec(index = 3)]
    Judged(JudgedV1),
    #[codec(index = 4)]
    Intent(Intent),
    #[codec(index = 5)]
    IntentUpdate(IntentUpdate),
    #[codec(index = 6)]
    Abstained { epoch: Epoch, why: String },
    #[codec(index = 7)]
    Departed { epoch: Epoch, block: Block, who: Vec<RegistrationId> },
    #[codec(index = 8)]
    Trails { epoch: Epoch, trails: Vec<Trail> },
    #[codec(index = 9)]
    Likeness(Likeness),
    #[codec(index = 10)]
    Evidence(EvidenceV1),
}

#[derive(Decode)]
struct EpochContextV1 {
    epoch: Epoch,
    netuid: Netuid,
    mechanism: MechId,
    genesis: Digest,
    validator: Hotkey,
    state: SubnetState,
    beacon: Beacon,
    policy: Vec<u8>,
    task: Vec<u8>,
    carried: Vec<Standing>,
    software: String,
}

#[derive(Decode)]
struct AskedV1 {
    challenge: Digest,
    epoch: Epoch,
    round: u32,
    scope: ChallengeScope,
    vrf_output: Vec<u8>,
    vrf_proof: Vec<u8>,
    reference: Digest,
}

#[derive(Decode)]
struct JudgedV1 {
    challenge: Digest,
    epoch: Epoch,
    round: u32,
    uid: Uid,
    who: RegistrationId,
    exchange: Option<Exchange>,
    judgement: Judgement,
}

#[derive(Decode)]
struct EvidenceV1 {
    epoch: Epoch,
    round: u32,
    challenge: Digest,
    who: RegistrationId,
    blob: Digest,
    bins: Vec<u32>,
}

impl From<RecordV1> for Record {
    fn from(record: RecordV1) -> Self {
        match record {
            RecordV1::Blob(blob) => Self::Blob(blob),
            RecordV1::EpochOpened(context) => Self::EpochOpened(Box::new((*context).into())),
            RecordV1::Asked(asked) => Self::Asked(asked.into()),
            RecordV1::Judged(judged) => Self::Judged(judged.into()),
            RecordV1::Intent(intent) => Self::Intent(intent),
            RecordV1::IntentUpdate(update) => Self::IntentUpdate(update),
            RecordV1::Abstained { epoch, why } => Self::Abstained { epoch, why },
            RecordV1::Departed { epoch, block, who } => Self::Departed { epoch, block, who },
            RecordV1::Trails { epoch, trails } => Self::Trails { epoch, trails },
            RecordV1::Likeness(likeness) => Self::Likeness(likeness),
            RecordV1::Evidence(evidence) => Self::Evidence(evidence.into()),
        }
    }
}

impl From<EpochContextV1> for EpochContext {
    fn from(context: EpochContextV1) -> Self {
        let EpochContextV1 { epoch, netuid, mechanism, genesis, validator, state, beacon, .. } = context;
        let EpochContextV1 { policy, task, carried, software, .. } = context;
        Self {
            epoch,
            netuid,
            mechanism,
            genesis,
            validator,
            state,
            beacon,
            policy,
            task,
            carried,
            software,
            judge: None,
            fields: Fields::default(),
        }
    }
}

impl From<AskedV1> for ChallengeRecord {
    fn from(asked: AskedV1) -> Self {
        let AskedV1 { challenge, epoch, round, scope, vrf_output, vrf_proof, reference } = asked;
        Self {
            challenge,
            epoch,
            round,
            scope,
            vrf_output,
            vrf_proof,
            kind: String::new(),
            request: None,
            secret: None,
            reference: Some(reference),
            fields: Fields::default(),
        }
    }
}

impl From<JudgedV1> for VerdictRecord {
    fn from(judged: JudgedV1) -> Self {
        let JudgedV1 { challenge, epoch, round, uid, who, exchange, judgement } = judged;
        Self {
            challenge,
            epoch,
            round,
            uid,
            who,
            exchange,
            judgement,
            // Version 1 knew neither later truths nor several stages.
            asked_in: epoch,
            stage: 0,
            fields: Fields::default(),
        }
    }
}

impl From<EvidenceV1> for Evidence {
    fn from(evidence: EvidenceV1) -> Self {
        let EvidenceV1 { epoch, round, challenge, who, blob, bins } = evidence;
        Self { epoch, round, challenge, who, blob, bins, fields: Fields::default() }
    }
}
