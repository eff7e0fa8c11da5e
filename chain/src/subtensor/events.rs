//! Outcome of a call, from the events of its block.

use subxt::config::SubstrateConfig;
use subxt::dynamic::Value;
use subxt::error::DispatchError;
use subxt::events::{Event as RuntimeEvent, Phase};
use subxt::ext::scale_value::{Composite, Primitive, ValueDef};
use weighhouse_types::{Block, Coldkey, Digest, Hotkey, MechId, Netuid, Rao, Uid};

use super::metadata::PALLET;
use super::refusal;
use super::runtime::Runtime;
use crate::{CallOutcome, ChainError, Event, Refusal};

/// Subnets that a storage index leaves room for; above them it counts mechanisms.
pub(super) const SUBNETS_PER_MECHANISM: u16 = 4096;

/// The outcome of the call at a position of a block, from all events of the block.
pub(super) fn outcome(
    runtime: &Runtime,
    events: Vec<u8>,
    position: u32,
    block: Block,
) -> Result<CallOutcome, ChainError> {
    let events = runtime.client().events().from_bytes(events);
    let mut ours = Vec::new();
    let mut withdrawn = Rao(0);
    let mut is_applied = false;
    for event in events.iter() {
        let event = event.map_err(|error| ChainError::Undecodable(format!("an event: {error}")))?;
        if event.phase() != Phase::ApplyExtrinsic(position) {
            continue;
        }
        match (event.pallet_name(), event.event_name()) {
            ("System", "ExtrinsicFailed") => {
                return Ok(CallOutcome::Refused { block, refusal: failure(runtime, &event)? });
            }
            ("System", "ExtrinsicSuccess") => is_applied = true,
            _ => ours.extend(known(runtime, &event, &mut withdrawn)?),
        }
    }
    if is_applied {
        return Ok(CallOutcome::Included { block, events: ours });
    }
    Err(ChainError::Undecodable(format!("block {} has no outcome for its call {position}", block.0)))
}

/// What the chain did of itself, from all events of a block.
pub(super) fn of_hooks(runtime: &Runtime, events: Vec<u8>) -> Result<Vec<Event>, ChainError> {
    let events = runtime.client().events().from_bytes(events);
    let mut found = Vec::new();
    for event in events.iter() {
        let event = event.map_err(|error| ChainError::Undecodable(format!("an event: {error}")))?;
        if !matches!(event.phase(), Phase::ApplyExtrinsic(_)) {
            found.extend(known(runtime, &event, &mut Rao(0))?);
        }
    }
    Ok(found)
}

fn failure(runtime: &Runtime, event: &RuntimeEvent<'_, SubstrateConfig>) -> Result<Refusal, ChainError> {
    let metadata = runtime.client().metadata();
    let error = DispatchError::decode_from(event.field_bytes(), metadata);
    let error = error.map_err(|error| ChainError::Undecodable(format!("a refusal: {error}")))?;
    let DispatchError::Module(module) = &error else {
        let text = error.to_string();
        return Ok(refusal::dispatch(&text));
    };
    let details = module.details().map_err(|error| ChainError::Undecodable(format!("a refusal: {error}")))?;
    Ok(refusal::named(&details.variant.name, &details.variant.docs.join(" ")))
}

/// The event as ours, where it is one that is told. What a registration burned is the last withdrawal before it.
fn known(
    runtime: &Runtime,
    event: &RuntimeEvent<'_, SubstrateConfig>,
    withdrawn: &mut Rao,
) -> Result<Option<Event>, ChainError> {
    let (pallet, name) = (event.pallet_name(), event.event_name());
    if !matches!(pallet, PALLET | "Balances" | "Commitments") {
        return Ok(None);
    }
    let fields = event.decode_fields_unchecked_as::<Composite<()>>();
    let fields =
        fields.map_err(|error| ChainError::Undecodable(format!("event {pallet}.{name}: {error}")))?;
    let fields = EventFields { values: fields.into_values().collect() };
    if pallet == "Balances" && matches!(name, "Withdraw" | "Burned") {
        *withdrawn = fields.rao(1).unwrap_or_default();
        return Ok(None);
    }
    match translate(pallet, name, &fields, *withdrawn) {
        Translation::NewestBlock(event) => Ok(Some(event)),
        Translation::Other => Ok(None),
        Translation::Unreadable => Err(runtime.differs(format_args!("another event {pallet}.{name}"))),
    }
}

enum Translation {
    NewestBlock(Event),
    /// Not an event that is told.
    Other,
    Unreadable,
}

