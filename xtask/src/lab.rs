//! `cargo xtask bench simulator` and `bench replay`: the policy lab's two speeds.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, ensure};
use weighhouse_journal::{Identity, Journal};
use weighhouse_lab::profiles;
use weighhouse_lab::sim::{Scenario, Simulator};
use weighhouse_scoring::policy::{DEFAULT_POLICY, PolicyFile};
use weighhouse_seams::DirStorage;
use weighhouse_types::{
    Block, Digest, Epoch, EpochContext, Hasher, Hotkey, Mark, MechId, Netuid, Neuron, Reason, Record,
    RegistrationId, VerdictRecord, sample,
};

use crate::{result, say, suite};

const EPOCHS: u32 = 400;
const RUNS: u64 = 5;

/// The default policy's way to a score, as an expression: its average less nothing, clipped by the policy itself.
const EXPRESSION: &str = "\n[expression]\nscore = \"max(average - 0.0 * error, 0.0)\"\n";

/// 64 honest validators and 192 honest miners of unlike quality, on one core: under the default policy, and under the same with an
/// expression in CEL.
pub(crate) fn simulator() -> anyhow::Result<()> {
    let mut scenario = Scenario::honest(profiles::shipped("digits-quality-private")?, 192, 64, EPOCHS);
    scenario.miners[0].quality = [0.5, 1.0];
    epochs_a_second("simulator", &scenario, 2000.0)?;
    scenario.policy = PolicyFile::parse(format!("{DEFAULT_POLICY}{EXPRESSION}").as_bytes())?;
    epochs_a_second("simulator cel", &scenario, 1000.0)
}

fn epochs_a_second(name: &str, scenario: &Scenario, limit: f64) -> anyhow::Result<()> {
    let mut simulator = Simulator::new(scenario)?;
    // Warms up; isn't counted.
    simulator.run(0);
    let mut rates: Vec<f64> = (1..=RUNS)
        .map(|seed| {
            let start = Instant::now();
            simulator.run(seed);
            f64::from(EPOCHS) / start.elapsed().as_secs_f64()
        })
        .collect();
    rates.sort_by(f64::total_cmp);
    let ours = rates[rates.len() / 2];
    result(&serde_json::json!({
        "name": name, "ours": ours, "limit": limit, "ratio": ours / limit, "goal": "at least 1",
        "unit": "epochs of 64 x 256 a second and core", "best": rates.last(),
    }));
    Ok(())
}

const MINERS: u16 = 250;
const ROUNDS: u32 = 4;
const JOURNALLED: u64 = 1000;

/// A journal of a million judgements, replayed by the binary.
pub(crate) fn replay() -> anyhow::Result<()> {
    let binary = suite::weighhouse()?;
    let folder = tempfile::tempdir()?;
    say("writing a journal of a million judgements");
    write_journal(folder.path())?;
    let mut seconds = Vec::new();
    let mut judgements = 0;
    for _ in 0..3 {
        let output = std::process::Command::new(&binary)
            .args(["policy", "replay", "--json", "--journal"])
            .arg(folder.path())
            .output()?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout)?;
        let summary: serde_json::Value = serde_json::from_str(text.lines().last().context("no output")?)?;
        judgements = summary["judgements"].as_u64().unwrap_or(0);
        seconds.push(summary["seconds"].as_f64().context("no time")?);
    }
    ensure!(judgements == JOURNALLED * u64::from(ROUNDS) * u64::from(MINERS), "{judgements} judgements");
    seconds.sort_by(f64::total_cmp);
    let (ours, limit) = (seconds[seconds.len() / 2], 2.0);
    result(&serde_json::json!({
        "name": "replay", "ours": ours, "limit": limit, "ratio": ours / limit, "goal": "at most 1",
        "unit": "seconds for a million judgements", "judgements": judgements, "best": seconds[0],
    }));
    Ok(())
}

fn hotkey(uid: u16) -> Hotkey {
    let mut bytes = [7; 32];
    bytes[..2].copy_from_slice(&uid.to_be_bytes());
    Hotkey(bytes)
}

fn write_journal(folder: &Path) -> anyhow::Result<()> {
    let storage = Arc::new(DirStorage::open(folder)?);
    let identity = Identity {
        genesis: Digest::of(b"bench"),
        netuid: Netuid(1),
        mechanism: MechId(0),
        validator: hotkey(0),
    };
    let mut journal = Journal::open(storage, identity)?;
    let mut closing = weighhouse_scoring::Closing { standings: Vec::new(), trails: Vec::new() };
    for epoch in (0..JOURNALLED).map(Epoch) {
        let mut records = vec![Record::EpochOpened(Box::new(context(epoch, closing.standings)))];
        records.push(Record::Trails { epoch, trails: closing.trails });
        for round in 0..ROUNDS {
            records.extend((1..=MINERS).map(|uid| Record::Judged(judged(epoch, round, uid))));
        }
        closing = weighhouse_scoring::closing(&records)?;
        journal.begin_epoch(epoch)?;
        for record in records {
            journal.append(record)?;
        }
        journal.commit()?;
    }
    Ok(())
}

fn context(epoch: Epoch, carried: Vec<weighhouse_types::Standing>) -> EpochContext {
    let neuron = |uid| Neuron { hotkey: hotkey(uid), ..sample::neuron(uid) };
    let state = sample::subnet(epoch, Block(100 + 10 * epoch.0), (0..=MINERS).map(neuron).collect());
    EpochContext {
        genesis: Digest::of(b"bench"),
        validator: hotkey(0),
        policy: DEFAULT_POLICY.as_bytes().to_vec(),
        carried,
        ..sample::context(state)
    }
}

fn judged(epoch: Epoch, round: u32, uid: u16) -> VerdictRecord {
    let challenge = Hasher::new("bench")
        .part(&epoch.0.to_le_bytes())
        .part(&round.to_le_bytes())
        .part(&uid.to_le_bytes())
        .finish();
    let spread = i64::from(challenge.as_bytes()[0]) * 2_000_000;
    let mark = Mark::from_billionths(400_000_000 + spread).unwrap_or_default();
    let exchange = weighhouse_types::Exchange {
        request: challenge,
        answer: challenge,
        model: Digest::of(b"model"),
        signature: vec![1; 65],
        latency_us: 1000,
    };
    let skill = Reason::Skill { answer: mark, reference: mark };
    VerdictRecord {
        challenge,
        who: RegistrationId { hotkey: hotkey(uid), ..sample::registration(uid) },
        exchange: Some(exchange),
        ..sample::judged(epoch, round, uid, mark, skill)
    }
}
