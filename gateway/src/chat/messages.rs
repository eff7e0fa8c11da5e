//! Messages of a dialogue, as templates expect them.

use serde_json::{Map, Value};

use crate::error::ApiError;
use crate::limits::MESSAGES_MAX;

/// Checks the messages, and joins content that comes in parts into one text.
pub(super) fn read(value: Value) -> Result<Vec<Value>, ApiError> {
    let wrong = |message: String| ApiError::param("messages", message);
    let Value::Array(mut messages) = value else { return Err(wrong("`messages` must be a list".to_owned())) };
    if messages.is_empty() || messages.len() > MESSAGES_MAX {
        return Err(wrong(format!(
            "`messages` has {} entries, allowed is 1 to {MESSAGES_MAX}",
            messages.len()
        )));
    }
    for (at, message) in messages.iter_mut().enumerate() {
        let Some(fields) = message.as_object_mut() else {
            return Err(wrong(format!("`messages[{at}]` must be an object")));
        };
        match fields.get("role").and_then(Value::as_str) {
            None => return Err(wrong(format!("`messages[{at}].role` is missing"))),
            // OpenAI's newer word; templates know the older one.
            Some("developer") => drop(fields.insert("role".to_owned(), "system".into())),
            Some(_) => {}
        }
        open_arguments(fields);
        let content = match fields.get("content") {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(_)) => continue,
            Some(Value::Array(parts)) => join(parts).map_err(|part| {
                wrong(format!("`messages[{at}].content[{part}]` is no text; others can't be honoured"))
            })?,
            Some(_) => {
                return Err(wrong(format!("`messages[{at}].content` must be a text or a list of parts")));
            }
        };
        fields.insert("content".to_owned(), content.into());
    }
    Ok(messages)
}

/// Clients write a call's arguments as JSON in a text; templates expect what it says, and write it as JSON themselves.
fn open_arguments(fields: &mut Map<String, Value>) {
    let calls = fields.get_mut("tool_calls").and_then(Value::as_array_mut).into_iter().flatten();
    for arguments in calls.filter_map(|call| call.get_mut("function")?.get_mut("arguments")) {
        let said = arguments.as_str().and_then(|text| serde_json::from_str::<Value>(text).ok());
        if let Some(said) = said.filter(Value::is_object) {
            *arguments = said;
        }
    }
}

fn join(parts: &[Value]) -> Result<String, usize> {
    let text = |(at, part): (usize, &Value)| {
        part["text"].as_str().filter(|_| part["type"] == "text").map(str::to_owned).ok_or(at)
    };
    parts.iter().enumerate().map(text).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn content_in_parts_is_joined_and_roles_are_templates_words() {
        let parts = json!([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]);
        let messages = json!([{"role": "developer", "content": parts}, {"role": "user", "content": "c"}]);
        let expected = [json!({"role": "system", "content": "ab"}), json!({"role": "user", "content": "c"})];
        assert_eq!(read(messages).expect("good"), expected);
    }

    #[test]
    fn arguments_of_calls_are_what_their_text_says() {
        let call = |arguments: Value| json!([{"type": "function", "function": {"name": "f", "arguments": arguments}}]);
        for (sent, read_as) in [
            (json!("{\"a\": 1}"), json!({"a": 1})),
            (json!("{"), json!("{")),
            (json!({"a": 1}), json!({"a": 1})),
        ] {
            let messages = json!([{"role": "assistant", "content": null, "tool_calls": call(sent)}]);
            assert_eq!(read(messages).expect("good")[0]["tool_calls"], call(read_as));
        }
    }

    #[test]
    fn what_is_no_dialogue_of_texts_is_refused_by_place() {
        let cases = [
            (json!("hi"), "`messages` must be a list"),
            (json!([]), "`messages` has 0 entries, allowed is 1 to 1024"),
            (json!(["hi"]), "`messages[0]` must be an object"),
            (json!([{"content": "hi"}]), "`messages[0].role` is missing"),
            (
                json!([{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]),
                "`messages[0].content[0]` is no text; others can't be honoured",
            ),
            (
                json!([{"role": "user", "content": 1}]),
                "`messages[0].content` must be a text or a list of parts",
            ),
        ];
        for (messages, expected) in cases {
            assert_eq!(read(messages).expect_err(expected).message, expected);
        }
    }
}
