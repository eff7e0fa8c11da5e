use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;

use weighhouse_journal::{Identity, SegmentHeader, sealed, segment_name};
use weighhouse_types::{Block, Digest, Record, sample};
use weighhouse_validator::bundles::{BundleEntry, BundleIndex, BundleWeights};

use super::listed::Listed;
use super::*;
use crate::commands::write_file;

/// An epoch in which nothing was asked.
fn epoch(number: u64) -> Vec<u8> {
    let epoch = Epoch(number);
    let context = sample::context(sample::subnet(epoch, Block(number * 10), Vec::new()));
    let identity = Identity {
        genesis: context.genesis,
        netuid: context.netuid,
        mechanism: context.mechanism,
        validator: context.validator,
    };
    sealed(SegmentHeader { epoch, identity }, &[Record::EpochOpened(Box::new(context))])
}

fn index(epochs: &[u64]) -> BundleIndex {
    let context = sample::context(sample::subnet(Epoch(1), Block(10), Vec::new()));
    let entry = |number: &u64| {
        let bytes = epoch(*number);
        BundleEntry {
            epoch: Epoch(*number),
            name: segment_name(Epoch(*number)),
            bytes: bytes.len() as u64,
            sha256: Digest::of(&bytes),
            root: Digest::default(),
            weights: BundleWeights::Abstained,
            published_at: None,
        }
    };
    BundleIndex {
        validator: context.validator,
        genesis: context.genesis,
        netuid: context.netuid,
        mechanism: context.mechanism,
        bundles: epochs.iter().map(entry).collect(),
    }
}

/// Any server of plain files: this list, and whatever bundle is asked for.
fn serve(index: &BundleIndex) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    let list = serde_json::to_vec(index).expect("JSON");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut head = [0; 4096];
            let read = stream.read(&mut head).unwrap_or_default();
            let head = String::from_utf8_lossy(&head[..read]).into_owned();
            let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
            let name = path.strip_prefix("/a/bundles/").and_then(weighhouse_journal::epoch_of_name);
            let (status, body) = match (path.as_str(), name) {
                ("/a/bundles.json", _) => ("200 OK", list.clone()),
                (_, Some(number)) => ("200 OK", epoch(number.0)),
                _ => ("404 Not Found", Vec::new()),
            };
            let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n", body.len());
            let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
        }
    });
    format!("http://{address}/a/")
}

async fn read(named: &[&str], chosen: Chosen, save: Option<&Path>) -> Result<Vec<Vec<u8>>, Failure> {
    let named: Vec<PathBuf> = named.iter().map(PathBuf::from).collect();
    let mut read = Vec::new();
    for source in sources(&named, chosen).await? {
        read.push(source.bytes(save).await?);
    }
    Ok(read)
}

fn epochs(text: &str) -> Chosen {
    Chosen { epochs: Some(text.parse().expect("epochs")), newest: None }
}

fn newest(count: usize) -> Chosen {
    Chosen { epochs: None, newest: Some(count) }
}

const ALL: Chosen = Chosen { epochs: None, newest: None };

#[tokio::test]
async fn a_folder_is_all_of_its_epochs_in_their_order() {
    let dir = tempfile::tempdir().expect("a folder");
    for number in [12, 2, 3] {
        write_file(&dir.path().join(segment_name(Epoch(number))), &epoch(number)).expect("written");
    }
    let folder = dir.path().to_str().expect("a path");
    let of = async |chosen| read(&[folder], chosen, None).await;
    assert_eq!(of(ALL).await.expect("read"), [2, 3, 12].map(epoch));
    assert_eq!(of(epochs("3..12")).await.expect("read"), [3, 12].map(epoch));
    assert_eq!(of(newest(1)).await.expect("read"), [12].map(epoch));
    let none = of(epochs("4..11")).await.expect_err("none of these");
    assert!(none.to_string().contains("it has epochs 2 to 12"), "{none}");
    let file = dir.path().join(segment_name(Epoch(2)));
    let file = file.to_str().expect("a path");
    assert_eq!(read(&[file], ALL, None).await.expect("read"), [epoch(2)]);
    assert_eq!(read(&[file], newest(1), None).await.expect_err("one file").exit, Exit::Config);
    let empty = tempfile::tempdir().expect("a folder");
    let none = read(&[empty.path().to_str().expect("a path")], ALL, None).await.expect_err("empty");
    assert_eq!(none.exit, Exit::Missing);
}

