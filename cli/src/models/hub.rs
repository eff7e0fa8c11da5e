//! Models of the Hugging Face hub, fetched into its cache. `HF_HOME`, `HF_ENDPOINT` and the token of its own tools hold.

use std::fmt;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use hf_hub::api::sync::{ApiBuilder, ApiError, ApiRepo};
use hf_hub::{Cache, Repo, RepoType};

const MAIN: &str = "main";
const CONFIG: &str = "config.json";
const TOKENIZER: &str = "tokenizer.json";
/// Files that some models do without.
const OPTIONAL: [&str; 2] = ["generation_config.json", "tokenizer_config.json"];
const WHOLE: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";
/// Files that are asked for again after a failure.
const RETRIES: usize = 3;

/// `OWNER/NAME` or `OWNER/NAME@REVISION`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HubName {
    id: String,
    revision: String,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum HubError {
    #[error("there is no such folder here, and the hub says: {0}")]
    Api(#[from] ApiError),
    #[error("the hub's model has no {0}")]
    Lacks(&'static str),
    #[error("the hub's model has only pickled weights ({0}), which can run code: only safetensors are read")]
    Pickled(String),
    #[error("the hub's answer can't be used")]
    Panicked,
    #[error("the hub's cache: {0}")]
    Cache(#[from] std::io::Error),
}

impl HubName {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (id, revision) = text.split_once('@').unwrap_or((text, MAIN));
        let (owner, name) = id.split_once('/')?;
        let plain = |part: &str| {
            let known = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
            // A part that begins with a dot could be `..` and lead out of the cache.
            !part.is_empty() && part.len() <= 96 && !part.starts_with('.') && part.chars().all(known)
        };
        let fits = [owner, name, revision].into_iter().all(plain);
        fits.then(|| Self { id: id.to_owned(), revision: revision.to_owned() })
    }

    fn at(&self, revision: &str) -> Repo {
        Repo::with_revision(self.id.clone(), RepoType::Model, revision.to_owned())
    }
}

impl fmt::Display for HubName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.id, self.revision)
    }
}

/// The folder of a model in the cache. The newest commit of its revision is fetched; where the hub can't be reached, the
/// one that was fetched last serves.
pub(super) fn fetch(name: &HubName) -> Result<PathBuf, HubError> {
    let cache = Cache::new(std::path::absolute(Cache::from_env().path())?);
    let endpoint = std::env::var("HF_ENDPOINT").ok();
    let name = name.clone();
    // The client trusts the hub's headers to the point of panicking: a thread keeps that apart.
    let fetching = std::thread::Builder::new().name("hub".into());
    fetching.spawn(move || fetch_into(&name, cache, endpoint))?.join().unwrap_or(Err(HubError::Panicked))
}

fn fetch_into(name: &HubName, cache: Cache, endpoint: Option<String>) -> Result<PathBuf, HubError> {
    let mut builder = ApiBuilder::from_cache(cache.clone())
        .with_progress(std::io::stderr().is_terminal())
        .with_retries(RETRIES);
    if let Some(endpoint) = endpoint {
        builder = builder.with_endpoint(endpoint);
    }
    let api = builder.build()?;
    let info = match api.repo(name.at(&name.revision)).info() {
        Ok(info) => info,
        Err(error) => return fetched_before(name, &cache).ok_or(error.into()),
    };
    let files: Vec<String> = info.siblings.into_iter().map(|sibling| sibling.rfilename).collect();
    let wanted = wanted(&files)?;
    // By commit: under a branch's name, files of two commits could mix when somebody pushes meanwhile.
    let repo = api.repo(name.at(&info.sha));
    let folder = get_all(&repo, &wanted)?;
    // Only now that all of it is there does the revision's name stand for this commit.
    cache.repo(name.at(&name.revision)).create_ref(&info.sha)?;
    Ok(folder)
}

fn get_all(repo: &ApiRepo, wanted: &[&str]) -> Result<PathBuf, HubError> {
    let mut folder = None;
    for file in wanted {
        let path = repo.get(file)?;
        folder = path.parent().map(Path::to_owned);
    }
    folder.ok_or(HubError::Lacks(CONFIG))
}

fn fetched_before(name: &HubName, cache: &Cache) -> Option<PathBuf> {
    let config = cache.repo(name.at(&name.revision)).get(CONFIG)?;
    config.parent().map(Path::to_owned)
}

/// Of a repository's files those that make up the model.
fn wanted(files: &[String]) -> Result<Vec<&str>, HubError> {
    let find = |name: &'static str| files.iter().find(|file| *file == name).map(String::as_str);
    let mut wanted = Vec::new();
    for name in [CONFIG, TOKENIZER] {
        wanted.push(find(name).ok_or(HubError::Lacks(name))?);
    }
    wanted.extend(OPTIONAL.into_iter().filter_map(find));
    if let Some(whole) = find(WHOLE) {
        wanted.push(whole);
        return Ok(wanted);
    }
    let Some(index) = find(INDEX) else {
        let pickled = files.iter().find(|file| file.ends_with(".bin") || file.ends_with(".pt"));
        return Err(pickled.map_or(HubError::Lacks(WHOLE), |file| HubError::Pickled(file.clone())));
    };
    wanted.push(index);
    let is_shard = |file: &&String| {
        // Names are the hub's word: with a slash, one could lead out of the cache.
        file.starts_with("model-") && file.ends_with(".safetensors") && !file.contains(['/', '\\'])
    };
    wanted.extend(files.iter().filter(is_shard).map(String::as_str));
    Ok(wanted)
}

#[cfg(test)]
mod tests;
