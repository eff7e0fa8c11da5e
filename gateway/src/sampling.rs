//! Parameters that completions and chats share, as a request to a miner.

use rand::Rng as _;
use weighhouse_seams::Entropy;
use weighhouse_types::text::{Prompt, TextLimits, TextRequest};

use crate::error::ApiError;
use crate::fields::Fields;
use crate::limits::TOKENS_MAX;

/// Parameters of one generation besides its prompt.
#[derive(Clone, Debug)]
pub(crate) struct Sampling {
    pub(crate) max_tokens: u32,
    temperature: f32,
    top_k: u32,
    top_p: f32,
    seed: Option<i64>,
    stop: Vec<String>,
    ignore_end: bool,
}

/// Log-probabilities that are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LogProbs {
    pub(crate) chosen: bool,
    pub(crate) top: u8,
}

impl Sampling {
    pub(crate) fn read(fields: &mut Fields, tokens: u32) -> Result<Self, ApiError> {
        let of_completions = fields.count("max_tokens")?;
        let max_tokens = fields.count("max_completion_tokens")?.or(of_completions).unwrap_or(tokens);
        Ok(Self {
            max_tokens,
            // Miners are judged by greedy answers, and many give no others; OpenAI's own default would be 1.
            temperature: fields.number("temperature")?.unwrap_or(0.0) as f32,
            top_k: read_top_k(fields)?,
            top_p: fields.number("top_p")?.unwrap_or(1.0) as f32,
            seed: fields.integer("seed")?,
            stop: fields.texts("stop")?.unwrap_or_default(),
            ignore_end: fields.flag("ignore_eos")?.unwrap_or(false),
        })
    }

    /// Makes the request, every field within its range.
    pub(crate) fn request(
        self,
        prompt: Prompt,
        log_probs: LogProbs,
        body_bytes_max: usize,
        entropy: &Entropy,
    ) -> Result<TextRequest, ApiError> {
        let seed = match self.seed {
            Some(seed) => seed.cast_unsigned(),
            // Where nothing is drawn, a seed would only make equal requests differ.
            None if self.temperature == 0.0 => 0,
            None => entropy.clone().next_u64(),
        };
        let request = TextRequest {
            prompt,
            max_tokens: self.max_tokens,
            temperature: self.temperature,
            top_k: self.top_k,
            top_p: self.top_p,
            seed,
            stop: self.stop,
            log_probs: log_probs.chosen,
            top_log_probs: log_probs.top,
            ignore_end: self.ignore_end,
        };
        request.check(&limits(body_bytes_max))?;
        Ok(request)
    }
}

fn limits(body_bytes_max: usize) -> TextLimits {
    TextLimits { prompt_bytes: body_bytes_max, prompt_tokens: body_bytes_max / 4, max_tokens: TOKENS_MAX }
}

/// -1 is vLLM's word for off.
fn read_top_k(fields: &mut Fields) -> Result<u32, ApiError> {
    match fields.integer("top_k")?.unwrap_or(0) {
        -1 => Ok(0),
        count => i32::try_from(count).ok().and_then(|count| u32::try_from(count).ok()).ok_or_else(|| {
            ApiError::param("top_k", format!("`top_k` is {count}, allowed is -1 to {}", i32::MAX))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Result<TextRequest, ApiError> {
        let mut fields = Fields::parse(body.as_bytes())?;
        let sampling = Sampling::read(&mut fields, 16)?;
        fields.done()?;
        sampling.request(Prompt::Text("a".into()), LogProbs::default(), 100, &Entropy::seeded([7; 32]))
    }

    #[test]
    fn parameters_become_a_miners_request() {
        assert_eq!(read("{}"), Ok(TextRequest::greedy("a", 16)));
        let asked = r#"{"max_tokens": 5, "max_completion_tokens": 7, "temperature": 0.5, "top_p": 0.25, "top_k": 40,
            "seed": -1, "stop": ["a", "b"], "ignore_eos": true}"#;
        let expected = TextRequest {
            max_tokens: 7,
            temperature: 0.5,
            top_p: 0.25,
            top_k: 40,
            seed: u64::MAX,
            stop: vec!["a".into(), "b".into()],
            ignore_end: true,
            ..TextRequest::greedy("a", 7)
        };
        assert_eq!(read(asked), Ok(expected));
        assert_eq!(read(r#"{"stop": "x", "top_k": -1}"#).expect("good").stop, ["x"]);
    }

    #[test]
    fn a_seed_is_drawn_where_one_is_needed_and_none_is_named() {
        assert_eq!(read(r#"{"temperature": 0}"#).expect("greedy").seed, 0);
        assert_ne!(read(r#"{"temperature": 1}"#).expect("sampled").seed, 0);
        assert_eq!(read(r#"{"temperature": 1, "seed": 3}"#).expect("sampled").seed, 3);
    }

    #[test]
    fn values_out_of_range_are_refused_with_openais_names() {
        let cases = [
            (r#"{"max_tokens": 0}"#, "max_tokens", "`max_tokens` is 0, allowed is 1 to 131072"),
            (r#"{"temperature": -1}"#, "temperature", "`temperature` is -1, allowed is 0 to 100"),
            (r#"{"top_p": 0}"#, "top_p", "`top_p` is 0, allowed is above 0, up to 1"),
            (r#"{"stop": [""]}"#, "stop", "`stop` is empty"),
            (r#"{"stop": 1}"#, "stop", "`stop` must be a text or a list of texts"),
            (r#"{"top_k": -2}"#, "top_k", "`top_k` is -2, allowed is -1 to 2147483647"),
            (r#"{"temperature": "hot"}"#, "temperature", "`temperature` must be a number"),
        ];
        for (body, param, message) in cases {
            let error = read(body).expect_err(body);
            assert_eq!((error.param.as_deref(), error.message.as_str()), (Some(param), message));
            assert_eq!(error.status, 400);
        }
    }
}
