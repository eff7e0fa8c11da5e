//! One request's answer: the page, the list, or a file as a stream of pieces.

use std::fmt::Write as _;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::Frame;
use tokio::sync::Semaphore;
use tracing::error;
use weighhouse_journal::epoch_of_name;
use weighhouse_seams::{CpuPool, ReadFile, Storage};

use super::catalogue::Catalogue;
use super::index::{BundleEntry, BundleIndex, INDEX_FOLDER, INDEX_NAME};
use super::pace::Pace;
use super::range::{Asked, asked};
use crate::metrics;

pub(super) type Body = UnsyncBoxBody<Bytes, io::Error>;

/// Bytes that are read and sent at once.
const PIECE_BYTES: u64 = 64 << 10;
/// Characters of the caller's name for this host that are repeated to it.
const HOST_MAX: usize = 100;

/// What requests are answered from.
#[derive(Debug)]
pub(super) struct Site {
    pub(super) catalogue: Catalogue,
    pub(super) storage: Arc<dyn Storage>,
    /// Reads pieces of files.
    pub(super) cpu: CpuPool,
    pub(super) pace: Pace,
    pub(super) refusals: Arc<Semaphore>,
    /// The address that is listened on, where a caller gives no name.
    pub(super) local: String,
}

impl Site {
    /// Answers a request, which has no body that anybody reads.
    pub(super) async fn answer(
        self: &Arc<Self>,
        method: &Method,
        path: &str,
        headers: &HeaderMap,
    ) -> Response<Body> {
        let (route, response) = self.routed(method, path, headers).await;
        metrics::bundles_requested(route, response.status().as_u16());
        if method == Method::HEAD { response.map(|_| empty()) } else { response }
    }

    async fn routed(
        self: &Arc<Self>,
        method: &Method,
        path: &str,
        headers: &HeaderMap,
    ) -> (&'static str, Response<Body>) {
        if method != Method::GET && method != Method::HEAD {
            let mut refused = text(StatusCode::METHOD_NOT_ALLOWED, "GET and HEAD alone\n".to_owned());
            refused.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
            return ("other", refused);
        }
        let file = path.strip_prefix('/').and_then(|path| path.strip_prefix(INDEX_FOLDER)?.strip_prefix('/'));
        match (path, file) {
            ("/", _) => ("page", text(StatusCode::OK, page(&self.catalogue.index(), &self.host(headers)))),
            (path, _) if path.strip_prefix('/') == Some(INDEX_NAME) => {
                ("index", index(&self.catalogue.index()))
            }
            (_, Some(name)) => {
                // No path is ever made of it: a name stands for an epoch that is listed, or for nothing.
                let entry = epoch_of_name(name).and_then(|epoch| self.catalogue.entry(epoch));
                match entry {
                    Some(entry) => ("bundle", self.bundle(&entry, headers).await),
                    None => ("bundle", missing("no such bundle, or not public yet")),
                }
            }
            _ => ("other", missing("nothing is here")),
        }
    }

    async fn bundle(self: &Arc<Self>, entry: &BundleEntry, headers: &HeaderMap) -> Response<Body> {
        let tag = format!("\"{}\"", entry.sha256);
        let had = headers.get(header::IF_NONE_MATCH).and_then(|had| had.to_str().ok());
        if had.is_some_and(|had| had.trim() == "*" || had.split(',').any(|had| had.trim() == tag)) {
            return with(response(StatusCode::NOT_MODIFIED, empty()), &[(header::ETAG, &tag)]);
        }
        let (size, whole) = (entry.bytes, 0..entry.bytes);
        let (status, part) = match asked(headers, size, &tag) {
            Asked::Whole => (StatusCode::OK, whole),
            Asked::Part(part) => (StatusCode::PARTIAL_CONTENT, part),
            Asked::Beyond => {
                let refused = text(StatusCode::RANGE_NOT_SATISFIABLE, format!("the file has {size} bytes\n"));
                return with(refused, &[(header::CONTENT_RANGE, &format!("bytes */{size}"))]);
            }
        };
        let (storage, name) = (self.storage.clone(), entry.name.clone());
        let file = match self.cpu.run(move || storage.open_read(&name)).await {
            Ok(Ok(Some(file))) => file,
            // Removed since it was listed.
            Ok(Ok(None)) => return missing("this bundle is gone"),
            Ok(Err(error)) => return self.failed(entry, &error),
            Err(error) => return self.failed(entry, &error),
        };
        let range = format!("bytes {}-{}/{size}", part.start, part.end.saturating_sub(1));
        let mut sent = with(
            response(status, self.clone().pieces(file, part.clone())),
            &[
                (header::CONTENT_TYPE, "application/octet-stream"),
                (header::CONTENT_LENGTH, &(part.end - part.start).to_string()),
                (header::ACCEPT_RANGES, "bytes"),
                (header::ETAG, &tag),
            ],
        );
        if status == StatusCode::PARTIAL_CONTENT {
            sent = with(sent, &[(header::CONTENT_RANGE, &range)]);
        }
        sent
    }

