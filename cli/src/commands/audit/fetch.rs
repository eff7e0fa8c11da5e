//! Downloads, with their progress on standard error.

use std::time::{Duration, Instant};

use weighhouse_ask::download::{DownloadError, DownloadLimits, DownloadUrl, download};
use weighhouse_seams::SystemClock;
use weighhouse_validator::bundles::BundleIndex;
use weighhouse_validator::config::ByteSize;

use crate::failure::{Context as _, Exit, Failure};
use crate::output;

/// A bundle is in memory while it is audited.
const BUNDLE_BYTES_MAX: u64 = 2 << 30;
const INDEX_BYTES_MAX: u64 = 4 << 20;
const STALL: Duration = Duration::from_secs(30);
const INDEX_TIME: Duration = Duration::from_secs(60);
const BUNDLE_TIME: Duration = Duration::from_secs(60 * 60);
/// Between two words about one download.
const TELL_EVERY: Duration = Duration::from_millis(200);

/// Takes a bundle, of so many bytes where a list says it.
pub(super) async fn fetch(url: &DownloadUrl, listed: Option<u64>) -> Result<Vec<u8>, Failure> {
    let bytes_max = listed.unwrap_or(BUNDLE_BYTES_MAX);
    if bytes_max > BUNDLE_BYTES_MAX {
        let (bytes, max) = (ByteSize(bytes_max), ByteSize(BUNDLE_BYTES_MAX));
        let why = format!(
            "{url}: {bytes} are more than the {max} that are taken: use `curl -O` and audit the file"
        );
        return Err(Failure::new(Exit::Data, why));
    }
    let (begun, mut told_at) = (Instant::now(), None);
    let told = |bytes: u64, all: Option<u64>| {
        let now = Instant::now();
        if told_at.is_some_and(|told: Instant| now - told < TELL_EVERY) {
            return;
        }
        told_at = Some(now);
        let all = all.map_or_else(String::new, |all| format!(" of {}", ByteSize(all)));
        output::live(format!("{url}: {}{all}", ByteSize(bytes)));
    };
    let limits = DownloadLimits { bytes_max, deadline: BUNDLE_TIME, stall: STALL };
    let taken = download(url, limits, &SystemClock::new(), told).await;
    output::live("");
    let bytes = taken.map_err(|error| failure(url, error))?;
    let took = begun.elapsed().as_secs_f64();
    output::note(format!("{url}: {} in {took:.1} s", ByteSize(bytes.len() as u64)));
    Ok(bytes)
}

pub(super) async fn fetch_index(url: &DownloadUrl) -> Result<BundleIndex, Failure> {
    let limits = DownloadLimits { bytes_max: INDEX_BYTES_MAX, deadline: INDEX_TIME, stall: STALL };
    let taken = download(url, limits, &SystemClock::new(), |_, _| {}).await;
    let bytes = taken.map_err(|error| failure(url, error))?;
    serde_json::from_slice(&bytes).exit(Exit::Data, format!("{url}: no list of bundles"))
}

fn failure(url: &DownloadUrl, error: DownloadError) -> Failure {
    let (exit, fix) = match &error {
        DownloadError::Url(_) => (Exit::Config, ""),
        DownloadError::Redirected { .. } => (Exit::Config, ""),
        DownloadError::Status(http::StatusCode::NOT_FOUND) => {
            (Exit::Missing, "; its /bundles.json lists what is public")
        }
        DownloadError::Oversized { .. } => (Exit::Data, "; use `curl -O` and audit the file"),
        DownloadError::Trust(_) => (Exit::Unavailable, "; or use `curl -O` and audit the file"),
        DownloadError::Unreachable(_) => {
            (Exit::Unavailable, "; does a validator with [bundles] listen there?")
        }
        _ => (Exit::Unavailable, "; try again"),
    };
    Failure::new(exit, format!("{url}: {error}{fix}"))
}
