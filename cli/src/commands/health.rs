//! `weighhouse health`: one question to a role's `/readyz`, for containers without another client.

use std::time::Duration;

use clap::Args;
use http::Uri;
use weighhouse_seams::{ClockExt as _, SystemClock};

use super::{resolved, samples};
use crate::failure::{Exit, Failure};
use crate::output;

const PATIENCE: Duration = Duration::from_secs(5);

/// Ask a running role whether it is ready, for a container's health check.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  weighhouse health                                    the miner of this machine, at the usual address
  weighhouse health http://127.0.0.1:9102/readyz       a validator
  weighhouse health http://127.0.0.1:9191/livez        that it runs, ready or not

Exit code 69 where nobody answers, or with another status than 200.")]
pub(crate) struct Health {
    /// Address and path of what is asked: metrics.listen with /readyz or /livez behind it
    #[arg(value_name = "URL", default_value = "http://127.0.0.1:9191/readyz", env = "WEIGHHOUSE_HEALTH")]
    url: Uri,
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(args: &Health) -> Result<(), Failure> {
    let Health { url, json } = args;
    let (Some("http"), Some(authority)) = (url.scheme_str(), url.authority()) else {
        return Err(Failure::config(format!("{url}: write it as http://HOST:PORT/readyz")));
    };
    let address = resolved(authority.as_str()).map_err(Failure::config)?;
    let asked = SystemClock::new().timeout(PATIENCE, samples::get(address, url.path())).await;
    let away = |error: String| Failure::new(Exit::Unavailable, format!("{url}: {error}; is it running?"));
    let answer = asked.map_err(|late| away(late.to_string()))?.map_err(|error| away(error.to_string()))?;
    let said = answer.body.trim();
    if *json {
        output::json(
            &serde_json::json!({ "works": answer.status == 200, "status": answer.status, "says": said }),
        )?;
    } else if answer.status == 200 {
        output::line(said)?;
    }
    match answer.status {
        200 => Ok(()),
        status => Err(Failure::new(Exit::Unavailable, format!("{url}: {status}, {said}"))),
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    /// One answer from a server of that status.
    async fn asked(status: &'static str) -> Result<(), Failure> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("bound");
        let url = format!("http://{}/readyz", listener.local_addr().expect("bound"));
        let serving = async {
            let (mut stream, _) = listener.accept().await.expect("a caller");
            let mut request = [0; 512];
            let read = stream.read(&mut request).await.expect("a request");
            assert!(request[..read].starts_with(b"GET /readyz HTTP/1.0\r\n"));
            let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 5\r\n\r\nsaid\n");
            stream.write_all(answer.as_bytes()).await.expect("written");
        };
        let args = Health { url: url.parse().expect("a URL"), json: true };
        tokio::join!(run(&args), serving).0
    }

    #[tokio::test]
    async fn ready_is_200_and_nothing_else() {
        asked("200 OK").await.expect("ready");
        let failed = asked("503 Service Unavailable").await.expect_err("not ready");
        assert_eq!(failed.exit, Exit::Unavailable);
        assert!(failed.to_string().ends_with("503, said"), "{failed}");
        let args = Health { url: "https://127.0.0.1/readyz".parse().expect("a URL"), json: false };
        assert_eq!(run(&args).await.expect_err("TLS").exit, Exit::Config);
    }
}
