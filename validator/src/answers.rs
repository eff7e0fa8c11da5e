//! Answers as bytes: a challenge as it was sent, an attempt at it, and the one place where an answer's bytes are read.
//!
//! An answer's bytes are hashed, decoded and fingerprinted once, when they come in. Judging, journalling and the
//! epoch's memory of what was said take it from there.

use std::time::Duration;

use weighhouse_ask::{RawAnswer, unframe};
use weighhouse_proto::inference::ModelInferResponse;
use weighhouse_tasks::sequential::Heard;
use weighhouse_tasks::{Challenge, Reference, Task, TaskError};
use weighhouse_types::{
    Asked, Blob, Digest, Exchange, Failure, Fields, InferAnswer, Judged, Judgement, Mark, Neuron, Reason,
    Record, RegistrationId,
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

/// The outcome of reading an answer's bytes: an answer, a failure, or a judgement on bytes that are no answer.
pub(crate) type ReadAnswer = Result<Result<InferAnswer, Failure>, Judgement>;

/// One miner's attempt at a challenge, its signature checked and its bytes read.
pub(crate) struct Attempt {
    pub(crate) neuron: Neuron,
    /// The position of its challenge among the round's.
    pub(crate) at: usize,
    /// The signed answer and its bytes; `None` where the miner gave no answer under its own signature.
    pub(crate) signed: Option<(Exchange, Blob)>,
    pub(crate) read: ReadAnswer,
    /// A digest of what the answer says, where the task looks for repetitions.
    pub(crate) fingerprint: Option<Digest>,
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
            Err(failure) => Self { neuron, at, signed: None, read: Ok(Err(failure)), fingerprint: None },
            Ok((exchange, blob)) => {
                let read = read_framed(blob.bytes());
                let fingerprint = fingerprint(task, &read);
                Self { neuron, at, signed: Some((exchange, blob)), read, fingerprint }
            }
        }
    }

    /// The miner and its answer; `None` where nothing that can be read came back.
    pub(crate) fn answer(&self) -> Option<(RegistrationId, &InferAnswer)> {
        match &self.read {
            Ok(Ok(answer)) => Some((self.neuron.registration(), answer)),
            _ => None,
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

/// Reads an answer's bytes; bytes that are no answer of this protocol have their verdict already.
pub(crate) fn read_framed(framed: &[u8]) -> ReadAnswer {
    let message = match unframe::<ModelInferResponse>(framed) {
        Ok(message) => message,
        Err(failure) => return Ok(Err(failure)),
    };
    InferAnswer::try_from(message).map(Ok).map_err(|error| {
        let reasons = vec![Reason::Malformed { item: 0, what: error.to_string() }];
        Judgement { mark: Mark::ZERO, reasons }
    })
}

/// The verdict on an answer that was read: all of it that is the miner's doing.
pub(crate) fn judge_read(
    task: &Task,
    challenge: &Challenge,
    reference: &Reference,
    read: &ReadAnswer,
) -> Result<Judgement, TaskError> {
    match read {
        Ok(answer) => task.judge(challenge, reference, answer),
        Err(judgement) => Ok(judgement.clone()),
    }
}

/// A digest of what an answer says; `None` where the task checks every answer, so that repeating one gains nothing.
pub(crate) fn fingerprint(task: &Task, read: &ReadAnswer) -> Option<Digest> {
    task.budget()?;
    match read {
        Ok(Ok(answer)) => Heard::said(answer),
        _ => None,
    }
}
