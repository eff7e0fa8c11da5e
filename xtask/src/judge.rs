//! The judge of completions: CPU-seconds of one check against those of generating what is checked, on one core; and what
//! a tempo of a whole subnet costs under the sequential test.

mod tempo;

use std::time::Duration;

use anyhow::Context;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use rustix::time::{ClockId, clock_gettime};
use weighhouse_models::LoadLimits;
use weighhouse_models::language::{Generation, LanguageModel};
use weighhouse_models::precision::Precision;
use weighhouse_models::sampling::Sampling;
use weighhouse_tasks::complete;
use weighhouse_tasks::witness::{Claim, TeacherForced, Witness};
use weighhouse_types::text::TextAnswer;

use crate::median::median;
use crate::{folder, result, say};

/// One check may cost this share of generating the completion.
const GOAL: f64 = 0.1;
const SAMPLES: usize = 7;
const SEQUENCES: usize = 16;

/// A prompt and what was generated from it.
struct Completion {
    prompt: String,
    sampling: Sampling,
    tokens: Vec<u32>,
}

/// Costs of the two sides of a comparison, in CPU-seconds a completion: medians, and the median of the ratios.
struct Costs {
    generate: f64,
    judge: f64,
    ratio: f64,
}

pub(crate) fn run() -> anyhow::Result<()> {
    // One thread, so that its clock sees all of the work.
    rayon::ThreadPoolBuilder::new().num_threads(1).build()?.install(bench)
}

fn bench() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    folder::write(dir.path())?;
    let model = LanguageModel::load(dir.path(), &LoadLimits::STANDARD).context("the bench's own model")?;
    let goal = costs(&model, 16, 112, 1)?;
    let even = costs(&model, 64, 64, 1)?;
    let batched = costs(&model, 16, 112, SEQUENCES)?;
    for (name, costs) in
        [("112 after 16", &goal), ("64 after 64", &even), ("112 after 16, batch 16", &batched)]
    {
        say(&format!(
            "{name}: generate {:.4} s, judge {:.4} s, ratio {:.3}",
            costs.generate, costs.judge, costs.ratio
        ));
    }
    let int4 = LanguageModel::load_rounded(dir.path(), &LoadLimits::STANDARD, Precision::Int4);
    let int4 = int4.context("the same, rounded")?;
    let tempo = tempo::run(&model, &int4, &goal, &batched)?;
    result(&serde_json::json!({
        "name": "judge", "ours": goal.judge, "limit": goal.generate, "ratio": goal.ratio, "goal": "at most 0.1",
        "met": goal.ratio <= GOAL, "unit": "CPU-seconds per completion of 112 tokens after 16, one core, batch 1",
        "prompt_64_completion_64": { "generate": even.generate, "judge": even.judge, "ratio": even.ratio },
        "batch_16": { "generate": batched.generate, "judge": batched.judge, "ratio": batched.ratio },
        "tempo": tempo,
    }));
    Ok(())
}

/// Generating and judging take turns, so that both see the same machine.
fn costs(model: &LanguageModel, prompt: usize, tokens: u32, together: usize) -> anyhow::Result<Costs> {
    let witness = TeacherForced(model.clone());
    let (mut generating, mut judging, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for sample in 0..SAMPLES as u64 + 1 {
        let start = cpu_time();
        let completions = completions(model, prompt, tokens, together, together, sample)?;
        let generated = cpu_time().saturating_sub(start).as_secs_f64() / together as f64;
        let start = cpu_time();
        testify(&witness, &completions)?;
        let judged = cpu_time().saturating_sub(start).as_secs_f64() / together as f64;
        // The first touches everything for the first time.
        if sample > 0 {
            generating.push(generated);
            judging.push(judged);
            ratios.push(judged / generated);
        }
    }
    Ok(Costs { generate: median(generating), judge: median(judging), ratio: median(ratios) })
}

/// Random prompts, continued at temperature 1.
fn completions(
    model: &LanguageModel,
    prompt: usize,
    tokens: u32,
    count: usize,
    batch: usize,
    seed: u64,
) -> anyhow::Result<Vec<Completion>> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut texts = Vec::with_capacity(count);
    let mut wanted = Vec::with_capacity(count);
    for _ in 0..count {
        let text = folder::text(prompt, &mut rng);
        let sampling = Sampling::new(1.0, 0, 1.0, rng.next_u64())?;
        let (stop, top_log_probs) = (Vec::new(), 0);
        let generation = Generation { max_tokens: tokens, sampling, stop, top_log_probs, ignore_end: true };
        wanted.push((model.encode(&text)?, generation));
        texts.push((text, sampling));
    }
    let answers: Vec<TextAnswer> = complete(model, &wanted, batch)?;
    let each = texts.into_iter().zip(answers);
    Ok(each
        .map(|((prompt, sampling), answer)| Completion { prompt, sampling, tokens: answer.tokens })
        .collect())
}

/// Each completion's margins.
fn testify(
    witness: &TeacherForced<LanguageModel>,
    completions: &[Completion],
) -> anyhow::Result<Vec<Vec<f32>>> {
    let claim =
        |completion: &Completion| (completion.prompt.clone(), completion.tokens.clone(), completion.sampling);
    let owned: Vec<_> = completions.iter().map(claim).collect();
    let claims: Vec<Claim<'_>> = owned
        .iter()
        .map(|(prompt, tokens, sampling)| Claim { prompt, tokens, sampling: *sampling, ended: false })
        .collect();
    Ok(witness.testify(&claims)?.into_iter().map(|testimony| testimony.margins).collect())
}

/// CPU time of this thread.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