    fn failed(&self, entry: &BundleEntry, error: &dyn std::fmt::Display) -> Response<Body> {
        error!(file = self.storage.describe(&entry.name), %error, "a bundle can't be read");
        text(StatusCode::INTERNAL_SERVER_ERROR, "internal error\n".to_owned())
    }

    /// The file's bytes, read only as fast as the caller takes them and the pace lets them go.
    fn pieces(self: Arc<Self>, file: Box<dyn ReadFile>, part: Range<u64>) -> Body {
        let pieces = stream::try_unfold((file, part), move |(mut file, part)| {
            let site = self.clone();
            async move {
                let bytes = (part.end - part.start).min(PIECE_BYTES);
                if bytes == 0 {
                    return Ok::<_, io::Error>(None);
                }
                site.pace.take(bytes).await;
                let at = part.start;
                let reading = site.cpu.run(move || {
                    let mut piece = vec![0; usize::try_from(bytes).unwrap_or_default()];
                    file.read_at(at, &mut piece).map(|()| (file, piece))
                });
                let (file, piece) = reading.await.map_err(io::Error::other)??;
                metrics::bundles_sent(bytes);
                Ok(Some((Frame::data(Bytes::from(piece)), (file, at + bytes..part.end))))
            }
        });
        StreamBody::new(pieces).boxed_unsync()
    }

    /// This host's name as the caller gave it, where it looks like one.
    fn host(&self, headers: &HeaderMap) -> String {
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
        let is_plain = |host: &&str| {
            let plain = |c: char| c.is_ascii_alphanumeric() || ".-:[]".contains(c);
            !host.is_empty() && host.len() <= HOST_MAX && host.chars().all(plain)
        };
        host.filter(is_plain).unwrap_or(&self.local).to_owned()
    }
}

/// What this is, for whoever looks with a browser, and what to do with it.
fn page(index: &BundleIndex, host: &str) -> String {
    let BundleIndex { validator, genesis, netuid, mechanism, bundles } = index;
    let mut page = format!(
        "Evidence of validator {validator}\non subnet {netuid}, mechanism {mechanism}, of the chain with genesis {genesis}.\n\n\
         Each file is one epoch: every question, answer and verdict, with signatures and proofs, and the weights that follow\n\
         from them. It is here once these weights are public. Check the newest without trusting whoever serves this:\n\n  \
         weighhouse audit http://{host}/\n  weighhouse audit http://{host}/ --newest 10\n\n\
         or take files and check them offline:\n\n  curl -C - -O http://{host}/{INDEX_FOLDER}/NAME\n  \
         weighhouse audit NAME..\n\nThe list with sizes, SHA-256 and Merkle roots: http://{host}/{INDEX_NAME}\n\n"
    );
    if bundles.is_empty() {
        page.push_str("No epoch is public yet.\n");
    }
    for BundleEntry { name, bytes, .. } in bundles.iter().rev() {
        // Writing to a text can't fail.
        let _ = writeln!(page, "  {INDEX_FOLDER}/{name}  {bytes} bytes");
    }
    page
}

fn index(index: &BundleIndex) -> Response<Body> {
    match serde_json::to_vec(index) {
        Ok(list) => {
            let json = response(StatusCode::OK, full(list.into()));
            with(json, &[(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-cache")])
        }
        Err(error) => {
            error!(%error, "the list of bundles can't be written");
            text(StatusCode::INTERNAL_SERVER_ERROR, "internal error\n".to_owned())
        }
    }
}

fn missing(why: &str) -> Response<Body> {
    text(StatusCode::NOT_FOUND, format!("{why}; /{INDEX_NAME} lists what there is\n"))
}

pub(super) fn text(status: StatusCode, text: String) -> Response<Body> {
    let plain = response(status, full(text.into()));
    with(plain, &[(header::CONTENT_TYPE, "text/plain; charset=utf-8")])
}

fn response(status: StatusCode, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

fn with(mut response: Response<Body>, headers: &[(header::HeaderName, &str)]) -> Response<Body> {
    for (name, value) in headers {
        // Digits, digests and constants: always a header's value.
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

fn full(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}

fn empty() -> Body {
    full(Bytes::new())
}
