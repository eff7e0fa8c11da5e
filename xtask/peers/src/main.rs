//! candle's Llama on a model folder. Reads orders from standard input, a line each, and answers each with what it took:
//!
//! - `prefill TOKENS`: the logits that follow a prompt
//! - `decode BATCH PROMPT TOKENS`: so many steps, greedily, after a prompt; the time of one step

#![forbid(unsafe_code)]

use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context;
use candle_core::{D, DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::llama::{Cache, Config, Llama, LlamaConfig};
// Named so that the feature that is wanted of it counts.
use gemm as _;
use rustix::time::{ClockId, clock_gettime};

struct Peer {
    model: Llama,
    config: Config,
    device: Device,
}

fn main() -> anyhow::Result<()> {
    let folder = PathBuf::from(std::env::args_os().nth(1).context("a model folder is missing")?);
    let peer = Peer::load(&folder)?;
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let words: Vec<&str> = line.split_whitespace().collect();
        let (wall, cpu) = match words[..] {
            ["prefill", tokens] => peer.prefill(tokens.parse()?)?,
            ["decode", batch, prompt, tokens] => {
                peer.decode(batch.parse()?, prompt.parse()?, tokens.parse()?)?
            }
            _ => anyhow::bail!("no order: {line:?}"),
        };
        writeln!(out, "{}", serde_json::json!({ "wall": wall, "cpu": cpu }))?;
        out.flush()?;
    }
    Ok(())
}

impl Peer {
    fn load(folder: &Path) -> anyhow::Result<Self> {
        let config: LlamaConfig = serde_json::from_slice(&std::fs::read(folder.join("config.json"))?)?;
        let config = config.into_config(false);
        let device = Device::Cpu;
        let tensors = candle_core::safetensors::load(folder.join("model.safetensors"), &device)?;
        let weights = VarBuilder::from_tensors(tensors, DType::F32, &device);
        Ok(Self { model: Llama::load(weights, &config)?, config, device })
    }

    fn prompt(&self, batch: usize, tokens: usize) -> anyhow::Result<Tensor> {
        let vocabulary = self.config.vocab_size;
        // Ours and onnxruntime are given the same ids.
        let ids: Vec<u32> = (0..batch * tokens).map(|at| ((at * 7_919 + 13) % vocabulary) as u32).collect();
        Ok(Tensor::from_vec(ids, (batch, tokens), &self.device)?)
    }

    fn cache(&self) -> anyhow::Result<Cache> {
        Ok(Cache::new(true, DType::F32, &self.config, &self.device)?)
    }

    fn prefill(&self, tokens: usize) -> anyhow::Result<(f64, f64)> {
        let (prompt, mut cache) = (self.prompt(1, tokens)?, self.cache()?);
        let clock = Clock::start();
        self.model.forward(&prompt, 0, &mut cache)?.to_vec2::<f32>()?;
        Ok(clock.read(1))
    }

    fn decode(&self, batch: usize, prompt: usize, tokens: usize) -> anyhow::Result<(f64, f64)> {
        let mut cache = self.cache()?;
        let logits = self.model.forward(&self.prompt(batch, prompt)?, 0, &mut cache)?;
        let mut next = logits.argmax(D::Minus1)?.unsqueeze(1)?;
        let clock = Clock::start();
        for step in 0..tokens {
            let logits = self.model.forward(&next, prompt + step, &mut cache)?;
            next = logits.argmax(D::Minus1)?.unsqueeze(1)?;
            // Read out in each step, as whoever generates has to.
            next.flatten_all()?.to_vec1::<u32>()?;
        }
        Ok(clock.read(tokens))
    }
}

/// Wall time, and CPU time of the whole process.
struct Clock {
    wall: Instant,
    cpu: Duration,
}

impl Clock {
    fn start() -> Self {
        Self { wall: Instant::now(), cpu: cpu_time() }
    }

    fn read(&self, parts: usize) -> (f64, f64) {
        let cpu = cpu_time().saturating_sub(self.cpu);
        (self.wall.elapsed().as_secs_f64() / parts as f64, cpu.as_secs_f64() / parts as f64)
    }
}

fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
