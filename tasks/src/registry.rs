//! The list of kinds. A new kind is one line here.

use std::ops::RangeInclusive;
use std::sync::Arc;

use weighhouse_types::profile::{Paid, Scope};
use weighhouse_types::{Digest, config};

use crate::classify::Classify;
use crate::embed::Embeddings;
use crate::error::{TaskError, TaskFileError};
use crate::file::{KindRules, TaskFile};
use crate::generate::Completions;
use crate::judge::OutsideTask;
use crate::kind::Kind;
use crate::references::References;
use crate::work::Work;

/// Every kind of task that there is.
pub static KINDS: &[Registered] = &[
    Registered::of::<Classify>(),
    Registered::of::<Completions>(),
    Registered::of::<Embeddings>(),
    Registered::of::<OutsideTask>(),
    Registered::of::<crate::forecast::Tournament>(),
    Registered::of::<crate::label::Labels>(),
    Registered::of::<crate::regress::Regress>(),
];

/// A loader of tasks: any source of references, or one that brings kinds of its own besides.
pub trait TaskLoader: Send + Sync {
    fn references(&self) -> &dyn References;

    /// Kinds of task beside [`KINDS`]: those of a program that brings its own.
    fn further_kinds(&self) -> &'static [Registered] {
        &[]
    }
}

impl<R: References> TaskLoader for R {
    fn references(&self) -> &dyn References {
        self
    }
}

impl TaskLoader for dyn References + '_ {
    fn references(&self) -> &dyn References {
        self
    }
}

type ReferenceOf = fn(&dyn References, Option<Digest>) -> Result<Option<Digest>, TaskError>;
type Open = fn(&TaskFile, &str, &dyn References) -> Result<Arc<dyn Work>, TaskError>;

/// A kind by its name, with what can be said of it before it is opened.
#[derive(Clone)]
pub struct Registered {
    pub name: &'static str,
    /// Built-in task files by name.
    pub files: &'static [(&'static str, &'static str)],
    pub pays: &'static [Paid],
    /// The task file names a reference, and marks are relative to it.
    pub has_reference: bool,
    pub scopes: &'static [Scope],
    /// Answers are committed to by everybody before anybody reveals one.
    pub(crate) sealed: bool,
    /// Versions of its judge.
    pub judges: RangeInclusive<u32>,
    pub(crate) reference: ReferenceOf,
    pub(crate) open: Open,
}

impl std::fmt::Debug for Registered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registered").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Registered {
    pub const fn of<K: Kind>() -> Self {
        Self {
            name: K::NAME,
            files: K::FILES,
            pays: K::PAYS,
            has_reference: K::HAS_REFERENCE,
            scopes: K::SCOPES,
            sealed: K::SEALED,
            judges: K::JUDGES,
            reference: K::reference,
            open: open::<K>,
        }
    }
}

impl TaskFile {
    /// Reads what every kind has in common from a TOML file.
    ///
    /// # Errors
    /// [`TaskFileError`], which names the key at fault; for an unknown key, the nearest known one as well.
    pub fn parse(file: &[u8]) -> Result<Self, TaskFileError> {
        Self::split(file, &[]).map(|(header, ..)| header)
    }

    /// Splits a file into what every kind has in common and the text of the sections that only its kind reads, and finds
    /// the kind.
    pub(crate) fn split(
        file: &[u8],
        further: &'static [Registered],
    ) -> Result<(Self, String, &'static Registered), TaskFileError> {
        let mut found = None;
        let (header, section) = Self::read(file, |name| {
            // Built-in kinds first: a program's own kind can't take the name of one.
            let kinds = || KINDS.iter().chain(further);
            let Some(kind) = kinds().find(|kind| kind.name == name) else {
                let known = kinds().map(|kind| kind.name).collect::<Vec<_>>().join(", ");
                return Err(TaskFileError::Kind { name: name.to_owned(), known });
            };
            found = Some(kind);
            Ok(KindRules {
                name: kind.name,
                pays: kind.pays,
                has_reference: kind.has_reference,
                scopes: kind.scopes,
                sealed: kind.sealed,
            })
        })?;
        Ok((header, section, found.expect("a header is read only once its kind is found")))
    }
}

fn open<K: Kind>(
    file: &TaskFile,
    section: &str,
    references: &dyn References,
) -> Result<Arc<dyn Work>, TaskError> {
    let section = match K::TABLE {
        Some(table) => config::parse_table(section, table),
        None => config::parse(section),
    };
    let section: K::Section = section.map_err(TaskFileError::from)?;
    Ok(Arc::new(K::new(file, section, references)?))
}

/// The kind of this name.
pub fn kind(name: &str) -> Option<&'static Registered> {
    KINDS.iter().find(|kind| kind.name == name)
}

/// A built-in task file by its name.
pub fn builtin(name: &str) -> Option<&'static str> {
    let mut files = KINDS.iter().flat_map(|kind| kind.files);
    files.find(|(known, _)| *known == name).map(|(_, file)| *file)
}

/// The names of the built-in task files.
pub fn builtin_names() -> Vec<&'static str> {
    KINDS.iter().flat_map(|kind| kind.files).map(|(name, _)| *name).collect()
}
