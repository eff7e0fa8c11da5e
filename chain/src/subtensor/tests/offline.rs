//! Every call and storage item against the chain's own metadata.

use scale_info::{PortableRegistry, TypeDef, TypeDefPrimitive};
use subxt::ext::frame_decode::storage::encode_storage_key_prefix;
use weighhouse_types::{Block, Digest, Head, Hotkey, Hyperparameters, MechId, Mechanisms, Netuid, Rao};
use weighhouse_wallet::keypair::Keypair;

use super::metadata::{bytes, edited, for_each_spec, rename, runtime, skipped};
use crate::subtensor::columns::{FULL, METAGRAPH_API, SELECTIVE, Unread};
use crate::subtensor::items::{self, Key};
use crate::subtensor::metadata::PALLET;
use crate::subtensor::runtime::Layout;
use crate::subtensor::{calls, events, extra, read, sign, storage_index};
use crate::{ChainError, Event};

/// Bytes of one value of a type: every list has one element, every option is there, every number is 1.
pub(super) fn sample(types: &PortableRegistry, ty: u32, out: &mut Vec<u8>) {
    let ty = types.resolve(ty).expect("a type");
    match &ty.type_def {
        TypeDef::Composite(composite) => {
            composite.fields.iter().for_each(|field| sample(types, field.ty.id, out));
        }
        TypeDef::Variant(variant) => {
            let variant = variant.variants.iter().max_by_key(|variant| usize::from(variant.name == "Some"));
            let Some(variant) = variant else { return };
            out.push(variant.index);
            variant.fields.iter().for_each(|field| sample(types, field.ty.id, out));
        }
        TypeDef::Sequence(sequence) => {
            out.push(1 << 2);
            sample(types, sequence.type_param.id, out);
        }
        TypeDef::Array(array) => (0..array.len).for_each(|_| sample(types, array.type_param.id, out)),
        TypeDef::Tuple(tuple) => tuple.fields.iter().for_each(|field| sample(types, field.id, out)),
        TypeDef::Compact(_) => out.push(1 << 2),
        TypeDef::BitSequence(_) => out.push(0),
        TypeDef::Primitive(primitive) => {
            let width = match primitive {
                TypeDefPrimitive::Bool | TypeDefPrimitive::U8 | TypeDefPrimitive::I8 => 1,
                TypeDefPrimitive::U16 | TypeDefPrimitive::I16 => 2,
                TypeDefPrimitive::U32 | TypeDefPrimitive::I32 | TypeDefPrimitive::Char => 4,
                TypeDefPrimitive::U64 | TypeDefPrimitive::I64 => 8,
                TypeDefPrimitive::U128 | TypeDefPrimitive::I128 => 16,
                TypeDefPrimitive::U256 | TypeDefPrimitive::I256 => 32,
                TypeDefPrimitive::Str => 1,
            };
            let mut bytes = vec![0; width];
            bytes[0] = u8::from(!matches!(primitive, TypeDefPrimitive::Str));
            out.extend(bytes);
        }
    }
}

#[test]
fn the_chain_says_which_commits_it_has_opened() {
    for_each_spec(|spec, bytes| {
        let runtime = runtime(spec, &bytes).expect("a known runtime");
        let pallet = runtime.metadata().pallet_by_name(PALLET).expect("the pallet");
        let variants = pallet.event_variants().expect("events");
        let revealed = variants.iter().find(|variant| variant.name == "TimelockedWeightsRevealed");
        let revealed = revealed.expect("the event").index;
        // One event: its phase, its name, a storage index, a hotkey, no topics.
        let one = |phase: &[u8]| {
            let mut bytes = vec![1 << 2];
            bytes.extend(phase);
            bytes.extend([pallet.event_index(), revealed]);
            bytes.extend(4097_u16.to_le_bytes());
            bytes.extend([7; 32]);
            bytes.push(0);
            bytes
        };
        let (netuid, mechanism, hotkey) = (Netuid(1), MechId(1), Hotkey([7; 32]));
        let told = events::of_hooks(&runtime, one(&[2])).expect("events");
        assert_eq!(told, [Event::TimelockedWeightsRevealed { netuid, mechanism, hotkey }], "{spec}");
        let of_a_call = events::of_hooks(&runtime, one(&[0, 0, 0, 0, 0])).expect("events");
        assert_eq!(of_a_call, [], "{spec}");
    });
}

