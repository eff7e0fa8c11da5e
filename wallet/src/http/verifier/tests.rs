use weighhouse_seams::DirStorage;
use weighhouse_types::Hotkey;

use super::*;
use crate::btauth::Signer;
use crate::keypair::Keypair;
use crate::replay::ReplayLimits;
use crate::testclock::ManualClock;

const START: u64 = 1_790_000_000_000_000_000;

struct Bench {
    _dir: tempfile::TempDir,
    verifier: Arc<Verifier>,
    signer: Signer,
    miner: Hotkey,
}

impl Bench {
    fn new(threads: usize) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let clock = Arc::new(ManualClock::new(START));
        let storage = Arc::new(DirStorage::open(dir.path()).expect("a folder"));
        let replay = ReplayGuard::open(storage, clock.clone(), ReplayLimits::STANDARD).expect("opens");
        clock.set(START + 60_000_000_000);
        let keypair = |uri| Arc::new(Keypair::from_uri(uri).expect("a uri"));
        Self {
            _dir: dir,
            verifier: Verifier::new(CpuPool::new(threads, 8), Arc::new(replay)),
            signer: Signer::new(keypair("//Alice"), clock),
            miner: keypair("//miner").hotkey(),
        }
    }

    fn request(&self, body: &'static [u8]) -> Unverified {
        let signed = self.signer.headers("POST", "/path", body, Some(&self.miner));
        let mut headers = http::HeaderMap::new();
        for (name, value) in signed {
            headers.insert(name, value.parse().expect("a value"));
        }
        let claims = Claims::parse(&headers).expect("well-formed");
        let body = Bytes::from_static(body);
        Unverified { claims, method: Method::POST, target: "/path".to_owned(), body }
    }

    fn forged(&self) -> Unverified {
        Unverified { target: "/other".to_owned(), ..self.request(b"forged") }
    }

    /// Puts a request among those that wait, without a look at it.
    fn queue(&self, network: u8, body: &'static [u8]) -> oneshot::Receiver<Verdict> {
        let (sender, verdict) = oneshot::channel();
        let one = Waiting { network: from(network), request: self.request(body), sender };
        self.verifier.queue().push(one);
        verdict
    }

    fn next(&self) -> Option<(bool, Vec<Bytes>)> {
        let batch = self.verifier.queue().next()?;
        Some((batch.together, batch.waiting.into_iter().map(|one| one.request.body).collect()))
    }
}

fn from(network: u8) -> IpAddr {
    IpAddr::from([10, 0, 0, network])
}

#[tokio::test]
async fn networks_take_turns_and_so_do_the_trusted_and_the_others() {
    let bench = Bench::new(1);
    for network in [1, 2] {
        bench.verifier.verify(bench.request(b"first"), from(network)).await.expect("right");
    }
    let mut held = Vec::new();
    for body in [b"1a", b"1b", b"1c"] {
        held.push(bench.queue(1, body));
    }
    held.push(bench.queue(2, b"2a"));
    for body in [b"3a", b"3b", b"3c", b"3d", b"3e"] {
        held.push(bench.queue(3, body));
    }
    held.push(bench.queue(4, b"4a"));
    drop(bench.queue(2, b"gone away"));
    let mut batches = Vec::new();
    while let Some((together, bodies)) = bench.next() {
        let bodies: Vec<String> =
            bodies.iter().map(|body| String::from_utf8_lossy(body).into_owned()).collect();
        batches.push((together, bodies.join(" ")));
    }
    batches.sort();
    let expected =
        [(false, "3a 4a 3b 3c"), (false, "3d 3e"), (true, "1a 2a 1b 1c")].map(|(a, b)| (a, b.to_owned()));
    assert_eq!(batches, expected);
    assert_eq!(bench.verifier.queue().len(), 0);
}

#[tokio::test]
async fn a_wrong_signature_among_many_is_found_and_its_network_is_looked_at_alone_from_then_on() {
    let bench = Bench::new(1);
    for network in [1, 2] {
        bench.verifier.verify(bench.request(b"first"), from(network)).await.expect("right");
    }
    let right: Vec<_> = (0..5).map(|_| bench.queue(1, b"right")).collect();
    let (sender, wrong) = oneshot::channel();
    bench.verifier.queue().push(Waiting { network: from(2), request: bench.forged(), sender });
    let later = bench.queue(2, b"right as well");
    let replayed = bench.request(b"twice");
    let twice = [(); 2].map(|()| {
        let (sender, verdict) = oneshot::channel();
        bench.verifier.queue().push(Waiting { network: from(1), request: replayed.clone(), sender });
        verdict
    });
    // Whoever comes next begins the work on all of them.
    bench.verifier.verify(bench.request(b"last"), from(1)).await.expect("right");
    for verdict in right {
        verdict.await.expect("told").expect("right");
    }
    let [once, again] = twice;
    once.await.expect("told").expect("right");
    assert!(matches!(again.await.expect("told"), Err(Refusal::Replay(_))));
    assert!(matches!(wrong.await.expect("told"), Err(Refusal::Auth(_))));
    later.await.expect("told").expect("right");
    let networks = bench.verifier.queue().networks.clone();
    assert_eq!((networks[&from(1)], networks[&from(2)]), (true, false));
    assert_eq!(bench.verifier.queue().working, 0);

    let _held = bench.queue(2, b"a");
    assert_eq!(bench.next(), Some((false, vec![Bytes::from_static(b"a")])));
}

#[tokio::test]
async fn many_bytes_end_a_batch_and_strangers_leave_nothing_behind() {
    static LARGE: [u8; TOGETHER_BYTES] = [0; TOGETHER_BYTES];
    let bench = Bench::new(2);
    assert!(bench.verifier.verify(bench.forged(), from(9)).await.is_err());
    assert!(bench.verifier.queue().networks.is_empty());
    bench.verifier.verify(bench.request(b"first"), from(1)).await.expect("right");
    let _held = [bench.queue(1, b"small"), bench.queue(1, &LARGE), bench.queue(1, b"next")];
    let sizes: Vec<usize> = std::iter::from_fn(|| bench.next()).map(|(_, bodies)| bodies.len()).collect();
    assert_eq!(sizes, [2, 1]);
}
