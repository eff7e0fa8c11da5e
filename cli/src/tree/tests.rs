use std::fmt::Write as _;

use expect_test::{expect, expect_file};

use super::*;

/// Commands that run until they are stopped or that write to standard output as they are: nothing for `--json` to say.
const WITHOUT_JSON: [&str; 8] = [
    "weighhouse completions",
    "weighhouse proxy",
    "weighhouse chain serve",
    "weighhouse chain genesis",
    "weighhouse label work",
    "weighhouse label export",
    "weighhouse policy default",
    "weighhouse policy schema",
];
const LINES_MAX: usize = 42;
const COMMANDS_MAX: usize = 19;

/// Each command that can be run, by its path, hidden ones left out.
fn leaves(command: &clap::Command, path: &str, found: &mut Vec<(String, clap::Command)>) {
    let subs = command.get_subcommands().filter(|sub| !sub.is_hide_set() && sub.get_name() != "help");
    for sub in subs {
        leaves(sub, &format!("{path} {}", sub.get_name()), found);
    }
    if !command.is_subcommand_required_set() && path != "weighhouse" {
        found.push((path.to_owned(), command.clone()));
    }
}

fn all_leaves() -> Vec<(String, clap::Command)> {
    let mut tree = tree();
    tree.build();
    let mut found = Vec::new();
    leaves(&tree, "weighhouse", &mut found);
    found
}

fn plain_help(command: &clap::Command) -> String {
    // Widths differ between terminals; the text mustn't.
    command.clone().term_width(120).render_help().to_string()
}

#[test]
fn the_top_of_the_tree_fits_a_screen() {
    let help = tree().render_help().to_string();
    assert!(help.lines().count() <= LINES_MAX, "{} lines:\n{help}", help.lines().count());
    let tree = tree();
    let shown: Vec<&str> =
        tree.get_subcommands().filter(|sub| !sub.is_hide_set()).map(clap::Command::get_name).collect();
    assert!(shown.len() <= COMMANDS_MAX, "{shown:?}");
    for name in shown {
        assert!(help.contains(&format!("\n  {name} ")), "{name} is in no reader's list");
    }
}

#[test]
fn every_command_has_an_example_that_is_its_own() {
    for (path, command) in all_leaves() {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        assert!(help.contains("Example") && help.contains(&path), "{path}: no example\n{help}");
    }
}

#[test]
fn every_command_answers_in_json() {
    for (path, command) in all_leaves() {
        let has_json = command.get_arguments().any(|argument| argument.get_long() == Some("json"));
        assert!(has_json || WITHOUT_JSON.contains(&path.as_str()), "{path} has no --json");
    }
}

#[test]
fn the_commands_page_is_the_tree() {
    let mut page = String::from(
        "# Commands\n\nMade from the program's own `--help` and held to it by a test. One verb has one meaning: `init` \
         writes, `check` says whether it\nwill work, `status` whether it works, `why` where a number comes from. Older \
         spellings (`chain explain`, `chain genesis`,\n`policy lint`, `policy explain`, `miner --check`) still work and \
         aren't shown.\n\n```text\n",
    );
    page.push_str(plain_help(&tree()).trim_end());
    page.push_str("\n```\n");
    for (path, command) in all_leaves() {
        let text = plain_help(&command);
        let text: Vec<&str> = text.lines().map(str::trim_end).collect();
        let _ = write!(page, "\n## {path}\n\n```text\n{}\n```\n", text.join("\n").trim_end());
    }
    let page: Vec<&str> = page.lines().map(str::trim_end).collect();
    expect_file!["../../../docs/commands.md"].assert_eq(&(page.join("\n") + "\n"));
}

#[test]
fn older_spellings_mean_what_they_meant() {
    let spelt = |line: &str| {
        let matches = tree().try_get_matches_from(line.split(' '));
        matches.map(|_| ()).map_err(|error| error.to_string())
    };
    for line in [
        "weighhouse miner --config miner.toml",
        "weighhouse miner --config miner.toml --check",
        "weighhouse validator --config validator.toml --check",
        "weighhouse chain explain 5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY",
        "weighhouse chain genesis --owner-wallet owner",
        "weighhouse chain metagraph --network finney",
        "weighhouse init miner --wallet miner --chain finney --netuid 12 --out finney.toml",
        "weighhouse init validator --chain http://127.0.0.1:9944",
    ] {
        assert_eq!(spelt(line), Ok(()), "{line}");
    }
}

#[test]
fn errors_name_the_cause_and_the_fix() {
    let refused = |line: &str| {
        let error = tree().term_width(100).try_get_matches_from(line.split(' ')).expect_err("refused");
        error.to_string()
    };
    let mut text = String::new();
    for line in [
        "weighhouse minner",
        "weighhouse chain metagraph --chain finey",
        "weighhouse chain stake --amount 1.0000000001",
        "weighhouse miner chek",
    ] {
        let _ = writeln!(text, "$ {line}\n{}", refused(line));
    }
    expect![[r#"
        $ weighhouse minner
        error: unrecognized subcommand 'minner'

          tip: a similar subcommand exists: 'miner'

        Usage: weighhouse [OPTIONS] <COMMAND>

        For more information, try '--help'.

        $ weighhouse chain metagraph --chain finey
        error: invalid value 'finey' for '--chain <NAME|URL>': "finey" is no network: give finney, archive, test, local or ledger, or addresses (http://, ws:// or wss://)

        For more information, try '--help'.

        $ weighhouse chain stake --amount 1.0000000001
        error: invalid value '1.0000000001' for '--amount <TAO>': an amount is digits with at most nine decimals, such as 1.5

        For more information, try '--help'.

        $ weighhouse miner chek
        error: unrecognized subcommand 'chek'

          tip: a similar subcommand exists: 'check'

        Usage: weighhouse miner [OPTIONS]
               weighhouse miner <COMMAND>

        For more information, try '--help'.

    "#]].assert_eq(&text);
}
