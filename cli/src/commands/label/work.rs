//! Who labels: a person in a browser, or a model.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use tokio_util::sync::CancellationToken;
use weighhouse_ask::completions::CompletionServer;
use weighhouse_label::ask::{AskError, Terms, ask as ask_model};
use weighhouse_label::{Job, Labels, Work as Page, Worker};
use weighhouse_seams::{Entropy, Listener as _, SystemClock};

use super::failed;
use crate::commands::{bind, expand};
use crate::console::LISTEN;
use crate::failure::{Exit, Failure};
use crate::output;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  weighhouse label work reviews --as ann
  weighhouse label work reviews --as ann --listen 127.0.0.1:8200

Open the address that is printed. Keys: 1 to 9 for the classes, s skip, u unsure, z undo. Every label is on the disk
before the next item is shown. Ctrl-C ends it.")]
pub(crate) struct Work {
    /// The job's folder
    job: PathBuf,
    /// Who labels; the user's name if not given
    #[arg(long = "as", value_name = "NAME")]
    worker: Option<String>,
    /// Where the page is served; a loopback address
    #[arg(long, value_name = "ADDRESS", default_value_t = LISTEN)]
    listen: SocketAddr,
}

pub(crate) async fn work(args: Work, shutdown: CancellationToken) -> Result<(), Failure> {
    if !args.listen.ip().is_loopback() {
        return Err(Failure::config(
            "--listen: the page is served to this machine alone; reach it by `ssh -L`",
        ));
    }
    let user = || std::env::var("USER").ok().filter(|name| !name.is_empty());
    let worker = args.worker.or_else(user).ok_or_else(|| Failure::config("say who labels with --as NAME"))?;
    let job = Job::open(&expand(&args.job)).map_err(failed)?;
    let page = Page::open(job, &worker, Entropy::system(), Arc::new(SystemClock::new())).map_err(failed)?;
    let bound = bind(args.listen, "--listen").await?;
    output::line(page.address(bound.local_addr()))?;
    page.run(Box::new(bound), shutdown).await;
    Ok(())
}

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  weighhouse label ask reviews --url http://127.0.0.1:8000/v1 --model qwen2.5-7b
  weighhouse label ask reviews --url http://127.0.0.1:8000/v1 --model qwen2.5-7b --as qwen --items-max 100 --json

One item at a time, with the guidelines and examples in the prompt, at temperature 0; images go as data URLs. An answer
that names no one class is kept as unsure. A run that ended early goes on where it was.")]
pub(crate) struct Ask {
    /// The job's folder
    job: PathBuf,
    /// An OpenAI-compatible server, without TLS
    #[arg(long)]
    url: http::Uri,
    /// The server's name of the model
    #[arg(long)]
    model: String,
    /// The worker's name; the model's if not given
    #[arg(long = "as", value_name = "NAME")]
    worker: Option<String>,
    /// The server's key
    #[arg(long, env = "WEIGHHOUSE_LABEL_KEY", hide_env_values = true)]
    key: Option<String>,
    /// The most items in this run
    #[arg(long, value_name = "ITEMS")]
    items_max: Option<usize>,
    /// Seconds for one item
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    timeout: u64,
    /// Tokens in which the model must have named a class
    #[arg(long, value_name = "TOKENS", default_value_t = 64)]
    max_tokens: u32,
    #[arg(long)]
    json: bool,
}

pub(crate) async fn ask(args: Ask, shutdown: CancellationToken) -> Result<(), Failure> {
    if args.url.scheme_str() != Some("http") || args.url.host().is_none() {
        return Err(Failure::config("--url: write http://HOST:PORT/v1; https isn't spoken here"));
    }
    let job = Job::open(&expand(&args.job)).map_err(failed)?;
    let mut labels = Labels::open(&job).map_err(failed)?;
    let name = args.worker.unwrap_or_else(|| args.model.clone());
    let mut worker = Worker::open(&job, &mut labels, &name, Entropy::system()).map_err(failed)?;
    let server = CompletionServer {
        url: args.url,
        model: args.model,
        key: args.key,
        connect_timeout: CONNECT_TIMEOUT,
    };
    let terms = Terms {
        deadline: Duration::from_secs(args.timeout),
        tokens_max: args.max_tokens,
        items_max: args.items_max.unwrap_or(usize::MAX),
    };
    let clock = SystemClock::new();
    let mut tell = |asked: &weighhouse_label::ask::Asked, open: usize| {
        output::live(format_args!(
            "{} labelled, {} unsure; {open} items still need votes",
            asked.votes, asked.unsure
        ));
    };
    let asking = ask_model(&job, &mut worker, &server, &terms, &clock, &mut tell);
    let asked = tokio::select! {
        asked = asking => asked,
        () = shutdown.cancelled() => return Err(Failure::new(Exit::Unavailable, "stopped; the labels so far are kept")),
    };
    output::live("");
    let asked = asked.map_err(|error| match error {
        AskError::Job(error) => failed(error),
        other => Failure::new(Exit::Unavailable, format!("{other}; the labels so far are kept")),
    })?;
    if args.json {
        return Ok(output::json(&asked)?);
    }
    output::line(format!(
        "{name}: {} items, {} votes, {} unsure (of these {} answers named no one class)",
        asked.items, asked.votes, asked.unsure, asked.unreadable
    ))?;
    Ok(())
}
