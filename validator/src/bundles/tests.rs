use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{HeaderMap, HeaderName, Method, Response, StatusCode, header};
use http_body_util::BodyExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use weighhouse_ask::download::{DownloadLimits, DownloadUrl, download};
use weighhouse_chain::{Call, Chain as _};
use weighhouse_journal::{Identity, Journal, segment_name};
use weighhouse_seams::{Clock, CpuPool, DirStorage, Listener as _, Networks, Storage, SystemClock, TcpBound};
use weighhouse_types::{Blob, Block, ChallengePhase, Epoch, Fields, PhaseChange, Record, sample};
use weighhouse_wallet::keypair::Keypair;

use super::answer::{Body, Site};
use super::catalogue::Catalogue;
use super::pace::Pace;
use super::server::{PER_NETWORK_MAX, REFUSALS_MAX, connection};
use super::*;
use crate::Validator;
use crate::audit::audit;
use crate::config::BundlesSection;
use crate::testing::{Behaviour, ManualClock, NETUID, World};

const BLOB_BYTES: usize = 300_000;

fn context(epoch: u64) -> weighhouse_types::EpochContext {
    sample::context(sample::subnet(Epoch(epoch), Block(epoch * 10), Vec::new()))
}

/// A journal of these epochs, the last of which is open; each has a blob of some size.
fn journal(dir: &Path, epochs: &[u64]) -> (Arc<Mutex<Journal>>, Arc<dyn Storage>) {
    let storage: Arc<dyn Storage> = Arc::new(DirStorage::open(dir).expect("a folder of our own"));
    let weighhouse_types::EpochContext { genesis, netuid, mechanism, validator, .. } = context(1);
    let identity = Identity { genesis, netuid, mechanism, validator };
    let mut journal = Journal::open(storage.clone(), identity).expect("opened");
    for epoch in epochs {
        journal.begin_epoch(Epoch(*epoch)).expect("begun");
        journal.append(Record::EpochOpened(Box::new(context(*epoch)))).expect("appended");
        journal.append(Record::Blob(Blob::new(vec![*epoch as u8; BLOB_BYTES]))).expect("appended");
        journal.commit().expect("committed");
    }
    (Arc::new(Mutex::new(journal)), storage)
}

fn site((journal, storage): (Arc<Mutex<Journal>>, Arc<dyn Storage>), keep_epochs: usize) -> Arc<Site> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let site = Site {
        catalogue: Catalogue::new(journal, storage.clone(), keep_epochs),
        storage,
        cpu: CpuPool::new(1, 8),
        refusals: Arc::new(tokio::sync::Semaphore::new(REFUSALS_MAX)),
        pace: Pace::new(u64::MAX, clock),
        local: "127.0.0.1:8093".to_owned(),
    };
    while site.catalogue.refresh() {}
    Arc::new(site)
}

fn listed(site: &Site) -> Vec<u64> {
    site.catalogue.index().bundles.iter().map(|entry| entry.epoch.0).collect()
}

async fn get(site: &Arc<Site>, path: &str, headers: &[(HeaderName, &str)]) -> Response<Body> {
    let headers: HeaderMap =
        headers.iter().map(|(name, value)| (name.clone(), value.parse().expect("a value"))).collect();
    site.answer(&Method::GET, path, &headers).await
}

async fn bytes(response: Response<Body>) -> Vec<u8> {
    response.into_body().collect().await.expect("a whole body").to_bytes().to_vec()
}

fn path(epoch: u64) -> String {
    format!("/{INDEX_FOLDER}/{}", segment_name(Epoch(epoch)))
}

