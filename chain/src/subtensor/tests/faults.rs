//! Endpoints that stall, close, lag, lie and disagree.

use std::time::{Duration, Instant};

use subxt::rpcs::client::rpc_params;
use weighhouse_types::{Block, Digest, Head, Netuid};

use super::metadata::{bytes, runtime, skipped};
use super::node::{Manner, Node, chain, hash};
use super::offline::sample;
use crate::subtensor::columns::{METAGRAPH_API, SELECTIVE};
use crate::subtensor::endpoints::Endpoints;
use crate::subtensor::items::{self, Key};
use crate::subtensor::{Network, Subtensor};
use crate::{Chain as _, ChainError};

/// Long enough for a machine under load, short enough for a test.
const DEADLINE: Duration = Duration::from_secs(2);
const NO_FORK: u64 = u64::MAX;

pub(super) fn network(nodes: &[&Node]) -> Network {
    let urls: Vec<String> = nodes.iter().map(|node| node.url()).collect();
    Network { deadline: DEADLINE, ..urls.join(",").parse().expect("addresses") }
}

fn head(length: u64, fork: u64, branch: u8) -> Head {
    let headers = chain(length, fork, branch);
    Head { number: Block(length), hash: Digest(hash(headers.last().expect("a block")).0) }
}

#[tokio::test]
async fn the_head_is_the_newest_block_that_both_have() {
    let (ahead, behind) =
        (Node::start(chain(42, NO_FORK, 0)).await, Node::start(chain(12, NO_FORK, 0)).await);
    let endpoints = Endpoints::new(&network(&[&ahead, &behind]));
    assert_eq!(endpoints.head().await.expect("agreed"), head(12, NO_FORK, 0));
    behind.replace(chain(41, NO_FORK, 0), 41);
    assert_eq!(endpoints.head().await.expect("agreed"), head(41, NO_FORK, 0));
    let asked = behind.script().requests.len();
    assert_eq!(endpoints.head().await.expect("agreed").number, Block(41));
    assert_eq!(behind.script().requests.len(), asked + 1, "an unchanged head costs one request");
}

#[tokio::test]
async fn a_block_that_is_newer_than_the_known_head_is_looked_for() {
    let node = Node::start(chain(9, NO_FORK, 0)).await;
    let endpoints = Endpoints::new(&network(&[&node]));
    node.script().finalized = 5;
    assert_eq!(endpoints.head().await.expect("a head").number, Block(5));
    node.script().finalized = 8;
    let found = tokio::time::timeout(DEADLINE, endpoints.block_hash(Block(7))).await.expect("no deadlock");
    assert_eq!(found.expect("a hash"), Digest(hash(&chain(7, NO_FORK, 0)[7]).0));
    let ahead = endpoints.block_hash(Block(9)).await.expect_err("not final yet");
    assert!(matches!(ahead, ChainError::NoBlock { head: Block(8), .. }), "{ahead}");
}

