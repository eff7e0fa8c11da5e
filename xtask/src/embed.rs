//! Embeddings of many callers through the miner's engine, against each text in a pass of its own, on the real
//! all-MiniLM-L6-v2 out of its PyPI package.

use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, ensure};
use futures::future::try_join_all;
use weighhouse_miner::engine::{EmbedEngine, Engine, EngineLimits, ModelName};
use weighhouse_models::LoadLimits;
use weighhouse_models::device::Place;
use weighhouse_models::encoder::Embedder;
use weighhouse_seams::CpuPool;
use weighhouse_types::text::TextsRequest;

use crate::median::median;
use crate::suite::models::minilm;
use crate::{result, say};

/// Callers at once.
const CALLERS: usize = 32;
const SAMPLES: usize = 9;
/// Words of a text; the first counts for the goal.
const WORDS: [usize; 3] = [12, 4, 40];
/// At least twice as many texts a second.
const GOAL: f64 = 2.0;

pub(crate) fn run() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(measure())
}

async fn measure() -> anyhow::Result<()> {
    let folder = minilm()?;
    let load = |place: Place| Embedder::load_on(&place, &folder, &LoadLimits::STANDARD);
    let (model, burn) = (load(Place::cpu())?, load(Place::burn_cpu())?);
    let limits = EngineLimits { items_max: 64, queue_max: 2 * CALLERS, batch_items_max: 512 };
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let name = ModelName::new("minilm", "1");
    let engine =
        EmbedEngine::new(name, Arc::new(model.clone()), (limits, 1 << 16), &CpuPool::new(threads, 64));
    let mut cases = Vec::new();
    for words in WORDS {
        let texts: Vec<String> = (0..CALLERS).map(|caller| text(words, caller)).collect();
        let (mut together, mut alone, mut before) = (Vec::new(), Vec::new(), Vec::new());
        for sample in 0..=SAMPLES {
            let took = [
                seconds_of_callers(&engine, &texts).await?,
                one_by_one(&model, &texts)?,
                one_by_one(&burn, &texts)?,
            ];
            // The first touches everything for the first time.
            if sample > 0 {
                together.push(took[0]);
                alone.push(took[1] / took[0]);
                before.push(took[2] / took[0]);
            }
        }
        let (ours, alone, burn) = (median(together), median(alone), median(before));
        say(&format!(
            "{words} words, {CALLERS} callers: {:.1} ms; alone {alone:.2} of it, alone in burn's operations {burn:.2}",
            ours * 1e3
        ));
        cases.push(serde_json::json!({ "words": words, "ours": ours, "alone": alone, "burn_alone": burn }));
    }
    let ratio = cases[0]["alone"].as_f64().context("a ratio")?;
    result(&serde_json::json!({
        "name": "embed", "ours": cases[0]["ours"], "ratio": ratio, "goal": "at least 2", "met": ratio >= GOAL,
        "unit": "seconds of 32 callers' texts of 12 words; the ratio is against each text in a pass of its own",
        "cases": cases,
    }));
    Ok(())
}

fn text(words: usize, seed: usize) -> String {
    const LIST: [&str; 6] = ["chain", "pays", "for", "them", "a", "river"];
    (0..words).map(|word| LIST[(word * 7 + seed) % LIST.len()]).collect::<Vec<_>>().join(" ")
}

async fn seconds_of_callers(engine: &EmbedEngine, texts: &[String]) -> anyhow::Result<f64> {
    let requests = texts.iter().map(|text| TextsRequest { texts: vec![text.clone()] }.to_infer("minilm", ""));
    let requests = requests.collect::<Result<Vec<_>, _>>()?;
    let start = Instant::now();
    let answers = try_join_all(requests.iter().map(|request| engine.infer(request))).await?;
    let took = start.elapsed().as_secs_f64();
    ensure!(answers.len() == texts.len(), "{} answers to {} callers", answers.len(), texts.len());
    Ok(took)
}

fn one_by_one(model: &Embedder, texts: &[String]) -> anyhow::Result<f64> {
    let start = Instant::now();
    for text in texts {
        model.embed(&[text])?;
    }
    Ok(start.elapsed().as_secs_f64())
}
