//! The command line of a judge's process, as Python's `python -m weighhouse.judge` has it, and its server.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::Parser;
use tokio::net::{TcpListener, UnixListener};
use tokio::signal::unix::{SignalKind, signal};
use tokio_stream::wrappers::{TcpListenerStream, UnixListenerStream};
use tonic::transport::Server;
use weighhouse_proto::v1::judge_service_server::JudgeServiceServer;

use crate::digest::judge_digest;
use crate::service::{MESSAGE_BYTES_MAX, Service};
use crate::values::Judge;

/// Serve a judge to validators and auditors.
#[derive(Parser, Debug)]
struct Arguments {
    /// HOST:PORT (port 0: any that is free) or unix:/PATH
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7711")]
    listen: String,
    /// Print the digest that a task file pins, and end
    #[arg(long)]
    digest: bool,
    /// Say in one line of JSON where the server listens
    #[arg(long)]
    json: bool,
}

/// Why a judge can't be served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("can't listen at {address}: {source}")]
    Listen { address: String, source: io::Error },
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("the server: {0}")]
    Server(#[from] tonic::transport::Error),
}

/// Serves a judge as this process's command line says, until it is interrupted or told to end. `files` is the judge's
/// folder, whose digest a task file pins: `env!("CARGO_MANIFEST_DIR")` of its own crate.
///
/// # Errors
/// An address that can't be listened at, files that can't be read.
pub fn serve(judge: impl Judge, files: &str) -> Result<(), ServeError> {
    let arguments = Arguments::parse();
    let digest = judge_digest(Path::new(files))?;
    if arguments.digest {
        writeln!(io::stdout(), "sha256:{digest}")?;
        return Ok(());
    }
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let service = JudgeServiceServer::new(Service::new(judge, digest))
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX);
        let server = Server::builder().add_service(service);
        // Handled before the address is told: whoever reads it may end this process at once.
        let (mut interrupted, mut told) =
            (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        let ended = async move {
            tokio::select! {
                _ = interrupted.recv() => {}
                _ = told.recv() => {}
            }
        };
        let failed = |source| ServeError::Listen { address: arguments.listen.clone(), source };
        if let Some(path) = arguments.listen.strip_prefix("unix:") {
            let listener = UnixListener::bind(PathBuf::from(path)).map_err(failed)?;
            say(&arguments, &arguments.listen, &digest.to_string())?;
            server.serve_with_incoming_shutdown(UnixListenerStream::new(listener), ended).await?;
        } else {
            let listener = TcpListener::bind(&arguments.listen).await.map_err(failed)?;
            say(&arguments, &listener.local_addr()?.to_string(), &digest.to_string())?;
            server.serve_with_incoming_shutdown(TcpListenerStream::new(listener), ended).await?;
        }
        Ok(())
    })
}

fn say(arguments: &Arguments, address: &str, digest: &str) -> io::Result<()> {
    let mut out = io::stdout();
    if arguments.json {
        writeln!(out, "{}", serde_json::json!({ "address": address, "digest": format!("sha256:{digest}") }))?;
    } else {
        writeln!(out, "listening at {address}: digest sha256:{digest}")?;
    }
    out.flush()
}
