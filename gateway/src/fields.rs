//! A request's JSON object, read field by field: what nobody has taken in the end is refused by name, unless it asks for
//! nothing.

use serde_json::{Map, Value};

use crate::error::ApiError;

/// Parameters that change nothing in an answer, whatever they say.
const PASSED_OVER: [&str; 7] = [
    "user",
    "metadata",
    "safety_identifier",
    "prompt_cache_key",
    "prompt_cache_retention",
    "parallel_tool_calls",
    "service_tier",
];

/// Fields that are still unread.
#[derive(Debug)]
pub(crate) struct Fields(Map<String, Value>);

impl Fields {
    pub(crate) fn parse(body: &[u8]) -> Result<Self, ApiError> {
        match serde_json::from_slice(body) {
            Ok(Value::Object(map)) => Ok(Self(map)),
            Ok(_) => Err(ApiError::bad("the body is no JSON object")),
            Err(error) => Err(ApiError::bad(format!("the body is no JSON: {error}"))),
        }
    }

    /// Null means absent, as clients write it.
    pub(crate) fn take(&mut self, name: &str) -> Option<Value> {
        self.0.remove(name).filter(|value| !value.is_null())
    }

    pub(crate) fn required(&mut self, name: &str) -> Result<Value, ApiError> {
        self.take(name).ok_or_else(|| ApiError::missing(name))
    }

    pub(crate) fn text(&mut self, name: &str) -> Result<Option<String>, ApiError> {
        self.read(name, "a text", |value| value.as_str().map(str::to_owned))
    }

    pub(crate) fn texts(&mut self, name: &str) -> Result<Option<Vec<String>>, ApiError> {
        self.read(name, "a text or a list of texts", |value| match value {
            Value::String(text) => Some(vec![text.clone()]),
            Value::Array(texts) => texts.iter().map(|text| text.as_str().map(str::to_owned)).collect(),
            _ => None,
        })
    }

    pub(crate) fn flag(&mut self, name: &str) -> Result<Option<bool>, ApiError> {
        self.read(name, "true or false", Value::as_bool)
    }

    pub(crate) fn number(&mut self, name: &str) -> Result<Option<f64>, ApiError> {
        self.read(name, "a number", Value::as_f64)
    }

    pub(crate) fn count(&mut self, name: &str) -> Result<Option<u32>, ApiError> {
        self.read(name, "a whole number of at least 0", |value| u32::try_from(value.as_u64()?).ok())
    }

    pub(crate) fn integer(&mut self, name: &str) -> Result<Option<i64>, ApiError> {
        self.read(name, "a whole number", |value| {
            // A seed may use all 64 bits.
            value.as_i64().or_else(|| value.as_u64().map(u64::cast_signed))
        })
    }

    fn read<T>(
        &mut self,
        name: &str,
        expected: &str,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> Result<Option<T>, ApiError> {
        let Some(value) = self.take(name) else { return Ok(None) };
        match read(&value) {
            Some(value) => Ok(Some(value)),
            None => Err(ApiError::param(name, format!("`{name}` must be {expected}"))),
        }
    }

    /// Refuses the first field that is left and asks for something.
    pub(crate) fn done(self) -> Result<(), ApiError> {
        let asks = |(name, value): &(&String, &Value)| {
            !PASSED_OVER.contains(&name.as_str()) && !is_neutral(name, value)
        };
        let Some((name, value)) = self.0.iter().find(asks) else { return Ok(()) };
        let message = match neutral(name) {
            Some(neutral) => format!("`{name}` other than {neutral} can't be honoured; it is {value}"),
            None => format!("`{name}` is no parameter that can be honoured"),
        };
        Err(ApiError::param(name, message.chars().take(300).collect::<String>()))
    }
}

/// The one value under which a known parameter that we can't honour asks for nothing.
fn neutral(name: &str) -> Option<Value> {
    Some(match name {
        "n" | "best_of" | "repetition_penalty" | "length_penalty" => Value::from(1),
        "presence_penalty" | "frequency_penalty" | "min_p" | "min_tokens" => Value::from(0),
        "echo" | "store" | "use_beam_search" | "include_stop_str_in_output" => Value::from(false),
        "skip_special_tokens" | "spaces_between_special_tokens" => Value::from(true),
        "suffix" => Value::from(""),
        "logit_bias" => Value::Object(Map::new()),
        "tools" | "functions" | "stop_token_ids" => Value::Array(Vec::new()),
        "tool_choice" | "function_call" => Value::from("none"),
        "response_format" => serde_json::json!({"type": "text"}),
        "modalities" => serde_json::json!(["text"]),
        _ => return None,
    })
}

fn is_neutral(name: &str, value: &Value) -> bool {
    let Some(neutral) = neutral(name) else { return value.is_null() };
    match (value.as_f64(), neutral.as_f64()) {
        (Some(value), Some(neutral)) => value == neutral,
        // Without tools there is nothing to choose.
        _ => value.is_null() || *value == neutral || (name == "tool_choice" && value == "auto"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(body: &str) -> Result<(), String> {
        Fields::parse(body.as_bytes()).and_then(Fields::done).map_err(|error| error.message)
    }

    #[test]
    fn what_asks_for_nothing_is_passed_over_and_the_rest_refused_by_name() {
        for neutral in [
            r#"{"n": 1, "presence_penalty": 0.0, "frequency_penalty": 0, "logit_bias": {}, "user": "me"}"#,
            r#"{"tools": [], "tool_choice": "auto", "response_format": {"type": "text"}, "metadata": {"a": 1}}"#,
            r#"{"anything": null, "repetition_penalty": 1.0, "suffix": null}"#,
        ] {
            assert_eq!(left(neutral), Ok(()), "{neutral}");
        }
        let cases = [
            (r#"{"n": 2}"#, "`n` other than 1 can't be honoured; it is 2"),
            (r#"{"presence_penalty": 0.5}"#, "`presence_penalty` other than 0 can't be honoured; it is 0.5"),
            (r#"{"logit_bias": {"5": 1}}"#, "`logit_bias` other than {} can't be honoured; it is {\"5\":1}"),
            (r#"{"temprature": 1}"#, "`temprature` is no parameter that can be honoured"),
            ("[]", "the body is no JSON object"),
        ];
        for (body, expected) in cases {
            assert_eq!(left(body), Err(expected.to_owned()));
        }
    }

    #[test]
    fn a_field_of_another_type_is_refused_with_its_name() {
        let mut fields =
            Fields::parse(br#"{"a": "1", "b": 1.5, "c": -1, "d": 18446744073709551615, "e": null}"#)
                .expect("an object");
        assert_eq!(fields.number("a").expect_err("a text").message, "`a` must be a number");
        assert_eq!(fields.count("b").expect_err("no count").param.as_deref(), Some("b"));
        assert!(fields.count("c").is_err());
        assert_eq!(fields.integer("d"), Ok(Some(-1)));
        assert_eq!(fields.text("e"), Ok(None));
        assert_eq!(fields.done(), Ok(()));
    }
}
