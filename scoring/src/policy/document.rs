//! A policy together with the file that it was read from.
//!
//! A file is read where it enters (a command, a scenario, a search's candidate) and handed on as this type; whoever gets one
//! has nothing left to parse or to check. Clones share the text and the policy.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use weighhouse_types::Digest;

use super::{DEFAULT_POLICY, File, Policy, PolicyError};

/// A policy file that has been read.
#[derive(Clone, Debug)]
pub struct PolicyFile {
    text: Arc<str>,
    keys: Option<Arc<File>>,
    policy: Arc<Policy>,
}

impl PolicyFile {
    /// Reads a policy file's bytes.
    ///
    /// # Errors
    /// As [`Policy::parse`].
    pub fn parse(bytes: &[u8]) -> Result<Self, PolicyError> {
        let (text, keys, policy) = Policy::read(bytes)?;
        Ok(Self { text: text.into(), keys: keys.map(Arc::new), policy: Arc::new(policy) })
    }

    /// The file that ships with this software, read once in a process.
    pub fn shipped() -> Self {
        static SHIPPED: LazyLock<PolicyFile> = LazyLock::new(|| {
            PolicyFile::parse(DEFAULT_POLICY.as_bytes()).expect("a test parses the file that is compiled in")
        });
        SHIPPED.clone()
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    /// The keys of a version 2 file as written; `None` for version 1.
    pub fn keys(&self) -> Option<&File> {
        self.keys.as_deref()
    }

    /// Every key of a version 2 file with its value, those left out with their default; nothing of version 1.
    pub fn values(&self) -> BTreeMap<String, toml::Value> {
        let mut values = BTreeMap::new();
        if let Some(Ok(toml::Value::Table(table))) = self.keys().map(toml::Value::try_from) {
            flatten("", table, &mut values);
        }
        values
    }

    /// The same file with other values for some keys, its comments kept; `None` where the text can't take them.
    pub fn with(&self, values: &[(String, toml::Value)]) -> Option<Self> {
        let mut text = self.text.to_string();
        for (key, value) in values {
            if self.values().get(key) != Some(value) {
                text = super::edit::set(&text, key, value);
            }
        }
        Self::parse(text.as_bytes()).ok()
    }

    pub fn policy(&self) -> &Arc<Policy> {
        &self.policy
    }

    /// The digest by which records and roll-outs name the policy.
    pub fn hash(&self) -> Digest {
        Policy::hash(self.text.as_bytes())
    }
}

fn flatten(prefix: &str, table: toml::Table, values: &mut BTreeMap<String, toml::Value>) {
    for (key, value) in table {
        let key = if prefix.is_empty() { key } else { format!("{prefix}.{key}") };
        match value {
            toml::Value::Table(inner) => flatten(&key, inner, values),
            value => drop(values.insert(key, value)),
        }
    }
}

impl Default for PolicyFile {
    fn default() -> Self {
        Self::shipped()
    }
}

/// Compares the texts: validators name a policy by its bytes.
impl PartialEq for PolicyFile {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for PolicyFile {}

impl Serialize for PolicyFile {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for PolicyFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(text.as_bytes()).map_err(D::Error::custom)
    }
}
