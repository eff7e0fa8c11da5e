//! Every metric of the gateway: names, descriptions, and the only places that write them.

use std::time::Duration;

use http::StatusCode;
use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use weighhouse_seams::UnixNanos;

const REQUESTS: &str = "weighhouse_gateway_requests_total";
const BROKEN: &str = "weighhouse_gateway_streams_broken_total";
const FIRST: &str = "weighhouse_gateway_first_piece_seconds";
const LAST_REQUEST: &str = "weighhouse_gateway_last_request_timestamp_seconds";
const TURNED: &str = "weighhouse_gateway_miners_failed_total";
const MINERS: &str = "weighhouse_gateway_miners";

/// Gives the exporter its help texts; call it once a recorder is installed.
pub fn describe() {
    describe_counter!(REQUESTS, "Requests, by route and HTTP status.");
    describe_counter!(BROKEN, "Streams that ended with an error after they had begun, by route.");
    describe_histogram!(FIRST, "Seconds from a request to the first piece of its answer, or to all of it.");
    describe_gauge!(LAST_REQUEST, "When a completion was last answered, since the Unix epoch, by route.");
    describe_counter!(
        TURNED,
        "Calls to miners that failed, after which the next miner was asked or the client told."
    );
    describe_gauge!(MINERS, "Miners that can be asked, as they were last seen.");
}

pub(crate) fn request(route: &'static str, status: StatusCode) {
    counter!(REQUESTS, "route" => route, "status" => status.as_u16().to_string()).increment(1);
}

pub(crate) fn stream_broken(route: &'static str) {
    counter!(BROKEN, "route" => route).increment(1);
}

pub(crate) fn first_piece(route: &'static str, after: Duration, now: UnixNanos) {
    histogram!(FIRST, "route" => route).record(after.as_secs_f64());
    gauge!(LAST_REQUEST, "route" => route).set(now.0 as f64 / 1e9);
}

pub(crate) fn miner_failed() {
    counter!(TURNED).increment(1);
}

pub(crate) fn miners(count: usize) {
    gauge!(MINERS).set(count as f64);
}
