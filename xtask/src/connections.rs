//! A miner with 10 to 2,000 open connections: what each takes of memory, and whether others are answered as fast as before.

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use http::StatusCode;
use http_body_util::BodyExt as _;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::median::median;
use crate::suite::hostile::Net;
use crate::suite::weighhouse;
use crate::{result, say};

const OPEN: [usize; 5] = [10, 100, 500, 1_000, 2_000];
/// Requests in a sample, each on a new connection as validators' are, and samples at each number of connections.
const ASKS: usize = 200;
const SAMPLES: usize = 7;
/// What open connections may add to the median time of an answer.
const GOAL: f64 = 1.1;
/// The miner's limits; and files for our ends of the connections.
const LIMITS: &str = "[limits]\nconnections_max = 2500\nconnections_per_address_max = 2500\n";
const FILES: u64 = 4_096;
/// From the last connection to the first sample.
const REST: Duration = Duration::from_secs(1);

pub(crate) fn run() -> anyhow::Result<()> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_some_and(|current| current < FILES) {
        setrlimit(Resource::Nofile, Rlimit { current: Some(FILES), maximum })?;
    }
    let scratch = tempfile::tempdir()?;
    let net = Net::start(&weighhouse()?, scratch.path(), LIMITS)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(measure(&net))
}

async fn measure(net: &Net) -> anyhow::Result<()> {
    net.ask(ASKS).await?;
    let (empty, mut held) = (net.memory()?, JoinSet::new());
    let mut rows = Vec::new();
    for open in OPEN {
        while held.len() < open {
            hold(net, &mut held).await?;
        }
        tokio::time::sleep(REST).await;
        let kib = net.memory()?.saturating_sub(empty) as f64 / 1024.0 / open as f64;
        let (mut medians, mut late) = (Vec::new(), Vec::new());
        for _ in 0..SAMPLES {
            let answers = net.ask(ASKS).await?;
            ensure!(answers.answered == ASKS, "{answers}");
            medians.push(answers.at(0.5));
            late.push(answers.at(0.99));
        }
        ensure!(held.try_join_next().is_none(), "the miner cut a connection");
        let [middle, late] = [median(medians), median(late)];
        say(&format!(
            "{open} open: {kib:.1} KiB each, median {:.2} ms, p99 {:.2} ms",
            middle * 1e3,
            late * 1e3
        ));
        rows.push(serde_json::json!({ "open": open, "kib_each": kib, "median_s": middle, "p99_s": late }));
    }
    let median_of = |row: &serde_json::Value| row["median_s"].as_f64().unwrap_or(f64::NAN);
    let (first, last) = (rows.first().context("a row")?, rows.last().context("a row")?);
    let ratio = median_of(last) / median_of(first);
    result(&serde_json::json!({
        "name": "connections", "ratio": ratio, "goal": format!("at most {GOAL}"), "met": ratio <= GOAL,
        "kib_each": last["kib_each"], "rows": rows,
        "unit": "median time of an answer on a new connection with 2,000 others open, against 10",
    }));
    Ok(())
}

/// Opens a connection that has proven a request and says nothing more.
async fn hold(net: &Net, held: &mut JoinSet<()>) -> anyhow::Result<()> {
    let stream = TcpStream::connect(net.address()).await?;
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
    let mut connection = Box::pin(connection);
    let request = net.signed()?;
    let answering = async {
        let response = sender.send_request(request).await?;
        ensure!(response.status() == StatusCode::OK, "{response:?}");
        response.into_body().collect().await?;
        Ok(())
    };
    tokio::select! {
        answered = answering => answered?,
        ended = &mut connection => bail!("the miner ended a connection: {ended:?}"),
    }
    held.spawn(async move {
        let _open = sender;
        // Its end shows in the set.
        let _ = connection.await;
    });
    Ok(())
}
