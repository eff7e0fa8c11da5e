//! Streams of server-sent events, as OpenAI writes them.

use std::convert::Infallible;

use axum::body::Body;
use bytes::Bytes;
use futures::stream;
use serde_json::Value;
use weighhouse_types::text::Finish;

use crate::error::ApiError;
use crate::metrics;
use crate::reply::{Envelope, Form, Usage, finish};
use crate::turns::Generation;

/// One answer while it is streamed.
struct Streamed<F> {
    form: F,
    envelope: Envelope,
    generation: Generation,
    route: &'static str,
    tells_usage: bool,
    usage: Usage,
    finish: Option<Finish>,
    ended: bool,
}

/// Writes a generation as events; an error ends them with an object of its own in place of `[DONE]`.
pub(crate) fn stream_of<F: Form>(
    form: F,
    envelope: Envelope,
    generation: Generation,
    route: &'static str,
    tells_usage: bool,
) -> Body {
    let usage = Usage::default();
    let streamed =
        Streamed { form, envelope, generation, route, tells_usage, usage, finish: None, ended: false };
    let first = form.first().map(|choice| streamed.chunk(vec![choice]));
    let rest = stream::unfold(streamed, |mut streamed| async move {
        let bytes = streamed.next().await?;
        Some((bytes, streamed))
    });
    let all = futures::StreamExt::chain(stream::iter(first), rest);
    Body::from_stream(futures::StreamExt::map(all, Ok::<Bytes, Infallible>))
}

impl<F: Form> Streamed<F> {
    async fn next(&mut self) -> Option<Bytes> {
        if self.ended {
            return None;
        }
        match self.generation.next().await {
            Ok(Some(piece)) => {
                self.usage.add(&piece);
                self.finish = piece.finish.or(self.finish);
                Some(self.chunk(vec![self.form.piece(&piece)]))
            }
            Ok(None) => {
                self.ended = true;
                Some(self.end())
            }
            Err(error) => {
                self.ended = true;
                let miner = self.generation.miner;
                tracing::warn!(route = self.route, %miner, %error, "a stream broke off");
                metrics::stream_broken(self.route);
                Some(event(&ApiError::from(error).body()))
            }
        }
    }

    fn end(&self) -> Bytes {
        let mut all = self.chunk(vec![self.form.last(finish(self.finish))]).to_vec();
        if self.tells_usage {
            let mut object = self.envelope.object(F::PIECE, Vec::new());
            object["usage"] = self.usage.json();
            all.extend_from_slice(&event(&object));
        }
        all.extend_from_slice(b"data: [DONE]\n\n");
        all.into()
    }

    fn chunk(&self, choices: Vec<Value>) -> Bytes {
        let mut object = self.envelope.object(F::PIECE, choices);
        if self.tells_usage {
            object["usage"] = Value::Null;
        }
        event(&object)
    }
}

fn event(object: &Value) -> Bytes {
    format!("data: {object}\n\n").into()
}
