//! Costs of a miner in front of a server that streams: throughput and the first token's wait, against the same
//! server dialled directly, in one run and by turns; then again while strangers ask five times as often as callers. Those
//! are on the same machine, and ask the miner in the turns of both ways: what they cost by themselves is in both.

mod backend;
mod caller;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::ensure;
use futures::future::try_join_all;
use tokio::task::JoinSet;
use weighhouse_miner::Config;
use weighhouse_miner::load::{self, Surroundings};
use weighhouse_seams::{Clock, CpuPool, SystemClock};
use weighhouse_wallet::btauth::Signer;
use weighhouse_wallet::keypair::Keypair;

use crate::loopback::{self, key};
use crate::{result, say};
use caller::{Caller, Protocol, Sample};

/// Tokens of one answer.
const TOKENS: u32 = 32;
/// From one token to the next: 100 a second, which a loaded GPU gives each of its streams.
const PACE: Duration = Duration::from_millis(10);
/// Callers at once.
const CALLERS: u32 = 8;
/// Answers of one caller in a turn.
const ANSWERS: usize = 5;
/// Turns of each way.
const TURNS: usize = 12;
/// Requests of strangers for each one of a caller.
const STRANGERS: u32 = 5;
/// Share of throughput that may be lost.
const LOSS_MAX: f64 = 0.01;
/// Seconds that may be added to the first token's 99th percentile.
const ADDED_MAX: f64 = 1e-3;

pub(crate) fn run() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(measure())
}

/// One backend's figures.
struct Figures {
    loss: f64,
    added: f64,
    lines: serde_json::Value,
}

async fn measure() -> anyhow::Result<()> {
    let mut serving = JoinSet::new();
    let openai = backend::openai(&mut serving).await?;
    let oip = backend::oip(&mut serving).await?;
    let (keypair, sender) = (key("//Bob")?, key("//Alice")?);
    let scratch = tempfile::tempdir()?;
    let miner = start_miner(&mut serving, scratch.path(), keypair.clone(), openai, oip).await?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let signer = Arc::new(Signer::new(sender, clock));
    let receiver = keypair.hotkey();
    let stranger = Arc::new(Signer::new(key("//Eve")?, Arc::new(SystemClock::new())));
    let mut figures = Vec::new();
    for (name, strangers) in [("idle", 0), ("strangers", STRANGERS)] {
        let mut asking = JoinSet::new();
        for at in 0..CALLERS * strangers {
            let signer = Some((stranger.clone(), receiver));
            let caller = Caller { address: miner, protocol: Protocol::Oip, model: "openai", signer };
            asking.spawn(ask_as_stranger(caller, at));
        }
        for (model, address, protocol) in [("openai", openai, Protocol::OpenAi), ("oip", oip, Protocol::Oip)]
        {
            let direct = Caller { address, protocol, model, signer: None };
            let signed = Some((signer.clone(), receiver));
            let fronted = Caller { address: miner, protocol: Protocol::Oip, model, signer: signed };
            figures.push(by_turns(&format!("{model}, {name}"), &direct, &fronted).await?);
        }
        if let Some(ended) = asking.try_join_next() {
            ended??;
        }
    }
    let worst = |of: fn(&Figures) -> f64| figures.iter().map(of).fold(f64::MIN, f64::max);
    let (loss, added) = (worst(|figures| figures.loss), worst(|figures| figures.added));
    let lines: Vec<_> = figures.iter().map(|figures| figures.lines.clone()).collect();
    result(&serde_json::json!({
        "name": "front", "ours": loss, "limit": LOSS_MAX, "ratio": loss / LOSS_MAX,
        "first_token_p99_added": added, "first_token_limit": ADDED_MAX,
        "goal": "at most 1 % of throughput lost and 1 ms added to the first token's p99, strangers asking 5 times as often",
        "met": loss <= LOSS_MAX && added <= ADDED_MAX,
        "unit": "share of throughput; seconds", "backends": lines,
    }));
    Ok(())
}

async fn by_turns(name: &str, direct: &Caller, fronted: &Caller) -> anyhow::Result<Figures> {
    let (mut plain, mut ours) = (Turns::default(), Turns::default());
    // The first turn warms both ways up and isn't counted.
    turn(direct).await?;
    turn(fronted).await?;
    for _ in 0..TURNS {
        plain.add(turn(direct).await?);
        ours.add(turn(fronted).await?);
    }
    Ok(compare(name, plain, ours))
}

