//! Uids over one engine that serves one request after the other: how many of their answers come in time, by the deadline.
//!
//! All of a round's requests leave together, so an engine that takes a time T for each has answered as many uids by the deadline as T fits
//! into it. A deadline of three times the reference's own time is three uids' pay, and each T of allowance for the network another.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use weighhouse_types::{Outcome, Record};
use weighhouse_validator::Validator;
use weighhouse_validator::config::Rounds;

use super::stubs::{Pace, Stubs};
use super::subnet::{Place, Subnet};
use crate::{result, say};

/// Uids over the engine.
const UIDS: u16 = 20;
/// The engine's own time for an answer.
const THINKING: Duration = Duration::from_millis(400);
/// Of the engine's time, before the allowance.
const TIMES: u32 = 3;
/// Allowances for the network.
const ALLOWANCES: [Duration; 3] = [Duration::ZERO, Duration::from_millis(400), Duration::from_secs(2)];
const ROUNDS: u32 = 5;
const TEMPO: u16 = 20;
/// What the uids together may earn of one.
const GOAL: f64 = 1.5;

pub(crate) fn run() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut rows = Vec::new();
    for allowance in ALLOWANCES {
        let deadline = THINKING * TIMES + allowance;
        let [one, all] = [1, UIDS].map(|uids| runtime.block_on(answered(uids, deadline)));
        let (one, all) = (one?, all?);
        ensure!(one > 0.0, "one uid alone is answered in no round");
        let ratio = all / one;
        say(&format!("a deadline of {} ms: {UIDS} uids earn {ratio:.2} of one", deadline.as_millis()));
        rows.push(serde_json::json!({ "deadline_ms": deadline.as_millis() as u64, "ratio": ratio }));
    }
    let ratio = rows.first().and_then(|row| row["ratio"].as_f64()).context("a row")?;
    result(&serde_json::json!({
        "name": "engine", "ratio": ratio, "goal": format!("at most {GOAL}"), "met": ratio <= GOAL,
        "unit": "pay of 20 uids over one serial engine of 400 ms, against one uid, at three times its time",
        "rows": rows,
    }));
    Ok(())
}

/// The answers of a round that came in time, on the mean.
async fn answered(uids: u16, deadline: Duration) -> anyhow::Result<f64> {
    let stubs = Stubs::start(uids, Pace { thinking: THINKING, serial: true })?;
    let dir = tempfile::tempdir()?;
    let subnet = Subnet::new(&vec![Place::plain(stubs.address()); usize::from(uids)], TEMPO).await?;
    let asking = Rounds { per_epoch: ROUNDS, deadline, ..Rounds::default() };
    let mut validator = Validator::open(subnet.parts(dir.path(), asking)?).await?;
    for _ in 0..TEMPO {
        validator.step().await?;
        subnet.next_block().await?;
    }
    drop(validator);
    let (_, file) = weighhouse_journal::segments(dir.path())?.into_iter().next().context("a journal")?;
    let judged = weighhouse_journal::read_segment(&file)?.into_iter().filter(|record| match record {
        Record::Judged(verdict) => verdict.judgement.outcome() != Some(Outcome::Silent),
        _ => false,
    });
    Ok(judged.count() as f64 / f64::from(ROUNDS))
}
