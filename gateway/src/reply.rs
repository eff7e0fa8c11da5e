//! Answers in OpenAI's objects: whole, or as chunks. What completions and chats have in common is here, the rest is a
//! [`Form`].

use serde_json::{Value, json};
use weighhouse_types::text::{Finish, TextAnswer};

/// One element of an answer's `choices`.
pub(crate) type Choice = Value;

/// The shape of one API's answers.
pub(crate) trait Form: Copy + Send + 'static {
    /// Beginning of an answer's id.
    const ID: &'static str;
    const WHOLE: &'static str;
    const PIECE: &'static str;

    fn whole(&self, answer: &TextAnswer, finish: &'static str) -> Choice;
    /// What a stream begins with, before anything has come.
    fn first(&self) -> Option<Choice>;
    fn piece(&self, piece: &TextAnswer) -> Choice;
    fn last(&self, finish: &'static str) -> Choice;
}

/// Fields that all objects of one answer share.
#[derive(Clone, Debug)]
pub(crate) struct Envelope {
    pub(crate) id: String,
    /// Seconds of the Unix epoch.
    pub(crate) created: u64,
    pub(crate) model: String,
}

impl Envelope {
    pub(crate) fn object(&self, kind: &'static str, choices: Vec<Choice>) -> Value {
        json!({"id": self.id, "object": kind, "created": self.created, "model": self.model, "choices": choices})
    }

    pub(crate) fn whole<F: Form>(&self, form: F, answer: &TextAnswer) -> Value {
        let mut object = self.object(F::WHOLE, vec![form.whole(answer, finish(answer.finish))]);
        object["usage"] = Usage::of(answer).json();
        object
    }
}

/// OpenAI has one word for a stop word and for the model's end.
pub(crate) fn finish(finish: Option<Finish>) -> &'static str {
    match finish {
        Some(Finish::Length) => "length",
        Some(Finish::Stop | Finish::End) | None => "stop",
    }
}

/// Tokens of a prompt and its answer; 0 where the miner doesn't tell.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    pub(crate) prompt: u64,
    pub(crate) completion: u64,
}

impl Usage {
    pub(crate) fn of(answer: &TextAnswer) -> Self {
        Self { prompt: answer.prompt_tokens.into(), completion: answer.tokens.len() as u64 }
    }

    pub(crate) fn add(&mut self, piece: &TextAnswer) {
        self.prompt = self.prompt.max(piece.prompt_tokens.into());
        self.completion += piece.tokens.len() as u64;
    }

    pub(crate) fn json(self) -> Value {
        let Self { prompt, completion } = self;
        json!({"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion})
    }
}