#[test]
fn the_layout_is_chosen_by_what_the_metadata_has() {
    for_each_spec(|spec, bytes| {
        let known = runtime(spec, &bytes).expect("a known runtime");
        let expected = Layout {
            subnets: true,
            mechanisms: true,
            stateful_epochs: false,
            register_limit: false,
            timelocked: true,
        };
        assert_eq!(known.layout, expected, "{spec}");
        assert!(known.metagraph.as_ref().is_some_and(|calls| calls.selective.is_some()), "{spec}");
        assert!(matches!(storage_index(&known, Netuid(3), MechId(2)), Ok(Key::Small(8195))));
        let newer = edited(&bytes, |metadata| {
            for name in ["LastEpochBlock", "PendingEpochAt", "SubnetEpochIndex"] {
                rename(metadata, "Burn", name, true);
            }
        });
        assert!(runtime(spec, &newer).expect("a newer runtime").layout.stateful_epochs);
        let older = edited(&bytes, |metadata| {
            rename(metadata, "MechanismCountCurrent", "Unknown", false);
            metadata.apis.retain(|api| api.name != METAGRAPH_API);
        });
        let older = runtime(spec, &older).expect("an older runtime");
        assert!(!older.layout.mechanisms && older.metagraph.is_none());
        assert!(matches!(storage_index(&older, Netuid(3), MechId(0)), Ok(Key::Small(3))));
        assert!(storage_index(&older, Netuid(3), MechId(1)).is_err());
    });
}

#[test]
fn what_is_missing_or_changed_is_named_with_the_runtimes_version() {
    let Some(bytes) = bytes(393) else { return skipped("no metadata of spec 393") };
    let check = |metadata: Vec<u8>, expected: &str| match runtime(393, &metadata) {
        Err(error @ ChainError::Runtime { spec: 393, .. }) => {
            assert!(error.to_string().contains(expected), "{error}");
        }
        other => panic!("{expected}: {other:?}"),
    };
    check(edited(&bytes, |all| rename(all, "Tempo", "Tempi", false)), "no storage SubtensorModule.Tempo");
    let swapped = edited(&bytes, |all| {
        rename(all, "Kappa", "Former", false);
        rename(all, "Weights", "Kappa", true);
    });
    check(swapped, "2 keys in SubtensorModule.Kappa, expected 1");
    let reshaped = edited(&bytes, |all| {
        rename(all, "Kappa", "Former", false);
        rename(all, "SubnetOwner", "Kappa", true);
    });
    check(reshaped, "another SubtensorModule.Kappa");
    let uncalled = edited(&bytes, |all| {
        let pallet = all.pallets.iter_mut().find(|pallet| pallet.name == "SubtensorModule").expect("it");
        pallet.calls = None;
    });
    check(uncalled, "another call SubtensorModule.set_weights");
}

#[test]
fn every_storage_item_is_found_and_read() {
    for_each_spec(|spec, bytes| {
        let runtime = runtime(spec, &bytes).expect("a known runtime");
        let mut read = 0;
        items::each(&runtime, |name, needed, probe| {
            let Some(probe) = probe else {
                assert!(!needed, "{spec} lacks {name}");
                return;
            };
            let mut value = Vec::new();
            sample(runtime.metadata().types(), probe.value, &mut value);
            (probe.read)(&value).unwrap_or_else(|error| panic!("{spec} {name}: {error}"));
            let shapes = [Key::Small(1), Key::Account([1; 32]), Key::Large(1)];
            let keys = shapes.iter().flat_map(|first| shapes.map(|second| [*first, second]));
            let found = keys.map(|keys| (probe.key)(&keys[..probe.keys])).find_map(Result::ok);
            let found = found.unwrap_or_else(|| panic!("{spec} {name}: no key fits"));
            assert!(found.len() >= 32 + 2 * probe.keys, "{name}");
            read += 1;
        });
        assert!(read > 60, "{spec}: {read} items");
    });
}

