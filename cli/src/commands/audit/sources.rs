//! Where bundles come from: files, folders of epochs, and servers.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use weighhouse_ask::download::DownloadUrl;
use weighhouse_journal::{epoch_of_name, segment_name, segments};
use weighhouse_types::{Digest, Epoch};
use weighhouse_validator::bundles::{BundleIndex, INDEX_FOLDER, INDEX_NAME};

use super::fetch::{fetch, fetch_index};
use super::listed::Listed;
use crate::commands::write_file;
use crate::failure::{Context as _, Exit, Failure};
use crate::output;

/// Epochs that a server's list is audited of where nobody says which: the newest, and the one before that it goes on from.
const NEWEST: usize = 2;

/// Epochs from one to another, both of them included: `3..7`, or `5` alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EpochRange {
    first: Epoch,
    last: Epoch,
}

impl FromStr for EpochRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} are no epochs: write FIRST..LAST, such as 3..7, or one epoch");
        let number = |text: &str| text.trim().parse().map(Epoch).map_err(|_| wrong());
        let (first, last) = text.split_once("..").unwrap_or((text, text));
        let range = Self { first: number(first)?, last: number(last)? };
        if range.first > range.last { Err(wrong()) } else { Ok(range) }
    }
}

/// Which epochs of a folder or a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Chosen {
    pub(super) epochs: Option<EpochRange>,
    pub(super) newest: Option<usize>,
}

impl Chosen {
    fn is_any(&self) -> bool {
        self.epochs.is_some() || self.newest.is_some()
    }

    /// Those of them that are chosen, in their order.
    fn of<T>(&self, all: Vec<(Epoch, T)>) -> Vec<(Epoch, T)> {
        let is_within =
            |epoch: Epoch| self.epochs.is_none_or(|range| (range.first..=range.last).contains(&epoch));
        let mut chosen: Vec<_> = all.into_iter().filter(|(epoch, _)| is_within(*epoch)).collect();
        chosen.drain(..chosen.len().saturating_sub(self.newest.unwrap_or(usize::MAX)));
        chosen
    }
}

/// One bundle to audit, not read yet.
#[derive(Debug)]
pub(super) enum Source {
    File(PathBuf),
    /// A bundle on a server, with what the server's list says of it.
    Remote {
        url: DownloadUrl,
        listed: Option<Box<Listed>>,
    },
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Remote { url, .. } => url.fmt(f),
        }
    }
}

impl Source {
    /// The bundle's bytes. Downloads go to `save` too, and what is there already isn't taken again.
    pub(super) async fn bytes(&self, save: Option<&Path>) -> Result<Vec<u8>, Failure> {
        let (url, listed) = match self {
            Self::File(path) => return std::fs::read(path).exit(Exit::Missing, path.display()),
            Self::Remote { url, listed } => (url, listed.as_deref()),
        };
        let kept = save.map(|folder| folder.join(file_name(url)));
        if let (Some(kept), Some(listed)) = (&kept, listed)
            && let Ok(bytes) = std::fs::read(kept)
            && Digest::of(&bytes) == listed.entry.sha256
        {
            output::note(format!("{} is here already", kept.display()));
            return Ok(bytes);
        }
        let bytes = fetch(url, listed.map(|listed| listed.entry.bytes)).await?;
        if let Some(listed) = listed {
            listed.check_bytes(&bytes, url)?;
        }
        if let Some(kept) = &kept {
            write_file(kept, &bytes)?;
        }
        Ok(bytes)
    }
}

/// The epoch's name on a server, which is a plain one.
fn file_name(url: &DownloadUrl) -> String {
    let path = url.path().split('?').next().unwrap_or_default();
    let name = path.rsplit('/').next().unwrap_or_default();
    epoch_of_name(name).map_or_else(|| "bundle.wj".to_owned(), segment_name)
}

