//! Answers as bytes: a challenge as it was sent, an attempt at it, and the one place where an answer's bytes are read.
//!
//! An answer's bytes are hashed, decoded and fingerprinted once, when they come in. Judging, journalling and the
//! epoch's memory of what was said take it from there.

use std::time::Duration;

use weighhouse_ask::{RawAnswer, unframe};
use weighhouse_proto::inference::ModelInferResponse;
use weighhouse_tasks::{Challenge, Read, Reference, Task};
use weighhouse_types::{
    Asked, Blob, Digest, Exchange, Failure, Fields, InferAnswer, Judged, Judgement, Mark, Neuron, Reason,
    Record,
};
use weighhouse_wallet::answer::verify_hashed;

use crate::metrics;

/// A challenge with everything that goes into its records.
pub(crate) struct PreparedChallenge {
    pub(crate) asked: Asked,
    pub(crate) challenge: Challenge,
    pub(crate) reference: Reference,
    /// The reference as it is journalled.
    pub(crate) reference_blob: Blob,
    /// The randomness that the challenge was drawn from; nobody else knows it yet.
    pub(crate) seed: [u8; 32],
    /// The framed request, as every miner with this challenge gets it.
    pub(crate) request: Blob,
}

/// An answer's bytes, read once by the task's kind.
pub(crate) struct ReadAnswer {
    /// The answer, or the verdict on bytes that are none to this question.
    pub(crate) read: Result<Read, Judgement>,
    /// Whether the bytes are an answer by the protocol, whatever the kind makes of it.
    pub(crate) is_message: bool,
    /// A digest of what the answer says, where the task looks for repetitions.
    pub(crate) fingerprint: Option<Digest>,
}

/// One miner's attempt at a challenge, its signature checked and its bytes read.
pub(crate) struct Attempt {
    pub(crate) neuron: Neuron,
    /// The position of its challenge among the round's.
    pub(crate) at: usize,
    /// The signed answer and its bytes; `None` where the miner gave no answer under its own signature.
    pub(crate) signed: Option<(Exchange, Blob)>,
    pub(crate) answer: ReadAnswer,
}

impl Attempt {
    /// Checks who signed an answer, and reads it.
    pub(crate) fn new(
        task: &Task,
        challenges: &[PreparedChallenge],
        at: usize,
        neuron: Neuron,
        raw: Result<RawAnswer, Failure>,
    ) -> Self {
        let request = challenges[at].request.digest();
        let signed = raw.and_then(|raw| {
            let blob = Blob::new(raw.framed);
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
        });
        match signed {
            Err(failure) => {
                let answer = ReadAnswer::failed(task, &challenges[at].challenge, failure);
                Self { neuron, at, signed: None, answer }
            }
            Ok((exchange, blob)) => {
                let answer = ReadAnswer::new(task, &challenges[at].challenge, blob.bytes());
                Self { neuron, at, signed: Some((exchange, blob)), answer }
            }
        }
    }

    /// The answer's blob, the evidence that the verdict rests on, and the verdict.
    pub(crate) fn records(
        &self,
        prepared: &PreparedChallenge,
        evidence: Vec<Record>,
        judgement: Judgement,
    ) -> Vec<Record> {
        let exchange = self.signed.as_ref().map(|(exchange, _)| exchange.clone());
        let latency = exchange.as_ref().map(|exchange| Duration::from_micros(exchange.latency_us));
        metrics::judged(&judgement, latency);
        let mut records = evidence;
        records.extend(self.signed.iter().map(|(_, blob)| Record::Blob(blob.clone())));
        records.push(Record::Judged(Judged {
            challenge: prepared.asked.challenge,
            epoch: prepared.asked.epoch,
            round: prepared.asked.round,
            uid: self.neuron.uid,
            who: self.neuron.registration(),
            exchange,
            judgement,
            asked_in: prepared.asked.epoch,
            stage: 0,
            fields: Fields::default(),
        }));
        records
    }
}

impl ReadAnswer {
    /// Reads an answer's bytes; bytes that are no answer have their verdict already.
    pub(crate) fn new(task: &Task, challenge: &Challenge, framed: &[u8]) -> Self {
        let message = match unframe::<ModelInferResponse>(framed) {
            Ok(message) => message,
            Err(failure) => return Self::failed(task, challenge, failure),
        };
        match InferAnswer::try_from(message) {
            Ok(answer) => {
                let fingerprint = task.fingerprint(&answer);
                Self { read: task.read(challenge, &Ok(answer)), is_message: true, fingerprint }
            }
            Err(error) => {
                let reasons = vec![Reason::Malformed { item: 0, what: error.to_string() }];
                let read = Err(Judgement { mark: Mark::ZERO, reasons });
                Self { read, is_message: false, fingerprint: None }
            }
        }
    }

    fn failed(task: &Task, challenge: &Challenge, failure: Failure) -> Self {
        Self { read: task.read(challenge, &Err(failure)), is_message: false, fingerprint: None }
    }
}

/// A digest of what an answer's bytes say; `None` where they are no answer, or the task doesn't look for repetitions.
pub(crate) fn fingerprint(task: &Task, framed: &[u8]) -> Option<Digest> {
    task.budget()?;
    let message = unframe::<ModelInferResponse>(framed).ok()?;
    task.fingerprint(&InferAnswer::try_from(message).ok()?)
}