#[test]
fn keys_are_hashed_as_the_node_hashes_them() {
    let Some(bytes) = bytes(393) else { return skipped("no metadata of spec 393") };
    let runtime = runtime(393, &bytes).expect("a known runtime");
    let key = items::WEIGHTS.key(&runtime, &[Key::Small(4097), Key::Small(5)]).expect("a key");
    let mut expected = encode_storage_key_prefix("SubtensorModule", "Weights").to_vec();
    expected.extend([1, 16, 5, 0]);
    assert_eq!(key, expected, "both identity: storage index and uid as they are");
    let account = items::ACCOUNT.key(&runtime, &[Key::Account([7; 32])]).expect("a key");
    assert_eq!(account.len(), 32 + 16 + 32);
    assert!(account.ends_with(&[7; 32]), "blake2_128_concat ends in the key itself");
}

#[test]
fn every_call_is_encoded_and_read_back() {
    for_each_spec(|spec, bytes| {
        let runtime = runtime(spec, &bytes).expect("a known runtime");
        let mut payloads = Vec::new();
        for mechanism in [MechId(0), MechId(1)] {
            for call in calls::samples(mechanism) {
                payloads.push(calls::payload(&runtime, &call).expect("a call"));
            }
        }
        let mechanisms = Mechanisms { count: 2, emission_split: Some(vec![40_000, 25_535]) };
        payloads.push(calls::set_mechanisms(Netuid(1), &mechanisms));
        payloads.push(calls::set_take(weighhouse_types::Hotkey([1; 32]), 5, 9));
        payloads.push(calls::set_take(weighhouse_types::Hotkey([1; 32]), 9, 5));
        let now = Hyperparameters::default();
        payloads.push(extra::set_hyperparameters(Netuid(1), &now, &everything_else()).expect("changes"));
        for payload in payloads {
            let name = payload.call_name().to_owned();
            let encoded = calls::encode(&runtime, &payload).unwrap_or_else(|error| panic!("{spec}: {error}"));
            let decoded = runtime.client().tx().from_call_data_bytes(&encoded).expect("its own bytes");
            assert_eq!(decoded.call_name(), name, "{spec}");
            let again = runtime.client().tx().call_data(&decoded).expect("its own value");
            assert_eq!(again, encoded, "{spec} {name}");
        }
        let none = extra::set_hyperparameters(Netuid(1), &now, &now);
        assert!(matches!(none, Err(ChainError::NotAccepted(_))));
    });
}

/// Another value in every field that an owner has a call for.
fn everything_else() -> Hyperparameters {
    Hyperparameters {
        tempo: 361,
        kappa: 1,
        max_allowed_uids: 128,
        max_allowed_validators: 1,
        min_allowed_weights: 1,
        weights_set_rate_limit: 1,
        weights_version_key: 1,
        immunity_period: 1,
        min_non_immune_uids: 1,
        bonds_moving_average: 1,
        bonds_penalty: 1,
        liquid_alpha_enabled: true,
        alpha_low: 2000,
        yuma3_enabled: true,
        commit_reveal_weights_enabled: true,
        reveal_period_epochs: 2,
        serving_rate_limit: 1,
        min_burn: Rao(1),
        max_burn: Rao(2),
        max_registrations_per_block: 2,
        registration_allowed: false,
        ..Hyperparameters::default()
    }
}

