//! Acknowledged answers: what a validator signs for all that it received in a round.

use std::collections::BTreeMap;

use parity_scale_codec::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::{Exchange, Fields, Record, hex_bytes};
use crate::{Digest, Epoch, Hotkey};

/// An answer that a validator received: a leaf of its round's tree, by its SCALE.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct AnswerReceipt {
    /// The miner's.
    pub hotkey: Hotkey,
    pub stage: u8,
    /// The framed request as sent, and the framed answer as received.
    pub request: Digest,
    pub answer: Digest,
    /// From the request's sending to the answer's last byte.
    pub latency_us: u64,
}

/// The validator's signature over a round's answers, in the commit of its verdicts. What it signs is in `wallet::receipt`: with the proof
/// of a leaf it shows others that this answer was received.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct RoundReceipts {
    pub epoch: Epoch,
    pub round: u32,
    /// When the round was recorded, by the validator's clock, in microseconds since the Unix epoch.
    pub unix_us: u64,
    #[serde(with = "hex_bytes")]
    pub signature: Vec<u8>,
    #[serde(default, skip_serializing_if = "Fields::is_empty")]
    pub fields: Fields,
}

impl AnswerReceipt {
    /// Every answer to a round's questions in an epoch's records, by hotkey and stage.
    pub fn of_round<'a>(
        records: impl IntoIterator<Item = &'a Record>,
        epoch: Epoch,
        round: u32,
    ) -> Vec<Self> {
        let mut receipts = BTreeMap::new();
        for record in records {
            let (who, stage, exchange) = match record {
                Record::Judged(judged) if (judged.asked_in, judged.round) == (epoch, round) => {
                    (judged.who, judged.stage, judged.exchange.as_ref())
                }
                Record::Answered(answered) if (answered.epoch, answered.round) == (epoch, round) => {
                    (answered.who, answered.stage, answered.outcome.as_ref().ok())
                }
                _ => continue,
            };
            let Some(Exchange { request, answer, latency_us, .. }) = exchange.cloned() else { continue };
            let hotkey = who.hotkey;
            let receipt = Self { hotkey, stage, request, answer, latency_us };
            receipts.entry((hotkey, stage)).or_insert(receipt);
        }
        receipts.into_values().collect()
    }
}
