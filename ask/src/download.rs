//! Downloads from servers that anybody may run: bounded in bytes and time, and never sent on to another address.

use std::fmt;
use std::io;
use std::str::FromStr;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use weighhouse_seams::{BoxIo, Clock, ClockExt as _, TlsTrust, TlsTrustError};

/// Bytes that are read ahead, headers included.
const BUFFER_BYTES_MAX: usize = 64 << 10;
/// Bytes that are set aside on a server's word for a body's length.
const BELIEVED_BYTES_MAX: u64 = 1 << 20;

/// The cost that one download may have.
#[derive(Clone, Copy, Debug)]
pub struct DownloadLimits {
    pub bytes_max: u64,
    /// For all of it.
    pub deadline: Duration,
    /// For the connection, for the response's head, and between two pieces of its body.
    pub stall: Duration,
}

/// An address that starts with `http://` or `https://`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DownloadUrl {
    is_secure: bool,
    authority: String,
    host: String,
    port: u16,
    /// Begins with `/`; a query stays with it.
    path: String,
}

/// Why a download ended without its file.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    #[error("{0:?} is no address: write http://HOST:PORT/ or https://HOST/")]
    Url(String),
    #[error("TLS: {0}")]
    Trust(#[from] TlsTrustError),
    #[error("can't be reached: {0}")]
    Unreachable(io::Error),
    #[error("the connection broke off: {0}")]
    Broken(#[from] hyper::Error),
    #[error("the server answers {0}")]
    Status(StatusCode),
    #[error("the server sends on to {to:?}, which isn't followed: give that address if you trust it")]
    Redirected { to: String },
    #[error("there is more than the {bytes_max} bytes that are taken")]
    Oversized { bytes_max: u64 },
    #[error("nothing came for {} s", .0.as_secs_f64())]
    Stalled(Duration),
    #[error("not whole within {} s", .0.as_secs())]
    Late(Duration),
}

impl DownloadUrl {
    /// The path on the server.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Another path on the same server.
    #[must_use]
    pub fn at(&self, path: String) -> Self {
        Self { path, ..self.clone() }
    }
}

impl FromStr for DownloadUrl {
    type Err = DownloadError;

    fn from_str(text: &str) -> Result<Self, DownloadError> {
        let wrong = || DownloadError::Url(text.to_owned());
        let uri: Uri = text.trim().parse().map_err(|_| wrong())?;
        let (is_secure, usual) = match uri.scheme_str() {
            Some("https") => (true, 443),
            Some("http") => (false, 80),
            _ => return Err(wrong()),
        };
        let authority = uri.authority().ok_or_else(wrong)?.as_str().to_owned();
        // A name and a password would go to the log and to whoever reads the line.
        let host =
            uri.host().filter(|host| !host.is_empty() && !authority.contains('@')).ok_or_else(wrong)?;
        Ok(Self {
            is_secure,
            // A literal IPv6 address stands in brackets in a URL and without them in a socket address.
            host: host.trim_matches(['[', ']']).to_owned(),
            port: uri.port_u16().unwrap_or(usual),
            path: uri.path_and_query().map_or("/", |path| path.as_str()).to_owned(),
            authority,
        })
    }
}

impl fmt::Display for DownloadUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_secure { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority, self.path)
    }
}

/// Takes a file. `told` hears how many bytes there are so far, and how many there will be where the server says so.
///
/// # Errors
/// A server that can't be reached or answers something else, and whatever is beyond the limits.
pub async fn download(
    url: &DownloadUrl,
    limits: DownloadLimits,
    clock: &dyn Clock,
    told: impl FnMut(u64, Option<u64>) + Send,
) -> Result<Vec<u8>, DownloadError> {
    let taken = clock.timeout(limits.deadline, Box::pin(take(url, limits, clock, told))).await;
    taken.map_err(|_| DownloadError::Late(limits.deadline))?
}

