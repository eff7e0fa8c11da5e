//! One miner after the other, until one answers.

use weighhouse_ask::call::{self, AnswerStream, CallError};
use weighhouse_ask::{frame, unframe};
use weighhouse_proto::inference::{ModelInferRequest, ModelInferResponse, ModelStreamInferResponse};
use weighhouse_proto::{ModelKind, method};
use weighhouse_types::text::{TextAnswer, TextLimits, TextRequest, TextsAnswer, TextsLimits, TextsRequest};
use weighhouse_types::{Hotkey, InferAnswer, InferRequest};

use crate::error::{ApiError, MinerError};
use crate::limits::DIMENSIONS_MAX;
use crate::metrics;
use crate::roster::{Member, Wanted};
use crate::server::Gateway;

/// A generation whose first piece has come.
#[derive(Debug)]
pub(crate) struct Generation {
    pub(crate) miner: Hotkey,
    stream: AnswerStream,
    first: Option<TextAnswer>,
    /// Tokens that may still come.
    tokens_left: usize,
}

impl Generation {
    async fn begin(
        gateway: &Gateway,
        member: &Member,
        asked: InferRequest,
        tokens: u32,
    ) -> Result<Self, MinerError> {
        let stream =
            AnswerStream::open(&gateway.asker, member.target, framed(asked)?, gateway.limits).await?;
        let tokens_left = usize::try_from(tokens).unwrap_or(usize::MAX);
        let mut begun = Self { miner: member.target.hotkey, stream, first: None, tokens_left };
        let first = begun.next().await?;
        begun.first = Some(first.ok_or_else(|| MinerError::Malformed("it has no pieces".to_owned()))?);
        Ok(begun)
    }

    /// Gives the next piece; `None` at a good end.
    pub(crate) async fn next(&mut self) -> Result<Option<TextAnswer>, MinerError> {
        if let Some(first) = self.first.take() {
            return Ok(Some(first));
        }
        let Some(message) = self.stream.next().await? else { return Ok(None) };
        let message: ModelStreamInferResponse = unframe(&message).map_err(|_| CallError::BrokenOff)?;
        if !message.error_message.is_empty() {
            return Err(MinerError::Malformed(message.error_message.chars().take(200).collect()));
        }
        let answer = infer_answer(message.infer_response.unwrap_or_default())?;
        let limits = TextLimits {
            prompt_bytes: 0,
            prompt_tokens: 0,
            // At least one: behind the last token may come a piece with the rest of the text and the reason for its end.
            max_tokens: u32::try_from(self.tokens_left.max(1)).unwrap_or(u32::MAX),
        };
        let piece = TextAnswer::from_infer(&answer, &limits).map_err(malformed)?;
        let left = self.tokens_left.checked_sub(piece.tokens.len());
        self.tokens_left = left.ok_or_else(|| malformed("more tokens than were asked for"))?;
        Ok(Some(piece))
    }

    async fn whole(mut self) -> Result<TextAnswer, MinerError> {
        let mut whole = TextAnswer::default();
        while let Some(piece) = self.next().await? {
            whole.append(piece);
        }
        Ok(whole)
    }
}

impl Gateway {
    /// Begins a generation at the first miner that gives a piece of it.
    pub(crate) async fn begin(&self, model: &str, request: &TextRequest) -> Result<Generation, ApiError> {
        let asked = request.to_infer(model, "")?;
        let ask = |member: Member| {
            let asked = asked.clone();
            async move { Generation::begin(self, &member, asked, request.max_tokens).await }
        };
        self.turn(text(model, request), ask).await
    }

    /// Gives a whole generation, by the first miner that brings it to its end.
    pub(crate) async fn complete(
        &self,
        model: &str,
        request: &TextRequest,
    ) -> Result<(Hotkey, TextAnswer), ApiError> {
        let asked = request.to_infer(model, "")?;
        let ask = |member: Member| {
            let asked = asked.clone();
            async move {
                let begun = Generation::begin(self, &member, asked, request.max_tokens).await?;
                Ok((member.target.hotkey, begun.whole().await?))
            }
        };
        self.turn(text(model, request), ask).await
    }

    /// Gives a row for each text, all by one miner.
    pub(crate) async fn embed(
        &self,
        model: &str,
        texts: &[String],
    ) -> Result<(Hotkey, Vec<Vec<f32>>), ApiError> {
        let wanted = Wanted { model, kind: ModelKind::Embedding, sampler: None };
        let ask = |member: Member| async move {
            let mut rows = Vec::with_capacity(texts.len());
            for part in texts.chunks(member.texts_max()) {
                rows.extend(self.embed_part(&member, model, part).await?);
            }
            Ok((member.target.hotkey, rows))
        };
        self.turn(wanted, ask).await
    }

    async fn embed_part(
        &self,
        member: &Member,
        model: &str,
        texts: &[String],
    ) -> Result<Vec<Vec<f32>>, MinerError> {
        let asked = TextsRequest { texts: texts.to_vec() }.to_infer(model, "").map_err(malformed)?;
        let answer =
            call::call(&self.asker, member.target, method::MODEL_INFER, framed(asked)?, self.limits).await?;
        let answer: ModelInferResponse = unframe(&answer).map_err(|_| CallError::BrokenOff)?;
        let limits = TextsLimits { texts: texts.len(), bytes: 0, dimensions: DIMENSIONS_MAX };
        let read = TextsAnswer::from_infer(&infer_answer(answer)?, &limits).map_err(malformed)?;
        if read.rows.nrows() != texts.len() {
            return Err(MinerError::Malformed(format!(
                "{} rows for {} texts",
                read.rows.nrows(),
                texts.len()
            )));
        }
        Ok(read.rows.rows().into_iter().map(|row| row.to_vec()).collect())
    }

    /// Asks miners in order; what the client has to change ends it at once.
    async fn turn<T, F: Future<Output = Result<T, MinerError>>>(
        &self,
        wanted: Wanted<'_>,
        ask: impl Fn(Member) -> F,
    ) -> Result<T, ApiError> {
        let mut last = None;
        for member in self.roster.candidates(wanted).await? {
            match ask(member.clone()).await {
                Ok(answer) => return Ok(answer),
                Err(error) if error.is_callers() => return Err(error.into()),
                Err(error) => {
                    tracing::warn!(
                        miner = %member.target.hotkey, address = %member.target.address, model = wanted.model, %error,
                        "a miner gave no answer"
                    );
                    metrics::miner_failed();
                    if !error.is_of_request() {
                        self.roster.set_aside(member.target);
                    }
                    last = Some(error);
                }
            }
        }
        Err(last.map_or_else(|| ApiError::no_model(wanted.model), ApiError::from))
    }
}

fn text<'a>(model: &'a str, request: &TextRequest) -> Wanted<'a> {
    Wanted { model, kind: ModelKind::Text, sampler: Some(request.sampler()) }
}

fn framed(asked: InferRequest) -> Result<bytes::Bytes, MinerError> {
    Ok(frame(&ModelInferRequest::try_from(asked).map_err(malformed)?))
}

fn infer_answer(message: ModelInferResponse) -> Result<InferAnswer, MinerError> {
    InferAnswer::try_from(message).map_err(malformed)
}

fn malformed(error: impl std::fmt::Display) -> MinerError {
    MinerError::Malformed(error.to_string())
}
