//! The console on a real socket, over the journal of a validator that judged real miners.

mod client;
mod journal;
mod large;

use std::time::Duration;

use serde_json::Value;
use weighhouse_types::{Epoch, Uid};

use crate::economy::{ClosedEpoch, Economy, Player};
use crate::limits::STREAMS_MAX;
use client::Console;
use journal::{copied, journal};

/// The first verdict on a miner with an answer.
fn answered(page: &Value) -> &Value {
    let verdicts = page["verdicts"].as_array().expect("verdicts");
    verdicts.iter().find(|verdict| verdict["has_answer"] == true).expect("an answer")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_miner_is_followed_from_the_first_view_down_to_its_answer() {
    let console = Console::over(&journal().dir).await;
    let overview = console.json("/api/overview").await;
    assert_eq!(overview["task"], "classify", "{overview}");
    assert!(
        overview["chain"].is_null()
            && overview["no_consensus"].as_str().expect("a reason").contains("no chain")
    );
    let published = overview["epochs"].as_array().expect("epochs").iter().find(|epoch| epoch["epoch"] == 0);
    assert_eq!(published.expect("epoch 0")["publication"]["state"], "published");

    let epoch = console.json("/api/epochs/0").await;
    let miners = epoch["miners"].as_array().expect("miners");
    let shares: f64 = miners.iter().filter_map(|miner| miner["share"].as_f64()).sum();
    assert!((shares - 1.0).abs() < 1e-9, "{shares}");
    let paid = miners.iter().find(|miner| miner["share"].as_f64() > Some(0.1)).expect("a miner that is paid");
    assert!(paid["latency_ms"]["p50"].as_f64() <= paid["latency_ms"]["p90"].as_f64());
    assert!(paid["accepted"].as_u64() > Some(0) && paid["reasons"]["conforms"].as_u64() > Some(0), "{paid}");
    assert!(epoch["vtrust"].as_f64().is_some_and(|vtrust| vtrust > 0.9), "{}", epoch["vtrust"]);
    let silent =
        miners.iter().find(|miner| miner["silences"].as_object().is_some_and(|causes| !causes.is_empty()));
    assert!(silent.is_some(), "the late miner gives no answer in time");

    let path = format!("/api/epochs/0/miners/{}", paid["uid"]);
    let miner = console.json(&path).await;
    assert_eq!(miner["way"]["weight"], paid["weight"]);
    let verdict = answered(&miner);
    let answer =
        console.json(&format!("{path}/answers/{}", verdict["challenge"].as_str().expect("a digest"))).await;
    let tensor = |of: &str| answer[of]["tensors"][0].clone();
    let scans = tensor("request")["shape"][0].clone();
    assert_eq!(tensor("request")["shape"][1], 64, "{answer}");
    assert_eq!(
        (tensor("answer")["shape"][0].clone(), tensor("answer")["shape"][1].as_u64()),
        (scans, Some(10))
    );
    assert_eq!(
        tensor("reference")["values"][0],
        tensor("answer")["values"][0],
        "an honest miner is the reference"
    );
    assert_eq!(answer["verdict"]["outcome"], "accepted");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_chain_at_hand_says_what_the_journal_cannot() {
    let console = Console::beside(journal(), None).await;
    let overview = console.until("/api/overview", |overview| overview["consensus"].is_object()).await;
    assert!(overview["chain"]["block"].as_u64() > Some(20), "{}", overview["chain"]);
    assert!(overview["chain"]["blocks_left"].as_u64() <= overview["chain"]["tempo"].as_u64());
    let consensus = &overview["consensus"];
    assert!(consensus["expected"].as_f64().is_some_and(|vtrust| vtrust > 0.9), "{consensus}");
    let others = consensus["validators"].as_array().expect("validators");
    assert!(
        others.len() > 2 && others.iter().all(|voice| voice["agreement"].as_f64() > Some(0.9)),
        "{consensus}"
    );
    let economy = console.json("/api/economy").await;
    assert!(economy["now"]["rows"].as_array().is_some_and(|rows| rows.len() > 2), "{}", economy["now"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_economy_that_is_told_is_shown_with_its_names() {
    let player = Player { uid: Uid(4), persona: "honest-1".to_owned(), validates: false };
    let economy = Economy::new(vec![player]);
    let weights = [(Uid(0), vec![(Uid(4), 3), (Uid(5), 1), (Uid(6), 0)])].into();
    economy.epoch_closed(ClosedEpoch { epoch: Epoch(0), emission: vec![(Uid(4), 2_000_000_000)], weights });
    let console = Console::beside(journal(), Some(economy.clone())).await;
    let shown = console.json("/api/economy").await;
    assert_eq!((&shown["players"][0]["persona"], &shown["ended"]), (&"honest-1".into(), &false.into()));
    assert_eq!(shown["maps"][0]["rows"][0]["shares"], serde_json::json!([[4, 0.75], [5, 0.25]]));
    let line =
        shown["lines"].as_array().expect("lines").iter().find(|line| line["uid"] == 4).expect("a line");
    assert_eq!(line["tao"][0], 2.0);
    let caught = shown["caught"].as_array().expect("caught");
    assert!(
        caught.iter().any(|row| row["check"] == "deviates")
            && caught.iter().all(|row| row["check"] != "conforms")
    );
    economy.ended();
    assert_eq!(console.json("/api/economy").await["ended"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_without_the_token_is_answered() {
    let console = Console::over(&journal().dir).await;
    for path in ["/", "/console.js", "/api/overview", "/api/events", "/no/such/path"] {
        for cookie in
            [None, Some("weighhouse_console=1".to_owned()), Some(console.cookie().replace('=', "=0"))]
        {
            let reply = console.get(path, "127.0.0.1", cookie.as_deref()).await;
            assert_eq!(reply.status, 401, "{path} with {cookie:?}");
            assert!(reply.header("content-security-policy").contains("default-src 'none'"));
            assert!(reply.body.contains("token") && !reply.body.contains(console.token()), "{}", reply.body);
        }
    }
    let wrong = console.get("/?token=00", "localhost", None).await;
    assert_eq!((wrong.status, wrong.has("set-cookie")), (401, false));
    // A wrong token in the address isn't made good by a cookie, and no other path takes one.
    assert_eq!(console.get("/?token=00", "localhost", Some(&console.cookie())).await.status, 401);
    assert_eq!(
        console.get(&format!("/api/overview{}", console.query()), "localhost", None).await.status,
        401
    );

    let page = console.get(&format!("/{}", console.query()), "localhost:1234", None).await;
    assert_eq!((page.status, page.header("cache-control")), (200, "no-store"));
    let cookie = page.header("set-cookie").to_owned();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
    let pair = cookie.split(';').next().expect("a pair");
    assert_eq!(console.get("/api/overview", "localhost", Some(pair)).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn other_names_and_methods_are_refused() {
    let console = Console::over(&journal().dir).await;
    for host in ["evil.example", "127.0.0.1.evil.example", "192.0.2.1"] {
        assert_eq!(console.get("/api/overview", host, Some(&console.cookie())).await.status, 421, "{host}");
    }
    for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
        let reply = console.send(method, "/api/overview", "127.0.0.1", Some(&console.cookie())).await;
        assert_eq!(reply.status, 405, "{method}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_path_leads_out_of_the_folder() {
    let console = Console::over(&journal().dir).await;
    let challenge = "0".repeat(64);
    for path in [
        "/../Cargo.toml",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/api/epochs/..%2f..%2fetc%2fpasswd",
        "/api/epochs/%2e%2e",
        "/api/epochs/-1",
        "/api/epochs/18446744073709551616",
        "/api/epochs/999999",
        "/api/epochs/0/miners/65536",
        "/api/epochs/0/miners/40000",
        "/api/epochs/0/miners/4/answers/..%2f0",
        &format!("/api/epochs/0/miners/4/answers/{challenge}"),
        "/api/epochs?before=x",
    ] {
        let reply = console.get(path, "127.0.0.1", Some(&console.cookie())).await;
        assert_eq!(reply.status, 404, "{path}: {}", reply.body);
        assert!(reply.body.starts_with("{\"error\""), "{path}: {}", reply.body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_file_is_shown_as_such_and_the_others_all_the_same() {
    let (dir, files) = copied();
    journal::damage(&files[0]);
    journal::cut(files.last().expect("several"));
    let console = Console::over(dir.path()).await;
    let overview = console.json("/api/overview").await;
    let newest = overview["journal"]["newest"].as_array().expect("files");
    let state = |at: usize| newest[at]["state"].as_str().expect("a state").to_owned();
    assert!(state(newest.len() - 1).contains("damaged"), "{overview}");
    assert!(state(0).contains("aren't whole"), "{overview}");
    let reply = console.get("/api/epochs/0", "127.0.0.1", Some(&console.cookie())).await;
    assert!(reply.status == 422 && reply.body.contains("weighhouse audit"), "{}", reply.body);
    assert_eq!(console.json("/api/epochs").await["unreadable"][0]["epoch"], 0);
    assert!(
        console.json("/api/epochs/1").await["miners"].as_array().is_some_and(|miners| !miners.is_empty())
    );
    console.json("/api/economy").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_without_epochs_is_a_page_without_any() {
    let empty = tempfile::tempdir().expect("a folder");
    let console = Console::over(empty.path()).await;
    let overview = console.json("/api/overview").await;
    assert_eq!(
        (overview["epochs"].as_array().map(Vec::len), &overview["validator"]),
        (Some(0), &Value::Null)
    );
    assert_eq!(console.json("/api/economy").await["lines"].as_array().map(Vec::len), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_epoch_of_as_many_miners_as_there_can_be_is_shown_whole() {
    let dir = tempfile::tempdir().expect("a folder");
    large::write(dir.path());
    let console = Console::over(dir.path()).await;
    let epoch = console.json("/api/epochs/7").await;
    let miners = epoch["miners"].as_array().expect("miners");
    assert_eq!(miners.len(), usize::from(large::NEURONS) - 1);
    let paid = miners.iter().filter(|miner| miner["share"].as_f64() > Some(0.0)).count();
    assert_eq!(paid, miners.len() / 5 * 3, "three of five conform");
    let last = console.json("/api/epochs/7/miners/4095").await;
    assert_eq!((last["verdicts"].as_array().map(Vec::len), &last["way"]["answers"]), (Some(3), &3.into()));
    assert!(
        console.json("/api/economy").await["caught"].as_array().is_some_and(|caught| caught.len() <= 256)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_is_pushed_and_streams_are_few() {
    let (dir, files) = copied();
    let console = Console::over(dir.path()).await;
    let mut streams = Vec::new();
    for _ in 0..STREAMS_MAX {
        let mut stream = console.stream().await;
        stream.until("event: turn").await;
        streams.push(stream);
    }
    let over = console.get("/api/events", "127.0.0.1", Some(&console.cookie())).await;
    assert!(over.status == 503 && over.body.contains("close one"), "{}", over.body);
    let last = files.last().expect("several");
    let bytes = std::fs::metadata(last).expect("a file").len();
    journal::grow(last);
    streams[0].until(&format!("{}]", bytes + 1)).await;
    drop(streams);
    let again = async {
        while console.get("/api/overview", "127.0.0.1", Some(&console.cookie())).await.status != 200
            || !console.stream().await.is_open().await
        {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), again).await.expect("places come back");
}
