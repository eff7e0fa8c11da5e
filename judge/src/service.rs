//! The contract's methods over a judge: messages in, messages out.

use std::sync::Arc;

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng as _;
use tonic::{Request, Response, Status, async_trait};
use weighhouse_proto::v1;
use weighhouse_proto::v1::judge_service_server::JudgeService;
use weighhouse_types::{Digest, DrawnChallenge, InferAnswer, InferRequest};

use crate::values::{Challenge, Judge, Verdict};

/// Of the contract.
const PROTOCOL: u32 = 1;
const CHALLENGES_MAX: u32 = 64;
const ATTEMPTS_MAX: u32 = 256;
/// Bytes of one message, either way.
pub(crate) const MESSAGE_BYTES_MAX: usize = 64 << 20;

/// Serves one judge.
pub(crate) struct Service<J> {
    judge: Arc<J>,
    digest: Digest,
}

impl<J: Judge> Service<J> {
    pub(crate) fn new(judge: J, digest: Digest) -> Self {
        Self { judge: Arc::new(judge), digest }
    }

    /// Works where it holds up no connection. A panic within the judge is an error of its own, and no verdict.
    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&J) -> Result<T, Status> + Send + 'static,
    ) -> Result<Response<T>, Status> {
        let judge = self.judge.clone();
        let done = tokio::task::spawn_blocking(move || work(&judge)).await;
        done.unwrap_or_else(|error| Err(Status::internal(error.to_string()))).map(Response::new)
    }
}

fn within(what: &str, count: usize, limit: u32) -> Result<(), Status> {
    if count <= limit as usize {
        return Ok(());
    }
    Err(Status::invalid_argument(format!("{count} {what} in one call, over the limit of {limit}")))
}

fn draw(judge: &impl Judge, items: u32, seed: v1::Seed) -> Result<v1::Challenge, Status> {
    let refused = |why: String| Status::invalid_argument(why);
    if !seed.answers.is_empty() {
        return Err(Status::unimplemented("this judge asks one question a challenge"));
    }
    let seed =
        seed.seed.try_into().map_err(|seed: Vec<u8>| refused(format!("a seed of {} bytes", seed.len())))?;
    let Challenge { inputs, outputs, secret } = judge.draw(&mut ChaCha20Rng::from_seed(seed), items);
    let (model, version, id) = (String::new(), String::new(), String::new());
    let question = InferRequest { model, version, id, inputs, outputs };
    v1::Challenge::try_from(DrawnChallenge { question, secret, items })
        .map_err(|error| refused(error.to_string()))
}

fn verdict(judge: &impl Judge, attempt: v1::Attempt) -> Result<v1::Verdict, Status> {
    let missing = || Status::invalid_argument("an attempt without a challenge or an answer");
    let drawn = DrawnChallenge::try_from(attempt.challenge.ok_or_else(missing)?);
    let drawn = drawn.map_err(|error| Status::invalid_argument(error.to_string()))?;
    let answer = attempt.answers.into_iter().next().ok_or_else(missing)?;
    let DrawnChallenge { question: InferRequest { inputs, outputs, .. }, secret, .. } = drawn;
    let challenge = Challenge { inputs, outputs, secret };
    let verdict = match InferAnswer::try_from(answer) {
        Ok(answer) => judge.judge(&challenge, &answer),
        Err(error) => Verdict::malformed(error.to_string()),
    };
    Ok(verdict.0)
}

#[async_trait]
impl<J: Judge> JudgeService for Service<J> {
    async fn describe(
        &self,
        _: Request<v1::JudgeServiceDescribeRequest>,
    ) -> Result<Response<v1::JudgeServiceDescribeResponse>, Status> {
        Ok(Response::new(v1::JudgeServiceDescribeResponse {
            protocol: PROTOCOL,
            name: J::NAME.to_owned(),
            version: J::VERSION,
            digest: self.digest.0.to_vec(),
            limits: Some(v1::JudgeLimits {
                challenges_max: CHALLENGES_MAX,
                attempts_max: ATTEMPTS_MAX,
                // The contract allows no 0, even where nothing is judged together.
                together_max: 1,
                message_bytes_max: MESSAGE_BYTES_MAX as u64,
            }),
            testifies: false,
            together: false,
            resolves: false,
            exchanges: 1,
            runtime: concat!("weighhouse-judge ", env!("CARGO_PKG_VERSION")).to_owned(),
        }))
    }

    async fn draw(&self, request: Request<v1::DrawRequest>) -> Result<Response<v1::DrawResponse>, Status> {
        let v1::DrawRequest { items, seeds, .. } = request.into_inner();
        within("seeds", seeds.len(), CHALLENGES_MAX)?;
        self.work(move |judge| {
            let challenges: Result<_, _> = seeds.into_iter().map(|seed| draw(judge, items, seed)).collect();
            Ok(v1::DrawResponse { challenges: challenges? })
        })
        .await
    }

    async fn testify(&self, _: Request<v1::TestifyRequest>) -> Result<Response<v1::TestifyResponse>, Status> {
        Err(Status::unimplemented("this judge gives no testimony"))
    }

    async fn resolve(&self, _: Request<v1::ResolveRequest>) -> Result<Response<v1::ResolveResponse>, Status> {
        Err(Status::unimplemented("this judge knows the truth at once"))
    }

    async fn judge(&self, request: Request<v1::JudgeRequest>) -> Result<Response<v1::JudgeResponse>, Status> {
        let attempts = request.into_inner().attempts;
        within("attempts", attempts.len(), ATTEMPTS_MAX)?;
        self.work(move |judge| {
            let verdicts: Result<_, _> =
                attempts.into_iter().map(|attempt| verdict(judge, attempt)).collect();
            Ok(v1::JudgeResponse { verdicts: verdicts? })
        })
        .await
    }

    async fn judge_together(
        &self,
        _: Request<v1::JudgeTogetherRequest>,
    ) -> Result<Response<v1::JudgeTogetherResponse>, Status> {
        Err(Status::unimplemented("this judge looks at one answer at a time"))
    }
}

#[cfg(test)]
mod tests;
