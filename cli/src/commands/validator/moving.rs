//! `weighhouse validator export` and `import`: one file that carries a validator to another machine.

use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use weighhouse_types::Epoch;
use weighhouse_validator::config::Config;
use weighhouse_validator::moving::{self, Carried, Expected, MovingError};

use super::read_config;
use crate::commands::keys::daemon_hotkey;
use crate::commands::{expand, open_dir, refuse_existing};
use crate::failure::{Context, Exit, Failure};
use crate::output;

#[derive(Args, Debug)]
pub(super) struct Export {
    /// Configuration file of the validator, which must be stopped
    #[arg(long, value_name = "FILE", default_value = "validator.toml")]
    config: PathBuf,
    /// The file to write. It holds salts of weights that aren't revealed yet: nobody else should read it
    #[arg(long, value_name = "FILE", required_unless_present = "take_back")]
    out: Option<PathBuf>,
    /// Make the folder usable again, where the file was imported nowhere
    #[arg(long, conflicts_with = "out")]
    take_back: bool,
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
pub(super) struct Import {
    /// What `weighhouse validator export` wrote
    file: PathBuf,
    /// Configuration file of the validator here: the same hotkey and subnet, and an empty folder in journal.dir
    #[arg(long, value_name = "FILE", default_value = "validator.toml")]
    config: PathBuf,
    #[arg(long)]
    json: bool,
}

pub(super) fn export(args: &Export) -> Result<(), Failure> {
    let config = read_config(&args.config)?;
    let dir = expand(&config.journal.dir);
    if !dir.is_dir() {
        return Err(Failure::new(
            Exit::Missing,
            format!("{}: there is no such folder (journal.dir)", dir.display()),
        ));
    }
    let storage = Arc::new(open_dir(&dir, "journal.dir")?);
    let Some(out) = &args.out else {
        moving::take_back(&*storage).map_err(|error| failure(&dir, error))?;
        return match args.json {
            true => Ok(output::json(&serde_json::json!({ "taken_back": dir }))?),
            false => Ok(output::line(format!("{}: its validator can be started again", dir.display()))?),
        };
    };
    let out = expand(out);
    refuse_existing(&out)?;
    let parent = out.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut temporary = tempfile::Builder::new()
        .prefix(".weighhouse-export")
        .tempfile_in(parent)
        .exit(Exit::Unavailable, format!("can't write into {}", parent.display()))?;
    let to = std::path::absolute(&out).unwrap_or_else(|_| out.clone()).display().to_string();
    let expected = expected(&config)?;
    let mut writer = BufWriter::new(temporary.as_file_mut());
    let carried = moving::export(storage.clone(), &expected, &to, &mut writer);
    drop(writer);
    let carried = carried.map_err(|error| failure(&dir, error))?;
    let kept = keep(temporary, &out, parent);
    if let Err(error) = kept {
        // The folder was marked for a file that isn't there.
        moving::take_back(&*storage).map_err(|error| failure(&dir, error))?;
        return Err(Failure::new(Exit::Unavailable, format!("can't write {}: {error}", out.display())));
    }
    tell(
        &carried,
        args.json,
        &format!("exported to {}; {} is not to be run again", out.display(), dir.display()),
    )
}

/// Gives the file its name, once it is on the disk.
fn keep(temporary: tempfile::NamedTempFile, out: &Path, parent: &Path) -> std::io::Result<()> {
    temporary.as_file().sync_all()?;
    temporary.persist_noclobber(out).map_err(|error| error.error)?;
    File::open(parent)?.sync_all()
}

pub(super) fn import(args: &Import) -> Result<(), Failure> {
    let config = read_config(&args.config)?;
    let file = File::open(&args.file).exit(Exit::Missing, args.file.display())?;
    let expected = expected(&config)?;
    let dir = expand(&config.journal.dir);
    let storage = open_dir(&dir, "journal.dir")?;
    let carried = moving::import(&storage, &expected, &mut BufReader::new(file));
    let carried = carried.map_err(|error| failure(&args.file, error))?;
    let next = format!("start it with `weighhouse validator --config {}`", args.config.display());
    tell(&carried, args.json, &format!("imported into {}; {next}", dir.display()))
}

fn expected(config: &Config) -> Result<Expected, Failure> {
    Ok(Expected {
        validator: daemon_hotkey(&config.wallet)?.hotkey(),
        netuid: config.chain.netuid,
        mechanism: config.chain.mechanism,
        genesis: config.chain.genesis,
    })
}

fn tell(carried: &Carried, json: bool, done: &str) -> Result<(), Failure> {
    if json {
        return Ok(output::json(carried)?);
    }
    let Carried { validator, netuid, epochs, bytes, high_water, open_intents, .. } = carried;
    let list = |epochs: &[Epoch]| epochs.iter().map(Epoch::to_string).collect::<Vec<_>>().join(", ");
    output::line(format!(
        "validator {validator} of subnet {netuid}: epochs {}, {bytes} bytes",
        list(epochs)
    ))?;
    output::line(match high_water.signed {
        Some((epoch, _)) => format!("signed last: the weights of epoch {epoch}"),
        None => "signed last: nothing that a later epoch could repeat".to_owned(),
    })?;
    if !open_intents.is_empty() {
        output::line(format!("on their way to the chain: the weights of epochs {}", list(open_intents)))?;
    }
    Ok(output::line(done)?)
}

fn failure(at: &Path, error: MovingError) -> Failure {
    let exit = match &error {
        MovingError::Marked(_)
        | MovingError::Foreign { .. }
        | MovingError::NotMoved { .. }
        | MovingError::HoldsJournal { .. }
        | MovingError::NotEmpty { .. } => Exit::Config,
        MovingError::NoJournal => Exit::Missing,
        MovingError::Journal(_)
        | MovingError::NoContainer
        | MovingError::Version { .. }
        | MovingError::CutShort
        | MovingError::Damaged(_)
        | MovingError::Segment { .. } => Exit::Data,
        MovingError::Read { .. } | MovingError::Write { .. } | MovingError::Io(_) => Exit::Unavailable,
    };
    let names_it = matches!(
        error,
        MovingError::Marked(_)
            | MovingError::Journal(_)
            | MovingError::NotMoved { .. }
            | MovingError::HoldsJournal { .. }
            | MovingError::NotEmpty { .. }
            | MovingError::Read { .. }
            | MovingError::Write { .. }
    );
    match names_it {
        true => Failure::new(exit, error),
        false => Failure::new(exit, format!("{}: {error}", at.display())),
    }
}
