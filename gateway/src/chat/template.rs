//! A model's chat template: the Jinja program with which it was trained to read dialogues.
//!
//! Looked for where transformers does: `chat_template.jinja`, then `tokenizer_config.json`, then `chat_template.json`.
//! What such templates need beyond Jinja is here too: Python's methods, `raise_exception`, `strftime_now`.

mod date;
mod folder;

use std::path::Path;

use minijinja::value::{Kwargs, Value};
use minijinja::{Environment, Error, ErrorKind};
use serde_json::{Map, Value as Json};
use weighhouse_seams::UnixNanos;

pub use folder::TemplateError;

/// Steps of one rendering, which messages could otherwise make as many as they like.
const STEPS_MAX: u64 = 5_000_000;
const NAME: &str = "chat";

/// A compiled template, and the special tokens that it may write.
#[derive(Debug)]
pub struct ChatTemplate {
    environment: Environment<'static>,
    tokens: Map<String, Json>,
    /// The token that the tokenizer itself puts before every text.
    begins_with: Option<String>,
}

impl ChatTemplate {
    /// Reads the template of a model's folder.
    ///
    /// # Errors
    /// A folder without one, or one that doesn't compile.
    pub fn read(folder: &Path) -> Result<Self, TemplateError> {
        let folder::Found { source, tokens, begins_with } = folder::find(folder)?;
        Self::new(source, tokens, begins_with).map_err(|error| TemplateError::Template(describe(&error)))
    }

    fn new(source: String, tokens: Map<String, Json>, begins_with: Option<String>) -> Result<Self, Error> {
        let mut environment = Environment::new();
        // As transformers sets them; templates are written for this.
        environment.set_trim_blocks(true);
        environment.set_lstrip_blocks(true);
        environment.set_fuel(Some(STEPS_MAX));
        environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_filter("tojson", to_json);
        environment.add_function("raise_exception", |message: String| -> Result<Value, Error> {
            Err(Error::new(ErrorKind::InvalidOperation, message))
        });
        environment.add_template_owned(NAME, without_markers(source))?;
        Ok(Self { environment, tokens, begins_with })
    }

    /// Writes messages as a prompt. `variables` win over what the folder says.
    pub(crate) fn render(
        &self,
        messages: Vec<Json>,
        variables: Map<String, Json>,
        now: UnixNanos,
    ) -> Result<String, String> {
        let mut context = self.tokens.clone();
        context.extend(variables);
        context.insert("messages".to_owned(), messages.into());
        let mut context: std::collections::BTreeMap<String, Value> =
            context.into_iter().map(|(name, value)| (name, Value::from_serialize(value))).collect();
        let today = Value::from_function(move |format: String| date::format(now, &format));
        context.insert("strftime_now".to_owned(), today);
        let template = self.environment.get_template(NAME).map_err(|error| describe(&error))?;
        let prompt = template.render(context).map_err(|error| describe(&error))?;
        // The miner's tokenizer adds it again: twice at the beginning is no dialogue that the model knows.
        let doubled = self.begins_with.as_deref().and_then(|token| prompt.strip_prefix(token));
        Ok(doubled.map(str::to_owned).unwrap_or(prompt))
    }
}

/// The template's own words, where it has some, and the line.
fn describe(error: &Error) -> String {
    let what = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
    error.line().map_or_else(|| what.clone(), |line| format!("{what} (line {line})"))
}

/// Removes transformers' marks around what a model is trained to say; they write nothing.
fn without_markers(source: String) -> String {
    let mut kept = String::with_capacity(source.len());
    let mut rest = source.as_str();
    while let Some((before, block)) = rest.split_once("{%") {
        let Some((inside, after)) = block.split_once("%}") else { break };
        let name = inside.trim_matches(['-', '+']).trim();
        if matches!(name, "generation" | "endgeneration") {
            // A comment in its place keeps what the marks do to the blanks around them.
            let [left, right] =
                [inside.starts_with('-'), inside.ends_with('-')].map(|cut| if cut { "-" } else { "" });
            kept.extend([before, "{#", left, right, "#}"]);
        } else {
            kept.extend([before, "{%", inside, "%}"]);
        }
        rest = after;
    }
    kept.push_str(rest);
    kept
}

/// As Python's `json.dumps` with `ensure_ascii=False`: minijinja's own escapes for HTML.
fn to_json(value: &Value, options: Kwargs) -> Result<Value, Error> {
    let indent: Option<usize> = options.get("indent")?;
    // Known to Python's function and without meaning here.
    for name in ["ensure_ascii", "sort_keys"] {
        let _: Option<Value> = options.get(name)?;
    }
    let separators: Option<Vec<String>> = options.get("separators")?;
    let between = match separators.as_deref() {
        None => [", ", ": "],
        Some([item, key]) => [item.as_str(), key.as_str()],
        Some(_) => {
            return Err(Error::new(
                ErrorKind::InvalidOperation,
                "`separators` of `tojson` must be two texts",
            ));
        }
    };
    options.assert_all_used()?;
    let broken = |error: serde_json::Error| Error::new(ErrorKind::BadSerialization, error.to_string());
    let text = match indent {
        None => written(&serde_json::to_value(value).map_err(broken)?, between),
        Some(width) => {
            let blanks = " ".repeat(width.min(16));
            let mut out = Vec::new();
            let formatter = serde_json::ser::PrettyFormatter::with_indent(blanks.as_bytes());
            let mut serializer = serde_json::Serializer::with_formatter(&mut out, formatter);
            serde::Serialize::serialize(value, &mut serializer).map_err(broken)?;
            String::from_utf8_lossy(&out).into_owned()
        }
    };
    Ok(Value::from_safe_string(text))
}

/// Python's own separators have a blank behind each comma and colon.
fn written(value: &Json, between: [&str; 2]) -> String {
    let [item, key] = between;
    let joined = |items: Vec<String>| items.join(item);
    match value {
        Json::Array(list) => format!("[{}]", joined(list.iter().map(|one| written(one, between)).collect())),
        Json::Object(map) => {
            let entry = |(name, value): (&String, &Json)| {
                format!("{}{key}{}", Json::from(name.as_str()), written(value, between))
            };
            format!("{{{}}}", joined(map.iter().map(entry).collect()))
        }
        plain => plain.to_string(),
    }
}

#[cfg(test)]
mod tests;
