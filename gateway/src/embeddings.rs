//! `/v1/embeddings`: texts to rows of numbers.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::error::ApiError;
use crate::fields::Fields;
use crate::limits::TEXTS_MAX;

/// A request's texts, and how its numbers are to be written.
#[derive(Debug)]
pub(crate) struct Embeddings {
    pub(crate) texts: Vec<String>,
    encoding: Encoding,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    Float,
    /// Little-endian binary32.
    Base64,
}

impl Embeddings {
    pub(crate) fn read(fields: &mut Fields) -> Result<Self, ApiError> {
        let texts = fields.texts("input")?.ok_or_else(|| ApiError::missing("input"))?;
        if texts.is_empty() || texts.len() > TEXTS_MAX {
            let message = format!("`input` has {} texts, allowed is 1 to {TEXTS_MAX}", texts.len());
            return Err(ApiError::param("input", message));
        }
        let encoding = match fields.text("encoding_format")?.as_deref() {
            None | Some("float") => Encoding::Float,
            Some("base64") => Encoding::Base64,
            Some(_) => {
                return Err(ApiError::param("encoding_format", "`encoding_format` must be float or base64"));
            }
        };
        Ok(Self { texts, encoding })
    }

    pub(crate) fn reply(&self, model: &str, rows: &[Vec<f32>]) -> Value {
        let written = |row: &[f32]| match self.encoding {
            Encoding::Float => json!(row),
            Encoding::Base64 => {
                STANDARD.encode(row.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>()).into()
            }
        };
        let data: Vec<Value> = rows
            .iter()
            .enumerate()
            .map(|(at, row)| json!({"object": "embedding", "index": at, "embedding": written(row)}))
            .collect();
        // Miners don't tell how many tokens a text has.
        let usage = json!({"prompt_tokens": 0, "total_tokens": 0});
        json!({"object": "list", "data": data, "model": model, "usage": usage})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_written_as_numbers_or_as_their_bytes() {
        let rows = [vec![0.5, -2.0]];
        let read = |body: &str| Embeddings::read(&mut Fields::parse(body.as_bytes()).expect("an object"));
        let cases = [
            (r#"{"input": "a"}"#, json!([0.5, -2.0])),
            (r#"{"input": ["a"], "encoding_format": "float"}"#, json!([0.5, -2.0])),
            (r#"{"input": "a", "encoding_format": "base64"}"#, json!("AAAAPwAAAMA=")),
        ];
        for (body, expected) in cases {
            assert_eq!(read(body).expect("good").reply("m", &rows)["data"][0]["embedding"], expected);
        }
        for wrong in [r#"{"input": []}"#, r#"{"input": [1]}"#, r#"{"input": 1}"#, "{}"] {
            assert_eq!(read(wrong).expect_err(wrong).param.as_deref(), Some("input"));
        }
        assert!(read(r#"{"input": "a", "encoding_format": "f16"}"#).is_err());
    }
}
