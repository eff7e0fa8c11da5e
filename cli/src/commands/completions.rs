//! `weighhouse completions`.

use clap::Args;
use clap_complete::{Shell, generate};

use crate::failure::Failure;
use crate::{output, tree};

/// Print what makes a shell complete these commands.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  weighhouse completions bash > /etc/bash_completion.d/weighhouse
  weighhouse completions zsh > ~/.zfunc/_weighhouse          with ~/.zfunc in $fpath
  weighhouse completions fish > ~/.config/fish/completions/weighhouse.fish")]
pub(crate) struct Completions {
    shell: Shell,
}

pub(crate) fn run(args: &Completions) -> Result<(), Failure> {
    Ok(output::line(script(args.shell).trim_end())?)
}

fn script(shell: Shell) -> String {
    let mut script = Vec::new();
    generate(shell, &mut tree::tree(), "weighhouse", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;

    use super::*;

    #[test]
    fn every_shell_completes_every_command() {
        for shell in Shell::value_variants() {
            let script = script(*shell);
            for command in tree::tree().get_subcommands() {
                assert!(script.contains(command.get_name()), "{shell}: no {}", command.get_name());
            }
            assert!(script.contains("log-format"), "{shell}: no options");
        }
    }
}
