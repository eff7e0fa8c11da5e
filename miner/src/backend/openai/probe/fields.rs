//! Which of the optional fields a server takes.

use serde_json::Value;
use weighhouse_ask::completions::CompletionServer;
use weighhouse_types::text::TextRequest;

use super::ask::{Answer, ask, sample};
use crate::backend::error::BackendError;
use crate::backend::openai::abilities::Abilities;

/// Questions about fields, if a server refuses many and names none.
const FIELD_QUESTIONS_MAX: usize = 128;

/// Adds the fields that the server takes: all at once if it does, else the halves, until the refused ones are alone.
pub(super) async fn settle(
    server: &CompletionServer,
    abilities: &mut Abilities,
    fields: Vec<(&'static str, Value)>,
) -> Result<(), BackendError> {
    // Some fields only go with requests that want them.
    let request = TextRequest { ignore_end: true, log_probs: true, ..sample(1) };
    let mut groups = vec![fields];
    for _ in 0..FIELD_QUESTIONS_MAX {
        let Some(mut group) = groups.pop() else { break };
        if group.is_empty() {
            continue;
        }
        let before = abilities.fields.len();
        abilities.fields.extend(group.iter().cloned());
        let Answer::Refused(refusal) = ask(server, &request, abilities).await? else { continue };
        abilities.fields.truncate(before);
        if group.len() == 1 {
            continue;
        }
        let words = refusal.words();
        let (named, others): (Vec<_>, Vec<_>) =
            group.iter().cloned().partition(|(name, _)| is_named(words, name));
        if named.is_empty() || others.is_empty() {
            let half = group.split_off(group.len() / 2);
            groups.extend([half, group]);
        } else {
            // Each named field is tried again: a refusal may also list what is allowed.
            groups.extend(named.into_iter().map(|field| vec![field]));
            groups.push(others);
        }
    }
    Ok(())
}

/// Tells whether words name a field, and not only a longer one.
fn is_named(words: &str, name: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    words.split(|c: char| !is_part(c)).any(|word| word == name)
}
