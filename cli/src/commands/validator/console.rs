//! `weighhouse validator console`: a page over the journal, beside the validator or without it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use tokio_util::sync::CancellationToken;
use weighhouse_console::ChainSource;
use weighhouse_seams::{ClockExt as _, SystemClock};

use super::read_config;
use crate::commands::{connect, expand};
use crate::console::{LISTEN, Page, Subject, open, serve};
use crate::failure::{Exit, Failure};
use crate::output;

/// For the first word of the chain: the page is about the journal all the same.
const CHAIN_TIMEOUT: Duration = Duration::from_secs(20);

#[derive(Args, Debug)]
pub(super) struct Console {
    /// Configuration file: it names the journal and the chain
    #[arg(long, value_name = "FILE", default_value = "validator.toml")]
    config: PathBuf,
    /// A journal's folder alone, without the chain
    #[arg(long, value_name = "DIR", conflicts_with = "config")]
    journal: Option<PathBuf>,
    /// Address to listen on: a free port of this machine if not given. Others reach it through `ssh -L`
    #[arg(long, value_name = "IP:PORT", default_value_t = LISTEN)]
    listen: SocketAddr,
    /// A name by which browsers call this machine, besides localhost
    #[arg(long, value_name = "NAME")]
    host: Option<String>,
    /// Open it in a browser; where this is a desktop's terminal, it is without
    #[arg(long, overrides_with = "no_open")]
    open: bool,
    /// Open nothing
    #[arg(long, overrides_with = "open")]
    no_open: bool,
    /// Print the address as JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: &Console, shutdown: CancellationToken) -> Result<(), Failure> {
    let subject = subject(args).await?;
    let (journal, has_chain) = (subject.journal.clone(), subject.chain.is_some());
    if !journal.is_dir() {
        let message = format!(
            "{}: there is no such folder; name a validator's journal with --journal",
            journal.display()
        );
        return Err(Failure::new(Exit::Missing, message));
    }
    let opens = match (args.open, args.no_open) {
        (true, _) => Some(true),
        (_, true) => Some(false),
        _ => None,
    };
    let page = Page { listen: args.listen, host: args.host.clone(), opens };
    let served = serve(&page, subject, shutdown).await?;
    if args.json {
        output::json(&serde_json::json!({
            "url": served.url, "listen": served.local, "journal": journal.display().to_string(), "chain": has_chain,
        }))?;
    } else {
        output::line(&served.url)?;
        output::note(format_args!(
            "the console of {}; the address has its token, and Ctrl-C ends it",
            journal.display()
        ));
    }
    open(&page, &served.url);
    served.ended().await
}

async fn subject(args: &Console) -> Result<Subject, Failure> {
    if let Some(journal) = &args.journal {
        return Ok(Subject { journal: expand(journal), chain: None, economy: None });
    }
    let config = read_config(&args.config)?;
    let (journal, chain) = (expand(&config.journal.dir), &config.chain);
    let connecting = SystemClock::new().timeout(CHAIN_TIMEOUT, connect(&chain.address, chain.genesis)).await;
    let connected =
        connecting.map_err(|late| late.to_string()).and_then(|it| it.map_err(|error| error.to_string()));
    let source = match connected {
        Ok(connected) => {
            Some(ChainSource { chain: connected, netuid: chain.netuid, mechanism: chain.mechanism })
        }
        Err(why) => {
            output::note(format_args!(
                "the chain isn't reached, so the page shows the journal alone; start it again once it is: {why}"
            ));
            None
        }
    };
    Ok(Subject { journal, chain: source, economy: None })
}
