//! The columns of a metagraph, out of the answer of the runtime's function.

use scale_info::{PortableRegistry, TypeDef};
use subxt::ext::codec::Encode as _;
use subxt::metadata::Metadata;
use weighhouse_types::Netuid;

use super::shape::{TypeShape, compact, count};
use super::socket::Hex;
use super::stored::AxonInfo;
use crate::ChainError;

/// Position = uid; named as the runtime's function names them.
#[derive(Debug)]
pub(super) struct NeuronColumns {
    pub(super) owner_hotkey: [u8; 32],
    pub(super) hotkeys: Vec<[u8; 32]>,
    pub(super) coldkeys: Vec<[u8; 32]>,
    pub(super) axons: Vec<AxonInfo>,
    pub(super) active: Vec<bool>,
    pub(super) validator_permit: Vec<bool>,
    pub(super) last_update: Vec<u64>,
    pub(super) emission: Vec<u64>,
    pub(super) dividends: Vec<u16>,
    pub(super) incentives: Vec<u16>,
    pub(super) consensus: Vec<u16>,
    pub(super) block_at_registration: Vec<u64>,
    pub(super) total_stake: Vec<u64>,
}

/// Fields that are read, in the order of [`NeuronColumns`]; and the number by which a call for some fields asks for it.
const FIELDS: [(&str, u16, ColumnKind); 13] = [
    ("owner_hotkey", 5, ColumnKind::Account),
    ("hotkeys", 52, ColumnKind::Accounts),
    ("coldkeys", 53, ColumnKind::Accounts),
    ("axons", 55, ColumnKind::Axons),
    ("active", 56, ColumnKind::Flags),
    ("validator_permit", 57, ColumnKind::Flags),
    ("last_update", 59, ColumnKind::Numbers),
    ("emission", 60, ColumnKind::Numbers),
    ("dividends", 61, ColumnKind::Numbers),
    ("incentives", 62, ColumnKind::Numbers),
    ("consensus", 63, ColumnKind::Numbers),
    ("block_at_registration", 66, ColumnKind::Numbers),
    ("total_stake", 69, ColumnKind::Numbers),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ColumnKind {
    Account,
    Accounts,
    Axons,
    Flags,
    Numbers,
}

pub(super) const METAGRAPH_API: &str = "SubnetInfoRuntimeApi";
pub(super) const FULL: &str = "get_metagraph";
pub(super) const SELECTIVE: &str = "get_selective_metagraph";

/// The runtime's functions that give a metagraph.
#[derive(Debug)]
pub(super) struct MetagraphCalls {
    /// Gives the fields that are asked for.
    pub(super) selective: Option<Plan>,
    pub(super) full: Plan,
}

impl MetagraphCalls {
    /// `None` where the runtime has none; else what is wrong with it.
    pub(super) fn of(metadata: &Metadata) -> Result<Option<Self>, String> {
        let answer = |method| {
            Some(metadata.runtime_api_trait_by_name(METAGRAPH_API)?.method_by_name(method)?.output_ty())
        };
        let Some(full) = answer(FULL) else { return Ok(None) };
        let full = Plan::of(metadata.types(), full).map_err(|what| format!("another {FULL}: {what}"))?;
        // Of another form it is done without: the full call gives the same fields.
        let selective = answer(SELECTIVE).and_then(|ty| Plan::of(metadata.types(), ty).ok());
        Ok(Some(Self { selective, full }))
    }

    /// The full name of the cheapest, and its arguments.
    pub(super) fn call(&self, netuid: Netuid) -> (String, Hex) {
        if self.selective.is_none() {
            return full(netuid);
        }
        let numbers = FIELDS.map(|(_, number, _)| number).to_vec();
        (format!("{METAGRAPH_API}_{SELECTIVE}"), Hex((netuid.0, numbers).encode()))
    }

    /// Reads that call's answer.
    pub(super) fn read(&self, answer: &[u8]) -> Result<NeuronColumns, Unread> {
        self.selective.as_ref().unwrap_or(&self.full).read(answer)
    }
}

/// The call for all fields that there are.
pub(super) fn full(netuid: Netuid) -> (String, Hex) {
    (format!("{METAGRAPH_API}_{FULL}"), Hex(netuid.0.encode()))
}

/// Reader of an answer.
#[derive(Debug)]
pub(super) struct Plan {
    steps: Vec<Step>,
    axon: AxonLayout,
}

#[derive(Debug)]
struct Step {
    /// Of [`FIELDS`]; `None` for what is passed over.
    field: Option<usize>,
    shape: TypeShape,
    /// A field that may be left out.
    is_optional: bool,
}

/// Why there are no columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unread {
    /// There is no such subnet.
    NoSubnet,
    /// A field was left out.
    LeftOut(&'static str),
    Garbled,
}

impl Unread {
    pub(super) fn error(self, netuid: Netuid) -> ChainError {
        match self {
            Self::NoSubnet => ChainError::NoSubnet(netuid),
            Self::LeftOut(field) => {
                ChainError::Undecodable(format!("a metagraph of subnet {netuid} without {field}"))
            }
            Self::Garbled => ChainError::Undecodable(format!("the metagraph of subnet {netuid}")),
        }
    }
}

impl ColumnKind {
    fn has(self, shape: &TypeShape) -> bool {
        let item = match shape {
            TypeShape::List(item) => &**item,
            shape => return self == Self::Account && matches!(shape, TypeShape::Fixed(32)),
        };
        match (self, item) {
            (Self::Accounts, TypeShape::Fixed(32)) | (Self::Flags, TypeShape::Fixed(1)) => true,
            // Of items without bytes a list could claim any number,
            // and `each` would cut it into pieces of none.
            (Self::Axons, TypeShape::Fixed(bytes)) => *bytes > 0,
            (Self::Numbers, TypeShape::Compact) => true,
            _ => false,
        }
    }
}

impl Plan {
    /// For an optional struct that has every field, itself optional or not; else what is wrong with it.
    pub(super) fn of(types: &PortableRegistry, ty: u32) -> Result<Self, String> {
        let answer = optional(types, ty).ok_or("not an option")?;
        let Some(TypeDef::Composite(answer)) = types.resolve(answer).map(|ty| &ty.type_def) else {
            return Err("not a struct".to_owned());
        };
        let mut steps = Vec::with_capacity(answer.fields.len());
        let mut axon = None;
        for given in &answer.fields {
            let name = given.name.as_deref().unwrap_or_default();
            let field = FIELDS.iter().position(|(known, ..)| *known == name);
            let inner = field.and_then(|_| optional(types, given.ty.id));
            let ty = inner.unwrap_or(given.ty.id);
            let shape = TypeShape::of(types, ty).ok_or_else(|| format!("{name} is of an unusual type"))?;
            let kind = field.map(|field| FIELDS[field].2);
            if kind.is_some_and(|kind| !kind.has(&shape)) {
                return Err(format!("another {name}"));
            }
            if kind == Some(ColumnKind::Axons) {
                axon = AxonLayout::of(types, ty);
            }
            steps.push(Step { field, shape, is_optional: inner.is_some() });
        }
        for (index, (name, ..)) in FIELDS.iter().enumerate() {
            if !steps.iter().any(|step| step.field == Some(index)) {
                return Err(format!("no {name}"));
            }
        }
        Ok(Self { steps, axon: axon.ok_or("other axons")? })
    }

    pub(super) fn read(&self, answer: &[u8]) -> Result<NeuronColumns, Unread> {
        // SCALE's option: 0 is none, 1 is some.
        let mut rest = match answer.split_first() {
            Some((0, [])) => return Err(Unread::NoSubnet),
            Some((1, rest)) => rest,
            _ => return Err(Unread::Garbled),
        };
        let mut found: [&[u8]; FIELDS.len()] = [&[]; FIELDS.len()];
        for step in &self.steps {
            if step.is_optional {
                let (is_given, after) = rest.split_first().ok_or(Unread::Garbled)?;
                rest = after;
                match (is_given, step.field) {
                    (0, Some(field)) => return Err(Unread::LeftOut(FIELDS[field].0)),
                    (1, _) => {}
                    _ => return Err(Unread::Garbled),
                }
            }
            let begun = rest;
            step.shape.skip(&mut rest).ok_or(Unread::Garbled)?;
            if let Some(field) = step.field {
                found[field] = &begun[..begun.len() - rest.len()];
            }
        }
        if !rest.is_empty() {
            return Err(Unread::Garbled);
        }
        self.columns(found).ok_or(Unread::Garbled)
    }

    fn columns(&self, found: [&[u8]; FIELDS.len()]) -> Option<NeuronColumns> {
        let [owner, hotkeys, coldkeys, axons, active, permits, updates, figures @ ..] = found;
        let [emission, dividends, incentives, consensus, registered, stake] = figures;
        Some(NeuronColumns {
            owner_hotkey: owner.try_into().ok()?,
            hotkeys: each(hotkeys, |item| item.try_into().ok())?,
            coldkeys: each(coldkeys, |item| item.try_into().ok())?,
            axons: each(axons, |item| self.axon.read(item))?,
            active: each(active, |item| Some(item[0] != 0))?,
            validator_permit: each(permits, |item| Some(item[0] != 0))?,
            last_update: numbers(updates)?,
            emission: numbers(emission)?,
            dividends: shares(dividends)?,
            incentives: shares(incentives)?,
            consensus: shares(consensus)?,
            block_at_registration: numbers(registered)?,
            total_stake: numbers(stake)?,
        })
    }
}

/// Positions of an axon's figures among its bytes.
#[derive(Debug)]
struct AxonLayout([usize; 5]);

/// Their names and widths.
const AXON: [(&str, usize); 5] = [("block", 8), ("version", 4), ("ip", 16), ("port", 2), ("ip_type", 1)];

impl AxonLayout {
    fn of(types: &PortableRegistry, list: u32) -> Option<Self> {
        let TypeDef::Sequence(list) = &types.resolve(list)?.type_def else { return None };
        let item = types.resolve(list.type_param.id)?;
        let TypeDef::Composite(axon) = &item.type_def else { return None };
        let (mut offsets, mut offset) = ([None; AXON.len()], 0);
        for field in &axon.fields {
            let TypeShape::Fixed(width) = TypeShape::of(types, field.ty.id)? else { return None };
            let known =
                AXON.iter().position(|known| Some(known.0) == field.name.as_deref() && known.1 == width);
            if let Some(known) = known {
                offsets[known] = Some(offset);
            }
            offset += width;
        }
        let [block, version, ip, port, ip_type] = offsets;
        Some(Self([block?, version?, ip?, port?, ip_type?]))
    }

    fn read(&self, bytes: &[u8]) -> Option<AxonInfo> {
        let [block, version, ip, port, ip_type] =
            self.0.map(|offset| bytes.get(offset..).unwrap_or_default());
        Some(AxonInfo {
            block: u64::from_le_bytes(*block.first_chunk()?),
            version: u32::from_le_bytes(*version.first_chunk()?),
            ip: u128::from_le_bytes(*ip.first_chunk()?),
            port: u16::from_le_bytes(*port.first_chunk()?),
            ip_type: *ip_type.first()?,
        })
    }
}

/// The value in an option.
fn optional(types: &PortableRegistry, ty: u32) -> Option<u32> {
    let ty = types.resolve(ty)?;
    let TypeDef::Variant(variant) = &ty.type_def else { return None };
    let is_option = ty.path.segments == ["Option"];
    let some = variant.variants.iter().find(|variant| is_option && variant.index == 1)?;
    some.fields.first().map(|field| field.ty.id)
}

/// The items of a list, all of one size.
fn each<T>(mut list: &[u8], read: impl FnMut(&[u8]) -> Option<T>) -> Option<Vec<T>> {
    match count(&mut list)? {
        0 => Some(Vec::new()),
        // Divides evenly: the list's shape was checked when it was passed over.
        count => list.chunks_exact(list.len() / count).map(read).collect(),
    }
}

fn numbers(mut list: &[u8]) -> Option<Vec<u64>> {
    let count = count(&mut list)?;
    // A number has at least one byte, so a count that is merely claimed reserves no more than came.
    let mut numbers = Vec::with_capacity(count.min(list.len()));
    for _ in 0..count {
        numbers.push(compact(&mut list)?);
    }
    Some(numbers)
}

fn shares(list: &[u8]) -> Option<Vec<u16>> {
    numbers(list)?.into_iter().map(|number| u16::try_from(number).ok()).collect()
}
