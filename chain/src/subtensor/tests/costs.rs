//! Costs, asked of a node made of answers.

use scale_info::{TypeDef, TypeDefPrimitive};
use subxt::ext::codec::Encode as _;
use weighhouse_types::{Hotkey, Netuid, Rao};

use super::faults::{network, node_with_a_subnet};
use super::metadata::{bytes, edited, for_each_spec, runtime, skipped};
use super::node::Node;
use crate::subtensor::items::{self, Key};
use crate::subtensor::{Subtensor, costs};
use crate::{Call, Chain as _, ChainError};

const NETUID: Netuid = Netuid(1);

/// The node gives these bytes to every call of a function of the runtime.
fn answers(node: &Node, bytes: Vec<u8>) {
    node.script().answers.insert("state_call", const_hex::encode_prefixed(bytes).into());
}

#[tokio::test]
async fn a_price_and_a_fee_are_the_runtimes_own() {
    let Some(metadata) = bytes(393) else { return skipped("no metadata of spec 393") };
    let node = node_with_a_subnet(&metadata).await;
    let chain = Subtensor::connect(&network(&[&node])).await.expect("connected");
    answers(&node, 123_456_789_u64.encode());
    assert_eq!(chain.alpha_price(NETUID).await.expect("a price"), Rao(123_456_789));
    let unknown = chain.alpha_price(Netuid(2)).await.expect_err("no such subnet");
    assert!(matches!(unknown, ChainError::NoSubnet(Netuid(2))), "{unknown}");
    // Compact weights of one byte each, a class, and the fee.
    answers(&node, [vec![4, 4, 0], 1_500_u64.encode()].concat());
    let call = Call::AddStake { netuid: NETUID, hotkey: Hotkey([1; 32]), amount: Rao(5) };
    assert_eq!(chain.fee(&call).await.expect("a fee"), Rao(1_500));
    answers(&node, vec![4, 4]);
    assert!(chain.fee(&call).await.is_err(), "bytes that say no fee");
}

#[tokio::test]
async fn a_runtime_without_the_function_has_the_pools_reserves() {
    let Some(metadata) = bytes(393) else { return skipped("no metadata of spec 393") };
    let older = edited(&metadata, |all| all.apis.retain(|api| api.name != "SwapRuntimeApi"));
    let known = runtime(393, &older).expect("a known runtime");
    let node = node_with_a_subnet(&older).await;
    let chain = Subtensor::connect(&network(&[&node])).await.expect("connected");
    let own = [Key::Small(1)];
    let store = |key: Vec<u8>, value: Vec<u8>| {
        let (key, value) = (const_hex::encode_prefixed(key), const_hex::encode_prefixed(value));
        node.script().stored.insert(key, value);
    };
    assert_eq!(chain.alpha_price(NETUID).await.expect("a price"), Rao(Rao::PER_TAO), "no pool of its own");
    store(items::SUBNET_MECHANISM.key(&known, &own).expect("a key"), 1_u16.encode());
    store(items::SUBNET_TAO.key(&known, &own).expect("a key"), 3_000_u64.encode());
    store(items::SUBNET_ALPHA_IN.key(&known, &own).expect("a key"), 12_000_u64.encode());
    assert_eq!(chain.alpha_price(NETUID).await.expect("a price"), Rao(250_000_000));
    store(items::SUBNET_ALPHA_IN.key(&known, &own).expect("a key"), 0_u64.encode());
    assert!(matches!(chain.alpha_price(NETUID).await, Err(ChainError::Unsupported { .. })));
}

#[test]
fn the_deposit_is_a_constant_and_the_functions_are_there() {
    for_each_spec(|spec, bytes| {
        let runtime = runtime(spec, &bytes).expect("a known runtime");
        assert_eq!(costs::existential_deposit(&runtime).expect("a constant"), Rao(500), "{spec}");
        let price = costs::answer(costs::PRICE_API, &runtime).expect("a price");
        let price = runtime.metadata().types().resolve(price).map(|ty| &ty.type_def);
        assert!(matches!(price, Some(TypeDef::Primitive(TypeDefPrimitive::U64))), "{spec}: {price:?}");
        assert!(costs::answer(costs::FEE_API, &runtime).is_some(), "{spec}");
    });
}
