//! Typed fields that a record may carry beyond its layout, by name.
//!
//! Later versions of the software add facts as fields and leave the layout of records alone. A reader that doesn't know a
//! field's name refuses the record by that name: a fact that it can't weigh may change what the record means.

use std::collections::BTreeSet;
use std::fmt;

use parity_scale_codec::{Decode, DecodeAll as _, Encode, Error, Input};
use serde::{Deserialize, Serialize};

use super::{LogOpening, NextEpoch, StartedFrom, hex_bytes};
use crate::sealed::ChainRoot;
use crate::{Block, Digest, RegistrationId};

/// Fields of one record.
const FIELDS_MAX: usize = 32;
const NAME_BYTES_MAX: usize = 64;
/// Room for the registrations of a subnet of 4,096 and more.
const VALUE_BYTES_MAX: usize = 256 << 10;
/// Names whose word a fact rests on, where it can't be derived from the records.
const OPERATOR: &str = "operator";
/// Rounds of the epoch in which every miner is asked.
const ROUNDS: &str = "rounds";
/// The vector comes from other software: the records hold no judgements, and don't give it.
const SCORED_ELSEWHERE: &str = "scored_elsewhere";
/// Requests that a challenge's seed gives are recorded by digest alone.
const DERIVED_REQUESTS: &str = "derived_requests";
/// The epoch of another validator whose averages it began with: the SCALE of a [`StartedFrom`].
const STARTED_FROM: &str = "started_from";
/// Where the epoch's records begin in the log: the SCALE of a [`LogOpening`].
const LOG: &str = "log";
/// What the next epoch is opened with: the SCALE of a [`NextEpoch`].
const NEXT: &str = "next";
/// Whom a shared question was divided among, ascending: the SCALE of a list of [`RegistrationId`]s.
const ASKED_OF: &str = "asked_of";
/// The last block for commitments before this request may be sent.
const COMMIT_BY: &str = "commit_by";
/// What the chain had of a miner's commitments: the SCALE of a [`ChainRoot`].
const CHAIN_ROOT: &str = "chain_root";
/// The longest name of an operator, in bytes.
const OPERATOR_BYTES_MAX: usize = 256;

/// The fields of one record, in the order in which they were written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fields(Vec<Field>);

/// One fact: its name, and a value that says its own type.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Serialize, Deserialize)]
pub struct Field {
    pub name: String,
    pub value: FieldValue,
}

/// A value in one of the types that fields have.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(tag = "type", content = "value", rename_all = "snake_case")]
pub enum FieldValue {
    #[codec(index = 0)]
    Flag(bool),
    #[codec(index = 1)]
    Unsigned(u64),
    #[codec(index = 2)]
    Signed(i64),
    #[codec(index = 3)]
    Text(String),
    #[codec(index = 4)]
    Bytes(#[serde(with = "hex_bytes")] Vec<u8>),
    #[codec(index = 5)]
    Digest(Digest),
}

impl FieldValue {
    fn type_name(&self) -> &'static str {
        match self {
            Self::Flag(_) => "flag",
            Self::Unsigned(_) => "unsigned",
            Self::Signed(_) => "signed",
            Self::Text(_) => "text",
            Self::Bytes(_) => "bytes",
            Self::Digest(_) => "digest",
        }
    }

    fn decoded<T: Decode>(&self) -> Option<T> {
        match self {
            Self::Bytes(bytes) => T::decode_all(&mut &bytes[..]).ok(),
            _ => None,
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Bytes(bytes) => bytes.len(),
            _ => 0,
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name, self.value.type_name())
    }
}

impl Fields {
    /// Says that the record's fact is this operator's word. A name that is too long for a record is cut.
    pub fn on_the_word_of(operator: &str) -> Self {
        let value = FieldValue::Text(cut(operator, OPERATOR_BYTES_MAX));
        Self(vec![Field { name: OPERATOR.to_owned(), value }])
    }

    /// The operator whose word the record's fact is; `None` where it can be derived.
    pub fn operator(&self) -> Option<&str> {
        self.0.iter().find_map(|field| match &field.value {
            FieldValue::Text(operator) if field.name == OPERATOR => Some(operator.as_str()),
            _ => None,
        })
    }

    /// With the number of the epoch's rounds.
    pub fn with_rounds(mut self, rounds: u32) -> Self {
        self.0.push(Field { name: ROUNDS.to_owned(), value: FieldValue::Unsigned(rounds.into()) });
        self
    }

    /// The number of rounds in which every miner is asked; `None` in records of before it was written.
    pub fn rounds(&self) -> Option<u32> {
        self.0.iter().find_map(|field| match field.value {
            FieldValue::Unsigned(rounds) if field.name == ROUNDS => u32::try_from(rounds).ok(),
            _ => None,
        })
    }

    /// Says that the epoch's vector was made by other software.
    pub fn scored_elsewhere() -> Self {
        Self(vec![Field { name: SCORED_ELSEWHERE.to_owned(), value: FieldValue::Flag(true) }])
    }

    /// Whether the epoch's vector was made by other software.
    pub fn are_scored_elsewhere(&self) -> bool {
        self.0.iter().any(|field| field.name == SCORED_ELSEWHERE && field.value == FieldValue::Flag(true))
    }

    /// Says that the epoch's records hold no request that a challenge's seed gives.
    pub fn with_derived_requests(mut self) -> Self {
        self.0.push(Field { name: DERIVED_REQUESTS.to_owned(), value: FieldValue::Flag(true) });
        self
    }

