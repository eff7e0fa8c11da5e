//! Answers as bytes: a challenge as it was sent, an attempt at it, and the one place where an answer's bytes are read.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use weighhouse_proto::inference::ModelInferResponse;
use weighhouse_tasks::sequential::Heard;
use weighhouse_tasks::{Challenge, Reference, Task, TaskError};
use weighhouse_types::{
    Asked, Digest, Exchange, Failure, InferAnswer, Judged, Judgement, Mark, Neuron, Reason, Record,
};

use crate::ask;
use crate::metrics;

/// A challenge with everything that goes into its records.
pub(crate) struct PreparedChallenge {
    pub(crate) asked: Asked,
    pub(crate) challenge: Challenge,
    pub(crate) reference: Reference,
    /// What the challenge was drawn from; nobody else knows it yet.
    pub(crate) seed: [u8; 32],
    /// The framed request.
    pub(crate) framed: Bytes,
}

/// What came back from one miner, its signature checked.
pub(crate) struct Attempt {
    pub(crate) neuron: Neuron,
    /// Which of the round's challenges it was asked.
    pub(crate) at: usize,
    pub(crate) exchange: Option<Exchange>,
    /// The framed answer, or why there is none.
    pub(crate) answer: Result<Bytes, Failure>,
}

/// The outcome of reading an answer's bytes: an answer, a failure, or a judgement on bytes that are no answer.
pub(crate) type ReadAnswer = Result<Result<InferAnswer, Failure>, Judgement>;

impl Attempt {
    /// The answer's blob, what else the verdict rests on, and the verdict.
    pub(crate) fn records(
        self,
        prepared: &PreparedChallenge,
        evidence: Vec<Record>,
        judgement: Judgement,
    ) -> Vec<Record> {
        let latency = self.exchange.as_ref().map(|exchange| Duration::from_micros(exchange.latency_us));
        metrics::judged(&judgement, latency);
        let mut records = evidence;
        if let (Some(_), Ok(framed)) = (&self.exchange, &self.answer) {
            records.push(Record::Blob { bytes: framed.to_vec() });
        }
        records.push(Record::Judged(Judged {
            challenge: prepared.asked.challenge,
            epoch: prepared.asked.epoch,
            round: prepared.asked.round,
            uid: self.neuron.uid,
            who: self.neuron.registration(),
            exchange: self.exchange,
            judgement,
        }));
        records
    }
}

/// Reads an answer's bytes; what is no answer of this protocol is a verdict already.
pub(crate) fn read_framed(framed: &[u8]) -> ReadAnswer {
    let message = match ask::unframe::<ModelInferResponse>(framed) {
        Ok(message) => message,
        Err(failure) => return Ok(Err(failure)),
    };
    InferAnswer::try_from(message).map(Ok).map_err(|error| {
        let reasons = vec![Reason::Malformed { item: 0, what: error.to_string() }];
        Judgement { mark: Mark::ZERO, reasons }
    })
}

/// The verdict on an answer's bytes: all of it that is the miner's doing.
pub(crate) fn judge_framed(
    task: &Task,
    challenge: &Challenge,
    reference: &Reference,
    framed: &[u8],
) -> Result<Judgement, TaskError> {
    match read_framed(framed) {
        Ok(answer) => task.judge(challenge, reference, &answer),
        Err(judgement) => Ok(judgement),
    }
}

/// Takes note of what was said in the answer behind a verdict.
pub(crate) fn hear(heard: &mut Heard, judged: &Judged, blobs: &BTreeMap<Digest, &[u8]>) {
    let framed = judged.exchange.as_ref().and_then(|exchange| blobs.get(&exchange.answer));
    if let Some(Ok(Ok(answer))) = framed.map(|framed| read_framed(framed))
        && let Some(said) = Heard::said(&answer)
    {
        heard.take(judged.round, judged.challenge, said);
    }
}
