//! What is exchanged while a miner serves, and several hotkeys in one process.

use weighhouse_models::{Builtin, Classifier};
use weighhouse_seams::{CpuPool, DirStorage, Entropy, SystemClock, TcpBound};
use weighhouse_types::{Digest, Rao};

use super::harness::exchange;
use super::*;
use crate::config::Admission;
use crate::engine::{Catalogue, ClassifierEngine, EngineLimits, ModelName};

fn digits(builtin: Builtin) -> Catalogue {
    let limits = EngineLimits { items_max: 8, queue_max: 8, batch_items_max: 8 };
    let model = Classifier::load(builtin.bytes()).expect("built in");
    let cpu = CpuPool::new(1, 8);
    Catalogue::of(Arc::new(ClassifierEngine::new(ModelName::new("digits", "2"), model, limits, &cpu)))
}

#[tokio::test]
async fn a_request_that_began_before_a_reload_ends_with_the_model_that_it_began_with() {
    let held = HeldEngine::new();
    let engine: Arc<dyn Engine> = held.clone();
    let miner = Setup { engine: Some(engine), ..Setup::default() }.start().await;
    let (hotkey, before, after) = (miner.hotkey(), miner.sign(&request(1)), miner.sign(&request(1)));
    let answering = tokio::spawn(exchange(miner.channel().await, before.clone()));
    held.entered().await;
    let admission = Admission::clone(&miner.live.admission().borrow());
    miner.live.exchange(digits(Builtin::Better), admission);
    let new = miner.send(&after).await;
    let model = verify_answer(&hotkey, &after.body, &new.body, &new.trailers).expect("signed").model;
    assert_eq!(model, Digest::of(Builtin::Better.bytes()));
    held.release();
    let old = answering.await.expect("joined").expect("answered");
    let model = verify_answer(&hotkey, &before.body, &old.body, &old.trailers).expect("signed").model;
    assert_eq!(model, harness::digest());
    miner.stop().await.expect("a clean end");
}

#[tokio::test]
async fn who_may_ask_is_exchanged_too() {
    let miner = Setup::default().start().await;
    assert_eq!(miner.send(&miner.sign(&request(1))).await.code(), Code::Ok);
    let admission = Admission::clone(&miner.live.admission().borrow());
    let stake_min = Rao::from_tao(1_000_000);
    miner.live.exchange(digits(Builtin::Weak), Admission { stake_min, ..admission });
    assert_eq!(miner.send(&miner.sign(&request(1))).await.code(), Code::PermissionDenied);
    miner.stop().await.expect("a clean end");
}

#[tokio::test]
async fn each_hotkey_answers_by_itself_and_one_without_a_place_ends_no_other() {
    let names = ["//Bob", "//Dave", "//Eve"];
    let registered =
        [neuron(0, key("//Alice").hotkey(), 100, true), neuron(1, key("//Bob").hotkey(), 0, false)];
    let chain = FakeChain::new(registered.into());
    chain.change(|metagraph| metagraph.neurons.push(neuron(2, key("//Dave").hotkey(), 0, false)));
    let config = Config::parse(
        "wallet = { name = 'w', hotkey = 'h' }\nchain = { netuid = 1 }\n\
         model = [{ name = 'digits', builtin = 'digits-weak' }]\n",
    );
    let (config, clock) = (config.expect("valid"), Arc::new(SystemClock::new()) as Arc<dyn Clock>);
    let live = Live::new(digits(Builtin::Weak), &config, &clock);
    let (shutdown, dir) = (CancellationToken::new(), tempfile::tempdir().expect("a folder"));
    let (mut parts, mut addresses) = (Vec::new(), Vec::new());
    for name in names {
        let listener = TcpBound::bind(([127, 0, 0, 1], 0).into()).await.expect("a free port");
        addresses.push(listener.local_addr());
        let folder = dir.path().join(name.trim_start_matches('/'));
        parts.push(Parts {
            config: config.clone(),
            keypair: key(name),
            chain: chain.clone(),
            live: live.clone(),
            listener: Box::new(listener),
            clock: clock.clone(),
            storage: Arc::new(DirStorage::open(&folder).expect("a folder")),
            entropy: Entropy::system(),
            cpu: CpuPool::new(1, 64),
            ready: watch::Sender::new(false),
            shutdown: CancellationToken::new(),
        });
    }
    let ready = watch::Sender::new(false);
    let mut is_ready = ready.subscribe();
    let stop = shutdown.clone();
    let serving = tokio::spawn(async move { run_all(parts, ready, &stop).await });
    is_ready.wait_for(|ready| *ready).await.expect("Eve, who isn't registered, holds nobody up");
    for (name, address) in names.into_iter().zip(addresses).take(2) {
        let channel = Endpoint::from_shared(format!("http://{address}")).expect("an address");
        let mut client = MinerClient::new(channel.connect().await.expect("it listens"));
        let described = client.describe(DescribeRequest {}).await.expect("open").into_inner();
        assert_eq!(Description::try_from(described).expect("whole").hotkey, key(name).hotkey());
        let axon = chain.metagraph().by_hotkey(&key(name).hotkey()).expect("registered").axon;
        assert_eq!(axon.map(|axon| axon.address()), Some(address), "published");
    }
    shutdown.cancel();
    serving.await.expect("joined").expect("a clean end");
}
