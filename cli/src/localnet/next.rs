//! The command to type next: the one that was typed with all that it chose, or with one thing changed.

use std::path::{Path, PathBuf};

use clap::ValueEnum as _;
use weighhouse_localnet::{Account, DIGITS, judge_of};
use weighhouse_types::profile::Paid;

use super::text::Closing;
use super::{Localnet, ModeArg};

/// Epochs of a run that is to show something else.
const EPOCHS: u64 = 3;
const CHEAT: &str = "examples/cheats/replay.py";

/// A suggestion that follows from how the run went.
pub(super) fn next(closing: &Closing, account: &Account) -> String {
    let Closing { args, mode, .. } = closing;
    let is_digits = args.task == DIGITS && args.subnet.is_none();
    let first_truths = closing.truth_within.map_or(0, |within| within + 1);
    let is_paid = account.last.neurons.iter().any(|row| !row.validates && row.earned > 0);
    if account.facts.fault().is_some() {
        return format!("{}   again, once that is mended", typed(args));
    }
    if !is_paid && account.facts.awaiting > 0 {
        let done = if args.dir.is_some() { account.epochs() } else { 0 };
        let epochs = Some(first_truths.saturating_sub(done).max(1));
        return format!(
            "{}   the first truths are known by then",
            typed(&Localnet { epochs, ..args.clone() })
        );
    }
    if let Some(folder) = &args.subnet {
        let on = Localnet { epochs: None, ..args.clone() };
        let judge = quoted(&judge_of(folder));
        return format!("{}   and save {judge} while it runs; docs/new-task.md leads on", typed(&on));
    }
    if let Some(file) = args.with.first() {
        let fourth = if is_digits { "   examples/cheats/README.md invites a fourth cheat" } else { "" };
        return format!("edit {}, and again: {}{fourth}", quoted(file), typed(args));
    }
    // A kept state goes on only with the choices that it was made with.
    let (dir, epochs) = (None, Some(EPOCHS.max(first_truths)));
    let other = Localnet { dir, epochs, ..args.clone() };
    if is_digits && *mode == Paid::Conformance && !args.commit_reveal {
        let quality = Localnet { mode: Some(ModeArg::Quality), ..other };
        return format!("{}    a better model earns most", typed(&quality));
    }
    if !args.commit_reveal {
        let hidden = Localnet { commit_reveal: true, ..other };
        return format!("{}   weights that can't be copied", typed(&hidden));
    }
    let with = vec![PathBuf::from(if is_digits { CHEAT } else { "FILE.py" })];
    format!("{}   a miner of yours, in ten lines of Python", typed(&Localnet { with, ..other }))
}

/// The command line that chooses all this.
fn typed(args: &Localnet) -> String {
    let Localnet {
        task,
        subnet,
        model,
        weak,
        mode,
        commit_reveal,
        epochs,
        rounds,
        pretend,
        seed,
        dir,
        with,
        python,
        console,
        listen,
        no_open,
        json: _,
    } = args;
    let mut words = vec!["weighhouse localnet".to_owned()];
    let mut option = |name: &str, value: &dyn AsRef<Path>| {
        words.push(format!("{name} {}", quoted(value.as_ref())));
    };
    if subnet.is_none() && task != DIGITS {
        option("--task", task);
    }
    subnet.iter().for_each(|folder| option("--subnet", folder));
    model.iter().for_each(|model| option("--model", model));
    weak.iter().for_each(|weak| option("--weak", weak));
    if let Some(value) = mode.and_then(|mode| mode.to_possible_value()) {
        option("--mode", &value.get_name());
    }
    with.iter().for_each(|file| option("--with", file));
    pretend.iter().for_each(|miner| option("--pretend", &miner.to_string()));
    if python != Path::new("python3") {
        option("--python", python);
    }
    seed.iter().for_each(|seed| option("--seed", &seed.to_string()));
    rounds.iter().for_each(|rounds| option("--rounds", &rounds.to_string()));
    epochs.iter().for_each(|epochs| option("--epochs", &epochs.to_string()));
    dir.iter().for_each(|dir| option("--dir", dir));
    listen.iter().for_each(|listen| option("--listen", &listen.to_string()));
    let flags = [(commit_reveal, "--commit-reveal"), (console, "--console"), (no_open, "--no-open")];
    words.extend(flags.iter().filter(|(is_set, _)| **is_set).map(|(_, flag)| (*flag).to_owned()));
    words.join(" ")
}

/// A word of a command line, in quotes where a shell would take it apart.
fn quoted(word: &Path) -> String {
    let word = word.display().to_string();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=@%+,".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests;