#[tokio::test]
async fn past_epochs_are_listed_and_served_and_the_open_one_is_not() {
    let dir = tempfile::tempdir().expect("a folder");
    let site = site(journal(dir.path(), &[3, 4, 5]), 64);
    assert_eq!(listed(&site), [3, 4]);
    let list = bytes(get(&site, "/bundles.json", &[]).await).await;
    let index: BundleIndex = serde_json::from_slice(&list).expect("a list");
    assert_eq!(index, *site.catalogue.index());
    for entry in &index.bundles {
        let file = std::fs::read(dir.path().join(&entry.name)).expect("its file");
        let served = get(&site, &path(entry.epoch.0), &[]).await;
        assert_eq!(served.headers()[header::CONTENT_LENGTH], file.len().to_string());
        assert_eq!(bytes(served).await, file);
        assert_eq!((entry.bytes, entry.sha256), (file.len() as u64, weighhouse_types::Digest::of(&file)));
        // They ended before they were weighed.
        assert_eq!((entry.weights, entry.published_at), (BundleWeights::Passed, None));
    }
    assert_eq!(get(&site, &path(5), &[]).await.status(), StatusCode::NOT_FOUND, "the open one");
    let page = String::from_utf8(bytes(get(&site, "/", &[(header::HOST, "h.example:8093")]).await).await);
    let page = page.expect("text");
    assert!(
        page.contains("weighhouse audit http://h.example:8093/\n") && page.contains(&segment_name(Epoch(4)))
    );
    let page = bytes(get(&site, "/", &[(header::HOST, "h;rm -rf")]).await).await;
    assert!(String::from_utf8_lossy(&page).contains("http://127.0.0.1:8093/"));
}

#[tokio::test]
async fn only_names_of_listed_epochs_lead_to_a_file() {
    let dir = tempfile::tempdir().expect("a folder");
    let site = site(journal(dir.path(), &[3, 4, 5]), 1);
    assert_eq!(listed(&site), [4], "one is offered");
    for path in [
        "/bundles/",
        "/bundles/LOCK",
        "/bundles/../LOCK",
        "/bundles/%2e%2e/LOCK",
        "/bundles//etc/passwd",
        "/bundles/epoch-4.wj",
        "/bundles/epoch-00000000000000000004.wj/",
        "/bundles/../bundles/epoch-00000000000000000004.wj",
        "/bundles/epoch-00000000000000000003.wj",
        "/LOCK",
        "/bundles",
        "//",
        "*",
    ] {
        assert_eq!(get(&site, path, &[]).await.status(), StatusCode::NOT_FOUND, "{path}");
    }
    let posted = site.answer(&Method::POST, "/", &HeaderMap::new()).await;
    assert_eq!(posted.status(), StatusCode::METHOD_NOT_ALLOWED);
    std::fs::remove_file(dir.path().join(segment_name(Epoch(4)))).expect("removed");
    assert_eq!(get(&site, &path(4), &[]).await.status(), StatusCode::NOT_FOUND, "gone since");
}

#[tokio::test]
async fn a_download_goes_on_where_it_broke_off() {
    let dir = tempfile::tempdir().expect("a folder");
    let site = site(journal(dir.path(), &[3, 4]), 64);
    let file = std::fs::read(dir.path().join(segment_name(Epoch(3)))).expect("its file");
    let whole = get(&site, &path(3), &[]).await;
    let tag = whole.headers()[header::ETAG].to_str().expect("text").to_owned();
    let rest = get(&site, &path(3), &[(header::RANGE, "bytes=70000-"), (header::IF_RANGE, &tag)]).await;
    assert_eq!(rest.status(), StatusCode::PARTIAL_CONTENT);
    let size = file.len();
    assert_eq!(rest.headers()[header::CONTENT_RANGE], format!("bytes 70000-{}/{size}", size - 1));
    assert_eq!(rest.headers()[header::CONTENT_LENGTH], (size - 70_000).to_string());
    assert_eq!(bytes(rest).await, file[70_000..]);
    let other = get(&site, &path(3), &[(header::RANGE, "bytes=70000-"), (header::IF_RANGE, "\"x\"")]).await;
    assert_eq!((other.status(), bytes(other).await.len()), (StatusCode::OK, size));
    let beyond = get(&site, &path(3), &[(header::RANGE, &format!("bytes={size}-"))]).await;
    assert_eq!(beyond.status(), StatusCode::RANGE_NOT_SATISFIABLE);
    assert_eq!(beyond.headers()[header::CONTENT_RANGE], format!("bytes */{size}"));
    let had = get(&site, &path(3), &[(header::IF_NONE_MATCH, &tag)]).await;
    assert_eq!(had.status(), StatusCode::NOT_MODIFIED);
    let head = site.answer(&Method::HEAD, &path(3), &HeaderMap::new()).await;
    assert_eq!(head.headers()[header::CONTENT_LENGTH], size.to_string());
    assert!(bytes(head).await.is_empty());
}

