//! The proof that a validator has signed two records of one past: checked, and written.

use std::path::Path;

use weighhouse_validator::log::Fork;

use crate::commands::write_file;
use crate::failure::{Context as _, Exit, Failure};
use crate::output;

/// Checks a proof, which needs nothing else. It is a problem of its validator's where it holds.
pub(super) fn check(path: &Path, fork: &Fork, json: bool) -> Result<(), Failure> {
    let shown = path.display();
    let both = fork.verify().exit(Exit::Data, format!("{shown}: proves nothing"))?;
    let validator = fork.key.hotkey;
    if json {
        output::json(
            &serde_json::json!({ "forked": true, "validator": validator, "witnesses_of_both": both }),
        )?;
    } else {
        output::line(format!("validator {validator} has signed two records of one past"))?;
        output::line(format!("the one:\n{}", indented(&fork.smaller)))?;
        output::line(format!("the other:\n{}", indented(&fork.larger)))?;
        for witness in both {
            output::line(format!("problem: {witness} has witnessed both of them"))?;
        }
    }
    Err(Failure::new(
        Exit::Data,
        format!("{shown}: validator {validator} has forked its log, and this proves it"),
    ))
}

/// A checkpoint's text: its signatures are in the file.
fn indented(note: &str) -> String {
    let lines = note.split("\n\n").next().unwrap_or_default().lines();
    lines.map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}

/// Writes a proof to the folder of downloads, where there is one; what to say of it.
pub(super) fn found(fork: &Fork, save: Option<&Path>) -> Result<String, Failure> {
    let both = fork.verify().unwrap_or_default().len();
    let what = format!(
        "its validator has signed another record of this epoch, and {both} witnesses have signed both"
    );
    let Some(folder) = save else {
        return Ok(format!("{what}; with --save DIR the proof is written there"));
    };
    let path = folder.join(fork.file_name());
    let json = serde_json::to_vec_pretty(fork).exit(Exit::Internal, "the proof of a fork")?;
    write_file(&path, &json)?;
    Ok(format!("{what}: {} proves it to anybody", path.display()))
}
