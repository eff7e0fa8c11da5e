//! Makes a job's folder of a customer's items.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::PathBuf;

use weighhouse_types::Digest;

use crate::error::JobError;
use crate::files;
use crate::items::{Content, IMAGES_FOLDER, ITEMS_FILE, ImageKind, Item, Items, SourceContent, SourceItem};
use crate::limits::{ITEM_BYTES_MAX, TABLE_BYTES_MAX};
use crate::source::{Source, read_source};

use super::{GOLD_FILE, GUIDELINES_FILE, JOB_FILE, Job, JobFile, LABELS_FOLDER, Method, gold};

/// What a job is made of.
#[derive(Clone, Debug)]
pub struct Init {
    pub dir: PathBuf,
    pub name: String,
    pub classes: Vec<String>,
    pub source: Source,
    pub guidelines: String,
    /// A table `item,label`.
    pub gold: Option<PathBuf>,
    /// A class, and the name of the item that is its example; else the first gold item of a class is.
    pub examples: Vec<(String, String)>,
    pub overlap: usize,
    pub sure: f64,
    pub worker_accuracy: f64,
    pub gold_rate: f64,
    pub method: Method,
}

impl Init {
    /// Makes the folder.
    ///
    /// # Errors
    /// Items or settings that can't be, or a folder that holds files already.
    pub fn run(self) -> Result<Job, JobError> {
        let kept = kept(read_source(&self.source)?)?;
        let items = Items::new(kept.iter().map(|(item, _)| item.clone()).collect())
            .map_err(|why| JobError::wrong(&self.source.path, why))?;
        let are_images = |item: &Item| matches!(item.content, Content::Image(_));
        if items.list().windows(2).any(|pair| are_images(&pair[0]) != are_images(&pair[1])) {
            return Err(JobError::wrong(
                &self.source.path,
                "there are both texts and images in it: make a job of each",
            ));
        }
        let gold = match &self.gold {
            Some(path) => gold::read(path, &files::read(path, TABLE_BYTES_MAX)?, &items, &self.classes)?,
            None => vec![None; items.list().len()],
        };
        let file = JobFile {
            examples: self.examples(&items, &gold)?,
            name: self.name,
            classes: self.classes,
            overlap: self.overlap,
            sure: self.sure,
            worker_accuracy: self.worker_accuracy,
            gold_rate: self.gold_rate,
            method: self.method,
            items: items.list().len(),
            items_sha256: items.digest(),
            guidelines_sha256: Digest::of(self.guidelines.as_bytes()),
        };
        file.check()?;
        let dir = self.dir.as_path();
        files::make_empty(dir)?;
        for folder in [LABELS_FOLDER, IMAGES_FOLDER] {
            let path = dir.join(folder);
            fs::create_dir(&path).map_err(JobError::io(&path))?;
        }
        for (item, path) in &kept {
            if let (Some(name), Some(path)) = (item.file(), path) {
                files::write(&dir.join(name), &files::read(path, ITEM_BYTES_MAX)?)?;
            }
        }
        files::write(&dir.join(ITEMS_FILE), items.to_jsonl().as_bytes())?;
        files::write(&dir.join(GUIDELINES_FILE), self.guidelines.as_bytes())?;
        let table = gold::write(&gold, &items, &file.classes);
        if !table.is_empty() {
            files::write(&dir.join(GOLD_FILE), table.as_bytes())?;
        }
        // Last: a folder without it is no job.
        files::write(&dir.join(JOB_FILE), file.to_toml().as_bytes())?;
        Job::open(dir)
    }

    fn examples(&self, items: &Items, gold: &[Option<usize>]) -> Result<BTreeMap<String, Digest>, JobError> {
        let mut examples = BTreeMap::new();
        for (class, name) in &self.examples {
            let at = items.find(name);
            let at =
                at.ok_or_else(|| JobError::Config(format!("the example {name:?} of {class:?} is no item")))?;
            let known = gold[at].and_then(|known| self.classes.get(known));
            if known.is_some_and(|known| known != class) {
                return Err(JobError::Config(format!(
                    "gold says otherwise of the example {name:?} of {class:?}"
                )));
            }
            examples.insert(class.clone(), items.list()[at].digest);
        }
        for (class, name) in self.classes.iter().enumerate() {
            let first = gold.iter().position(|known| *known == Some(class));
            if let (Some(at), false) = (first, examples.contains_key(name)) {
                examples.insert(name.clone(), items.list()[at].digest);
            }
        }
        Ok(examples)
    }
}

/// Items by their contents, each with the file that it comes from.
fn kept(source: Vec<SourceItem>) -> Result<Vec<(Item, Option<PathBuf>)>, JobError> {
    let mut kept: Vec<(Item, Option<PathBuf>)> = Vec::new();
    let mut known: HashMap<Digest, usize> = HashMap::new();
    for SourceItem { name, content } in source {
        let (digest, content, path) = match content {
            SourceContent::Text(text) => (Digest::of(text.as_bytes()), Content::Text(text), None),
            SourceContent::Image(path) => {
                let bytes = files::read(&path, ITEM_BYTES_MAX)?;
                let kind = ImageKind::of(&bytes);
                let kind = kind
                    .ok_or_else(|| JobError::wrong(&path, "it is neither PNG nor JPEG, whatever its name"))?;
                (Digest::of(&bytes), Content::Image(kind), Some(path))
            }
        };
        match known.get(&digest) {
            Some(at) => kept[*at].0.names.push(name),
            None => {
                known.insert(digest, kept.len());
                kept.push((Item { digest, names: vec![name], content }, path));
            }
        }
    }
    Ok(kept)
}
