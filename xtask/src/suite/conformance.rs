//! One suite for every chain: the ledger in process and over gRPC, the client of subtensor on a generic Substrate runtime
//! (what every node has), and on subtensor's own where its address is given.

use std::process::Stdio;

use anyhow::{Context, bail, ensure};

use super::{TESTED, Tally, cargo, chopsticks, root};
use crate::say;

const SUBSTRATE_URL: &str = "WEIGHHOUSE_SUBSTRATE_URL";
const SUBTENSOR_URL: &str = "WEIGHHOUSE_SUBTENSOR_URL";
const LEDGERS: [(&str, &str); 2] = [
    ("the ledger in process", "ledger::tests::suite::the_ledger_in_process_passes_the_suite"),
    ("the ledger over gRPC", "ledger::tests::suite::the_ledger_over_grpc_passes_the_suite"),
];
const SUBSTRATE: (&str, &str) =
    ("a Substrate runtime", "subtensor::tests::generic::transport_holds_on_any_substrate_runtime");
const SUBTENSOR: (&str, &str) =
    ("a subtensor runtime", "subtensor::tests::live::a_subnet_lives_on_the_real_runtime");

pub(crate) fn run() -> anyhow::Result<()> {
    let mut tally = Tally::new("conformance");
    for chain in LEDGERS {
        hold(&mut tally, chain, None);
    }
    match std::env::var(SUBSTRATE_URL) {
        Ok(url) => hold(&mut tally, SUBSTRATE, Some((SUBSTRATE_URL, &url))),
        Err(_) => match chopsticks::start() {
            Ok((_node, url)) => hold(&mut tally, SUBSTRATE, Some((SUBSTRATE_URL, &url))),
            Err(error) => tally.skip(SUBSTRATE.0, &format!("{error:#}")),
        },
    }
    match std::env::var(SUBTENSOR_URL) {
        Ok(url) => hold(&mut tally, SUBTENSOR, Some((SUBTENSOR_URL, &url))),
        Err(_) => tally.skip(
            SUBTENSOR.0,
            &format!("set {SUBTENSOR_URL} to the WebSocket address of one under chopsticks"),
        ),
    }
    tally.finish()
}

/// Runs one chain's test and counts each check that it reports.
fn hold(tally: &mut Tally, (chain, test): (&str, &str), address: Option<(&str, &str)>) {
    say(&format!("{chain}:"));
    let (passed, text) = match execute(test, address) {
        Ok(outcome) => outcome,
        Err(error) => return tally.check(chain, || Err(error)),
    };
    for line in text.lines() {
        let Some((verdict, rest)) = line.split_once("  ") else { continue };
        let rest = rest.trim_start();
        let (name, why) = rest.split_once(": ").unwrap_or((rest, ""));
        let what = format!("{chain}: {name}");
        match verdict {
            "passed" => tally.check(&what, || Ok(())),
            "FAILED" => tally.check(&what, || bail!("{why}")),
            "unexecuted" => tally.skip(&what, why),
            _ => {}
        }
    }
    tally.check(&format!("{chain}: the test itself"), || {
        let last: Vec<&str> = text.lines().rev().take(12).collect();
        ensure!(passed, "{}", last.into_iter().rev().collect::<Vec<_>>().join("\n"));
        Ok(())
    });
}

/// Runs a test: true if it passed, and all it said. It is looked for in the workspace's own tests, which are built already.
fn execute(test: &str, address: Option<(&str, &str)>) -> anyhow::Result<(bool, String)> {
    let output = cargo()
        .arg("test")
        .args(TESTED)
        .args(["--lib", "--bins", "--", "--exact", test, "--nocapture"])
        .envs(address)
        .current_dir(root())
        .stdin(Stdio::null())
        .output()
        .context("running cargo")?;
    let text =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    // Cargo succeeds also where a filter matches no test.
    let is_run = text.contains("running 1 test");
    Ok((output.status.success() && is_run, text))
}
