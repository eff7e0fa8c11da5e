//! Prefill and decode of a Llama of 9 M parameters against candle's, prefill against onnxruntime's, and decode beside
//! llama.cpp's: the same weights, the same threads, by turns.

mod peer;

use std::time::{Duration, Instant};

use anyhow::Context;
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};
use weighhouse_models::LoadLimits;
use weighhouse_models::device::Place;
use weighhouse_models::language::{Decoder, DecoderLimits, Generation, LanguageModel};
use weighhouse_models::sampling::Sampling;

use crate::median::median;
use crate::{folder, result, say};
use peer::{OipPeer, Took};

const SAMPLES: usize = 9;
const THREADS: [usize; 2] = [1, 2];
/// Before a turn: threads of a pool spin for a while after their last work, on a core that the next one needs.
const PAUSE: Duration = Duration::from_millis(200);
const PREFILL_TOKENS: usize = 128;
const PROMPT: usize = 16;
const STEPS: usize = 112;
const BATCHES: [usize; 2] = [1, 16];
/// At least the peer's speed.
const GOAL: f64 = 1.0;
/// Of onnxruntime's speed on one thread.
const GOAL_ONE_THREAD: f64 = 1.1;

/// The measured work: seconds of one pass, or of one step.
#[derive(Clone, Copy)]
enum BenchWork {
    Prefill,
    Decode { batch: usize },
}

impl BenchWork {
    /// Times that a turn does the work; the last counts. Threads that have slept share one core until the kernel moves them,
    /// for longer than a prompt takes.
    fn repeats(self) -> usize {
        match self {
            Self::Prefill => 6,
            Self::Decode { .. } => 1,
        }
    }

    fn order(self) -> String {
        match self {
            Self::Prefill => format!("prefill {PREFILL_TOKENS}"),
            Self::Decode { batch } => format!("decode {batch} {PROMPT} {STEPS}"),
        }
    }
}

pub(crate) fn prefill() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    folder::write(dir.path())?;
    let mut cases = Vec::new();
    for threads in THREADS {
        let mut peers = vec![OipPeer::candle(dir.path(), threads)?];
        match OipPeer::onnxruntime(dir.path(), threads) {
            Ok(peer) => peers.push(peer),
            Err(error) => say(&format!("skipped onnxruntime: {error:#}")),
        }
        cases.push(compare(BenchWork::Prefill, dir.path(), threads, peers)?);
    }
    // By the clock, as whoever waits for a first token counts.
    let ratio = |at: usize| cases[at]["onnxruntime"]["ratio_wall"].as_f64();
    let goals = [(ratio(0), GOAL_ONE_THREAD), (ratio(1), GOAL)];
    result(&json!({
        "name": "prefill", "ours": cases[1]["ours"]["wall"], "peer": cases[1]["onnxruntime"]["wall"], "ratio": ratio(1),
        "goal": "at least 1.0 of onnxruntime's speed on two threads and 1.1 on one",
        "met": goals.iter().all(|(ratio, goal)| ratio.is_some_and(|ratio| ratio >= *goal)),
        "unit": "seconds of a prompt of 128 tokens, two threads", "cases": cases,
    }));
    Ok(())
}

pub(crate) fn decode() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    folder::write(dir.path())?;
    let mut cases = Vec::new();
    for threads in THREADS {
        for batch in BATCHES {
            let mut peers = vec![OipPeer::candle(dir.path(), threads)?];
            // Told beside: its orders go over HTTP, and the CPU time is with its prompts.
            match OipPeer::llama(dir.path(), threads) {
                Ok(peer) => peers.push(peer),
                Err(error) => say(&format!("skipped llama.cpp: {error:#}")),
            }
            cases.push(compare(BenchWork::Decode { batch }, dir.path(), threads, peers)?);
        }
    }
    // The first case's figures, and the smallest ratio of those on one thread.
    let one = cases.iter().filter(|case| case["threads"] == 1);
    let ratio = one.filter_map(|case| case["candle"]["ratio_cpu"].as_f64()).fold(f64::INFINITY, f64::min);
    result(&json!({
        "name": "decode", "ours": cases[0]["ours"]["cpu"], "peer": cases[0]["candle"]["cpu"], "ratio": ratio,
        "goal": "at least 1.0 of candle's speed", "met": ratio >= GOAL,
        "unit": "CPU-seconds of a step, batch 1 and 16, one thread; ours and peer are those of batch 1", "cases": cases,
    }));
    Ok(())
}

