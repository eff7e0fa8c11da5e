use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use weighhouse_ask::call::CallError;
use weighhouse_ask::verdicts::{ENDPOINT_VERSION, ExplainError, SignedStatement, explain, reach};
use weighhouse_ask::{Asker, ProxyLimits, Target};
use weighhouse_chain::Chain as _;
use weighhouse_seams::{Clock, Listener as _, SystemClock, TcpBound, TcpDialer};
use weighhouse_types::{Epoch, Hotkey, Netuid, Uid};
use weighhouse_wallet::btauth::Signer;
use weighhouse_wallet::keypair::Keypair;

use super::*;
use crate::Validator;
use crate::testing::{Behaviour, NETUID, World, validator};

const LIMITS: ProxyLimits = ProxyLimits { deadline: Duration::from_secs(20), body_bytes_max: 1 << 20 };

/// A subnet after its first epoch, and the service over its validator's journal.
struct Served {
    world: World,
    validator: Validator,
    address: SocketAddr,
    stop: CancellationToken,
    serving: JoinSet<Result<(), VerdictsError>>,
}

impl Served {
    /// The validator is uid 0, then an honest miner, and one that says nothing.
    async fn after(blocks: usize, dir: &Path) -> Self {
        let world = World::new(&[Behaviour::Honest, Behaviour::Silent]).await;
        let mut validator = Validator::open(world.parts(dir)).await.expect("opened");
        let listener = TcpBound::bind(([127, 0, 0, 1], 0).into()).await.expect("a free port");
        let address = listener.local_addr();
        validator.publish_endpoint(address);
        for _ in 0..blocks {
            validator.step().await.expect("a step");
            world.ledger.produce_block().await.expect("a block");
        }
        let stop = CancellationToken::new();
        let mut serving = JoinSet::new();
        serving.spawn(serve(validator.verdicts(Box::new(listener)), stop.clone()));
        Self { world, validator, address, stop, serving }
    }

    async fn asks(&self, who: &str, epoch: Option<u64>) -> Result<SignedStatement, ExplainError> {
        self.asks_of(who, NETUID, epoch).await
    }

    async fn asks_of(
        &self,
        who: &str,
        netuid: Netuid,
        epoch: Option<u64>,
    ) -> Result<SignedStatement, ExplainError> {
        let to = Target { address: self.address, hotkey: validator().hotkey(), pin: None };
        let subnet = (self.world.ledger.genesis(), netuid);
        explain(&asker(who), to, subnet, epoch.map(Epoch), LIMITS).await
    }

    async fn end(mut self) {
        self.stop.cancel();
        self.serving.join_next().await.expect("it served").expect("no panic").expect("a clean end");
    }
}

fn asker(who: &str) -> Asker {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let keypair = Arc::new(Keypair::from_uri(who).expect("a key"));
    Asker { signer: Arc::new(Signer::new(keypair, clock.clone())), dialer: Arc::new(TcpDialer), clock }
}