#[tokio::test]
async fn an_address_is_a_list_of_bundles_or_one_of_them() {
    let address = serve(&index(&[4, 5, 6, 7]));
    let of = async |chosen| read(&[&address], chosen, None).await;
    assert_eq!(of(ALL).await.expect("taken"), [6, 7].map(epoch), "the newest two");
    assert_eq!(of(epochs("4..6")).await.expect("taken"), [4, 5, 6].map(epoch));
    assert_eq!(of(newest(3)).await.expect("taken"), [5, 6, 7].map(epoch));
    let none = of(epochs("8")).await.expect_err("not offered").to_string();
    assert!(none.contains("it offers epochs 4 to 7"), "{none}");
    let list = format!("{address}bundles.json");
    assert_eq!(read(&[&list], newest(1), None).await.expect("taken"), [epoch(7)]);
    let one = format!("{address}bundles/{}", segment_name(Epoch(9)));
    assert_eq!(read(&[&one], ALL, None).await.expect("taken"), [epoch(9)]);
    let nothing = read(&[&format!("{address}nothing.json")], ALL, None).await.expect_err("not there");
    assert_eq!(nothing.exit, Exit::Missing);
}

#[tokio::test]
async fn what_a_list_says_of_a_bundle_is_held_against_it() {
    let mut lying = index(&[4]);
    lying.bundles[0].sha256 = Digest::of(b"another file");
    let error = read(&[&serve(&lying)], ALL, None).await.expect_err("another file");
    assert_eq!(error.exit, Exit::Data);
    let mut short = index(&[4]);
    short.bundles[0].bytes -= 1;
    assert_eq!(read(&[&serve(&short)], ALL, None).await.expect_err("longer").exit, Exit::Data);
    let mut named = index(&[4]);
    named.bundles[0].name = "../../etc/passwd".to_owned();
    let error = read(&[&serve(&named)], ALL, None).await.expect_err("no name of an epoch");
    assert_eq!(error.exit, Exit::Data);
    let none = read(&[&serve(&index(&[]))], ALL, None).await.expect_err("no epoch yet");
    assert_eq!(none.exit, Exit::Missing);
}

#[tokio::test]
async fn downloads_are_kept_and_not_taken_twice() {
    let dir = tempfile::tempdir().expect("a folder");
    let address = serve(&index(&[4, 5]));
    read(&[&address], ALL, Some(dir.path())).await.expect("taken");
    let folder = dir.path().to_str().expect("a path");
    assert_eq!(read(&[folder], ALL, None).await.expect("kept"), [4, 5].map(epoch));
    // A list that is far too long for its files: only what is kept can be read.
    let mut list = index(&[4, 5]);
    list.bundles.iter_mut().for_each(|entry| entry.bytes = u64::MAX);
    assert_eq!(read(&[&serve(&list)], ALL, Some(dir.path())).await.expect("kept"), [4, 5].map(epoch));
    assert_eq!(read(&[&serve(&list)], ALL, None).await.expect_err("not taken").exit, Exit::Data);
}

#[test]
fn epochs_are_written_from_first_to_last() {
    assert_eq!("3..7".parse::<EpochRange>(), "3 .. 7".parse());
    assert!("5".parse::<EpochRange>().is_ok());
    for text in ["", "..", "3..", "..3", "7..3", "a..b", "-1..2", "3...7"] {
        let error = text.parse::<EpochRange>().expect_err(text);
        assert!(error.contains("FIRST..LAST"), "{error}");
    }
}

#[test]
fn the_list_s_own_claims_are_compared_with_the_report() {
    let index = index(&[4]);
    let mut listed = Listed::new(&index, &index.bundles[0]);
    let bytes = {
        let context = sample::context(sample::subnet(Epoch(4), Block(40), Vec::new()));
        let policy = weighhouse_scoring::policy::DEFAULT_POLICY.as_bytes().to_vec();
        let task = weighhouse_tasks::DIGITS_CONFORMANCE.as_bytes().to_vec();
        let context = weighhouse_types::EpochContext { policy, task, ..context };
        let identity = Identity {
            genesis: context.genesis,
            netuid: context.netuid,
            mechanism: context.mechanism,
            validator: context.validator,
        };
        sealed(SegmentHeader { epoch: Epoch(4), identity }, &[Record::EpochOpened(Box::new(context))])
    };
    let report = || weighhouse_validator::audit::audit(&bytes).expect("auditable");
    let complaints = |listed: &Listed| {
        let mut report = report();
        let before = report.problems.len();
        listed.compare(&mut report);
        (report.problems.len() - before, report.on_trust.len())
    };
    let (_, on_trust) = (0, report().on_trust.len());
    assert_eq!(complaints(&listed), (1, on_trust), "another root");
    listed.entry.root = report().root;
    assert_eq!(complaints(&listed), (0, on_trust));
    listed.entry.weights = BundleWeights::Published;
    listed.entry.published_at = Some(Block(47));
    assert_eq!(complaints(&listed), (0, on_trust + 1), "the list's word");
}
