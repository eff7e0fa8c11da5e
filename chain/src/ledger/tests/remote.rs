//! The ledger across the network.

use std::io;
use std::net::SocketAddr;

use tokio::sync::oneshot;
use weighhouse_seams::{BoxIo, Dialer, Listener, TcpBound, TcpDialer};

use super::super::*;
use super::{conformance, world::*};
use crate::grpc::ServeLimits;

/// Serves on a free port for as long as the work takes, and then sees the server end.
pub(super) async fn served(ledger: Ledger, limits: LedgerLimits, work: impl AsyncFnOnce(String)) {
    let listener = TcpBound::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.expect("binds");
    let url = format!("http://{}", listener.local_addr());
    let (stop, stopped) = oneshot::channel::<()>();
    let server = serve(ledger, Box::new(listener), limits, async move {
        let _ = stopped.await;
    });
    let work = async {
        work(url).await;
        stop.send(()).expect("the server is there");
    };
    let (served, ()) = tokio::join!(server, work);
    served.expect("ends in order");
}

async fn connect(url: &str, genesis: Option<Digest>) -> Result<Remote, ChainError> {
    Remote::connect(url, genesis, Arc::new(TcpDialer), clock()).await
}

#[tokio::test]
async fn the_ledger_served_over_grpc_is_a_chain() {
    let ledger = ledger();
    served(ledger.clone(), LedgerLimits::default(), async |url| {
        let remote = connect(&url, Some(ledger.genesis())).await.expect("connects");
        assert_eq!((remote.name(), remote.block_time()), ("test", None));
        conformance::check(&remote, &ledger).await;
    })
    .await;
}

#[tokio::test]
async fn what_the_ledger_did_of_itself_is_told_over_grpc_too() {
    let ledger = ledger();
    let mut ran = false;
    for _ in 0..20 {
        ledger.produce_block().await.expect("a block");
    }
    served(ledger.clone(), LedgerLimits::default(), async |url| {
        let remote = connect(&url, None).await.expect("connects");
        for block in (1..=20).map(Block) {
            let told = remote.hook_events(block).await.expect("told");
            assert_eq!(told, ledger.hook_events(block).await.expect("kept"));
            ran |= told.iter().any(|event| matches!(event, Event::EpochRun { .. }));
        }
        let ahead = remote.hook_events(Block(21)).await;
        assert!(matches!(ahead, Err(ChainError::NoBlock { .. })), "{ahead:?}");
    })
    .await;
    assert!(ran, "no epoch in twenty blocks");
}

#[tokio::test]
async fn a_chain_of_another_genesis_is_refused() {
    let ledger = ledger();
    served(ledger.clone(), LedgerLimits::default(), async |url| {
        let other = connect(&url, Some(Digest([5; 32]))).await;
        match other {
            Err(ChainError::WrongGenesis { expected, actual, .. }) => {
                assert_eq!((expected, actual), (Digest([5; 32]), ledger.genesis()));
            }
            other => panic!("{other:?}"),
        }
    })
    .await;
}

#[tokio::test]
async fn waiting_for_a_block_outlasts_the_servers_wait() {
    let ledger = ledger();
    let limits = LedgerLimits { next_block_wait: Duration::from_millis(1), ..LedgerLimits::default() };
    served(ledger.clone(), limits, async |url| {
        let remote = connect(&url, None).await.expect("connects");
        let (next, made) = tokio::join!(remote.next_block(Block(0)), async {
            for _ in 0..3 {
                remote.head().await.expect("a head");
            }
            ledger.produce_block().await.expect("a block")
        });
        assert_eq!(next.expect("a block"), made);
    })
    .await;
}

#[tokio::test]
async fn an_unusable_address_is_said_to_be_so() {
    for url in ["", "127.0.0.1:9", "https://127.0.0.1:9", "http://127.0.0.1"] {
        let failed = connect(url, None).await.expect_err("refused");
        assert!(matches!(failed, ChainError::Unreachable { .. }), "{url}: {failed}");
    }
}

/// Nobody listens, or nobody ever answers.
#[derive(Debug)]
enum Deaf {
    Refusing,
    Silent,
}

#[async_trait]
impl Dialer for Deaf {
    async fn dial(&self, _: SocketAddr) -> io::Result<BoxIo> {
        match self {
            Self::Refusing => Err(io::ErrorKind::ConnectionRefused.into()),
            Self::Silent => std::future::pending().await,
        }
    }
}