#[tokio::test]
async fn a_damaged_epoch_is_left_out_and_the_others_are_not() {
    let dir = tempfile::tempdir().expect("a folder");
    let held = journal(dir.path(), &[3, 4, 5]);
    let file = dir.path().join(segment_name(Epoch(3)));
    let mut content = std::fs::read(&file).expect("its file");
    content[200] ^= 1;
    held.1.write_atomic(&segment_name(Epoch(3)), &content).expect("written");
    assert_eq!(listed(&site(held, 64)), [4]);
}

#[tokio::test]
async fn an_epoch_is_held_back_while_a_challenge_in_it_awaits_its_truth() {
    let dir = tempfile::tempdir().expect("a folder");
    let held = journal(dir.path(), &[3]);
    let phase = |epoch, phase| {
        let (challenge, asked_in) = (weighhouse_types::Digest::of(b"asked"), Epoch(3));
        let epoch = Epoch(epoch);
        Record::PhaseChange(PhaseChange { epoch, challenge, asked_in, phase, fields: Fields::default() })
    };
    let carried = |epoch: u64| {
        let asked = weighhouse_types::ChallengeRecord {
            challenge: weighhouse_types::Digest::of(b"asked"),
            ..asked_sample()
        };
        Record::CarriedChallenge(Box::new(weighhouse_types::CarriedChallenge {
            epoch: Epoch(epoch),
            asked,
            beacon: context(3).beacon,
            task: weighhouse_types::Digest::default(),
            closed_in: Some(Epoch(3)),
            answers: Vec::new(),
            fields: Fields::default(),
        }))
    };
    let add = |records: Vec<Record>| {
        let mut journal = held.0.lock().expect("whole");
        for record in records {
            journal.append(record).expect("appended");
        }
        journal.commit().expect("committed");
    };
    let begin = |epoch: u64| {
        held.0.lock().expect("whole").begin_epoch(Epoch(epoch)).expect("begun");
        add(vec![Record::EpochOpened(Box::new(context(epoch)))]);
    };
    add(vec![phase(3, ChallengePhase::Closed)]);
    begin(4);
    add(vec![carried(4)]);
    let site = site(held.clone(), 64);
    assert_eq!(listed(&site), [0; 0]);
    begin(5);
    add(vec![carried(5)]);
    while site.catalogue.refresh() {}
    assert_eq!(listed(&site), [0; 0], "the next epoch's file has it as well");
    add(vec![phase(5, ChallengePhase::Lapsed { why: "no truth".to_owned() })]);
    site.catalogue.refresh();
    assert_eq!(listed(&site), [3, 4]);
}

fn asked_sample() -> weighhouse_types::ChallengeRecord {
    weighhouse_types::ChallengeRecord {
        challenge: weighhouse_types::Digest::default(),
        epoch: Epoch(3),
        round: 0,
        scope: weighhouse_types::ChallengeScope::Shared,
        vrf_output: Vec::new(),
        vrf_proof: Vec::new(),
        kind: "later".to_owned(),
        request: None,
        secret: None,
        reference: None,
        fields: Fields::default(),
    }
}

/// A caller of a connection that is served until it is cut.
fn caller(
    site: &Arc<Site>,
    networks: &Arc<Networks>,
    clock: &Arc<ManualClock>,
) -> (DuplexStream, JoinHandle<()>) {
    let (near, far) = tokio::io::duplex(1 << 10);
    let peer = SocketAddr::from(([203, 0, 113, 7], 4_000));
    let io = (Box::new(far) as weighhouse_seams::BoxIo, peer);
    let stop = CancellationToken::new();
    (near, tokio::spawn(connection(site.clone(), networks.clone(), io, clock.clone(), stop)))
}

/// Lets time go by until a connection has ended; how long it took.
async fn until_cut(clock: &ManualClock, served: JoinHandle<()>) -> Duration {
    let begun = clock.monotonic();
    while !served.is_finished() {
        assert!(clock.monotonic() - begun < Duration::from_secs(300), "it is served for ever");
        clock.advance(Duration::from_secs(1));
        tokio::task::yield_now().await;
    }
    served.await.expect("no panic");
    clock.monotonic() - begun
}

