//! Answers of a language model: whole, or piece by piece.

use std::fmt;
use std::str::FromStr;

use super::error::TextError;
use super::name;
use super::request::TextLimits;
use super::scalar::{
    at_most, floats, ints, list, read_i32, read_text, shape, signed, table, unsigned, write_i32, write_texts,
};
use super::settings::TOP_LOG_PROBS_MAX;
use crate::{Datatype, InferAnswer, Tensor};

/// Bytes of text that one token can stand for, generously.
const BYTES_PER_TOKEN_MAX: usize = 1 << 10;
/// Stands where a row has fewer alternatives than others.
const NO_TOKEN: i32 = -1;

/// Why a generation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Finish {
    /// A stop word came.
    Stop,
    /// `max_tokens` were generated, or the context is full.
    Length,
    /// The model's end token came.
    End,
}

impl Finish {
    pub const ALL: [Self; 3] = [Self::Stop, Self::Length, Self::End];

    pub fn name(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Length => "length",
            Self::End => "end",
        }
    }
}

impl fmt::Display for Finish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Finish {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        Self::ALL.into_iter().find(|finish| finish.name() == text).ok_or_else(|| TextError::Range {
            name: name::FINISH_REASON,
            value: format!("{text:?}"),
            allowed: "stop, length or end".into(),
        })
    }
}

/// A whole answer, or a piece of one. Lists that are not empty agree in length; one that the server can't or wasn't
/// asked to give is empty.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TextAnswer {
    pub text: String,
    pub tokens: Vec<u32>,
    /// Of each token, under the raw logits.
    pub log_probs: Vec<f32>,
    /// The likeliest tokens in each place, the likeliest first.
    pub top: Vec<Vec<(u32, f32)>>,
    /// `None` in a stream until its last message.
    pub finish: Option<Finish>,
    /// 0 where the server doesn't know.
    pub prompt_tokens: u32,
}

impl TextAnswer {
    /// Adds the next piece of a stream.
    pub fn append(&mut self, piece: Self) {
        let Self { text, tokens, log_probs, top, finish, prompt_tokens } = piece;
        self.text.push_str(&text);
        self.tokens.extend(tokens);
        self.log_probs.extend(log_probs);
        self.top.extend(top);
        self.finish = finish.or(self.finish);
        // 0 stands for unknown, so that the largest number is the known one.
        self.prompt_tokens = self.prompt_tokens.max(prompt_tokens);
    }

    /// Reads a foreign answer. Outputs with other names are a server's own affair and passed over.
    pub fn from_infer(answer: &InferAnswer, limits: &TextLimits) -> Result<Self, TextError> {
        let text = answer.output(name::TEXT_OUTPUT)?;
        let tokens_max = usize::try_from(limits.max_tokens).unwrap_or(usize::MAX);
        // On the bytes, before any is copied.
        at_most(
            name::TEXT_OUTPUT,
            "bytes",
            text.data().len(),
            tokens_max.saturating_mul(BYTES_PER_TOKEN_MAX),
        )?;
        let mut read = Self { text: read_text(text, name::TEXT_OUTPUT)?, ..Self::default() };
        if let Ok(tensor) = answer.output(name::TOKEN_IDS) {
            let data = list(tensor, name::TOKEN_IDS, Datatype::Int32)?;
            at_most(name::TOKEN_IDS, "tokens", data.len() / 4, tokens_max)?;
            read.tokens = ints(data).map(|id| unsigned(name::TOKEN_IDS, id)).collect::<Result<_, _>>()?;
        }
        if let Ok(tensor) = answer.output(name::LOG_PROBS) {
            let data = list(tensor, name::LOG_PROBS, Datatype::Fp32)?;
            at_most(name::LOG_PROBS, "entries", data.len() / 4, tokens_max)?;
            read.log_probs = floats(data).collect();
        }
        // Ids without log-probabilities, or the reverse, say nothing and are passed over.
        if let (Ok(ids), Ok(values)) =
            (answer.output(name::TOP_TOKEN_IDS), answer.output(name::TOP_LOG_PROBS))
        {
            read.top = read_top(ids, values, tokens_max)?;
        }
        if let Ok(tensor) = answer.output(name::FINISH_REASON) {
            let word = read_text(tensor, name::FINISH_REASON)?;
            read.finish = if word.is_empty() { None } else { Some(word.parse()?) };
        }
        if let Ok(tensor) = answer.output(name::PROMPT_TOKENS) {
            read.prompt_tokens = unsigned(name::PROMPT_TOKENS, read_i32(tensor, name::PROMPT_TOKENS)?)?;
        }
        read.check_lengths()?;
        Ok(read)
    }

