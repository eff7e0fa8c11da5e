//! Completions as servers answer them: under their own names, in their own datatypes and shapes.

use serde_json::{Map, Value as Json};
use weighhouse_types::text::{Finish, TextAnswer, TextRequest};
use weighhouse_types::{Datatype, InferAnswer, Tensor};

use super::numbers::{floats, integers, texts};
use crate::backend::error::{BackendError, shortened};

const TEXT: [&str; 6] = ["text_output", "output_text", "generated_text", "text", "output-0", "output"];
const TOKENS: [&str; 3] = ["token_ids", "output_ids", "output_token_ids"];
const LOG_PROBS: [&str; 2] = ["log_probs", "output_log_probs"];
const FINISH: [&str; 1] = ["finish_reason"];
const PROMPT_TOKENS: [&str; 2] = ["prompt_tokens", "num_input_tokens"];
const COUNTS: [&str; 1] = ["num_output_tokens"];
/// The vLLM backend's: for each text a list in JSON, of a map from ids to log-probabilities for each token.
const VLLM_LOG_PROBS: &str = "logprobs";

/// A piece of a completion, and how many tokens it says that it has.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Piece {
    pub(super) answer: TextAnswer,
    /// Bytes of the text, which may end within a character.
    pub(super) text: Vec<u8>,
    pub(super) count: usize,
}

/// Reads one message's outputs.
pub(super) fn read(answer: &InferAnswer, request: &TextRequest) -> Result<Piece, BackendError> {
    let outputs = Outputs(&answer.outputs);
    let mut piece = Piece { text: outputs.text()?, ..Piece::default() };
    let read = &mut piece.answer;
    if let Some(tensor) = outputs.find(&TOKENS) {
        read.tokens = ids(tensor)?;
    }
    // TensorRT-LLM fills them with zeros where nobody asked.
    if let Some(tensor) = outputs.find(&LOG_PROBS).filter(|_| request.wants_lists()) {
        read.log_probs = floats(tensor).ok_or_else(|| unfit(tensor))?;
    }
    if let Some(tensor) =
        outputs.find(&[VLLM_LOG_PROBS]).filter(|tensor| tensor.datatype() == Datatype::Bytes)
    {
        for text in texts(tensor) {
            add_vllm(read, text, usize::from(request.top_log_probs))?;
        }
    }
    if let (Some(ids), Some(values)) = (outputs.find(&["top_token_ids"]), outputs.find(&["top_log_probs"])) {
        read.top = alternatives(ids, values, read.tokens.len())?;
    }
    if let Some(tensor) = outputs.find(&FINISH) {
        let word = texts(tensor).next().unwrap_or_default();
        read.finish = finish(&String::from_utf8_lossy(word), !request.stop.is_empty())?;
    }
    let number = |names| outputs.find(names).and_then(integers).and_then(|list| list.first().copied());
    read.prompt_tokens = number(&PROMPT_TOKENS).and_then(|count| u32::try_from(count).ok()).unwrap_or(0);
    let count = number(&COUNTS).and_then(|count| usize::try_from(count).ok()).unwrap_or(0);
    piece.count = count.max(read.tokens.len()).max(read.log_probs.len());
    let lengths = [read.tokens.len(), read.log_probs.len(), read.top.len()];
    if lengths.iter().any(|length| *length != 0 && *length != piece.count) {
        return Err(malformed("lists of tokens and log-probabilities that differ in length"));
    }
    if read.log_probs.iter().any(|value| value.is_nan()) {
        return Err(malformed("a log-probability that is no number"));
    }
    Ok(piece)
}

struct Outputs<'a>(&'a [Tensor]);

