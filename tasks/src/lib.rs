//! Task kinds: how a challenge is made from a seed, how it is answered, and how answers are judged.
//!
//! A task lies on two axes, both named in its file: what is paid ([`Mode`]) and who is asked what ([`Scope`]). The
//! kinds are `classify` (seeded perturbations of held-out scans of handwritten digits), `generate` (completions by an
//! agreed language model, checked token by token), `embed` (texts placed by an agreed encoder), `regress` (tables with targets to predict), `label` (items that a crowd labels), `forecast`
//! (predictions whose truth comes later) and `judge` (whatever a program outside draws and judges). Nothing here knows of chains, sockets or clocks.
//!
//! **Invariants.** A challenge is bit-equal on every machine. A reference depends on its challenge and the reference
//! weights alone, never on how many others were computed beside it. No answer, whatever its bytes, panics a judge or
//! earns more than 0 outside the tolerance. Judgements are `f64` arithmetic in one fixed order over recorded bytes.

pub mod forecast;
pub mod judge;
pub mod kind;
pub mod label;
pub mod persona;
pub mod reading;
pub mod references;
pub mod registry;
pub mod verdict;

mod challenge;
mod error;
mod file;
mod reference;
mod task;
mod work;

mod classify;
mod embed;
mod generate;
mod prompts;
mod regress;

pub mod calibrate;
pub mod measure;

#[cfg(test)]
mod fake;

#[doc(hidden)]
pub mod testing;

pub use challenge::Challenge;
pub use classify::wire::{RequestError, answer, pixels, respond};
pub use error::{TaskError, TaskFileError};
pub use file::{Mode, TaskFile, count, refused, within};
pub use generate::{CompleteError, Generate, Margins, complete, sequential, witness};
pub use persona::{Conduct, Persona, PersonaSetup};
pub use prompts::Prompts;
pub use reference::{Recorded, Reference, ReferenceError};
pub use references::{Grade, OnRecord, References};
pub use registry::TaskLoader;
pub use task::{Task, silent};
pub use weighhouse_types::profile::Scope;
pub use work::Read;

use weighhouse_types::Digest;

/// The task file for an agreed model, built in.
pub const DIGITS_CONFORMANCE: &str = include_str!("../files/digits-conformance.toml");
/// The task file for better models than the reference, built in.
pub const DIGITS_QUALITY: &str = include_str!("../files/digits-quality.toml");
/// A task of completions, sampled, by the built-in reference. [`with_reference`] names another, and [`calibrate`] measures
/// its limits.
pub const GENERATE: &str = include_str!("../files/generate.toml");
/// The same, sampled greedily: what miners in front of another server can serve. See `files/generate-greedy.toml`.
pub const GENERATE_GREEDY: &str = include_str!("../files/generate-greedy.toml");
/// A task of embeddings whose reference is still to be filled in: see [`with_reference`].
pub const EMBED: &str = include_str!("../files/embed.toml");

/// A task file that names this reference instead of its own; everything else stays as it is.
pub fn with_reference(file: &str, reference: Digest) -> String {
    let line = |line: &str| match line.split_once('=') {
        Some((key, _)) if key.trim() == "reference" => format!("reference = \"{reference}\"\n"),
        _ => format!("{line}\n"),
    };
    file.lines().map(line).collect()
}

/// A task file that names the reference at hand instead of its own, where its kind has one.
///
/// # Errors
/// A file that is refused, or a reference that doesn't load.
pub fn with_reference_at_hand(file: &str, loader: &(impl TaskLoader + ?Sized)) -> Result<String, TaskError> {
    let (header, _, kind) = TaskFile::split(file.as_bytes(), loader.further_kinds())?;
    let at_hand = (kind.reference)(loader.references(), header.reference)?;
    // A file that names it already keeps its bytes, by which the task is known.
    Ok(match at_hand.filter(|_| at_hand != header.reference) {
        Some(digest) => with_reference(file, digest),
        None => file.to_owned(),
    })
}

/// A task file that pins a judge of this digest instead of its own; `None` where it pins none.
pub fn with_judge(file: &str, digest: Digest) -> Option<String> {
    let (mut in_section, mut is_pinned) = (false, false);
    let mut line = |line: &str| {
        if line.starts_with('[') {
            in_section = line.trim_end() == "[judge]";
        }
        match line.split_once('=') {
            Some((key, _)) if in_section && key.trim() == "digest" => {
                is_pinned = true;
                format!("digest = \"sha256:{digest}\"\n")
            }
            _ => format!("{line}\n"),
        }
    };
    let written = file.lines().map(&mut line).collect();
    is_pinned.then_some(written)
}