#[tokio::test]
async fn callers_that_say_or_take_nothing_are_cut() {
    let dir = tempfile::tempdir().expect("a folder");
    let (site, networks) = (site(journal(dir.path(), &[3, 4]), 64), Networks::new(PER_NETWORK_MAX));
    let clock = ManualClock::new();
    let (_silent, served) = caller(&site, &networks, &clock);
    let took = until_cut(&clock, served).await;
    assert!((10..15).contains(&took.as_secs()), "{took:?}");
    let (mut slow, served) = caller(&site, &networks, &clock);
    let head = format!("GET {} HTTP/1.1\r\nhost: h\r\n\r\n", path(3));
    slow.write_all(head.as_bytes()).await.expect("sent");
    let mut first = [0; 12];
    slow.read_exact(&mut first).await.expect("a head");
    assert_eq!(&first, b"HTTP/1.1 200");
    // Half a minute, and what 300 kB take at 16 KiB a second.
    let took = until_cut(&clock, served).await;
    assert!((45..60).contains(&took.as_secs()), "{took:?}");
    let mut got = Vec::new();
    let _ = slow.read_to_end(&mut got).await;
    assert!(got.len() < BLOB_BYTES, "it was cut");
}

#[tokio::test]
async fn a_network_that_has_all_its_connections_is_told_so() {
    let dir = tempfile::tempdir().expect("a folder");
    let (site, networks) = (site(journal(dir.path(), &[3, 4]), 64), Networks::new(PER_NETWORK_MAX));
    let from = |last: u8| std::net::IpAddr::from([203, 0, 113, last]);
    let held: Vec<_> = (0..PER_NETWORK_MAX).filter_map(|_| networks.enter(from(7))).collect();
    let clock = ManualClock::new();
    let ask = async || {
        let (mut io, served) = caller(&site, &networks, &clock);
        io.write_all(b"GET / HTTP/1.1\r\nhost: h\r\n\r\n").await.expect("sent");
        let mut said = String::new();
        io.read_to_string(&mut said).await.expect("text");
        served.await.expect("no panic");
        said
    };
    assert!(ask().await.starts_with("HTTP/1.1 429"));
    drop(held);
    assert!(ask().await.starts_with("HTTP/1.1 200"));
}

/// Makes every change of the list that is due.
fn refresh(site: &Site) -> BTreeSet<u64> {
    while site.catalogue.refresh() {}
    listed(site).into_iter().collect()
}

/// The site of a running validator, and its journal.
async fn site_of(validator: &Validator) -> (Arc<Site>, Arc<Mutex<Journal>>) {
    let listener = TcpBound::bind(([127, 0, 0, 1], 0).into()).await.expect("a free port");
    let parts = validator.bundles(Box::new(listener), BundlesSection::default());
    (site((parts.journal.clone(), parts.storage), 64), parts.journal)
}

