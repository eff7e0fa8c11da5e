//! Scans of many callers through the miner's engine, against each request in a pass of its own; and one caller alone, against
//! the same pass on the same pool without what brings requests together.

use std::sync::Arc;
use std::time::Instant;

use anyhow::Context as _;
use futures::future::try_join_all;
use weighhouse_miner::engine::{ClassifierEngine, Engine as _, EngineLimits, ModelName};
use weighhouse_models::digits;
use weighhouse_models::{Builtin, Classifier};
use weighhouse_seams::CpuPool;
use weighhouse_types::InferRequest;
use weighhouse_types::scans::{PIXELS, ScansAnswer, ScansRequest};

use crate::median::median;
use crate::{result, say};

/// Callers at once, and how often each asks in a sample.
const CALLERS: usize = 64;
const ASKS: usize = 20;
const SAMPLES: usize = 9;
/// Rows of every pass.
const ROWS: usize = 64;
/// At least three times as many requests a second.
const GOAL: f64 = 3.0;

pub(crate) fn run() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(measure())
}

async fn measure() -> anyhow::Result<()> {
    let cpu = CpuPool::new(std::thread::available_parallelism().map_or(2, usize::from), 2 * CALLERS);
    let together = engine(512, &cpu)?;
    let apart = engine(1, &cpu)?;
    let model = Arc::new(Classifier::load(Builtin::Reference.bytes())?);
    let pixels = digits::held_out().next().map(digits::clean).context("held-out scans")?.to_vec();
    let request = ScansRequest { pixels: pixels.clone() }.to_infer("digits", "");
    let (mut many, mut alone, mut bare) = (Vec::new(), Vec::new(), Vec::new());
    for sample in 0..=SAMPLES {
        let rates = (of_many(&together, &request).await?, of_many(&apart, &request).await?);
        let lone = seconds(|| async { together.infer(&request).await.map(drop) }).await?;
        let direct = seconds(|| async {
            let mut scans = ScansRequest::from_infer(&request, 64)?.pixels;
            // Passes have one size, so that no answer depends on what else is in one.
            scans.resize(ROWS * PIXELS, 0.0);
            let model = model.clone();
            let mut rows = cpu.run(move || model.forward(&scans)).await??;
            rows.truncate(1);
            ScansAnswer { rows }.to_infer("digits", "1", "");
            anyhow::Ok(())
        })
        .await?;
        // The first touches everything for the first time.
        if sample > 0 {
            many.push(rates.0 / rates.1);
            alone.push(lone / direct);
            bare.push(lone);
        }
    }
    let (ratio, alone, seconds) = (median(many), median(alone), median(bare));
    say(&format!("alone {:.0} us, {alone:.2} of the same pass without batching", seconds * 1e6));
    result(&serde_json::json!({
        "name": "batching", "ratio": ratio, "goal": "at least 3", "met": ratio >= GOAL, "alone": alone,
        "unit": "requests a second of 64 callers, against each in a pass of its own; `alone` is one caller's time against the \
                 same pass on the pool without batching",
    }));
    Ok(())
}

fn engine(batch_items_max: usize, cpu: &CpuPool) -> anyhow::Result<ClassifierEngine> {
    let model = Classifier::load(Builtin::Reference.bytes())?;
    let limits = EngineLimits { items_max: 64, queue_max: 2 * CALLERS, batch_items_max };
    Ok(ClassifierEngine::new(ModelName::new("digits", "1"), model, limits, cpu))
}

/// Requests a second of all callers, each of which asks again once it is answered.
async fn of_many(engine: &ClassifierEngine, request: &InferRequest) -> anyhow::Result<f64> {
    let start = Instant::now();
    let callers = (0..CALLERS).map(|_| async {
        for _ in 0..ASKS {
            engine.infer(request).await?;
        }
        anyhow::Ok(())
    });
    try_join_all(callers).await?;
    Ok((CALLERS * ASKS) as f64 / start.elapsed().as_secs_f64())
}

/// The median time of a call, of many.
async fn seconds<F, E>(call: impl Fn() -> F) -> anyhow::Result<f64>
where
    F: Future<Output = Result<(), E>>,
    E: Into<anyhow::Error>,
{
    let mut took = Vec::new();
    for _ in 0..200 {
        let start = Instant::now();
        call().await.map_err(Into::into)?;
        took.push(start.elapsed().as_secs_f64());
    }
    Ok(median(took))
}