impl<'a> Outputs<'a> {
    fn find(&self, names: &[&str]) -> Option<&'a Tensor> {
        names.iter().find_map(|name| self.0.iter().find(|tensor| tensor.name().eq_ignore_ascii_case(name)))
    }

    /// The text: of a name that stands for it, or the only one there is.
    fn text(&self) -> Result<Vec<u8>, BackendError> {
        let is_text = |tensor: &&Tensor| tensor.datatype() == Datatype::Bytes;
        let only = || {
            let mut all = self.0.iter().filter(is_text);
            all.next().filter(|_| all.next().is_none())
        };
        let found = self.find(&TEXT).filter(is_text).or_else(only);
        let Some(tensor) = found else {
            let names: Vec<_> = self.0.iter().map(Tensor::name).collect();
            let why = format!("the server's model answers without a text, with {}", names.join(", "));
            return Err(BackendError::Misconfigured(shortened(&why)));
        };
        let mut all = texts(tensor);
        match (all.next(), all.next()) {
            (Some(text), None) => Ok(text.to_vec()),
            // A stream's last message may have none.
            (None, _) => Ok(Vec::new()),
            (Some(_), Some(_)) => Err(malformed("more texts than the one that was asked for")),
        }
    }
}

fn ids(tensor: &Tensor) -> Result<Vec<u32>, BackendError> {
    let list = integers(tensor).ok_or_else(|| unfit(tensor))?;
    list.into_iter().map(u32::try_from).collect::<Result<_, _>>().map_err(|_| unfit(tensor))
}

/// Our own form of alternatives: a row a token, -1 where there are fewer.
fn alternatives(ids: &Tensor, values: &Tensor, rows: usize) -> Result<Vec<Vec<(u32, f32)>>, BackendError> {
    let (list, found) = (integers(ids), floats(values));
    let (list, found) = list.zip(found).ok_or_else(|| unfit(ids))?;
    if list.is_empty() || list.len() != found.len() || rows == 0 || list.len() % rows != 0 {
        return if list.is_empty() { Ok(Vec::new()) } else { Err(unfit(ids)) };
    }
    let cells: Vec<_> = list.into_iter().zip(found).collect();
    let row = |row: &[(i64, f32)]| {
        row.iter().filter_map(|(id, value)| Some((u32::try_from(*id).ok()?, *value))).collect()
    };
    Ok(cells.chunks(cells.len() / rows).map(row).collect())
}

fn add_vllm(read: &mut TextAnswer, text: &[u8], top: usize) -> Result<(), BackendError> {
    let rows: Option<Vec<Map<String, Json>>> =
        serde_json::from_slice(text).map_err(|error| malformed(&format!("its logprobs: {error}")))?;
    for row in rows.unwrap_or_default() {
        let entry = |(id, entry): (&String, &Json)| {
            Some((entry["rank"].as_u64()?, id.parse::<u32>().ok()?, entry["logprob"].as_f64()? as f32))
        };
        let entries: Option<Vec<_>> = row.iter().map(entry).collect();
        let mut entries =
            entries.ok_or_else(|| malformed("a token's log-probabilities without id or rank"))?;
        entries.sort_by_key(|(rank, id, _)| (*rank, *id));
        // Greedy: the chosen token is the likeliest.
        let (_, id, log_prob) =
            *entries.first().ok_or_else(|| malformed("a token without log-probabilities"))?;
        read.tokens.push(id);
        read.log_probs.push(log_prob);
        if top > 0 {
            read.top.push(entries.into_iter().take(top).map(|(_, id, value)| (id, value)).collect());
        }
    }
    Ok(())
}

fn finish(word: &str, has_stop_words: bool) -> Result<Option<Finish>, BackendError> {
    match word.to_ascii_lowercase().as_str() {
        "" | "none" | "null" => Ok(None),
        "length" | "max_tokens" => Ok(Some(Finish::Length)),
        "end" | "eos" | "eos_token" | "end_id" => Ok(Some(Finish::End)),
        "stop_sequence" | "stop_words" => Ok(Some(Finish::Stop)),
        // vLLM's word for the end token too.
        "stop" => Ok(Some(if has_stop_words { Finish::Stop } else { Finish::End })),
        _ => Err(BackendError::Failed(format!("it ended for {:?}", shortened(word)))),
    }
}

fn unfit(tensor: &Tensor) -> BackendError {
    let (name, datatype, shape) = (tensor.name(), tensor.datatype().name(), tensor.shape());
    malformed(&format!("its output {name:?} is {datatype} {shape:?}"))
}

fn malformed(why: &str) -> BackendError {
    BackendError::Malformed(shortened(why))
}
