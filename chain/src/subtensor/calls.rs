//! Calls as the runtime takes them.
//!
//! Arguments are named, and encoded by the metadata of the runtime at hand. A sample of every call is encoded when a runtime is
//! first met ([`check`]), so that a changed call is refused by name at the start and not when weights are due.

use std::net::Ipv6Addr;

use subxt::dynamic::Value;
use subxt::ext::scale_value::Composite;
use subxt::transactions::DynamicPayload;
use weighhouse_types::{
    Axon, Block, Certificate, Child, Coldkey, Digest, Hotkey, MechId, Mechanisms, Netuid, Rao, Uid,
};

use super::metadata::{self, Demand, PALLET};
use super::runtime::Runtime;
use crate::{Call, ChainError, Refusal, Reveal, SetWeights};

/// A call of the runtime, its arguments by name.
pub(super) type Payload = DynamicPayload<Composite<()>>;

const ADMIN: &str = "AdminUtils";
const COMMITMENT_BYTES_MAX: usize = 128;
const FIRST_MECHANISM: MechId = MechId(0);
const UNUSED: u128 = 0;
/// The protocol byte of an axon that speaks HTTP.
const AXON_PROTOCOL: u128 = 4;

/// The runtime's call for one of ours.
pub(super) fn payload(runtime: &Runtime, call: &Call) -> Result<Payload, ChainError> {
    let layout = runtime.layout;
    Ok(match call {
        Call::SetWeights(weights) => set_weights(runtime, weights)?,
        Call::CommitWeights { netuid, mechanism, hash } => {
            let hash = ("commit_hash", Value::from_bytes(hash.0));
            let name = ("commit_weights", "commit_mechanism_weights");
            of_mechanism(runtime, name, *netuid, *mechanism, vec![hash])?
        }
        Call::RevealWeights { weights, salt } => reveal_weights(runtime, weights, salt)?,
        Call::CommitTimelockedWeights { netuid, mechanism, ciphertext, reveal_round, version } => {
            let mut arguments =
                vec![("commit", Value::from_bytes(ciphertext)), ("reveal_round", number(*reveal_round))];
            // Older runtimes have one version of the timelock, which their call's name says.
            let name = if layout.timelocked {
                arguments.push(("commit_reveal_version", number(*version)));
                ("commit_timelocked_weights", "commit_timelocked_mechanism_weights")
            } else {
                ("commit_crv3_weights", "commit_crv3_mechanism_weights")
            };
            of_mechanism(runtime, name, *netuid, *mechanism, arguments)?
        }
        Call::ServeAxon { netuid, axon } => of_subnet("serve_axon", *netuid, endpoint(axon)),
        Call::ServeAxonTls { netuid, axon, certificate } => {
            let mut arguments = endpoint(axon);
            let mut bytes = vec![certificate.algorithm];
            bytes.extend(&certificate.public_key);
            arguments.push(("certificate", Value::from_bytes(bytes)));
            of_subnet("serve_axon_tls", *netuid, arguments)
        }
        Call::Register { netuid, hotkey, limit } => {
            let mut arguments = vec![("hotkey", Value::from_bytes(hotkey.0))];
            if layout.register_limit {
                arguments.push(("limit_price", number(limit.0)));
                of_subnet("register_limit", *netuid, arguments)
            } else {
                of_subnet("burned_register", *netuid, arguments)
            }
        }
        Call::AddStake { netuid, hotkey, amount } => of_subnet(
            "add_stake",
            *netuid,
            vec![("hotkey", Value::from_bytes(hotkey.0)), ("amount_staked", number(amount.0))],
        ),
        Call::RemoveStake { netuid, hotkey, amount } => of_subnet(
            "remove_stake",
            *netuid,
            vec![("hotkey", Value::from_bytes(hotkey.0)), ("amount_unstaked", number(amount.0))],
        ),
        Call::Transfer { to, amount } => {
            let to = Value::unnamed_variant("Id", [Value::from_bytes(to.0)]);
            // Unlike `transfer_allow_death`, it never removes the account that pays.
            raw("Balances", "transfer_keep_alive", vec![("dest", to), ("value", number(amount.0))])
        }
        Call::BatchRevealWeights { netuid, reveals } => batch_reveal_weights(*netuid, reveals),
        Call::ServePrometheus { netuid, endpoint } => {
            let mut arguments = address(endpoint);
            arguments.push(("version", number(endpoint.version)));
            of_subnet("serve_prometheus", *netuid, arguments)
        }
        Call::SetCommitment { netuid, data } => set_commitment(*netuid, data)?,
        Call::SetTake { .. } | Call::SetHyperparameters { .. } | Call::SetMechanisms { .. } => {
            return Err(ChainError::Unsupported { what: "call by that name" });
        }
        owners => return owner_payload(runtime, owners),
    })
}

