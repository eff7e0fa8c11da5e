//! `weighhouse model` for language models and encoders: generate, embed.

use std::io::{IsTerminal, Write};
use std::path::Path;

use clap::Args;
use weighhouse_models::language::{Decoder, DecoderLimits, Generation};
use weighhouse_models::sampling::Sampling;

use crate::failure::{Context, Exit, Failure};
use crate::{models, output};

#[derive(Args, Debug)]
pub(crate) struct Generate {
    /// language-reference, language-weak, a folder with config.json, tokenizer.json and safetensors, or OWNER/NAME of
    /// the Hugging Face hub
    model: String,
    /// The text to go on with
    #[arg(long)]
    prompt: String,
    #[arg(long, default_value_t = 64)]
    max_tokens: u32,
    /// 0 takes the most probable token; above 0, gumbel/v1 draws by the seed
    #[arg(long, default_value_t = 0.0)]
    temperature: f32,
    /// Draw among this many of the most probable tokens; 0 draws among all
    #[arg(long, default_value_t = 0)]
    top_k: u32,
    /// Draw among the most probable tokens that have this share together
    #[arg(long, default_value_t = 1.0)]
    top_p: f32,
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// End before this text; may be given several times
    #[arg(long)]
    stop: Vec<String>,
    /// Tokens, log-probabilities and text as one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Embed {
    /// A folder with a BERT-style encoder (config.json, tokenizer.json and safetensors), or OWNER/NAME of the Hugging
    /// Face hub
    model: String,
    #[arg(required = true)]
    texts: Vec<String>,
    #[arg(long)]
    json: bool,
}

/// Reads all that loading reads, and computes nothing.
pub(crate) fn show(folder: &Path, json: bool) -> Result<(), Failure> {
    let model = models::language(&folder.display().to_string())?;
    let (digest, older, ends) = (model.digest(), model.tokens().digests().get(1), model.end_tokens());
    let (vocabulary, context) = (model.vocabulary(), model.context());
    if json {
        return Ok(output::json(&serde_json::json!({
            "digest": digest, "without_generation_config": older, "end_tokens": ends,
            "vocabulary": vocabulary, "context": context, "warning": model.tokens().warning(),
        }))?);
    }
    output::line(format!("digest {digest}"))?;
    if let Some(older) = older {
        output::line(format!("without generation_config.json {older}"))?;
    }
    output::line(format!("end tokens {ends:?}\nvocabulary {vocabulary}, context {context}"))?;
    match model.tokens().warning() {
        Some(warning) => Ok(output::line(format!("warning: {warning}"))?),
        None => Ok(()),
    }
}

pub(crate) fn generate(args: &Generate) -> Result<(), Failure> {
    let model = models::language(&args.model)?;
    let sampling = Sampling::new(args.temperature, args.top_k, args.top_p, args.seed);
    let sampling = sampling.exit(Exit::Config, "sampling")?;
    let prompt = model.encode(&args.prompt).exit(Exit::Config, "--prompt")?;
    let (digest, older) = (model.digest(), model.tokens().digests().get(1).copied());
    let limits = DecoderLimits { sequences_max: 1, cache_tokens_max: model.context().next_multiple_of(64) };
    let (max_tokens, stop) = (args.max_tokens, args.stop.clone());
    let what = Generation { max_tokens, sampling, stop, top_log_probs: 0, ignore_end: false };
    let mut decoder = Decoder::new(model, limits);
    decoder.join(&prompt, what).exit(Exit::Config, "--prompt")?;
    let (mut tokens, mut log_probs, mut text, mut finish) = (Vec::new(), Vec::new(), String::new(), None);
    let live = !args.json && std::io::stdout().is_terminal();
    while !decoder.is_idle() {
        for event in decoder.step().exit(Exit::Internal, "decoding")? {
            if live {
                print_piece(&event.text)?;
            }
            tokens.push(event.token);
            log_probs.push(event.log_prob);
            text.push_str(&event.text);
            finish = event.finish;
        }
    }
    if args.json {
        let finish = finish.map(|finish| finish.name());
        let said = serde_json::json!({
            "digest": digest, "without_generation_config": older, "text": text, "prompt_tokens": prompt, "tokens": tokens, "log_probs": log_probs,
            "finish": finish,
        });
        return Ok(output::json(&said)?);
    }
    Ok(output::line(if live { String::new() } else { text })?)
}

fn print_piece(text: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

pub(crate) fn embed(args: &Embed) -> Result<(), Failure> {
    let model = models::encoder(&args.model)?;
    let texts: Vec<&str> = args.texts.iter().map(String::as_str).collect();
    let embeddings = model.embed(&texts).exit(Exit::Config, "texts")?;
    if args.json {
        let said = serde_json::json!({ "digest": model.digest(), "embeddings": embeddings.rows().into_iter().map(|row| row.to_vec()).collect::<Vec<_>>() });
        return Ok(output::json(&said)?);
    }
    for embedding in embeddings.rows() {
        let numbers: Vec<String> = embedding.iter().map(|number| format!("{number:.6}")).collect();
        output::line(numbers.join(" "))?;
    }
    Ok(())
}