/// Asks as often as a caller does, for ever.
async fn ask_as_stranger(caller: Caller, at: u32) -> anyhow::Result<()> {
    let period = PACE * TOKENS;
    tokio::time::sleep(period * at / (CALLERS * STRANGERS)).await;
    let mut due = tokio::time::interval(period);
    loop {
        due.tick().await;
        ensure!(caller.is_refused(TOKENS).await?, "a stranger was answered");
    }
}

#[derive(Default)]
struct Turns {
    first: Vec<f64>,
    rates: Vec<f64>,
}

impl Turns {
    fn add(&mut self, (samples, rate): (Vec<Sample>, f64)) {
        self.first.extend(samples.iter().map(|sample| sample.first.as_secs_f64()));
        self.rates.push(rate);
    }

    fn first_at(&mut self, share: f64) -> f64 {
        self.first.sort_by(f64::total_cmp);
        let last = self.first.len().saturating_sub(1);
        self.first.get((last as f64 * share).round() as usize).copied().unwrap_or(f64::NAN)
    }

    fn rate(&mut self) -> f64 {
        self.rates.sort_by(f64::total_cmp);
        self.rates.get(self.rates.len() / 2).copied().unwrap_or(f64::NAN)
    }
}

fn compare(name: &str, mut plain: Turns, mut ours: Turns) -> Figures {
    let (direct, fronted) = (plain.rate(), ours.rate());
    let loss = 1.0 - fronted / direct;
    let added = ours.first_at(0.99) - plain.first_at(0.99);
    say(&format!(
        "{name}: {direct:.2} answers/s directly, {fronted:.2} fronted ({:.2} % lost); first token p50 {:.2} and {:.2} ms, p99 {:.2} and {:.2} ms",
        loss * 100.0,
        plain.first_at(0.5) * 1e3,
        ours.first_at(0.5) * 1e3,
        plain.first_at(0.99) * 1e3,
        ours.first_at(0.99) * 1e3,
    ));
    let lines = serde_json::json!({
        "backend": name, "answers": ours.first.len(), "direct_per_second": direct, "fronted_per_second": fronted,
        "loss": loss, "direct_first_p50": plain.first_at(0.5), "fronted_first_p50": ours.first_at(0.5),
        "direct_first_p99": plain.first_at(0.99), "fronted_first_p99": ours.first_at(0.99),
    });
    Figures { loss, added, lines }
}

/// Every caller's answers, and answers a second over all. Callers begin one after another: all at once would measure how
/// many signatures a machine makes at a time.
async fn turn(caller: &Caller) -> anyhow::Result<(Vec<Sample>, f64)> {
    let one = |at: u32| async move {
        tokio::time::sleep(PACE * TOKENS * at / CALLERS).await;
        let begun = Instant::now();
        let mut samples = Vec::with_capacity(ANSWERS);
        for _ in 0..ANSWERS {
            let sample = caller.ask(TOKENS).await?;
            ensure!(sample.pieces >= TOKENS as usize, "{} of {TOKENS} tokens came", sample.pieces);
            samples.push(sample);
        }
        anyhow::Ok((samples, ANSWERS as f64 / begun.elapsed().as_secs_f64()))
    };
    let (mut samples, mut rate) = (Vec::new(), 0.0);
    for (some, of_one) in try_join_all((0..CALLERS).map(one)).await? {
        samples.extend(some);
        rate += of_one;
    }
    Ok((samples, rate))
}

async fn start_miner(
    serving: &mut JoinSet<anyhow::Result<()>>,
    dir: &std::path::Path,
    keypair: Arc<Keypair>,
    openai: SocketAddr,
    oip: SocketAddr,
) -> anyhow::Result<SocketAddr> {
    let tables = format!(
        "[limits]\nconnections_per_address_max = 256\n\
         [[model]]\nname = 'openai'\nkind = 'text'\nbackend = 'openai'\nurl = 'http://{openai}'\nmodel = 'm'\n\
         [[model]]\nname = 'oip'\nkind = 'text'\nbackend = 'oip'\nurl = 'http://{oip}'\nmodel = 'm'\n"
    );
    let models = |config: &Config, cpu: &CpuPool, clock: &Arc<dyn Clock>| {
        let read = |path: &std::path::Path| std::fs::read(path);
        let expand = std::path::Path::to_owned;
        let folder = |path: &std::path::Path| Ok(path.to_owned());
        let around = Surroundings { read: &read, expand: &expand, folder: &folder, cpu, clock };
        Ok(load::engines(config, &around)?)
    };
    loopback::miner(serving, dir, keypair, &*key("//Alice")?, &tables, models).await
}