    pub fn to_infer(&self, model: &str, version: &str, id: &str) -> Result<InferAnswer, TextError> {
        self.check_lengths()?;
        let ids = |name, list: &[u32]| list.iter().map(|id| signed(name, *id)).collect::<Result<Vec<_>, _>>();
        let count = self.tokens.len() as u64;
        let mut outputs = vec![
            write_texts(name::TEXT_OUTPUT, [self.text.as_str()].into_iter())?,
            write_i32(name::TOKEN_IDS, vec![count], ids(name::TOKEN_IDS, &self.tokens)?)?,
            Tensor::from_f32(name::LOG_PROBS, vec![self.log_probs.len() as u64], &self.log_probs)?,
        ];
        outputs.extend(write_top(&self.top)?);
        let finish = self.finish.map_or("", Finish::name);
        outputs.push(write_texts(name::FINISH_REASON, [finish].into_iter())?);
        let prompt = signed(name::PROMPT_TOKENS, self.prompt_tokens)?;
        outputs.push(write_i32(name::PROMPT_TOKENS, vec![1], [prompt])?);
        Ok(InferAnswer { model: model.to_owned(), version: version.to_owned(), id: id.to_owned(), outputs })
    }

    fn check_lengths(&self) -> Result<(), TextError> {
        let lists = [
            (name::TOKEN_IDS, self.tokens.len()),
            (name::LOG_PROBS, self.log_probs.len()),
            (name::TOP_LOG_PROBS, self.top.len()),
        ];
        let expected = lists.iter().map(|(_, length)| *length).max().unwrap_or(0);
        match lists.into_iter().find(|(_, length)| *length != 0 && *length != expected) {
            Some((name, actual)) => Err(TextError::Lengths { name, actual, expected }),
            None => Ok(()),
        }
    }
}

fn read_top(ids: &Tensor, values: &Tensor, rows_max: usize) -> Result<Vec<Vec<(u32, f32)>>, TextError> {
    let (rows, columns) = table(ids, name::TOP_TOKEN_IDS, Datatype::Int32)?;
    if table(values, name::TOP_LOG_PROBS, Datatype::Fp32)? != (rows, columns) {
        return Err(shape(values, name::TOP_LOG_PROBS, "that of top_token_ids"));
    }
    at_most(name::TOP_TOKEN_IDS, "columns", columns, usize::from(TOP_LOG_PROBS_MAX))?;
    at_most(name::TOP_TOKEN_IDS, "rows", rows, rows_max)?;
    // Splitting into chunks of 0 would panic.
    if columns == 0 {
        return Ok(Vec::new());
    }
    let cells: Vec<(i32, f32)> = ints(ids.data()).zip(floats(values.data())).collect();
    let row = |cells: &[(i32, f32)]| {
        let present = cells.iter().filter(|(id, _)| *id != NO_TOKEN);
        present.map(|(id, value)| Ok((unsigned(name::TOP_TOKEN_IDS, *id)?, *value))).collect()
    };
    cells.chunks(columns).map(row).collect()
}

fn write_top(top: &[Vec<(u32, f32)>]) -> Result<[Tensor; 2], TextError> {
    let columns = top.iter().map(Vec::len).max().unwrap_or(0);
    let mut ids = Vec::with_capacity(top.len() * columns);
    let mut values = Vec::with_capacity(top.len() * columns);
    for row in top {
        for column in 0..columns {
            let (id, value) = match row.get(column) {
                Some((id, value)) => (signed(name::TOP_TOKEN_IDS, *id)?, *value),
                None => (NO_TOKEN, f32::NEG_INFINITY),
            };
            ids.push(id);
            values.push(value);
        }
    }
    let shape = vec![top.len() as u64, columns as u64];
    Ok([
        write_i32(name::TOP_TOKEN_IDS, shape.clone(), ids)?,
        Tensor::from_f32(name::TOP_LOG_PROBS, shape, &values)?,
    ])
}
