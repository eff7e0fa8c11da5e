//! The classes that Python sees, as data. Their methods are in modules of their own, which may then take each other's
//! classes as arguments without importing each other.

use pyo3::prelude::*;
use weighhouse_scoring::Track as Inner;
use weighhouse_scoring::policy::PolicyFile;

use crate::error::{PolicyError, refuse};

/// A valid policy and the text it came from. Build one with Policy.parse, Policy.load or Policy.default.
#[pyclass(frozen, eq, hash, module = "weighhouse")]
#[derive(Clone, Debug)]
pub(crate) struct Policy {
    pub(crate) file: PolicyFile,
}

/// The text decides: validators name a policy by its bytes.
impl PartialEq for Policy {
    fn eq(&self, other: &Self) -> bool {
        self.file == other.file
    }
}

impl std::hash::Hash for Policy {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.file.text().hash(state);
    }
}

impl Policy {
    pub(crate) fn of(text: &str) -> PyResult<Self> {
        Ok(Self { file: PolicyFile::parse(text.as_bytes()).map_err(refuse::<PolicyError>)? })
    }
}

/// A registration's record so far. Starts empty; fold takes in one epoch after the other.
#[pyclass(module = "weighhouse")]
#[derive(Clone, Debug, Default)]
pub(crate) struct Track {
    pub(crate) inner: Inner,
}