async fn take(
    url: &DownloadUrl,
    limits: DownloadLimits,
    clock: &dyn Clock,
    mut told: impl FnMut(u64, Option<u64>) + Send,
) -> Result<Vec<u8>, DownloadError> {
    let stalled = |_| DownloadError::Stalled(limits.stall);
    let io = clock.timeout(limits.stall, dial(url)).await.map_err(stalled)??;
    let (mut sender, connection) =
        http1::Builder::new().max_buf_size(BUFFER_BYTES_MAX).handshake(TokioIo::new(io)).await?;
    // Ends with this call.
    let mut driving = JoinSet::new();
    driving.spawn(async move { drop(connection.await) });
    let request = Request::get(&url.path)
        .header(header::HOST, &url.authority)
        .header(header::ACCEPT_ENCODING, "identity")
        .header(header::USER_AGENT, concat!("weighhouse/", env!("CARGO_PKG_VERSION")))
        .body(Empty::<Bytes>::new())
        .map_err(|_| DownloadError::Url(url.to_string()))?;
    let response = clock.timeout(limits.stall, sender.send_request(request)).await.map_err(stalled)??;
    let (head, mut body) = response.into_parts();
    if head.status.is_redirection() {
        return Err(DownloadError::Redirected { to: text(&head.headers, header::LOCATION) });
    }
    if head.status != StatusCode::OK {
        return Err(DownloadError::Status(head.status));
    }
    let oversized = || DownloadError::Oversized { bytes_max: limits.bytes_max };
    let length: Option<u64> = text(&head.headers, header::CONTENT_LENGTH).parse().ok();
    if length.is_some_and(|length| length > limits.bytes_max) {
        return Err(oversized());
    }
    let believed = length.unwrap_or_default().min(BELIEVED_BYTES_MAX);
    let mut bytes = Vec::with_capacity(usize::try_from(believed).unwrap_or_default());
    while let Some(frame) = clock.timeout(limits.stall, body.frame()).await.map_err(stalled)? {
        let Ok(piece) = frame?.into_data() else { continue };
        if (bytes.len() + piece.len()) as u64 > limits.bytes_max {
            return Err(oversized());
        }
        bytes.extend_from_slice(&piece);
        told(bytes.len() as u64, length);
    }
    Ok(bytes)
}

async fn dial(url: &DownloadUrl) -> Result<BoxIo, DownloadError> {
    let stream = TcpStream::connect((url.host.as_str(), url.port)).await;
    let stream: BoxIo = Box::new(stream.map_err(DownloadError::Unreachable)?);
    if !url.is_secure {
        return Ok(stream);
    }
    let trust = TlsTrust::of_platform()?.over_http1();
    trust.secure(&url.host, stream).await.map_err(DownloadError::Unreachable)
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> String {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    use weighhouse_seams::SystemClock;

    use super::*;

    /// A server that says this to one caller, and then hangs up or keeps silent.
    fn says(said: &'static [u8], hangs_up: bool) -> DownloadUrl {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        std::thread::spawn(move || {
            let (mut io, _) = listener.accept().expect("a caller");
            let mut head = [0; 1024];
            let _ = io.read(&mut head);
            let _ = io.write_all(said);
            while !hangs_up && io.read(&mut head).is_ok_and(|read| read > 0) {}
        });
        format!("http://{address}/bundles/a.wj").parse().expect("an address")
    }

    async fn of(url: &DownloadUrl, stall: Duration) -> Result<Vec<u8>, DownloadError> {
        let limits = DownloadLimits { bytes_max: 8, deadline: Duration::from_secs(20), stall };
        download(url, limits, &SystemClock::new(), |_, _| {}).await
    }

    const PATIENT: Duration = Duration::from_secs(10);

    #[tokio::test]
    async fn a_file_is_taken_whole_or_not_at_all() {
        let whole = says(b"HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\n12345678", true);
        assert_eq!(of(&whole, PATIENT).await.expect("taken"), b"12345678");
        let chunked =
            says(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n", true);
        assert_eq!(of(&chunked, PATIENT).await.expect("taken"), b"ab");
        let short = says(b"HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\n1234", true);
        assert!(matches!(of(&short, PATIENT).await, Err(DownloadError::Broken(_))));
        let silent = says(b"HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\n1234", false);
        assert!(matches!(of(&silent, Duration::from_millis(50)).await, Err(DownloadError::Stalled(_))));
    }

    #[tokio::test]
    async fn more_than_was_asked_for_and_other_answers_are_refused() {
        let told = says(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n123456789", true);
        assert!(matches!(of(&told, PATIENT).await, Err(DownloadError::Oversized { bytes_max: 8 })));
        let untold = says(b"HTTP/1.1 200 OK\r\n\r\n123456789", true);
        assert!(matches!(of(&untold, PATIENT).await, Err(DownloadError::Oversized { bytes_max: 8 })));
        let missing = says(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n", true);
        assert!(matches!(of(&missing, PATIENT).await, Err(DownloadError::Status(StatusCode::NOT_FOUND))));
        let away = says(b"HTTP/1.1 302 Found\r\nlocation: http://elsewhere/\r\n\r\n", true);
        let error = of(&away, PATIENT).await.expect_err("not followed").to_string();
        assert!(error.contains("http://elsewhere/"), "{error}");
    }

    #[test]
    fn addresses_are_read_with_their_port_and_path() {
        let url: DownloadUrl = "http://[::1]:8093/a/bundles.json".parse().expect("an address");
        assert_eq!((url.host.as_str(), url.port, url.path()), ("::1", 8093, "/a/bundles.json"));
        assert_eq!(url.at("/b".to_owned()).to_string(), "http://[::1]:8093/b");
        assert_eq!("https://h".parse::<DownloadUrl>().expect("an address").to_string(), "https://h/");
        for text in ["", "h:80", "ftp://h/", "http://", "http://name:word@h/", "/a"] {
            assert!(text.parse::<DownloadUrl>().is_err(), "{text}");
        }
    }
}