#[tokio::test]
async fn endpoints_that_disagree_are_named() {
    let (one, other) = (Node::start(chain(20, NO_FORK, 0)).await, Node::start(chain(22, 11, 7)).await);
    let endpoints = Endpoints::new(&network(&[&one, &other]));
    let error = endpoints.head().await.expect_err("a fork of ten blocks");
    assert!(matches!(error, ChainError::EndpointsDisagree { block: Block(20), .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains(&one.url()) && text.contains(&other.url()), "{text}");
    other.replace(chain(22, NO_FORK, 0), 22);
    assert_eq!(endpoints.head().await.expect("it came to its senses"), head(20, NO_FORK, 0));
}

#[tokio::test]
async fn an_endpoint_that_is_gone_is_left_out() {
    let (gone, there) = (Node::start(chain(5, NO_FORK, 0)).await, Node::start(chain(5, NO_FORK, 0)).await);
    let network = network(&[&gone, &there]);
    drop(gone);
    let endpoints = Endpoints::new(&network);
    assert_eq!(endpoints.head().await.expect("the other"), head(5, NO_FORK, 0));
    drop(there);
    let error = endpoints.head().await.expect_err("nobody");
    assert!(matches!(error, ChainError::Unreachable { .. } | ChainError::TimedOut { .. }), "{error}");
}

#[tokio::test]
async fn an_endpoint_that_hangs_is_waited_for_once() {
    let (hangs, there) = (Node::start(chain(9, NO_FORK, 0)).await, Node::start(chain(9, NO_FORK, 0)).await);
    let endpoints = Endpoints::new(&network(&[&hangs, &there]));
    hangs.script().manner = Manner::Silent;
    there.script().finalized = 5;
    let begun = Instant::now();
    assert_eq!(endpoints.head().await.expect("the other's"), head(5, NO_FORK, 0));
    assert!(begun.elapsed() >= DEADLINE);
    for finalized in 6..=9 {
        there.script().finalized = finalized;
        let begun = Instant::now();
        assert_eq!(endpoints.head().await.expect("the other's"), head(finalized, NO_FORK, 0));
        assert_eq!(endpoints.block_hash(Block(3)).await.expect("a hash"), head(3, NO_FORK, 0).hash);
        assert!(begun.elapsed() < DEADLINE / 2, "{:?}", begun.elapsed());
    }
    drop(there);
    hangs.script().manner = Manner::Honest;
    // The one that is left is asked though it rests; the first question finds the other gone.
    let _ = endpoints.head().await;
    assert_eq!(endpoints.head().await.expect("it is back"), head(9, NO_FORK, 0));
}

/// Long enough that a question comes in between, short enough to wait for.
const STOOD: Duration = Duration::from_millis(300);

#[tokio::test]
async fn an_endpoint_whose_head_stands_still_has_no_say_until_it_has_caught_up() {
    let (stuck, moving) =
        (Node::start(chain(60, NO_FORK, 0)).await, Node::start(chain(60, NO_FORK, 0)).await);
    let network = Network { stuck_after: STOOD, ..network(&[&stuck, &moving]) };
    let endpoints = Endpoints::new(&network);
    let finalize = |first: u64, second: u64| {
        stuck.script().finalized = first;
        moving.script().finalized = second;
    };
    finalize(10, 10);
    assert_eq!(endpoints.head().await.expect("agreed").number, Block(10));
    finalize(10, 12);
    assert_eq!(endpoints.head().await.expect("agreed").number, Block(10), "it may be slow alone");
    tokio::time::sleep(STOOD).await;
    finalize(10, 14);
    assert_eq!(endpoints.head().await.expect("without it"), head(14, NO_FORK, 0));
    let asked = stuck.script().requests.len();
    assert_eq!(endpoints.block_hash(Block(12)).await.expect("a hash"), head(12, NO_FORK, 0).hash);
    assert_eq!(stuck.script().requests.len(), asked, "it isn't asked what it can't know");
    finalize(12, 20);
    assert_eq!(endpoints.head().await.expect("without it").number, Block(20), "it moves and is behind yet");
    finalize(21, 22);
    assert_eq!(endpoints.head().await.expect("agreed").number, Block(21));
    // A chain that stands still as a whole leaves nobody out.
    tokio::time::sleep(STOOD).await;
    assert_eq!(endpoints.head().await.expect("agreed").number, Block(21));
}

#[tokio::test]
async fn an_endpoint_that_stands_still_on_another_chain_is_named() {
    let (stuck, moving) = (Node::start(chain(20, 11, 7)).await, Node::start(chain(20, NO_FORK, 0)).await);
    let endpoints = Endpoints::new(&Network { stuck_after: STOOD, ..network(&[&stuck, &moving]) });
    for (first, second, waits) in [(9, 9, false), (12, 13, true), (12, 14, true)] {
        stuck.script().finalized = first;
        moving.script().finalized = second;
        let told = endpoints.head().await;
        assert_eq!(told.is_err(), waits, "{told:?}");
        tokio::time::sleep(STOOD).await;
    }
}

#[tokio::test]
async fn what_one_node_has_dropped_is_asked_of_another() {
    let (pruned, archive) =
        (Node::start(chain(3, NO_FORK, 0)).await, Node::start(chain(3, NO_FORK, 0)).await);
    pruned.script().discards = true;
    archive.script().answers.insert("state_call", "0x01".into());
    let params = rpc_params!["Api"];
    let both = Endpoints::new(&network(&[&pruned, &archive]));
    assert_eq!(both.ask::<String>("state_call", &params).await.expect("kept"), "0x01");
    assert_eq!(both.agreed::<String>("state_call", params.clone()).await.expect("kept"), "0x01");
    let alone = Endpoints::new(&network(&[&pruned]));
    for error in [
        alone.ask::<String>("state_call", &params).await.expect_err("dropped"),
        alone.agreed::<String>("state_call", params.clone()).await.expect_err("dropped"),
    ] {
        assert!(matches!(error, ChainError::Discarded { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_header_that_is_not_the_blocks_is_not_believed() {
    let node = Node::start(chain(9, NO_FORK, 0)).await;
    node.script().manner = Manner::Lying;
    let endpoints = Endpoints::new(&network(&[&node]));
    let error = endpoints.head().await.expect_err("a lie");
    assert!(error.to_string().contains("another hash"), "{error}");
}

#[tokio::test]
async fn the_head_never_goes_back_and_finality_is_not_rewritten() {
    let node = Node::start(chain(30, NO_FORK, 0)).await;
    let endpoints = Endpoints::new(&network(&[&node]));
    node.script().finalized = 20;
    assert_eq!(endpoints.head().await.expect("a head").number, Block(20));
    node.script().finalized = 15;
    assert_eq!(endpoints.head().await.expect("the same").number, Block(20));
    node.replace(chain(30, 11, 7), 25);
    let error = endpoints.head().await.expect_err("another block 20");
    assert!(matches!(error, ChainError::FinalityBroken { block: Block(20), .. }), "{error}");
    node.replace(chain(30, 11, 7), 20);
    assert!(matches!(endpoints.head().await, Err(ChainError::FinalityBroken { .. })));
}

#[tokio::test]
async fn endpoints_that_answer_differently_are_named() {
    let (one, other) = (Node::start(chain(3, NO_FORK, 0)).await, Node::start(chain(3, NO_FORK, 0)).await);
    let endpoints = Endpoints::new(&network(&[&one, &other]));
    for (node, answer) in [(&one, "0x01"), (&other, "0x01")] {
        node.script().answers.insert("state_call", answer.into());
    }
    let params = rpc_params!["Api"];
    let ask = || endpoints.agreed::<String>("state_call", params.clone());
    assert_eq!(ask().await.expect("agreed"), "0x01");
    other.script().answers.insert("state_call", "0x02".into());
    let error = ask().await.expect_err("two answers");
    assert!(matches!(error, ChainError::AnswersDisagree { .. }), "{error}");
    assert!(error.to_string().contains(&other.url()), "{error}");
    drop(other);
    assert_eq!(ask().await.expect("the one that is left"), "0x01");
}

#[tokio::test]
async fn answers_that_come_late_and_in_another_order_are_told_apart() {
    let node = Node::start(chain(9, NO_FORK, 0)).await;
    let endpoints = Endpoints::new(&network(&[&node]));
    node.script().finalized = 7;
    endpoints.head().await.expect("a head");
    node.script().manner = Manner::Reordering;
    let (third, fifth) = tokio::join!(endpoints.block_hash(Block(3)), endpoints.block_hash(Block(5)));
    let headers = chain(9, NO_FORK, 0);
    assert_eq!(third.expect("a hash"), Digest(hash(&headers[3]).0));
    assert_eq!(fifth.expect("a hash"), Digest(hash(&headers[5]).0));
    node.script().finalized = 9;
    assert_eq!(endpoints.head().await.expect("a head"), head(9, NO_FORK, 0));
    assert_eq!(node.script().connections, 1);
}

#[tokio::test]
async fn a_node_that_takes_no_batches_is_asked_one_by_one() {
    let node = Node::start(chain(9, NO_FORK, 0)).await;
    node.script().manner = Manner::Unbatched;
    let endpoints = Endpoints::new(&network(&[&node]));
    for finalized in [7, 9] {
        node.script().finalized = finalized;
        assert_eq!(endpoints.head().await.expect("a head"), head(finalized, NO_FORK, 0));
    }
    assert_eq!(node.script().connections, 1);
}

#[tokio::test]
async fn who_gives_up_on_an_answer_leaves_no_answer_behind() {
    let node = Node::start(chain(9, NO_FORK, 0)).await;
    let endpoints = Endpoints::new(&network(&[&node]));
    endpoints.head().await.expect("a head");
    node.script().manner = Manner::Silent;
    let impatient = tokio::time::timeout(DEADLINE / 20, endpoints.head()).await;
    assert!(impatient.is_err(), "there was an answer");
    node.script().manner = Manner::Honest;
    endpoints.head().await.expect("a head again");
    assert_eq!(node.script().connections, 2, "the connection that was left isn't used again");
}

#[tokio::test]
async fn a_stall_ends_at_the_deadline_and_the_next_connection_works() {
    let node = Node::start(chain(3, NO_FORK, 0)).await;
    let endpoints = Endpoints::new(&network(&[&node]));
    endpoints.head().await.expect("a head");
    node.script().manner = Manner::Silent;
    let begun = Instant::now();
    let error = endpoints.head().await.expect_err("silence");
    assert!(matches!(error, ChainError::TimedOut { seconds: 2, .. }), "{error}");
    assert!(begun.elapsed() < 3 * DEADLINE);
    node.script().manner = Manner::Honest;
    endpoints.head().await.expect("a head again");
    assert_eq!(node.script().connections, 2, "the stalled connection isn't used again");
}

#[tokio::test]
async fn a_closed_connection_is_made_anew() {
    let node = Node::start(chain(3, NO_FORK, 0)).await;
    let endpoints = Endpoints::new(&network(&[&node]));
    endpoints.head().await.expect("a head");
    node.script().manner = Manner::Closing;
    let error = endpoints.head().await.expect_err("closed");
    assert!(matches!(error, ChainError::Unreachable { .. }), "{error}");
    node.script().manner = Manner::Honest;
    endpoints.head().await.expect("a head again");
}

#[tokio::test]
async fn another_chain_is_refused_whichever_endpoint_leads_to_it() {
    let (ours, other) = (Node::start(chain(3, NO_FORK, 0)).await, Node::start(chain(3, 0, 7)).await);
    let genesis = head(0, NO_FORK, 0).hash;
    let pinned = network(&[&ours, &other]).with_genesis(Some(genesis));
    let error = Endpoints::new(&pinned).head().await.expect_err("another chain");
    assert!(matches!(error, ChainError::WrongGenesis { expected, .. } if expected == genesis), "{error}");
    let alone = network(&[&ours]).with_genesis(Some(genesis));
    assert_eq!(Endpoints::new(&alone).head().await.expect("ours").number, Block(3));
}

#[tokio::test]
async fn a_runtime_upgrade_is_taken_up_while_running() {
    let (Some(before), Some(after)) = (bytes(365), bytes(393)) else {
        return skipped("no metadata of specs 365 and 393");
    };
    let node = Node::start(chain(40, NO_FORK, 0)).await;
    {
        let mut script = node.script();
        (script.spec, script.finalized) = (365, 10);
        script.metadata = [(365, before), (393, after)].into();
    }
    let subtensor = Subtensor::connect(&network(&[&node])).await.expect("connected");
    assert_eq!(subtensor.spec_version().await.expect("a version"), 365);
    node.script().spec = 393;
    node.script().finalized = 11;
    assert_eq!(subtensor.spec_version().await.expect("a version"), 393);
    let asked = node.script().requests.iter().filter(|method| *method == "state_call").count();
    assert_eq!(asked, 2, "once for each runtime");
    node.script().finalized = 12;
    assert_eq!(subtensor.spec_version().await.expect("a version"), 393);
    let asked = node.script().requests.iter().filter(|method| *method == "state_call").count();
    assert_eq!(asked, 2, "a runtime that is known isn't asked for again");
}

/// A node that has subnet 1, with one neuron.
pub(super) async fn node_with_a_subnet(metadata: &[u8]) -> Node {
    let runtime = runtime(393, metadata).expect("a known runtime");
    let api = runtime.metadata().runtime_api_trait_by_name(METAGRAPH_API).expect("the api");
    let ty = api.method_by_name(SELECTIVE).expect("the method").output_ty();
    let mut metagraph = Vec::new();
    sample(runtime.metadata().types(), ty, &mut metagraph);
    let added = items::NETWORKS_ADDED.key(&runtime, &[Key::Small(1)]).expect("a key");
    let node = Node::start(chain(40, NO_FORK, 0)).await;
    let mut script = node.script();
    (script.spec, script.finalized) = (393, 10);
    script.metadata = [(393, metadata.to_vec())].into();
    script.stored = [(const_hex::encode_prefixed(added), "0x01".to_owned())].into();
    script.answers.insert("state_call", const_hex::encode_prefixed(metagraph).into());
    drop(script);
    node
}

#[tokio::test]
async fn a_subnet_comes_with_the_block_and_all_must_agree_on_it() {
    let Some(metadata) = bytes(393) else { return skipped("no metadata of spec 393") };
    let (one, other) = (node_with_a_subnet(&metadata).await, node_with_a_subnet(&metadata).await);
    let subtensor = Subtensor::connect(&network(&[&one, &other])).await.expect("connected");
    let finalize = |first: u64, second: u64| {
        one.script().finalized = first;
        other.script().finalized = second;
    };
    for block in [10, 11, 12] {
        finalize(block, block);
        let asked = other.script().requests.len();
        let state = subtensor.subnet(Netuid(1)).await.expect("a subnet");
        assert_eq!((state.head, state.metagraph.neurons.len()), (head(block, NO_FORK, 0), 1));
        let asked = other.script().requests.len() - asked;
        assert!(block == 10 || asked == 6, "a new block took {asked} requests");
    }
    finalize(13, 15);
    assert_eq!(subtensor.subnet(Netuid(1)).await.expect("a subnet").head.number, Block(13));
    finalize(15, 15);
    assert_eq!(subtensor.subnet(Netuid(1)).await.expect("a subnet").head.number, Block(15));
    other.script().answers.insert("state_call", "0x00".into());
    finalize(16, 16);
    let error = subtensor.subnet(Netuid(1)).await.expect_err("two answers");
    assert!(matches!(error, ChainError::AnswersDisagree { .. }), "{error}");
    let error = subtensor.subnet(Netuid(1)).await.expect_err("two answers still");
    assert!(matches!(error, ChainError::AnswersDisagree { .. }), "{error}");
    one.script().answers.insert("state_call", "0x00".into());
    let error = subtensor.subnet(Netuid(1)).await.expect_err("it is gone");
    assert!(matches!(error, ChainError::NoSubnet(Netuid(1))), "{error}");
}