fn reveal_weights(runtime: &Runtime, weights: &SetWeights, salt: &[u16]) -> Result<Payload, ChainError> {
    let arguments = vec![
        ("uids", numbers(weights.uids.iter().map(|uid| uid.0))),
        ("values", numbers(weights.values.iter().copied())),
        ("salt", numbers(salt.iter().copied())),
        ("version_key", number(weights.version_key)),
    ];
    let name = ("reveal_weights", "reveal_mechanism_weights");
    of_mechanism(runtime, name, weights.netuid, weights.mechanism, arguments)
}

fn batch_reveal_weights(netuid: Netuid, reveals: &[Reveal]) -> Payload {
    let each = |part: fn(&Reveal) -> Value| Value::unnamed_composite(reveals.iter().map(part));
    let arguments = vec![
        ("uids_list", each(|reveal| numbers(reveal.uids.iter().map(|uid| uid.0)))),
        ("values_list", each(|reveal| numbers(reveal.values.iter().copied()))),
        ("salts_list", each(|reveal| numbers(reveal.salt.iter().copied()))),
        ("version_keys", each(|reveal| number(reveal.version_key))),
    ];
    of_subnet("batch_reveal_weights", netuid, arguments)
}

/// Calls of a coldkey about its own hotkeys and subnets.
fn owner_payload(runtime: &Runtime, call: &Call) -> Result<Payload, ChainError> {
    let has_call = |name| metadata::has_call(runtime.metadata(), PALLET, name);
    Ok(match call {
        Call::SetChildren { netuid, hotkey, children } => {
            let child = |child: &Child| {
                Value::unnamed_composite([number(child.proportion), Value::from_bytes(child.hotkey.0)])
            };
            let children = Value::unnamed_composite(children.iter().map(child));
            let hotkey = Value::from_bytes(hotkey.0);
            of_subnet("set_children", *netuid, vec![("hotkey", hotkey), ("children", children)])
        }
        Call::SetChildkeyTake { netuid, hotkey, take } => {
            let hotkey = Value::from_bytes(hotkey.0);
            of_subnet("set_childkey_take", *netuid, vec![("hotkey", hotkey), ("take", number(*take))])
        }
        Call::SetTempo { netuid, tempo } if has_call("set_tempo") => {
            of_subnet("set_tempo", *netuid, vec![("tempo", number(*tempo))])
        }
        Call::SetTempo { netuid, tempo } => {
            let arguments = vec![("netuid", number(netuid.0)), ("tempo", number(*tempo))];
            raw(ADMIN, "sudo_set_tempo", arguments)
        }
        Call::TriggerEpoch { netuid } if has_call("trigger_epoch") => {
            of_subnet("trigger_epoch", *netuid, Vec::new())
        }
        Call::SetActivityCutoffFactor { netuid, factor_milli } if has_call("set_activity_cutoff_factor") => {
            of_subnet("set_activity_cutoff_factor", *netuid, vec![("factor_milli", number(*factor_milli))])
        }
        _ => return Err(ChainError::Unsupported { what: "such call" }),
    })
}