fn refusal(error: ExplainError) -> (tonic::Code, String) {
    match error {
        ExplainError::Call(CallError::Refused(status)) => (status.code(), status.message().to_owned()),
        other => panic!("no refusal: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_miner_gets_its_own_signed_statement_and_nobody_elses() {
    let dir = tempfile::tempdir().expect("a folder");
    let served = Served::after(16, dir.path()).await;
    let honest = served.asks("//miner0", None).await.expect("told").statement;
    assert_eq!((honest.uid, honest.epoch, honest.answers), (Uid(1), Epoch(0), 3));
    assert!(honest.losses.is_empty() && honest.published.is_some(), "{honest:?}");
    let silent = served.asks("//miner1", Some(0)).await.expect("told").statement;
    assert_eq!((silent.uid, silent.share, silent.losses[0].check.as_str()), (Uid(2), 0, "deadline_exceeded"));
    assert_eq!(silent.share_without, 500_000_000);
    let pay = silent.pay.expect("epoch 1 shows what epoch 0 paid");
    assert_eq!((pay.shown_in, pay.own.0), (Epoch(1), 0));
    assert!(pay.miners.0 > 0 && silent.sentence().contains("alpha lost to `deadline_exceeded` over 3 of 3"));
    served.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_other_epochs_and_other_subnets_are_refused() {
    let dir = tempfile::tempdir().expect("a folder");
    let served = Served::after(16, dir.path()).await;
    let refused = async |who: &str, epoch| refusal(served.asks(who, epoch).await.expect_err("refused"));
    assert_eq!(refused("//Eve", None).await, (tonic::Code::PermissionDenied, "hotkey not registered".into()));
    let (code, why) = refused("//miner0", Some(1)).await;
    assert_eq!(
        (code, why.as_str()),
        (tonic::Code::FailedPrecondition, "the weights of this epoch are not public yet")
    );
    assert_eq!(refused("//miner0", Some(9)).await.0, tonic::Code::NotFound);
    // The validator itself is registered, and nobody judges it.
    assert_eq!(refused("//Validator", Some(0)).await.0, tonic::Code::NotFound);
    let elsewhere = served.asks_of("//miner0", Netuid(2), None).await.expect_err("another subnet");
    assert_eq!(refusal(elsewhere).0, tonic::Code::InvalidArgument);
    served.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_told_of_an_epoch_that_is_open_though_its_weights_are_published() {
    let dir = tempfile::tempdir().expect("a folder");
    // Epoch 0 ends with block 12; its weights are published four blocks before.
    let served = Served::after(11, dir.path()).await;
    let stored = served.world.ledger.weights(NETUID, weighhouse_types::MechId(0), Uid(0)).await;
    assert!(!stored.expect("a row").is_empty(), "published already");
    let why = refusal(served.asks("//miner0", None).await.expect_err("refused"));
    assert_eq!(why.0, tonic::Code::FailedPrecondition);
    served.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_s_quota_is_its_own() {
    let dir = tempfile::tempdir().expect("a folder");
    let served = Served::after(16, dir.path()).await;
    let mut codes = Vec::new();
    for _ in 0..13 {
        codes.push(served.asks("//miner0", Some(0)).await.map(|_| ()).map_err(|error| refusal(error).0));
    }
    assert_eq!(codes[11], Ok(()));
    assert_eq!(codes[12], Err(tonic::Code::ResourceExhausted));
    assert!(served.asks("//miner1", Some(0)).await.is_ok());
    served.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_chain_says_where_verdicts_are_served() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut served = Served::after(3, dir.path()).await;
    let published = async |world: &World| {
        world.ledger.prometheus(NETUID, validator().hotkey()).await.expect("asked").expect("published")
    };
    let endpoint = published(&served.world).await;
    assert_eq!((endpoint.address(), endpoint.version), (served.address, ENDPOINT_VERSION));
    for _ in 0..30 {
        served.validator.step().await.expect("a step");
        served.world.ledger.produce_block().await.expect("a block");
    }
    assert_eq!(published(&served.world).await.block, endpoint.block, "it is published once");
    served.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_miner_is_dialled_where_the_chain_shows_its_axon_and_once_in_ten_minutes() {
    let dir = tempfile::tempdir().expect("a folder");
    let served = Served::after(3, dir.path()).await;
    let to = Target { address: served.address, hotkey: validator().hotkey(), pin: None };
    let ask = async |who: &str| reach(&asker(who), to, NETUID, LIMITS).await;
    let reached = ask("//miner0").await.expect("told");
    let axon = served.world.ledger.subnet(NETUID).await.expect("read").metagraph.neurons[1].axon;
    assert_eq!(reached.address, axon.expect("published").address().to_string());
    assert!(reached.outcome.is_ok(), "{reached:?}");
    let again = refusal(ask("//miner0").await.expect_err("too soon"));
    assert_eq!(again, (tonic::Code::ResourceExhausted, "dialled within the last ten minutes".into()));
    let nowhere = refusal(ask("//Validator").await.expect_err("no axon"));
    assert_eq!(nowhere.0, tonic::Code::FailedPrecondition);
    assert_eq!(refusal(ask("//Eve").await.expect_err("unregistered")).0, tonic::Code::PermissionDenied);
    served.end().await;
}

#[test]
fn only_registered_hotkeys_pass_the_gate() {
    use weighhouse_wallet::http::{Admission as _, Refusal};
    let known = Hotkey([1; 32]);
    let (registered, receiver) = watch::channel(Arc::new(HashMap::from([(known, None)])));
    let gate = gate::Gate::new(receiver, Arc::new(SystemClock::new()), gate::REQUESTS_MAX);
    assert!(gate.admit(&known).is_ok());
    assert!(matches!(gate.admit(&Hotkey([2; 32])), Err(Refusal::UnknownHotkey)));
    registered.send_replace(Arc::default());
    assert!(matches!(gate.charge(&known, &http::Extensions::new()), Err(Refusal::UnknownHotkey)));
}