fn current(journal: &Mutex<Journal>) -> Epoch {
    journal.lock().expect("whole").current_epoch().expect("an epoch")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_is_public_once_its_weights_are_and_audits_alone() {
    let world = World::new(&[Behaviour::Honest, Behaviour::Silent]).await;
    let dir = tempfile::tempdir().expect("a folder");
    let mut validator = Validator::open(world.parts(dir.path())).await.expect("opened");
    let (site, journal) = site_of(&validator).await;
    let progress = validator.progress();
    for _ in 0..16 {
        validator.step().await.expect("a step");
        // Its weights are on the chain before its epoch ends, which it waits for.
        for epoch in refresh(&site).into_iter().map(Epoch) {
            assert!(epoch < current(&journal) && Some(epoch) <= progress.borrow().published);
        }
        world.ledger.produce_block().await.expect("a block");
    }
    assert_eq!(listed(&site), [0]);
    let audited = audit(&bytes(get(&site, &path(0), &[]).await).await).expect("auditable");
    assert_eq!((audited.problems, audited.matches), (Vec::new(), Some(true)));
    let entry = site.catalogue.entry(Epoch(0)).expect("listed");
    assert_eq!((entry.root, entry.published_at), (audited.root, audited.published_at));
    assert_eq!(entry.weights, BundleWeights::Published);
}

#[tokio::test(flavor = "multi_thread")]
async fn sealed_weights_stay_secret_until_the_chain_shows_them() {
    let world = World::new(&[Behaviour::Honest]).await;
    let owner = Keypair::from_uri("//Owner").expect("a key");
    let mut hyperparameters =
        Box::new(world.ledger.subnet(NETUID).await.expect("the subnet").hyperparameters);
    hyperparameters.commit_reveal_weights_enabled = true;
    // Of one epoch, the chain opens them in the block that begins the next.
    hyperparameters.reveal_period_epochs = 2;
    let call = Call::SetHyperparameters { netuid: NETUID, hyperparameters };
    let signed = world.ledger.sign(&owner, call).await.expect("signed");
    world.ledger.submit(&signed).await.expect("taken");
    world.ledger.produce_block().await.expect("a block");
    let dir = tempfile::tempdir().expect("a folder");
    let mut validator = Validator::open(world.parts(dir.path())).await.expect("opened");
    let (site, journal) = site_of(&validator).await;
    let (progress, mut was_held_back) = (validator.progress(), false);
    for _ in 0..56 {
        validator.step().await.expect("a step");
        let current = current(&journal);
        let (public, published) = (refresh(&site), progress.borrow().published);
        for epoch in 0..current.0 {
            let is_published = published.is_some_and(|published| Epoch(epoch) <= published);
            assert_eq!(public.contains(&epoch), is_published, "epoch {epoch} in epoch {current}");
            was_held_back |= !is_published;
        }
        world.ledger.produce_block().await.expect("a block");
    }
    assert!(was_held_back && listed(&site).len() > 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn forecasts_are_public_once_their_truth_is() {
    let behaviours = [Behaviour::Plays("honest"), Behaviour::Plays("wrong"), Behaviour::Gone];
    let world = World::of_kind("later", &behaviours).await;
    let dir = tempfile::tempdir().expect("a folder");
    let mut validator = Validator::open(world.parts(dir.path())).await.expect("opened");
    let (site, journal) = site_of(&validator).await;
    let mut by_epoch: Vec<BTreeSet<u64>> = Vec::new();
    for _ in 0..14 * 4 {
        validator.step().await.expect("a step");
        let current = current(&journal);
        let at = usize::try_from(current.0).expect("few");
        by_epoch.resize(at + 1, BTreeSet::new());
        by_epoch[at] = refresh(&site);
        world.ledger.produce_block().await.expect("a block");
    }
    assert_eq!(by_epoch[..4], [vec![], vec![], vec![0], vec![0, 1]].map(BTreeSet::from_iter));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_offers_what_is_public_over_a_socket() {
    let world = World::new(&[Behaviour::Honest]).await;
    let dir = tempfile::tempdir().expect("a folder");
    let mut validator = Validator::open(world.parts(dir.path())).await.expect("opened");
    let listener = TcpBound::bind(([127, 0, 0, 1], 0).into()).await.expect("a free port");
    let address = listener.local_addr();
    let stop = CancellationToken::new();
    let parts = validator.bundles(Box::new(listener), BundlesSection::default());
    let serving = tokio::spawn(serve(parts, stop.clone()));
    for _ in 0..16 {
        validator.step().await.expect("a step");
        world.ledger.produce_block().await.expect("a block");
    }
    let url: DownloadUrl = format!("http://{address}/bundles.json").parse().expect("an address");
    let clock = SystemClock::new();
    let limits = DownloadLimits {
        bytes_max: 1 << 20,
        deadline: Duration::from_secs(20),
        stall: Duration::from_secs(20),
    };
    let take = async |url: &DownloadUrl| download(url, limits, &clock, |_, _| {}).await;
    // The list follows each block, a little later.
    let entry = loop {
        let index: BundleIndex = serde_json::from_slice(&take(&url).await.expect("a list")).expect("JSON");
        if let Some(entry) = index.bundles.first() {
            break entry.clone();
        }
        assert!(clock.monotonic() < Duration::from_secs(20), "nothing is offered");
        tokio::task::yield_now().await;
    };
    let file = take(&url.at(path(0))).await.expect("a bundle");
    assert_eq!(weighhouse_types::Digest::of(&file), entry.sha256);
    stop.cancel();
    serving.await.expect("a clean end");
}
