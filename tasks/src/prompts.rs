//! Prompts that nobody has seen before and that read like any other text.
//!
//! A prompt is put together from lists of sentences by the challenge's seed: some contexts, then an opening that begs to be
//! continued. The built-in lists give tens of millions of endings; whoever wants others puts lists into the task file.

use rand_chacha::ChaCha20Rng;
use serde::Deserialize;
use weighhouse_models::draw::below;
use weighhouse_types::config;

use crate::error::TaskFileError;
use crate::file::refused;

/// The lists behind `prompts = "rust/v1"`.
const RUST_V1: &str = include_str!("../files/prompts-rust-v1.toml");
/// The name of the built-in lists.
const BUILTIN: &str = "rust/v1";

/// Most entries in a list.
const ENTRIES_MAX: usize = 10_000;
/// Different openings, subjects counted, that a source must have at least.
const OPENINGS_MIN: usize = 200;
/// Placeholder of a subject in an opening.
const SLOT: &str = "{}";

/// Words of a text at most.
pub(crate) const WORDS_MAX: u32 = 1_024;

/// `"rust/v1"`, or lists.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum RawPrompts {
    Name(String),
    Lists(Prompts),
}

impl RawPrompts {
    pub(crate) fn check(self, key: &'static str) -> Result<Prompts, TaskFileError> {
        match self {
            Self::Name(name) if name == BUILTIN => Ok(Prompts::builtin()),
            Self::Name(name) => {
                let what = format!("= {name:?} is not built in; {BUILTIN:?} is, or lists of your own");
                Err(refused(key, what))
            }
            Self::Lists(lists) => match lists.check() {
                Ok(()) => Ok(lists),
                Err(what) => Err(refused(key, format!("can't be used: {what}"))),
            },
        }
    }
}

/// Source of prompts.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prompts {
    /// Sentences that stand before the opening.
    contexts: Vec<String>,
    /// Subjects that an opening may be about.
    subjects: Vec<String>,
    /// Beginnings of sentences; one `{}` in it stands for a subject.
    openings: Vec<String>,
}

impl Prompts {
    pub(crate) fn builtin() -> Self {
        config::parse(RUST_V1).expect("the built-in lists are sound: a test reads them")
    }

    /// Says what is wrong with lists from a task file.
    pub(crate) fn check(&self) -> Result<(), String> {
        let lists =
            [("contexts", &self.contexts), ("subjects", &self.subjects), ("openings", &self.openings)];
        for (name, list) in lists {
            if list.len() > ENTRIES_MAX {
                return Err(format!("{name} has {} entries, at most {ENTRIES_MAX} are read", list.len()));
            }
            if list.iter().any(|entry| entry.split_whitespace().next().is_none()) {
                return Err(format!("{name} has an empty entry"));
            }
        }
        if self.contexts.is_empty() {
            return Err("contexts is empty".to_owned());
        }
        let slots = self.openings.iter().filter(|opening| opening.contains(SLOT)).count();
        if slots > 0 && self.subjects.is_empty() {
            return Err("subjects is empty, but openings ask for one".to_owned());
        }
        let openings = self.openings.len() - slots + slots * self.subjects.len();
        if openings < OPENINGS_MIN {
            return Err(format!(
                "there are {openings} different openings, at least {OPENINGS_MIN} are needed"
            ));
        }
        Ok(())
    }

    /// The last `words` words of a random text that ends in an opening.
    pub(crate) fn draw(&self, words: u32, rng: &mut ChaCha20Rng) -> String {
        let words = words as usize;
        let mut pick = |list: &[String]| match list.len() as u32 {
            0 => String::new(),
            length => list[below(length, rng) as usize].clone(),
        };
        let opening = pick(&self.openings);
        let opening =
            if opening.contains(SLOT) { opening.replacen(SLOT, &pick(&self.subjects), 1) } else { opening };
        let mut pieces = vec![opening];
        let mut have = count(&pieces[0]);
        while have < words {
            let context = pick(&self.contexts);
            have += count(&context);
            pieces.push(context);
        }
        // Collected from the end, so that the cut below takes words off the beginning only.
        pieces.reverse();
        let text = pieces.join(" ");
        let all: Vec<&str> = text.split_whitespace().collect();
        all[all.len().saturating_sub(words)..].join(" ")
    }
}

/// At least 1, so that drawing comes to an end whatever the lists hold.
fn count(text: &str) -> usize {
    text.split_whitespace().count().max(1)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rand_chacha::rand_core::SeedableRng;

    use super::*;

    #[test]
    fn the_built_in_lists_are_sound_and_seldom_repeat() {
        let prompts = Prompts::builtin();
        assert_eq!(prompts.check(), Ok(()));
        let mut rng = ChaCha20Rng::from_seed([3; 32]);
        let drawn: BTreeSet<String> = (0..5_000).map(|_| prompts.draw(24, &mut rng)).collect();
        assert!(drawn.len() > 4_950, "{}", drawn.len());
        assert!(drawn.iter().all(|prompt| prompt.split(' ').count() == 24));
    }

    #[test]
    fn a_prompt_has_the_same_bytes_everywhere() {
        let mut rng = ChaCha20Rng::from_seed([7; 32]);
        assert_eq!(Prompts::builtin().draw(12, &mut rng), GOLDEN);
    }

    const GOLDEN: &str = "promise to its callers. The rules about a reference-counted pointer say that";

    #[test]
    fn lists_that_are_too_short_are_refused() {
        let few = Prompts {
            contexts: vec!["One.".into()],
            subjects: (0..99).map(|at| format!("thing {at}")).collect(),
            openings: vec!["Here {}".into(), "There {}".into()],
        };
        assert!(few.check().is_err_and(|why| why.contains("198 different openings")));
        let more = Prompts { openings: vec!["A {}".into(), "B {}".into(), "C {}".into()], ..few.clone() };
        assert_eq!(more.check(), Ok(()));
        assert!(Prompts { subjects: Vec::new(), ..more.clone() }.check().is_err());
        assert!(Prompts { contexts: vec![" ".into()], ..more }.check().is_err());
    }
}
