//! Failures of one call, and the gRPC status of each: the one place where they become statuses.

use http::{HeaderMap, StatusCode, header};
use tonic::{Code, Status};
use weighhouse_seams::UnixNanos;
use weighhouse_types::Failure;
use weighhouse_wallet::btauth::header::TIME;

/// Characters of a miner's status message.
const MESSAGE_CHARACTERS_MAX: usize = 200;

/// Reasons why a call gave no answer, or only a part of one.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CallError {
    #[error("the miner answered with status {}: {}", .0.code() as i32, .0.message())]
    Refused(Status),
    #[error("no miner is known that could be asked")]
    NoMiner,
    #[error("the miner did not answer in time")]
    Late,
    #[error("the miner can't be reached")]
    Unreachable,
    #[error("the message is over the proxy's cap")]
    Oversized,
    #[error("the miner's answer broke off")]
    BrokenOff,
    #[error("the miner's address answers with HTTP status {0}, without a gRPC status")]
    NotGrpc(StatusCode),
}

impl CallError {
    /// Gives the status under which a caller is told. A miner's own stays as it is.
    pub fn status(&self) -> Status {
        let code = match self {
            Self::Refused(status) => return status.clone(),
            Self::Late => Code::DeadlineExceeded,
            Self::NoMiner | Self::Unreachable | Self::BrokenOff => Code::Unavailable,
            Self::Oversized => Code::ResourceExhausted,
            Self::NotGrpc(status) => of_http(*status),
        };
        Status::new(code, self.to_string())
    }

    /// Reads the status that ends a call; OK is no error.
    ///
    /// # Errors
    /// Any other status, or none.
    pub(crate) fn read_status(headers: &HeaderMap, now: UnixNanos) -> Result<(), Self> {
        let status = Status::from_header_map(headers).ok_or(Self::BrokenOff)?;
        if status.code() == Code::Ok {
            return Ok(());
        }
        let mut message: String = status.message().chars().take(MESSAGE_CHARACTERS_MAX).collect();
        let time = headers.get(TIME).and_then(|time| time.to_str().ok()?.parse::<u64>().ok());
        if let Some(theirs) = time {
            let seconds = (i128::from(theirs) - i128::from(now.0)) as f64 / 1e9;
            message.push_str(&format!(" (its clock is {seconds:+.1} s off ours)"));
        }
        Err(Self::Refused(Status::new(status.code(), message)))
    }

    /// Checks that a response is gRPC's, whatever its status is.
    ///
    /// # Errors
    /// Another HTTP status than 200, or another kind of content.
    pub(crate) fn check_head(status: StatusCode, headers: &HeaderMap) -> Result<(), Self> {
        let kind = headers.get(header::CONTENT_TYPE).map_or(&b""[..], |kind| kind.as_bytes());
        let is_grpc = status == StatusCode::OK && kind.starts_with(b"application/grpc");
        if is_grpc { Ok(()) } else { Err(Self::NotGrpc(status)) }
    }
}

impl From<Failure> for CallError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::DeadlineExceeded => Self::Late,
            Failure::Oversized => Self::Oversized,
            Failure::Undecodable => Self::BrokenOff,
            _ => Self::Unreachable,
        }
    }
}

/// The codes that gRPC's document on HTTP status mapping gives.
fn of_http(status: StatusCode) -> Code {
    match status.as_u16() {
        400 => Code::Internal,
        401 => Code::Unauthenticated,
        403 => Code::PermissionDenied,
        404 => Code::Unimplemented,
        429 | 502 | 503 | 504 => Code::Unavailable,
        _ => Code::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(code: &'static str, message: &'static str) -> Result<(), String> {
        let mut headers = HeaderMap::new();
        headers.insert("grpc-status", http::HeaderValue::from_static(code));
        headers.insert("grpc-message", http::HeaderValue::from_static(message));
        CallError::read_status(&headers, UnixNanos(0)).map_err(|error| error.to_string())
    }

    #[test]
    fn a_refusal_for_its_time_says_how_far_the_clocks_are_apart() {
        let read = |time: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("grpc-status", http::HeaderValue::from_static("16"));
            headers.insert(TIME, http::HeaderValue::from_str(time).expect("text"));
            CallError::read_status(&headers, UnixNanos(60_000_000_000)).expect_err("refused").to_string()
        };
        assert!(read("2500000000").ends_with(" (its clock is -57.5 s off ours)"));
        assert!(read("later").ends_with(": "), "nonsense of a peer");
    }

    #[test]
    fn a_miners_status_is_read_with_its_message() {
        assert_eq!(read("0", ""), Ok(()));
        let expected = "the miner answered with status 3: `max_tokens` is 0, 100% no%2";
        assert_eq!(read("3", "`max_tokens`%20is%200,%20100%25%20no%2"), Err(expected.to_owned()));
        assert_eq!(read("99", ""), Err("the miner answered with status 2: ".to_owned()));
        let none = CallError::read_status(&HeaderMap::new(), UnixNanos(0)).expect_err("no status");
        assert_eq!(none.to_string(), "the miner's answer broke off");
    }

    #[test]
    fn what_isnt_grpc_becomes_the_status_that_grpc_clients_would_give_it() {
        let cases = [
            (200, Code::Unknown),
            (404, Code::Unimplemented),
            (502, Code::Unavailable),
            (429, Code::Unavailable),
            (500, Code::Unknown),
        ];
        let mut html = HeaderMap::new();
        html.insert(header::CONTENT_TYPE, http::HeaderValue::from_static("text/html"));
        for (status, expected) in cases {
            let status = StatusCode::from_u16(status).expect("a status");
            let error = CallError::check_head(status, &html).expect_err("not gRPC");
            assert_eq!(error.status().code(), expected, "{error}");
        }
        html.insert(header::CONTENT_TYPE, http::HeaderValue::from_static("application/grpc+proto"));
        assert!(CallError::check_head(StatusCode::OK, &html).is_ok());
    }
}