    /// Whether the epoch's records leave out requests that a challenge's seed gives.
    pub fn have_derived_requests(&self) -> bool {
        self.0.iter().any(|field| field.name == DERIVED_REQUESTS && field.value == FieldValue::Flag(true))
    }

    /// With the epoch of another validator whose averages this one begins with.
    pub fn with_start(mut self, from: &StartedFrom) -> Self {
        self.0.push(Field { name: STARTED_FROM.to_owned(), value: FieldValue::Bytes(from.encode()) });
        self
    }

    /// The epoch of another validator whose averages this one began with.
    pub fn started_from(&self) -> Option<StartedFrom> {
        self.decoded(STARTED_FROM)
    }

    /// With the place in the log at which the epoch's records begin.
    pub fn with_log(mut self, log: &LogOpening) -> Self {
        self.0.push(Field { name: LOG.to_owned(), value: FieldValue::Bytes(log.encode()) });
        self
    }

    /// The place in the log at which the epoch's records begin; `None` in records of before there was one.
    pub fn log(&self) -> Option<LogOpening> {
        self.decoded(LOG)
    }

    /// Says what the next epoch is opened with.
    pub fn of_next(next: &NextEpoch) -> Self {
        Self(vec![Field { name: NEXT.to_owned(), value: FieldValue::Bytes(next.encode()) }])
    }

    /// What the next epoch is opened with; `None` where it wasn't said.
    pub fn next(&self) -> Option<NextEpoch> {
        self.decoded(NEXT)
    }

    /// Says whom a shared question was divided among, ascending.
    pub fn of_those_asked(miners: &[RegistrationId]) -> Self {
        Self(vec![Field { name: ASKED_OF.to_owned(), value: FieldValue::Bytes(miners.encode()) }])
    }

    /// Whom a shared question was divided among, ascending; `None` where everybody was asked the same.
    pub fn asked_of(&self) -> Option<Vec<RegistrationId>> {
        self.decoded(ASKED_OF)
    }

    /// Says up to which block commitments are awaited.
    pub fn committed_by(block: Block) -> Self {
        Self(vec![Field { name: COMMIT_BY.to_owned(), value: FieldValue::Unsigned(block.0) }])
    }

    /// The last block for commitments; `None` where they have no place on the chain.
    pub fn commit_by(&self) -> Option<Block> {
        self.0.iter().find_map(|field| match field.value {
            FieldValue::Unsigned(block) if field.name == COMMIT_BY => Some(Block(block)),
            _ => None,
        })
    }

    /// With what the chain had of a miner's commitments, where they have their place there.
    pub fn under(root: Option<ChainRoot>) -> Self {
        let field =
            |root: ChainRoot| Field { name: CHAIN_ROOT.to_owned(), value: FieldValue::Bytes(root.encode()) };
        Self(root.map(field).into_iter().collect())
    }

    /// What the chain had of the miner's commitments.
    pub fn chain_root(&self) -> Option<ChainRoot> {
        self.decoded(CHAIN_ROOT)
    }

    fn decoded<T: Decode>(&self, name: &str) -> Option<T> {
        self.0.iter().find(|field| field.name == name).and_then(|field| field.value.decoded())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The first field whose name, or type under that name, this version doesn't know.
    pub fn unknown(&self) -> Option<&Field> {
        self.0.iter().find(|field| {
            let is_known = match (field.name.as_str(), &field.value) {
                (OPERATOR, FieldValue::Text(_))
                | (ROUNDS | COMMIT_BY, FieldValue::Unsigned(_))
                | (SCORED_ELSEWHERE | DERIVED_REQUESTS, FieldValue::Flag(true)) => true,
                (ASKED_OF, value) => value.decoded::<Vec<RegistrationId>>().is_some(),
                (CHAIN_ROOT, value) => value.decoded::<ChainRoot>().is_some(),
                (LOG, value) => value.decoded::<LogOpening>().is_some(),
                (STARTED_FROM, value) => value.decoded::<StartedFrom>().is_some(),
                (NEXT, value) => value.decoded::<NextEpoch>().is_some(),
                _ => false,
            };
            !is_known
        })
    }
}

impl FromIterator<Field> for Fields {
    fn from_iter<I: IntoIterator<Item = Field>>(fields: I) -> Self {
        Self(fields.into_iter().collect())
    }
}

impl Decode for Fields {
    fn decode<I: Input>(input: &mut I) -> Result<Self, Error> {
        let fields = Vec::<Field>::decode(input)?;
        if fields.len() > FIELDS_MAX {
            return Err(Error::from("more fields than a record may have"));
        }
        let names: BTreeSet<_> = fields.iter().map(|field| &field.name).collect();
        if names.len() < fields.len() {
            return Err(Error::from("a field stands twice in a record"));
        }
        Ok(Self(fields))
    }
}

// The name comes first, so that a value of a type of later date is refused by the field's name too.
impl Decode for Field {
    fn decode<I: Input>(input: &mut I) -> Result<Self, Error> {
        let name = String::decode(input)?;
        if name.len() > NAME_BYTES_MAX {
            return Err(Error::from("a field's name is longer than a record may have it"));
        }
        let value = FieldValue::decode(input)
            .map_err(|error| error.chain(format!("field `{name}` can't be read")))?;
        if value.bytes() > VALUE_BYTES_MAX {
            return Err(Error::from("a field's value is too long").chain(format!("field `{name}`")));
        }
        Ok(Self { name, value })
    }
}

/// The longest beginning of a text that has at most `bytes_max` bytes.
pub(super) fn cut(text: &str, bytes_max: usize) -> String {
    text[..text.floor_char_boundary(bytes_max)].to_owned()
}
