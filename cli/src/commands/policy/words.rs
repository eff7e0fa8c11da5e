//! `weighhouse policy attacks` and `examples`: what attacks do, and policies to start from.

use clap::Args;
use weighhouse_lab::attack::{AttackWords, WORDS, words};
use weighhouse_scoring::policy::EXAMPLES;

use crate::failure::{Exit, Failure};
use crate::output::{self, Table};

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  weighhouse policy attacks
  weighhouse policy attacks sleeper
  weighhouse policy attacks --json")]
pub(crate) struct Attacks {
    /// One attack; all if not given
    name: Option<String>,
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  weighhouse policy examples                      their names
  weighhouse policy examples winner > mine.toml
  weighhouse policy examples expression")]
pub(crate) struct Examples {
    /// The example; a list of them if not given
    name: Option<String>,
    #[arg(long)]
    json: bool,
}

pub(crate) fn attacks(args: &Attacks) -> Result<(), Failure> {
    let shown: Vec<&AttackWords> = match &args.name {
        None => WORDS.iter().collect(),
        Some(name) => vec![words(name).ok_or_else(|| {
            let known: Vec<_> = WORDS.iter().map(|words| words.name).collect();
            Failure::new(Exit::Missing, format!("no attack {name:?}; there are {}", known.join(", ")))
        })?],
    };
    if args.json {
        return shown.into_iter().try_for_each(|words| Ok(output::json(words)?));
    }
    let texts: Vec<String> = shown
        .into_iter()
        .map(|AttackWords { name, does, seen, answer }| {
            format!("{name}\n  {does}\n  seen:     {seen}\n  answered: {answer}")
        })
        .collect();
    Ok(output::line(texts.join("\n\n"))?)
}

pub(crate) fn examples(args: &Examples) -> Result<(), Failure> {
    if args.json {
        let shown =
            EXAMPLES.iter().filter(|(name, ..)| args.name.as_ref().is_none_or(|wanted| wanted == name));
        let objects: Vec<_> = shown
            .map(|(name, pays, policy)| serde_json::json!({ "name": name, "pays": pays, "policy": policy }))
            .collect();
        if !objects.is_empty() {
            return objects.iter().try_for_each(|object| Ok(output::json(object)?));
        }
    }
    let Some(name) = &args.name else {
        let mut table = Table::new(&["<example", "<pays"]);
        for (name, pays, _) in EXAMPLES {
            table.row(vec![name.to_owned(), pays.to_owned()]);
        }
        return Ok(table.print()?);
    };
    let known = EXAMPLES.map(|(name, ..)| name).join(", ");
    let found = EXAMPLES.iter().find(|(other, ..)| other == name);
    let (_, _, text) = found
        .ok_or_else(|| Failure::new(Exit::Missing, format!("no example {name:?}; there are {known}")))?;
    Ok(output::line(text.trim_end())?)
}
