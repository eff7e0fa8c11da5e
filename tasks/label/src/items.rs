//! The items of a job: each by the digest of its content, in the order in which the customer gave them.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use weighhouse_types::{Digest, Hasher};

use crate::error::JobError;
use crate::files;
use crate::limits::{ITEM_BYTES_MAX, ITEMS_MAX, TABLE_BYTES_MAX};

/// The file with a line for each item.
pub(crate) const ITEMS_FILE: &str = "items.jsonl";
/// The folder of images.
pub(crate) const IMAGES_FOLDER: &str = "items";

/// A form of images.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ImageKind {
    #[serde(rename = "image/png")]
    Png,
    #[serde(rename = "image/jpeg")]
    Jpeg,
}

impl ImageKind {
    pub fn mime(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
        }
    }

    pub(crate) fn extension(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Jpeg => "jpg",
        }
    }

    /// The form that these bytes have.
    pub(crate) fn of(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, ..] => Some(Self::Png),
            [0xff, 0xd8, 0xff, ..] => Some(Self::Jpeg),
            _ => None,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    Text(String),
    /// Its bytes are a file of their own.
    Image(ImageKind),
}

/// An item. The same content given twice is one item with two names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    #[serde(rename = "item")]
    pub digest: Digest,
    pub names: Vec<String>,
    #[serde(flatten)]
    pub content: Content,
}

impl Item {
    /// The file of an image, within the job's or data set's folder.
    pub fn file(&self) -> Option<String> {
        match self.content {
            Content::Text(_) => None,
            Content::Image(kind) => Some(format!("{IMAGES_FOLDER}/{}.{}", self.digest, kind.extension())),
        }
    }

    /// The bytes that the digest is of.
    ///
    /// # Errors
    /// A file that is missing, or too large.
    pub fn bytes(&self, dir: &Path) -> Result<Vec<u8>, JobError> {
        match (&self.content, self.file()) {
            (Content::Image(_), Some(file)) => files::read(&dir.join(file), ITEM_BYTES_MAX),
            (Content::Text(text), _) => Ok(text.clone().into_bytes()),
            (Content::Image(_), None) => Ok(Vec::new()),
        }
    }

    /// Checks that the content is what the digest says.
    ///
    /// # Errors
    /// Other content, or none.
    pub fn check(&self, dir: &Path) -> Result<(), JobError> {
        let found = Digest::of(&self.bytes(dir)?);
        if found == self.digest { Ok(()) } else { Err(JobError::Item { item: self.digest, found }) }
    }
}

/// All items of a job.
#[derive(Clone, Debug, Default)]
pub struct Items {
    list: Vec<Item>,
    at: HashMap<Digest, usize>,
    by_name: HashMap<String, usize>,
}

impl Items {
    pub(crate) fn new(list: Vec<Item>) -> Result<Self, String> {
        if list.len() > ITEMS_MAX {
            return Err(format!("more than {ITEMS_MAX} items"));
        }
        let (mut at, mut by_name) = (HashMap::new(), HashMap::new());
        for (index, item) in list.iter().enumerate() {
            if at.insert(item.digest, index).is_some() {
                return Err(format!("item {} stands twice", item.digest));
            }
            for name in &item.names {
                if by_name.insert(name.clone(), index).is_some() {
                    return Err(format!("two items are called {name:?}"));
                }
            }
        }
        Ok(Self { list, at, by_name })
    }

    pub fn list(&self) -> &[Item] {
        &self.list
    }

    /// The place of the item of this digest.
    pub fn at(&self, digest: &Digest) -> Option<usize> {
        self.at.get(digest).copied()
    }

    /// The place of an item by one of its names, or by its digest.
    pub fn find(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied().or_else(|| self.at(&name.parse().ok()?))
    }

    /// The digest over all of them, their names and their order.
    pub fn digest(&self) -> Digest {
        let mut hasher = Hasher::new("weighhouse/label/items/1");
        for item in &self.list {
            hasher = hasher.part(item.digest.as_bytes()).part(&(item.names.len() as u64).to_le_bytes());
            hasher = item.names.iter().fold(hasher, |hasher, name| hasher.part(name.as_bytes()));
        }
        hasher.finish()
    }

    pub(crate) fn to_jsonl(&self) -> String {
        let mut text = String::new();
        for item in &self.list {
            let line = serde_json::to_string(item).expect("an item has texts alone");
            let _ = writeln!(text, "{line}");
        }
        text
    }

    /// Reads the items of a folder; images' bytes are left where they are.
    pub(crate) fn read(dir: &Path) -> Result<Self, JobError> {
        let path = dir.join(ITEMS_FILE);
        let text = files::read_text(&path, TABLE_BYTES_MAX)?;
        let mut list = Vec::new();
        for (line, text) in text.lines().enumerate() {
            let item: Item =
                serde_json::from_str(text).map_err(|error| JobError::line(&path, line + 1, error))?;
            list.push(item);
        }
        Self::new(list).map_err(|why| JobError::wrong(&path, why))
    }
}

/// An item as its source has it, before it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceItem {
    pub name: String,
    pub content: SourceContent,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceContent {
    Text(String),
    Image(PathBuf),
}
