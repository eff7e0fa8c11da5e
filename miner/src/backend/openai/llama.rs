//! llama.cpp's own `/completion`, without a stream.
//!
//! Its OpenAI form leaves out tokens that end within a character, and its `ignore_eos` bans the end token instead of going
//! on after it. Here the ids are complete; log-probabilities that are missing are asked for one token each, and after an end
//! token the prompt is continued with the tokens so far.

mod gaps;

use std::collections::VecDeque;

use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use weighhouse_ask::completions::{CompletionRoute, CompletionServer};
use weighhouse_types::text::{Finish, Prompt, TextAnswer, TextRequest};

use super::abilities::Abilities;
use super::json::{TextBytes, parse};
use super::limits::{REFUSAL_BYTES_MAX, repeating_bytes_max};
use super::question::prompt;
use super::refusal::Refusal;
use super::reply::check_greedy;
use super::rows::{Row, TokenEntry};
use crate::backend::error::{BackendError, shortened};

/// Requests for one answer that goes on after end tokens.
const PARTS_MAX: usize = 64;
/// Fields of the OpenAI form that mean something else here, or nothing.
const NOT_HERE: [&str; 4] = ["stream_options", "return_tokens_as_token_ids", "ignore_eos", "n"];

/// An answer of `/completion`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct LlamaAnswer {
    content: TextBytes,
    tokens: Vec<u32>,
    completion_probabilities: Option<Vec<TokenEntry>>,
    stop_type: String,
    tokens_evaluated: u32,
    model: Value,
}

impl LlamaAnswer {
    /// Tells whether there are tokens, all with ids.
    pub(super) fn names_its_tokens(&self) -> bool {
        !self.tokens.is_empty() && self.completion_probabilities.is_some()
    }
}

/// A completion while it is put together.
struct Call<'a> {
    server: &'a CompletionServer,
    abilities: &'a Abilities,
    request: &'a TextRequest,
    anchor: u32,
}

/// Completes a prompt with all ids and log-probabilities.
pub(super) async fn complete(
    server: &CompletionServer,
    (abilities, anchor): (&Abilities, u32),
    request: &TextRequest,
) -> Result<TextAnswer, BackendError> {
    let call = Call { server, abilities, request, anchor };
    let mut answer = TextAnswer::default();
    let wanted = request.max_tokens as usize;
    for _ in 0..PARTS_MAX {
        let part = call.part(&answer.tokens, wanted - answer.tokens.len()).await?;
        let (count, finish) = (part.tokens.len(), part.finish);
        answer.append(part);
        let goes_on = finish == Some(Finish::End) && request.ignore_end && answer.tokens.len() < wanted;
        if !goes_on || count == 0 {
            if request.ignore_end && answer.tokens.len() >= wanted {
                answer.finish = Some(Finish::Length);
            }
            return Ok(call.cut(answer));
        }
    }
    Err(BackendError::Unsuited("the model ends again and again, and is to go on each time".into()))
}

