//! `weighhouse check`: what a configuration file needs, or what this machine has.

pub(super) mod machine;

use std::path::{Path, PathBuf};

use clap::Args;
use weighhouse_chain::address::ChainAddress;

use super::keys::WalletsDir;
use super::{miner, read_text, validator};
use crate::failure::{Context as _, Exit, Failure};

/// Look at this machine, or try everything that a configuration file needs.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  weighhouse check                        this machine: cores, memory, clock, disk, TLS, wallets, chain
  weighhouse check --dir /var/lib/weighhouse --json
  weighhouse check miner.toml             as `weighhouse miner check --config miner.toml`
  weighhouse check validator.toml --json

Each line is ok, a warning with what to do about it, unsure where this machine can't tell, or failed: no role runs that
way. Only what failed ends it with another exit code than 0.")]
pub(crate) struct Check {
    /// A miner's or a validator's configuration; without one this machine is looked at
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Folder of state or journal whose disk is tried
    #[arg(long, value_name = "DIR", default_value = ".", conflicts_with = "file")]
    dir: PathBuf,
    /// Chain to reach
    #[arg(long, value_name = "NAME|URL", default_value = "http://127.0.0.1:9944", env = "WEIGHHOUSE_CHAIN")]
    chain: ChainAddress,
    #[command(flatten)]
    at: WalletsDir,
    #[arg(long)]
    json: bool,
}

enum Role {
    Miner,
    Validator,
}

pub(crate) async fn run(args: &Check) -> Result<(), Failure> {
    let Some(file) = &args.file else { return machine::run(args).await };
    match role_of(file)? {
        Role::Miner => miner::check(file, args.json).await,
        Role::Validator => validator::check(file, args.json).await,
    }
}

/// Whose configuration it is, by the tables that only one of the two has.
fn role_of(file: &Path) -> Result<Role, Failure> {
    let table: toml::Table = read_text(file)?.parse().exit(Exit::Config, file.display())?;
    let has = |keys: &[&str]| keys.iter().any(|key| table.contains_key(*key));
    match (has(&["serve", "model", "admission"]), has(&["journal", "task", "rounds"])) {
        (true, false) => Ok(Role::Miner),
        (false, true) => Ok(Role::Validator),
        _ => Err(Failure::config(format!(
            "{}: neither a miner's configuration ([serve], [[model]]) nor a validator's ([journal], [task]); \
             `weighhouse init` writes either",
            file.display()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_checked_as_the_role_that_its_tables_name() {
        let deploy = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy");
        assert!(matches!(role_of(&deploy.join("miner.toml")), Ok(Role::Miner)));
        assert!(matches!(role_of(&deploy.join("validator.toml")), Ok(Role::Validator)));
        let refused = role_of(&deploy.join("tuning.toml")).map(drop).expect_err("neither").to_string();
        assert!(refused.contains("weighhouse init"), "{refused}");
    }
}