fn translate(pallet: &str, name: &str, fields: &EventFields, burned: Rao) -> Translation {
    let event = match (pallet, name) {
        ("Balances", "Transfer") => fields.transfer(),
        ("Commitments", "Commitment") => {
            fields.hotkey_of_subnet(|netuid, hotkey| Event::CommitmentSet { netuid, hotkey })
        }
        (PALLET, "WeightsSet") => fields
            .index(0)
            .zip(fields.uid(1))
            .map(|((netuid, mechanism), uid)| Event::WeightsSet { netuid, mechanism, uid }),
        (PALLET, "AxonServed") => {
            fields.hotkey_of_subnet(|netuid, hotkey| Event::AxonServed { netuid, hotkey })
        }
        (PALLET, "PrometheusServed") => {
            fields.hotkey_of_subnet(|netuid, hotkey| Event::PrometheusServed { netuid, hotkey })
        }
        (PALLET, "NeuronRegistered") => fields.registered(burned),
        (PALLET, "StakeAdded") => {
            fields.stake(2).map(|(hotkey, amount)| Event::StakeAdded { hotkey, amount })
        }
        (PALLET, "StakeRemoved") => {
            fields.stake(3).map(|(hotkey, amount)| Event::StakeRemoved { hotkey, amount })
        }
        (PALLET, "WeightsCommitted" | "WeightsRevealed") => fields.committed(name == "WeightsRevealed"),
        (PALLET, "TimelockedWeightsCommitted") => fields.timelocked(),
        (PALLET, "TimelockedWeightsRevealed") => fields.revealed(),
        (PALLET, "SetChildrenScheduled") => fields.children_scheduled(),
        (PALLET, "TempoSet") => {
            fields.netuid(0).zip(fields.small(1)).map(|(netuid, tempo)| Event::TempoSet { netuid, tempo })
        }
        (PALLET, "TakeIncreased" | "TakeDecreased") => {
            fields.hotkey(1).zip(fields.small(2)).map(|(hotkey, take)| Event::TakeSet { hotkey, take })
        }
        _ => return Translation::Other,
    };
    event.map_or(Translation::Unreadable, Translation::NewestBlock)
}

/// An event's fields in their order.
struct EventFields {
    values: Vec<Value>,
}

impl EventFields {
    fn number(&self, at: usize) -> Option<u128> {
        number(self.values.get(at)?)
    }

    fn small(&self, at: usize) -> Option<u16> {
        u16::try_from(self.number(at)?).ok()
    }

    fn large(&self, at: usize) -> Option<u64> {
        u64::try_from(self.number(at)?).ok()
    }

    fn rao(&self, at: usize) -> Option<Rao> {
        self.large(at).map(Rao)
    }

    fn uid(&self, at: usize) -> Option<Uid> {
        self.small(at).map(Uid)
    }

    fn netuid(&self, at: usize) -> Option<Netuid> {
        self.small(at).map(Netuid)
    }

    /// A storage index, taken apart.
    fn index(&self, at: usize) -> Option<(Netuid, MechId)> {
        let index = self.small(at)?;
        let mechanism = u8::try_from(index / SUBNETS_PER_MECHANISM).ok()?;
        Some((Netuid(index % SUBNETS_PER_MECHANISM), MechId(mechanism)))
    }

    fn bytes32(&self, at: usize) -> Option<[u8; 32]> {
        let mut bytes = Vec::with_capacity(32);
        collect(self.values.get(at)?, &mut bytes);
        bytes.try_into().ok()
    }

    fn hotkey(&self, at: usize) -> Option<Hotkey> {
        self.bytes32(at).map(Hotkey)
    }

    fn hotkey_of_subnet(&self, event: fn(Netuid, Hotkey) -> Event) -> Option<Event> {
        Some(event(self.netuid(0)?, self.hotkey(1)?))
    }

    fn transfer(&self) -> Option<Event> {
        let (from, to) = (Coldkey(self.bytes32(0)?), Coldkey(self.bytes32(1)?));
        Some(Event::Transferred { from, to, amount: self.rao(2)? })
    }

    fn registered(&self, burned: Rao) -> Option<Event> {
        let (netuid, uid, hotkey) = (self.netuid(0)?, self.uid(1)?, self.hotkey(2)?);
        Some(Event::NeuronRegistered { netuid, uid, hotkey, burned })
    }

    fn stake(&self, amount: usize) -> Option<(Hotkey, Rao)> {
        Some((self.hotkey(1)?, self.rao(amount)?))
    }

    fn committed(&self, is_revealed: bool) -> Option<Event> {
        let (hotkey, (netuid, mechanism)) = (self.hotkey(0)?, self.index(1)?);
        let hash = Digest(self.bytes32(2)?);
        Some(match is_revealed {
            true => Event::WeightsRevealed { netuid, mechanism, hotkey, hash },
            false => Event::WeightsCommitted { netuid, mechanism, hotkey, hash },
        })
    }

    fn timelocked(&self) -> Option<Event> {
        let (hotkey, (netuid, mechanism)) = (self.hotkey(0)?, self.index(1)?);
        let (hash, reveal_round) = (Digest(self.bytes32(2)?), self.large(3)?);
        Some(Event::TimelockedWeightsCommitted { netuid, mechanism, hotkey, hash, reveal_round })
    }

    fn revealed(&self) -> Option<Event> {
        let ((netuid, mechanism), hotkey) = (self.index(0)?, self.hotkey(1)?);
        Some(Event::TimelockedWeightsRevealed { netuid, mechanism, hotkey })
    }

    fn children_scheduled(&self) -> Option<Event> {
        let (hotkey, netuid) = (self.hotkey(0)?, self.netuid(1)?);
        Some(Event::SetChildrenScheduled { netuid, hotkey, at: Block(self.large(2)?) })
    }
}

/// A number, however many newtypes are around it.
fn number(value: &Value) -> Option<u128> {
    match &value.value {
        ValueDef::Primitive(Primitive::U128(number)) => Some(*number),
        ValueDef::Composite(composite) => {
            let mut values = composite.values();
            let only = values.next()?;
            values.next().is_none().then(|| number(only))?
        }
        _ => None,
    }
}

/// All bytes below a value, in their order.
pub(super) fn collect(value: &Value, bytes: &mut Vec<u8>) {
    match &value.value {
        ValueDef::Primitive(Primitive::U128(number)) => bytes.extend(u8::try_from(*number)),
        ValueDef::Composite(composite) => composite.values().for_each(|value| collect(value, bytes)),
        ValueDef::Variant(variant) => variant.values.values().for_each(|value| collect(value, bytes)),
        _ => {}
    }
}