/// Raises or lowers a take: the chain has a call for each.
pub(super) fn set_take(hotkey: Hotkey, take: u16, now: u16) -> Payload {
    let name = if take >= now { "increase_take" } else { "decrease_take" };
    raw(PALLET, name, vec![("hotkey", Value::from_bytes(hotkey.0)), ("take", number(take))])
}

/// Several calls of the owner, all of them or none.
pub(super) fn set_mechanisms(netuid: Netuid, mechanisms: &Mechanisms) -> Payload {
    let split = match &mechanisms.emission_split {
        Some(shares) => Value::unnamed_variant("Some", [numbers(shares.iter().copied())]),
        None => Value::unnamed_variant("None", []),
    };
    all_of(vec![
        (
            "sudo_set_mechanism_count",
            vec![("netuid", number(netuid.0)), ("mechanism_count", number(mechanisms.count))],
        ),
        ("sudo_set_mechanism_emission_split", vec![("netuid", number(netuid.0)), ("maybe_split", split)]),
    ])
}

type Arguments = Vec<(&'static str, Value)>;

pub(super) fn all_of(calls: Vec<(&'static str, Arguments)>) -> Payload {
    let call = |(name, arguments)| Value::unnamed_variant(ADMIN, [Value::named_variant(name, arguments)]);
    let calls = Value::unnamed_composite(calls.into_iter().map(call));
    raw("Utility", "batch_all", vec![("calls", calls)])
}

fn set_commitment(netuid: Netuid, data: &[u8]) -> Result<Payload, ChainError> {
    if data.len() > COMMITMENT_BYTES_MAX {
        let bytes = u32::try_from(data.len()).unwrap_or(u32::MAX);
        let maximum = COMMITMENT_BYTES_MAX as u32;
        return Err(ChainError::Refused(Refusal::SpaceLimitExceeded { bytes, maximum }));
    }
    // The variant's name is its length.
    let field = Value::unnamed_variant(format!("Raw{}", data.len()), [Value::from_bytes(data)]);
    let info = Value::named_composite([("fields", Value::unnamed_composite([field]))]);
    Ok(raw("Commitments", "set_commitment", vec![("netuid", number(netuid.0)), ("info", info)]))
}

/// Any call by name.
pub(super) fn raw(pallet: &str, name: &str, arguments: Vec<(&str, Value)>) -> Payload {
    subxt::dynamic::tx(pallet, name, Composite::named(arguments))
}

fn set_weights(runtime: &Runtime, weights: &SetWeights) -> Result<Payload, ChainError> {
    let arguments = vec![
        ("dests", numbers(weights.uids.iter().map(|uid| uid.0))),
        ("weights", numbers(weights.values.iter().copied())),
        ("version_key", number(weights.version_key)),
    ];
    let name = ("set_weights", "set_mechanism_weights");
    of_mechanism(runtime, name, weights.netuid, weights.mechanism, arguments)
}

/// The first mechanism has calls of its own, which runtimes without mechanisms have too.
fn of_mechanism(
    runtime: &Runtime,
    (first, further): (&'static str, &'static str),
    netuid: Netuid,
    mechanism: MechId,
    mut arguments: Vec<(&str, Value)>,
) -> Result<Payload, ChainError> {
    if mechanism == FIRST_MECHANISM {
        return Ok(of_subnet(first, netuid, arguments));
    }
    if !runtime.layout.mechanisms {
        return Err(runtime.differs("no mechanisms besides the first"));
    }
    arguments.push(("mecid", number(mechanism.0)));
    Ok(of_subnet(further, netuid, arguments))
}

fn of_subnet(name: &str, netuid: Netuid, mut arguments: Vec<(&str, Value)>) -> Payload {
    arguments.push(("netuid", number(netuid.0)));
    raw(PALLET, name, arguments)
}

fn endpoint(axon: &Axon) -> Vec<(&'static str, Value)> {
    let mut arguments = address(axon);
    arguments.extend([
        ("version", number(axon.version)),
        ("protocol", Value::u128(AXON_PROTOCOL)),
        ("placeholder1", Value::u128(UNUSED)),
        ("placeholder2", Value::u128(UNUSED)),
    ]);
    arguments
}

fn address(axon: &Axon) -> Vec<(&'static str, Value)> {
    let (ip, ip_type) = on_chain_address(axon.ip);
    vec![("ip", Value::u128(ip)), ("port", number(axon.port)), ("ip_type", number(ip_type))]
}

/// The chain writes an IPv4 address as its 32 bits, ours is mapped into IPv6.
fn on_chain_address(ip: u128) -> (u128, u8) {
    match Ipv6Addr::from_bits(ip).to_ipv4_mapped() {
        Some(v4) => (v4.to_bits().into(), 4),
        None => (ip, 6),
    }
}

pub(super) fn number(value: impl Into<u64>) -> Value {
    Value::u128(value.into().into())
}

fn numbers(values: impl Iterator<Item = u16>) -> Value {
    Value::unnamed_composite(values.map(number))
}

/// Checks that the runtime takes every call that is needed, and the newer ones where it has them.
pub(super) fn check(runtime: &Runtime, demand: Demand) -> Result<(), ChainError> {
    let mut calls = samples(FIRST_MECHANISM);
    if demand != Demand::Subtensor {
        calls.retain(|call| matches!(call, Call::Transfer { .. }));
    }
    if runtime.layout.mechanisms {
        calls.extend(samples(MechId(1)));
    }
    for call in &calls {
        encode(runtime, &payload(runtime, call)?)?;
    }
    Ok(())
}

/// The call's bytes, without signature.
pub(super) fn encode(runtime: &Runtime, payload: &Payload) -> Result<Vec<u8>, ChainError> {
    let encoded = runtime.client().tx().call_data(payload);
    encoded.map_err(|error| {
        let (pallet, name) = (payload.pallet_name(), payload.call_name());
        runtime.differs(format_args!("another call {pallet}.{name}: {error}"))
    })
}

/// One call of each kind.
pub(super) fn samples(mechanism: MechId) -> Vec<Call> {
    let netuid = Netuid(1);
    let hotkey = Hotkey([1; 32]);
    let axon = Axon { ip: 1, port: 1, version: 1, block: Block(0) };
    let reveal = Reveal { uids: vec![Uid(1)], values: vec![1], salt: vec![1], version_key: 1 };
    let weights = SetWeights { netuid, mechanism, uids: vec![Uid(1)], values: vec![1], version_key: 1 };
    vec![
        Call::SetWeights(weights.clone()),
        Call::CommitWeights { netuid, mechanism, hash: Digest([1; 32]) },
        Call::RevealWeights { weights, salt: vec![1] },
        Call::CommitTimelockedWeights { netuid, mechanism, ciphertext: vec![1], reveal_round: 1, version: 4 },
        Call::ServeAxon { netuid, axon },
        Call::ServeAxonTls { netuid, axon, certificate: Certificate { algorithm: 1, public_key: vec![1] } },
        Call::Register { netuid, hotkey, limit: Rao(1) },
        Call::AddStake { netuid, hotkey, amount: Rao(1) },
        Call::RemoveStake { netuid, hotkey, amount: Rao(1) },
        Call::Transfer { to: Coldkey([1; 32]), amount: Rao(1) },
        Call::BatchRevealWeights { netuid, reveals: vec![reveal] },
        Call::ServePrometheus { netuid, endpoint: axon },
        Call::SetCommitment { netuid, data: vec![1, 2, 3] },
        Call::SetChildren { netuid, hotkey, children: vec![Child { proportion: 1, hotkey }] },
        Call::SetChildkeyTake { netuid, hotkey, take: 1 },
        Call::SetTempo { netuid, tempo: 360 },
    ]
}
