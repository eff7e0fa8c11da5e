//! One post: its shape by who takes it, over HTTP/1.1, tried a few times.

use std::time::Duration;

use http::{Request, Uri, header};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use metrics::counter;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use weighhouse_seams::{BoxIo, TlsTrust, TlsTrustError};
use weighhouse_types::notify::NotifyFormat;

use super::{Notice, POSTS};

/// For one attempt, and before each further one.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSES: [Duration; 3] = [Duration::from_secs(2), Duration::from_secs(10), Duration::from_secs(60)];

/// Why nothing can be posted there.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HookError {
    #[error("{0:?} is no http:// or https:// address")]
    Url(String),
    #[error(transparent)]
    Trust(#[from] TlsTrustError),
}

/// Why one attempt failed.
#[derive(Debug, thiserror::Error)]
enum PostError {
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("{0}")]
    Http(#[from] hyper::Error),
    #[error("{0}")]
    Request(#[from] http::Error),
    #[error("it answers {0}")]
    Status(http::StatusCode),
    #[error("no answer within {} s", PATIENCE.as_secs())]
    Late,
}

/// An address that takes posts.
#[derive(Debug)]
pub(crate) struct Hook {
    host: String,
    port: u16,
    path: String,
    trust: Option<TlsTrust>,
    format: NotifyFormat,
    /// Who tells.
    from: String,
}

impl Hook {
    pub(crate) fn new(url: &str, format: Option<NotifyFormat>, who: &str) -> Result<Self, HookError> {
        let wrong = || HookError::Url(url.to_owned());
        let uri: Uri = url.parse().map_err(|_| wrong())?;
        let host = uri.host().ok_or_else(wrong)?.trim_matches(['[', ']']).to_owned();
        let (trust, usual) = match uri.scheme_str() {
            Some("https") => (Some(TlsTrust::of_platform()?.over_http1()), 443),
            Some("http") => (None, 80),
            _ => return Err(wrong()),
        };
        let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        let format = format.unwrap_or_else(|| by_host(&host));
        let machine = rustix::system::uname().nodename().to_string_lossy().into_owned();
        Ok(Self {
            port: uri.port_u16().unwrap_or(usual),
            host,
            path,
            trust,
            format,
            from: format!("weighhouse {who} on {machine}"),
        })
    }

    /// Posts, and tells of what can't be posted.
    pub(super) async fn post(&self, notice: &Notice) {
        let (path, body) = self.shaped(notice);
        let body = Bytes::from(body.to_string());
        let mut pauses = PAUSES.into_iter();
        loop {
            let attempt = tokio::time::timeout(PATIENCE, self.send(&path, body.clone()));
            let error = match attempt.await {
                Ok(Ok(())) => return counter!(POSTS, "outcome" => "posted").increment(1),
                Ok(Err(error)) => error,
                Err(_) => PostError::Late,
            };
            let Some(pause) = pauses.next() else {
                counter!(POSTS, "outcome" => "failed").increment(1);
                // The path of a webhook is its password.
                return tracing::warn!(host = self.host, state = notice.state, %error, "a notice couldn't be posted (notify.url)");
            };
            tracing::debug!(%error, "a notice is posted again later");
            tokio::time::sleep(pause).await;
        }
    }

    async fn send(&self, path: &str, body: Bytes) -> Result<(), PostError> {
        let stream: BoxIo = Box::new(TcpStream::connect((self.host.as_str(), self.port)).await?);
        let stream = match &self.trust {
            Some(trust) => trust.secure(&self.host, stream).await?,
            None => stream,
        };
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let request = Request::post(path)
            .header(header::HOST, &self.host)
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::USER_AGENT, concat!("weighhouse/", env!("CARGO_PKG_VERSION")))
            .body(Full::new(body))?;
        let mut responding = std::pin::pin!(sender.send_request(request));
        let response = tokio::select! {
            biased;
            response = &mut responding => response?,
            // It may end with the answer, which is there then.
            ended = connection => {
                ended?;
                responding.await?
            }
        };
        if response.status().is_success() { Ok(()) } else { Err(PostError::Status(response.status())) }
    }

    /// The path and the body, as whoever takes them expects both.
    fn shaped(&self, notice: &Notice) -> (String, Value) {
        let Notice { state, is_bad, text } = notice;
        let turned = if *is_bad { "bad" } else { "good again" };
        let line = format!("{}: {state} is {turned}: {text}", self.from);
        match self.format {
            NotifyFormat::Slack => (self.path.clone(), json!({ "text": line })),
            // No name in it may call people up.
            NotifyFormat::Discord => {
                (self.path.clone(), json!({ "content": line, "allowed_mentions": { "parse": [] } }))
            }
            NotifyFormat::Ntfy => {
                // JSON goes to the server's root, and names the topic.
                let topic = self.path.trim_matches('/');
                let (priority, tag) = if *is_bad { (4, "warning") } else { (3, "white_check_mark") };
                let title = format!("{}: {state} is {turned}", self.from);
                let body = json!({ "topic": topic, "title": title, "message": text, "priority": priority, "tags": [tag] });
                ("/".to_owned(), body)
            }
            NotifyFormat::Json => {
                let body = json!({ "from": self.from, "state": state, "turned": if *is_bad { "bad" } else { "good" }, "text": text });
                (self.path.clone(), body)
            }
        }
    }
}

fn by_host(host: &str) -> NotifyFormat {
    let of = |domain: &str| host == domain || host.ends_with(&format!(".{domain}"));
    match () {
        () if of("slack.com") => NotifyFormat::Slack,
        () if of("discord.com") || of("discordapp.com") => NotifyFormat::Discord,
        () if of("ntfy.sh") || host.starts_with("ntfy.") => NotifyFormat::Ntfy,
        () => NotifyFormat::Json,
    }
}