/// All bundles that the command line names, in its order and each folder's in that of their epochs.
pub(super) async fn sources(named: &[PathBuf], chosen: Chosen) -> Result<Vec<Source>, Failure> {
    let (mut sources, mut has_choice) = (Vec::new(), false);
    for named in named {
        let url = named.to_str().filter(|text| text.starts_with("http://") || text.starts_with("https://"));
        let many = match url {
            Some(url) => {
                let url: DownloadUrl = url.parse().map_err(Failure::config)?;
                if is_bundle(&url) {
                    sources.push(Source::Remote { url, listed: None });
                    continue;
                }
                on_server(&url, chosen).await?
            }
            None if named.is_dir() => in_folder(named, chosen)?,
            None => {
                sources.push(Source::File(named.clone()));
                continue;
            }
        };
        has_choice = true;
        sources.extend(many);
    }
    if chosen.is_any() && !has_choice {
        return Err(Failure::config(
            "--epochs and --newest choose among the epochs of a folder or of a server's list: name one of these",
        ));
    }
    Ok(sources)
}

fn is_bundle(url: &DownloadUrl) -> bool {
    url.path().split('?').next().is_some_and(|path| path.ends_with(".wj"))
}

fn in_folder(folder: &Path, chosen: Chosen) -> Result<Vec<Source>, Failure> {
    let shown = folder.display();
    let all = segments(folder).exit(Exit::Missing, &shown)?;
    if all.is_empty() {
        return Err(Failure::new(Exit::Missing, format!("{shown}: there is no epoch-*.wj in this folder")));
    }
    let span = span(&all);
    let files = chosen.of(all);
    if files.is_empty() {
        return Err(Failure::new(Exit::Missing, format!("{shown}: none of these epochs; it has {span}")));
    }
    Ok(files.into_iter().map(|(_, path)| Source::File(path)).collect())
}

fn span<T>(all: &[(Epoch, T)]) -> String {
    match (all.first(), all.last()) {
        (Some((first, _)), Some((last, _))) => format!("epochs {first} to {last}"),
        _ => "no epochs".to_owned(),
    }
}

/// Bundles of a list: at the address, or below it.
async fn on_server(url: &DownloadUrl, chosen: Chosen) -> Result<Vec<Source>, Failure> {
    let (url, folder) = list_and_folder(url);
    let index: BundleIndex = fetch_index(&url).await?;
    let mut all = Vec::with_capacity(index.bundles.len());
    for entry in &index.bundles {
        // What a server calls a file is no path of ours: an epoch has one name.
        if entry.name != segment_name(entry.epoch) {
            let why = format!(
                "{url}: epoch {} has the name {:?}; is this a list of bundles?",
                entry.epoch, entry.name
            );
            return Err(Failure::new(Exit::Data, why));
        }
        all.push((entry.epoch, Listed::new(&index, entry)));
    }
    all.sort_by_key(|(epoch, _)| *epoch);
    if all.is_empty() {
        let why =
            format!("{url}: no epoch is public yet; try again once an epoch's weights are on the chain");
        return Err(Failure::new(Exit::Missing, why));
    }
    let span = span(&all);
    let chosen = if chosen.is_any() { chosen } else { Chosen { newest: Some(NEWEST), ..chosen } };
    let all = chosen.of(all);
    if all.is_empty() {
        return Err(Failure::new(Exit::Missing, format!("{url}: none of these epochs; it offers {span}")));
    }
    let bytes: u64 = all.iter().fold(0, |bytes, (_, listed)| bytes.saturating_add(listed.entry.bytes));
    output::note(format!(
        "validator {} offers {span}; {} of them to take, {}",
        index.validator,
        all.len(),
        weighhouse_validator::config::ByteSize(bytes)
    ));
    let remote = |(epoch, listed)| {
        let url = url.at(format!("{folder}{INDEX_FOLDER}/{}", segment_name(epoch)));
        Source::Remote { url, listed: Some(Box::new(listed)) }
    };
    Ok(all.into_iter().map(remote).collect())
}

/// The list's own address, and the folder that it lies in.
fn list_and_folder(url: &DownloadUrl) -> (DownloadUrl, String) {
    let path = url.path();
    if path.ends_with(".json") {
        let folder = path.rsplit_once('/').map_or("/", |(folder, _)| folder);
        return (url.clone(), format!("{}/", folder.trim_end_matches('/')));
    }
    let folder = format!("{}/", path.trim_end_matches('/'));
    (url.at(format!("{folder}{INDEX_NAME}")), folder)
}
