//! Answers as bytes: a challenge as it was sent, an attempt at it, and the one place where an answer's bytes are read.
//!
//! An answer's bytes are hashed, decoded and fingerprinted once, when they come in. Judging, journalling and the
//! epoch's memory of what was said take it from there.

use std::collections::BTreeMap;
use std::time::Duration;

use weighhouse_ask::{RawAnswer, unframe};
use weighhouse_proto::inference::ModelInferResponse;
use weighhouse_tasks::{Challenge, Read, Reference, Task, silent};
use weighhouse_types::sealed::{Author, ChainRoot};
use weighhouse_types::{
    Blob, ChallengeRecord, Digest, Exchange, Failure, Fields, InferAnswer, Judgement, Mark, Neuron, Reason,
    Record, RegistrationId, VerdictRecord,
};
use weighhouse_wallet::answer::verify_hashed;

use crate::metrics;

/// A challenge with everything that goes into its records.
pub(crate) struct PreparedChallenge {
    pub(crate) asked: ChallengeRecord,
    pub(crate) challenge: Challenge,
    pub(crate) reference: Reference,
    /// The reference as it is journalled.
    pub(crate) reference_blob: Blob,
    /// The randomness that the challenge was drawn from; nobody else knows it yet.
    pub(crate) seed: [u8; 32],
    /// The framed request, as every miner with this challenge gets it first.
    pub(crate) request: Blob,
    /// The parts that miners get in its place, where the question is divided among them.
    pub(crate) parts: BTreeMap<RegistrationId, Blob>,
    /// The part that only the judge may know, as it is journalled.
    pub(crate) secret: Option<Blob>,
}

/// An answer's bytes, read once by the task's kind.
pub(crate) struct ReadAnswer {
    /// The answer, or the verdict on bytes that are none to this question.
    pub(crate) read: Result<Read, Judgement>,
    /// The bytes are an answer by the protocol, whatever the kind makes of it.
    pub(crate) is_message: bool,
    /// A digest of what the answer says, where the task looks for repetitions.
    pub(crate) fingerprint: Option<Digest>,
}

/// One miner's attempt at a challenge, its signature checked and its bytes read.
pub(crate) struct Attempt {
    pub(crate) neuron: Neuron,
    /// The position of its challenge among the round's.
    pub(crate) at: usize,
    /// The stage at which it ended: the last, unless the miner failed at an earlier one.
    pub(crate) stage: u8,
    /// The signed answer and its bytes; `None` where the miner gave no answer under its own signature.
    pub(crate) signed: Option<(Exchange, Blob)>,
    /// What the chain had of the miner's commitments, where they have their place there.
    pub(crate) root: Option<ChainRoot>,
    pub(crate) answer: ReadAnswer,
}

/// Checks that an answer is this miner's, to this request.
pub(crate) fn check_signature(
    neuron: &Neuron,
    request: Digest,
    raw: RawAnswer,
) -> Result<(Exchange, Blob), Failure> {
    let blob = Blob::new(raw.framed);
    // Over the bytes as they came: an answer that was decoded and encoded anew may differ from the signed one.
    let verified = verify_hashed(&neuron.hotkey, &request, &blob.digest(), &raw.trailers);
    let verified = verified.map_err(|_| Failure::BadSignature)?;
    let exchange = Exchange {
        request,
        answer: blob.digest(),
        model: verified.model,
        signature: verified.signature.encode(),
        latency_us: u64::try_from(raw.latency.as_micros()).unwrap_or(u64::MAX),
    };
    Ok((exchange, blob))
}

impl Attempt {
    /// The answer's blob, where there is an answer.
    pub(crate) fn blob(&self) -> Option<Record> {
        self.signed.as_ref().map(|(_, blob)| Record::Blob(blob.clone()))
    }

    /// The record of its verdict.
    pub(crate) fn judged(&self, asked: &ChallengeRecord, judgement: Judgement) -> Record {
        let exchange = self.signed.as_ref().map(|(exchange, _)| exchange.clone());
        let latency = exchange.as_ref().map(|exchange| Duration::from_micros(exchange.latency_us));
        metrics::judged(&judgement, latency);
        Record::Judged(VerdictRecord {
            challenge: asked.challenge,
            epoch: asked.epoch,
            round: asked.round,
            uid: self.neuron.uid,
            who: self.neuron.registration(),
            exchange,
            judgement,
            asked_in: asked.epoch,
            stage: self.stage,
            fields: Fields::under(self.root),
        })
    }
}

impl ReadAnswer {
    /// Reads the answer to a challenge's last stage; bytes that are no answer have their verdict already.
    pub(crate) fn new(
        task: &Task,
        author: &Author,
        challenge: &Challenge,
        earlier: &[InferAnswer],
        framed: &[u8],
    ) -> Self {
        match decode(framed) {
            Ok(message) => Self::of(task, author, challenge, earlier, &message),
            Err(judgement) => Self::decided(judgement),
        }
    }

    /// As [`ReadAnswer::new`], of bytes that have been decoded.
    pub(crate) fn of(
        task: &Task,
        author: &Author,
        challenge: &Challenge,
        earlier: &[InferAnswer],
        message: &InferAnswer,
    ) -> Self {
        let read = task.read_stages(author, challenge, earlier, message);
        let fingerprint = task.fingerprint(read.as_ref().map_err(|_| message));
        Self { read, is_message: true, fingerprint }
    }

    /// An answer that is none, whatever its kind makes of it.
    pub(crate) fn decided(judgement: Judgement) -> Self {
        Self { read: Err(judgement), is_message: false, fingerprint: None }
    }
}

/// The message in an answer's bytes, or the verdict on bytes that are none.
pub(crate) fn decode(framed: &[u8]) -> Result<InferAnswer, Judgement> {
    let message = unframe::<ModelInferResponse>(framed).map_err(silent)?;
    InferAnswer::try_from(message).map_err(|error| {
        let reasons = vec![Reason::Malformed { item: 0, what: error.to_string() }];
        Judgement { mark: Mark::ZERO, reasons }
    })
}

/// A digest of what an answer's bytes say; `None` where they are no answer, or the task doesn't look for repetitions.
pub(crate) fn fingerprint(task: &Task, framed: &[u8]) -> Option<Digest> {
    // Most tasks check every answer; theirs are not decoded for a fingerprint that nobody asks for.
    task.budget()?;
    task.fingerprint(Err(&decode(framed).ok()?))
}