#[tokio::test]
async fn an_unreachable_server_is_tried_again_and_then_reported() {
    for deaf in [Deaf::Refusing, Deaf::Silent] {
        let clock = Arc::new(TestClock::default());
        let time = Arc::clone(&clock) as Arc<dyn Clock>;
        let failed = Remote::connect("http://127.0.0.1:9", None, Arc::new(deaf), time).await;
        assert!(matches!(failed, Err(ChainError::Unreachable { .. })), "{failed:?}");
        let took = clock.monotonic();
        assert!(took >= Duration::from_millis(1_400) && took < Duration::from_secs(60), "{took:?}");
    }
}

/// A connection that was made and then goes nowhere: the peer's end is kept and never read.
#[derive(Debug, Default)]
struct HalfOpen(Mutex<Vec<tokio::io::DuplexStream>>);

#[async_trait]
impl Dialer for HalfOpen {
    async fn dial(&self, _: SocketAddr) -> io::Result<BoxIo> {
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        self.0.lock().expect("not poisoned").push(theirs);
        Ok(Box::new(ours))
    }
}

#[tokio::test]
async fn a_half_open_connection_is_given_up() {
    let dialer = Arc::new(HalfOpen::default());
    let clock = Arc::new(TestClock::default());
    let failed = Remote::connect("http://127.0.0.1:9", None, dialer, clock).await;
    assert!(matches!(failed, Err(ChainError::TimedOut { seconds: 20, .. })), "{failed:?}");
}

#[tokio::test]
async fn connections_beyond_the_limit_are_closed() {
    let ledger = ledger();
    let limits = LedgerLimits {
        serve: ServeLimits { connections_max: 1, ..ServeLimits::default() },
        ..LedgerLimits::default()
    };
    served(ledger.clone(), limits, async |url| {
        let first = connect(&url, None).await.expect("connects");
        let second = connect(&url, None).await;
        assert!(matches!(second, Err(ChainError::Unreachable { .. })), "{second:?}");
        first.head().await.expect("the first goes on");
    })
    .await;
}

/// Dials whatever server is the current one.
#[derive(Debug)]
struct Moving(Mutex<SocketAddr>);

#[async_trait]
impl Dialer for Moving {
    async fn dial(&self, _: SocketAddr) -> io::Result<BoxIo> {
        let to = *self.0.lock().expect("not poisoned");
        TcpDialer.dial(to).await
    }
}

fn address(url: &str) -> SocketAddr {
    url.trim_start_matches("http://").parse().expect("an address")
}

#[tokio::test]
async fn a_restarted_server_is_found_again_but_another_chain_is_not_believed() {
    let ledger = ledger();
    let dialer = Arc::new(Moving(Mutex::new(SocketAddr::from(([127, 0, 0, 1], 1)))));
    let mut found = None;
    served(ledger.clone(), LedgerLimits::default(), async |url| {
        *dialer.0.lock().expect("not poisoned") = address(&url);
        let remote = Remote::connect(&url, None, Arc::clone(&dialer) as Arc<dyn Dialer>, clock()).await;
        found = Some(remote.expect("connects"));
    })
    .await;
    let remote = found.expect("connected above");
    served(ledger.clone(), LedgerLimits::default(), async |url| {
        *dialer.0.lock().expect("not poisoned") = address(&url);
        assert_eq!(remote.head().await.expect("found again").hash, ledger.genesis());
    })
    .await;
    let mut file = file();
    file.name = "other".to_owned();
    let other = Genesis::new(file).expect("valid");
    let other = Ledger::in_memory(&other, clock(), &mut entropy()).expect("opens");
    served(other.clone(), LedgerLimits::default(), async |url| {
        *dialer.0.lock().expect("not poisoned") = address(&url);
        let head = remote.head().await;
        assert!(
            matches!(head, Err(ChainError::WrongGenesis { actual, .. }) if actual == other.genesis()),
            "{head:?}"
        );
    })
    .await;
}

#[tokio::test]
async fn a_server_ends_while_a_client_waits_for_a_block() {
    let ledger = ledger();
    let listener = TcpBound::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.expect("binds");
    let url = format!("http://{}", listener.local_addr());
    let (stop, stopped) = oneshot::channel::<()>();
    let server = serve(ledger.clone(), Box::new(listener), LedgerLimits::default(), async move {
        let _ = stopped.await;
    });
    let client = async {
        let remote = connect(&url, None).await.expect("connects");
        let waiting = remote.next_block(Block(0));
        tokio::pin!(waiting);
        let asked = async {
            for _ in 0..3 {
                remote.head().await.expect("a head");
            }
        };
        tokio::select! {
            head = &mut waiting => panic!("{head:?}"),
            () = asked => {}
        }
        stop.send(()).expect("the server is there");
        let _ = waiting.await;
    };
    tokio::pin!(client);
    let ended = tokio::select! {
        ended = server => ended,
        () = &mut client => panic!("the server must end first"),
    };
    ended.expect("ends in order");
}
