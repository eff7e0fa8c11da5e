//! The chunks of a completion: OpenAI's own form, and what vLLM and llama.cpp add to it.
//!
//! Read leniently where a field doesn't matter, and refused where an answer that is signed would be wrong.

mod checks;
mod joined;

use serde::Deserialize;
use serde_json::Value;
use weighhouse_ask::completions::{Event, EventKind};
use weighhouse_types::text::{TextAnswer, TextRequest};

use self::checks::{check_shape, said};
use self::joined::JoinedText;
use super::json::{self, TextBytes};
use super::refusal::Refusal;
use super::rows::{ReplyLogProbs, Row};
use crate::backend::error::{BackendError, shortened};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Chunk {
    object: Value,
    model: Value,
    choices: Option<Vec<Choice>>,
    usage: Value,
    error: Value,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Choice {
    index: Value,
    text: Option<TextBytes>,
    /// Of chats, which are no completions.
    delta: Value,
    message: Value,
    logprobs: Option<ReplyLogProbs>,
    finish_reason: Value,
    /// vLLM: which stop word it was; null or a token for the end token.
    stop_reason: Value,
    /// The same of SGLang.
    matched_stop: Value,
}

pub(super) use self::checks::check_greedy;

/// What an event means to a reading.
#[derive(Debug, PartialEq)]
pub(super) enum Read {
    Nothing,
    Piece(TextAnswer),
    /// `[DONE]`.
    Done,
}

/// What the chunks of one completion told besides its pieces.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// The server's name for its model.
    pub(super) model: Option<String>,
    pub(super) prompt_tokens: u32,
    /// Tokens that the server says it generated.
    pub(super) completion_tokens: Option<usize>,
    /// Tokens that came with a log-probability.
    pub(super) tokens: usize,
    /// The tokens' own words.
    pub(super) names: Vec<TextBytes>,
    /// Text came without a token of its own.
    pub(super) has_nameless_text: bool,
    /// Tokens come as llama.cpp's objects.
    pub(super) is_llama: bool,
    /// It came as one document and not as events.
    pub(super) is_whole: bool,
    /// The server says by itself which stop word ended its answer.
    pub(super) stop_word: bool,
}

/// Reads one completion's chunks.
#[derive(Debug)]
pub(super) struct Reader {
    wants_lists: bool,
    top: usize,
    text: JoinedText,
    /// Whether tokens came with ids so far; `None` before the first.
    has_ids: Option<bool>,
    pub(super) told: Told,
}

impl Reader {
    /// `model` is the name that the server's answers must carry, if it is known.
    pub(super) fn new(request: &TextRequest, model: Option<String>) -> Self {
        Self {
            wants_lists: request.wants_lists(),
            top: usize::from(request.top_log_probs),
            text: JoinedText::default(),
            has_ids: None,
            told: Told { model, ..Told::default() },
        }
    }

    pub(super) fn read(&mut self, event: &Event) -> Result<Read, BackendError> {
        let data = event.data.trim_ascii();
        match event.kind {
            EventKind::Error => return Err(said(data)),
            EventKind::Unframed if data.starts_with(b"<") => {
                let page = shortened(&String::from_utf8_lossy(data));
                return Err(BackendError::Misconfigured(format!(
                    "it answers with a page; check `url`: {page}"
                )));
            }
            EventKind::Unframed if json::parse::<Value>(data).is_err() => return Err(said(data)),
            _ if data.eq_ignore_ascii_case(b"[DONE]") => return Ok(Read::Done),
            // A list would be read as an object's fields in order.
            _ if data.starts_with(b"[") => return Err(BackendError::Malformed("a list and no chunk".into())),
            _ => {}
        }
        match json::parse::<Option<Chunk>>(data) {
            Ok(Some(chunk)) => {
                self.told.is_whole |= event.kind == EventKind::Unframed;
                self.chunk(chunk, data)
            }
            Ok(None) => Ok(Read::Nothing),
            Err(_) if !event.is_whole => Err(BackendError::Disconnected),
            Err(error) => Err(BackendError::Malformed(shortened(&error.to_string()))),
        }
    }

    fn chunk(&mut self, chunk: Chunk, data: &[u8]) -> Result<Read, BackendError> {
        let Chunk { object, model, choices, usage, error } = chunk;
        let mut choices = choices.unwrap_or_default();
        if (choices.is_empty() || !error.is_null())
            && let Some(failure) = Refusal::find_in(data)
        {
            return Err(failure.into_error());
        }
        self.count(&usage);
        if choices.len() > 1 {
            return Err(BackendError::Malformed("several choices, though one was asked for".into()));
        }
        let Some(choice) = choices.pop() else { return Ok(Read::Nothing) };
        self.check_model(&model)?;
        check_shape(&choice, &object)?;
        let finish = self.told.finish(&choice)?;
        let text = choice.text.unwrap_or_default();
        let text = self.text.push(&text.0, finish.is_some());
        let mut piece =
            TextAnswer { text, finish, prompt_tokens: self.told.prompt_tokens, ..Default::default() };
        if let (Some(found), true) = (choice.logprobs, self.wants_lists) {
            self.told.is_llama |= found.is_llama();
            self.add(&mut piece, found.rows()?)?;
        }
        self.told.has_nameless_text |= !piece.text.is_empty() && piece.log_probs.is_empty();
        let nothing = piece.text.is_empty() && piece.log_probs.is_empty() && piece.finish.is_none();
        Ok(if nothing { Read::Nothing } else { Read::Piece(piece) })
    }

    fn count(&mut self, usage: &Value) {
        let number = |name: &str| usage[name].as_u64();
        if let Some(count) = number("prompt_tokens").and_then(|count| u32::try_from(count).ok()) {
            self.told.prompt_tokens = count;
        }
        if let Some(count) = number("completion_tokens").and_then(|count| usize::try_from(count).ok()) {
            self.told.completion_tokens = Some(count);
        }
    }

    fn check_model(&mut self, model: &Value) -> Result<(), BackendError> {
        let Some(found) = model.as_str().filter(|name| !name.is_empty()) else { return Ok(()) };
        match &self.told.model {
            Some(expected) if expected != found => {
                let (found, expected) = (shortened(found), shortened(expected));
                Err(BackendError::Misconfigured(format!(
                    "a chunk is of model {found:?} and not of {expected:?}; restart the miner if that is meant"
                )))
            }
            Some(_) => Ok(()),
            None => {
                self.told.model = Some(shortened(found));
                Ok(())
            }
        }
    }

    fn add(&mut self, piece: &mut TextAnswer, rows: Vec<Row>) -> Result<(), BackendError> {
        if rows.is_empty() {
            return Ok(());
        }
        rows.iter().try_for_each(check_greedy)?;
        // A token whose id is unknown can't be named on our wire; the others then couldn't be placed either.
        let has_ids = rows.iter().all(|row| row.id.is_some());
        if *self.has_ids.get_or_insert(has_ids) != has_ids {
            return Err(BackendError::Malformed("some of its tokens have ids and some have none".into()));
        }
        self.told.tokens += rows.len();
        if has_ids {
            piece.tokens = rows.iter().filter_map(|row| row.id).collect();
        }
        self.told.names.extend(rows.iter().map(|row| row.name.clone()));
        if self.top > 0 && has_ids && rows.iter().all(|row| row.has_top_ids()) {
            piece.top = rows.iter().map(|row| row.best(self.top)).collect();
        }
        piece.log_probs = rows.into_iter().map(|row| row.log_prob).collect();
        Ok(())
    }
}