impl Call<'_> {
    /// Goes on after `before`.
    async fn part(&self, before: &[u32], count: usize) -> Result<TextAnswer, BackendError> {
        let question = self.question(self.prompt(before), count);
        let bytes_max = repeating_bytes_max(self.request, before.len(), count);
        let body = ask(self.server, &question, bytes_max).await?;
        let read: LlamaAnswer = read(&body)?;
        self.check_model(&read.model)?;
        let finish = match read.stop_type.as_str() {
            "limit" => Finish::Length,
            "eos" => Finish::End,
            "" => return Err(unfit(&body, "an answer that doesn't say why it ended")),
            other => return Err(BackendError::Failed(format!("it stopped for {:?}", shortened(other)))),
        };
        if read.tokens.len() > count {
            return Err(BackendError::Malformed("more tokens than were asked for".into()));
        }
        let text = read.content.to_text();
        let (tokens, prompt_tokens) = (read.tokens, read.tokens_evaluated);
        let entries = read.completion_probabilities.unwrap_or_default();
        let rows = entries.into_iter().map(TokenEntry::row).collect::<Result<Vec<_>, _>>()?;
        let rows = self.filled(before, &tokens, rows).await?;
        rows.iter().try_for_each(check_greedy)?;
        let top = usize::from(self.request.top_log_probs);
        Ok(TextAnswer {
            text,
            tokens,
            log_probs: rows.iter().map(|row| row.log_prob).collect(),
            top: if top > 0 { rows.iter().map(|row| row.best(top)).collect() } else { Vec::new() },
            finish: Some(finish),
            // The prompt of a later part is longer by the tokens before it.
            prompt_tokens: if before.is_empty() { prompt_tokens } else { 0 },
        })
    }

    /// A row for each token: those that came, and those that are asked for now.
    async fn filled(&self, before: &[u32], tokens: &[u32], rows: Vec<Row>) -> Result<Vec<Row>, BackendError> {
        let told: Vec<u32> = rows.iter().filter_map(|row| row.id).collect();
        let missing = gaps::find(tokens, &told)
            .ok_or_else(|| BackendError::Malformed("ids that are none of its tokens".into()))?;
        if missing.is_empty() {
            return Ok(rows);
        }
        let mut found: VecDeque<Row> = self.fill(before, tokens, &missing).await?.into();
        let mut kept = gaps::kept(tokens, rows, &missing);
        let next = |at: usize| if missing.contains(&at) { found.pop_front() } else { kept.pop_front() };
        let all: Option<Vec<Row>> = (0..tokens.len()).map(next).collect();
        all.ok_or_else(|| BackendError::Malformed("fewer log-probabilities than tokens".into()))
    }

    /// Asks for the tokens in these places: another token is forced there, whose alternatives have them.
    async fn fill(&self, before: &[u32], tokens: &[u32], places: &[usize]) -> Result<Vec<Row>, BackendError> {
        let mut rows = Vec::with_capacity(places.len());
        for places in places.chunks(gaps::PROMPTS_MAX) {
            let prompt = |at: &usize| self.prompt(&[before, &tokens[..*at]].concat());
            // A list of one prompt is answered as that prompt alone.
            let prompts = match places {
                [place] => prompt(place),
                places => places.iter().map(prompt).collect(),
            };
            let mut question = self.question(prompts, 1);
            question["logit_bias"] = json!([[self.anchor, gaps::FORCING_BIAS]]);
            question["n_probs"] = json!(usize::from(self.request.top_log_probs) + gaps::SPARE_ALTERNATIVES);
            let one = repeating_bytes_max(self.request, before.len() + tokens.len(), 1);
            let bytes_max = one.saturating_mul(places.len());
            let body = ask(self.server, &question, bytes_max).await?;
            let answers: Vec<LlamaAnswer> = if places.len() == 1 { vec![read(&body)?] } else { read(&body)? };
            if answers.len() != places.len() {
                return Err(BackendError::Malformed("not one answer for each prompt".into()));
            }
            for (at, answer) in places.iter().zip(answers) {
                let entry = answer.completion_probabilities.unwrap_or_default().into_iter().next();
                let forced = entry.unwrap_or_default().row()?;
                rows.push(gaps::place(forced, tokens[*at])?);
            }
        }
        Ok(rows)
    }

    fn question(&self, prompt: Value, count: usize) -> Value {
        let fields = self.abilities.fields.iter().filter(|(name, _)| !NOT_HERE.contains(name));
        let mut question: Value = fields.cloned().map(|(name, value)| (name.to_owned(), value)).collect();
        // Older servers answer with the name that they are asked by, and a router needs it to find the model.
        question["model"] = json!(self.server.model);
        question["prompt"] = prompt;
        question["n_predict"] = json!(count);
        question["temperature"] = json!(0);
        question["stream"] = json!(false);
        question["return_tokens"] = json!(true);
        question["n_probs"] = json!(self.request.top_log_probs.max(1));
        question
    }

    /// The request's prompt with tokens after it.
    fn prompt(&self, after: &[u32]) -> Value {
        match &self.request.prompt {
            Prompt::Text(_) if after.is_empty() => prompt(&self.request.prompt),
            Prompt::Text(text) => {
                std::iter::once(json!(text)).chain(after.iter().map(|id| json!(id))).collect()
            }
            Prompt::Ids(ids) => json!([ids, after].concat()),
        }
    }

    fn check_model(&self, model: &Value) -> Result<(), BackendError> {
        match (&self.abilities.model, model.as_str()) {
            (Some(expected), Some(found)) if expected != found && !found.is_empty() => {
                let found = shortened(found);
                Err(BackendError::Misconfigured(format!(
                    "the answer is of model {found:?}, not {expected:?}"
                )))
            }
            _ => Ok(()),
        }
    }

    /// Without what the caller didn't ask for.
    fn cut(&self, mut answer: TextAnswer) -> TextAnswer {
        if !self.request.wants_lists() {
            (answer.tokens, answer.log_probs) = (Vec::new(), Vec::new());
        }
        answer
    }
}

/// Asks, and reads the whole answer.
pub(super) async fn ask(
    server: &CompletionServer,
    question: &Value,
    bytes_max: usize,
) -> Result<Vec<u8>, BackendError> {
    let response = server.call(CompletionRoute::LlamaCompletion, question).await?;
    let status = response.status();
    if status != StatusCode::OK {
        let body = response.refusal(REFUSAL_BYTES_MAX).await;
        return Err(Refusal::of_status(status, &body).into_error());
    }
    Ok(response.collect(bytes_max).await?)
}

fn read<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, BackendError> {
    parse(body).map_err(|error| unfit(body, &error.to_string()))
}

/// The error in an answer's place, or else why it is no answer.
fn unfit(body: &[u8], why: &str) -> BackendError {
    let malformed = || BackendError::Malformed(shortened(why));
    Refusal::find_in(body).map_or_else(malformed, Refusal::into_error)
}
