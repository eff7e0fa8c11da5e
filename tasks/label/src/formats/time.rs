//! Times as Label Studio writes them: RFC 3339 in UTC.

use std::time::{Duration, UNIX_EPOCH};

pub(crate) fn write(ms: u64) -> String {
    humantime::format_rfc3339_millis(UNIX_EPOCH + Duration::from_millis(ms)).to_string()
}

/// `None` where it is no time in UTC.
pub(super) fn read(text: &str) -> Option<u64> {
    let time = humantime::parse_rfc3339(text).ok()?;
    let since = time.duration_since(UNIX_EPOCH).ok()?;
    u64::try_from(since.as_millis()).ok()
}