/// Everybody in turn, so that all see the same machine: medians, and the median of each round's ratio.
fn compare(
    work: BenchWork,
    dir: &std::path::Path,
    threads: usize,
    mut peers: Vec<OipPeer>,
) -> anyhow::Result<Value> {
    let load = |place: Place| LanguageModel::load_on(&place, dir, &LoadLimits::STANDARD);
    let models = [load(Place::cpu())?, load(Place::burn_cpu())?];
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
    let mut took: Vec<Vec<Took>> = vec![Vec::new(); models.len() + peers.len()];
    for sample in 0..=SAMPLES {
        let ours = models.iter().map(|model| turn(work.repeats(), || pool.install(|| measure(work, model))));
        let theirs = peers.iter_mut().map(|peer| turn(work.repeats(), || peer.measure(&work.order())));
        for (took, new) in took.iter_mut().zip(ours.chain(theirs)) {
            let new = new?;
            // The first touches everything for the first time.
            if sample > 0 {
                took.push(new);
            }
        }
    }
    let mut case = json!({ "threads": threads });
    if let BenchWork::Decode { batch } = work {
        case["batch"] = batch.into();
    }
    let names = ["ours", "burn"].into_iter().chain(peers.iter().map(|peer| peer.name));
    let wall: fn(&Took) -> f64 = |took| took.wall;
    let cpu: fn(&Took) -> f64 = |took| took.cpu;
    for (name, theirs) in names.zip(&took) {
        let figures = |of: fn(&Took) -> f64| {
            let own: Vec<f64> = theirs.iter().map(of).collect();
            let ratios: Vec<f64> =
                theirs.iter().zip(&took[0]).map(|(peer, ours)| of(peer) / of(ours)).collect();
            (median(own), median(ratios))
        };
        let ((wall, ratio_wall), (cpu, ratio_cpu)) = (figures(wall), figures(cpu));
        say(&format!(
            "{}, threads {threads}, {name}: {:.3} ms, {:.3} CPU-ms; of ours {ratio_wall:.2}, {ratio_cpu:.2}",
            work.order(),
            wall * 1e3,
            cpu * 1e3
        ));
        case[name] = json!({ "wall": wall, "cpu": cpu, "ratio_wall": ratio_wall, "ratio_cpu": ratio_cpu });
    }
    Ok(case)
}

/// The last of so many pieces of work, with nobody else's threads awake.
fn turn(repeats: usize, mut work: impl FnMut() -> anyhow::Result<Took>) -> anyhow::Result<Took> {
    std::thread::sleep(PAUSE);
    for _ in 1..repeats {
        work()?;
    }
    work()
}

fn measure(work: BenchWork, model: &LanguageModel) -> anyhow::Result<Took> {
    let batch = match work {
        BenchWork::Prefill => 1,
        BenchWork::Decode { batch } => batch,
    };
    let limits = DecoderLimits { sequences_max: batch, cache_tokens_max: batch * model.context() };
    let mut decoder = Decoder::new(model.clone(), limits);
    let ids: Vec<u32> =
        (0..batch * PREFILL_TOKENS).map(|at| ((at * 7_919 + 13) % model.vocabulary()) as u32).collect();
    let greedy = |max_tokens| Generation {
        max_tokens,
        sampling: Sampling::GREEDY,
        stop: Vec::new(),
        top_log_probs: 0,
        ignore_end: true,
    };
    let start = Start::now();
    if matches!(work, BenchWork::Prefill) {
        decoder.join(&ids, greedy(1))?;
        return Ok(start.took(1));
    }
    for prompt in ids.chunks(PROMPT).take(batch) {
        decoder.join(prompt, greedy(STEPS as u32 + 1))?;
    }
    // The first step only tells what joining computed.
    decoder.step().context("a step")?;
    let start = Start::now();
    for _ in 0..STEPS {
        decoder.step().context("a step")?;
    }
    Ok(start.took(STEPS))
}

/// Wall time, and CPU time of the whole process.
struct Start {
    wall: Instant,
    cpu: Duration,
}

impl Start {
    fn now() -> Self {
        Self { wall: Instant::now(), cpu: cpu_time() }
    }

    fn took(&self, parts: usize) -> Took {
        let cpu = cpu_time().saturating_sub(self.cpu);
        Took { wall: self.wall.elapsed().as_secs_f64() / parts as f64, cpu: cpu.as_secs_f64() / parts as f64 }
    }
}

fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