#[test]
fn a_set_weights_call_has_the_runtimes_bytes() {
    let Some(bytes) = bytes(393) else { return skipped("no metadata of spec 393") };
    let runtime = runtime(393, &bytes).expect("a known runtime");
    let [plain, ..] = &calls::samples(MechId(0))[..] else { panic!("samples") };
    let [of_mechanism, ..] = &calls::samples(MechId(1))[..] else { panic!("samples") };
    let encode =
        |call| calls::encode(&runtime, &calls::payload(&runtime, call).expect("a call")).expect("bytes");
    // Pallet 7; netuid 1; one uid 1; one weight 1; version key 1.
    assert_eq!(encode(plain), [7, 0, 1, 0, 4, 1, 0, 4, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(encode(of_mechanism), [7, 119, 1, 0, 1, 4, 1, 0, 4, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
}

#[test]
fn a_metagraph_answer_is_read() {
    for_each_spec(|spec, bytes| {
        let runtime = runtime(spec, &bytes).expect("a known runtime");
        let api = runtime.metadata().runtime_api_trait_by_name(METAGRAPH_API).expect("the api");
        let calls = runtime.metagraph.as_ref().expect("calls");
        for (method, plan) in [(FULL, &calls.full), (SELECTIVE, calls.selective.as_ref().expect("a plan"))] {
            let ty = api.method_by_name(method).expect("the method").output_ty();
            let mut answer = Vec::new();
            sample(runtime.metadata().types(), ty, &mut answer);
            let columns = plan.read(&answer).expect("readable");
            let metagraph = read::metagraph(Netuid(1), Block(5), &columns, &[1]).expect("a metagraph");
            let [neuron] = &metagraph.neurons[..] else { panic!("{metagraph:?}") };
            assert_eq!((neuron.stake, neuron.incentive, neuron.validator_trust), (Rao(1), 1, 1));
            assert_eq!(neuron.axon.expect("an axon").address().to_string(), "0.0.0.1:1");
            assert_eq!(metagraph.owner, Some(neuron.uid));
            assert_eq!(plan.read(&[0]).expect_err("none"), Unread::NoSubnet);
            for length in 0..answer.len() {
                let cut = plan.read(&answer[..length]).expect_err("cut short");
                assert!(cut == Unread::Garbled, "{method} at {length}");
            }
            answer.push(0);
            assert_eq!(plan.read(&answer).expect_err("too long"), Unread::Garbled);
        }
    });
}

#[test]
fn a_field_that_is_left_out_is_named() {
    for_each_spec(|spec, bytes| {
        let runtime = runtime(spec, &bytes).expect("a known runtime");
        let plan = runtime.metagraph.as_ref().expect("calls").selective.as_ref().expect("a plan");
        let mut nothing = vec![1];
        nothing.resize(200, 0);
        assert_eq!(plan.read(&nothing).expect_err("nothing"), Unread::LeftOut("owner_hotkey"));
    });
}

#[test]
fn a_signed_call_is_mortal_and_names_its_last_block() {
    for_each_spec(|spec, bytes| {
        let runtime = runtime(spec, &bytes).expect("a known runtime");
        let pair = Keypair::from_seed(&[3; 32]);
        let birth = Head { number: Block(1000), hash: Digest([5; 32]) };
        let payload = calls::payload(&runtime, &calls::samples(MechId(0))[0]).expect("a call");
        let signed = sign::sign(&runtime, &pair, &payload, 7, birth).expect("signed");
        assert_eq!(signed.expires, Block(1063));
        // Version 4, signed; after the signer and an sr25519 signature: the era and the compact nonce.
        let [_, _, 0x84, 0, rest @ ..] = &signed.bytes[..] else { panic!("{:?}", &signed.bytes[..4]) };
        assert_eq!(rest[..32], pair.public());
        assert_eq!(rest[32], 1);
        assert_eq!(rest[97..100], [0x85, 0x02, 7 << 2], "64 blocks from phase 40");
    });
}
