//! The three forms in JSON. An object's names are read one by one, as a map would keep the last of two alike.

use std::fmt;

use serde::de::{Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use weighhouse_types::Uid;

use super::{ROWS_MAX, Whose};

type Rows = Vec<(usize, Whose, f64)>;

pub(super) fn rows(text: &str) -> Result<Rows, serde_json::Error> {
    let Table(rows) = serde_json::from_str(text)?;
    Ok(rows)
}

struct Table(Rows);

impl<'de> Deserialize<'de> for Table {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Forms).map(Table)
    }
}

struct Forms;

impl<'de> Visitor<'de> for Forms {
    type Value = Rows;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("weights by uid or hotkey, or a list of them")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Rows, A::Error> {
        let mut rows = Vec::new();
        while let Some((name, weight)) = map.next_entry::<String, f64>()? {
            rows.push((rows.len() + 1, Whose::parse(&name).map_err(A::Error::custom)?, weight));
            bounded(rows.len()).map_err(A::Error::custom)?;
        }
        Ok(rows)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Rows, A::Error> {
        let mut rows = Vec::new();
        while let Some(entry) = list.next_element::<Entry>()? {
            let at = rows.len() + 1;
            let (whose, weight) =
                entry.read().map_err(|why| A::Error::custom(format!("entry {at}: {why}")))?;
            rows.push((at, whose, weight));
            bounded(rows.len()).map_err(A::Error::custom)?;
        }
        Ok(rows)
    }
}

fn bounded(rows: usize) -> Result<(), String> {
    if rows > ROWS_MAX { Err(format!("more than {ROWS_MAX} weights")) } else { Ok(()) }
}

#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "a weight is [uid or hotkey, weight], or an object with uid or hotkey and weight"
)]
enum Entry {
    Pair(Name, f64),
    Object(Named),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Name {
    Uid(u16),
    Text(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    uid: Option<u16>,
    hotkey: Option<String>,
    weight: f64,
}

impl Entry {
    fn read(self) -> Result<(Whose, f64), String> {
        Ok(match self {
            Self::Pair(Name::Uid(uid), weight) => (Whose::Uid(Uid(uid)), weight),
            Self::Pair(Name::Text(name), weight) => (Whose::parse(&name)?, weight),
            Self::Object(Named { uid: Some(uid), hotkey: None, weight }) => (Whose::Uid(Uid(uid)), weight),
            Self::Object(Named { uid: None, hotkey: Some(name), weight }) => (Whose::parse(&name)?, weight),
            Self::Object(_) => return Err("either uid or hotkey".to_owned()),
        })
    }
}
