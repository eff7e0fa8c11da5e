//! A connection's budget of HTTP/2 frames that carry no request and no body: PING, SETTINGS, PRIORITY, WINDOW_UPDATE,
//! RST_STREAM and the like. The library below answers or obeys each of them at once, however many come.

use std::time::Duration;

/// The client's preface, which comes before the first frame.
pub(super) const PREFACE: u64 = 24;
/// The header of a frame.
pub(super) const HEADER: usize = 9;
/// A stream's number, without the reserved bit.
const STREAM_MASK: u32 = u32::MAX >> 1;
/// Frames that a connection may send at once, or more where the ends of all its requests would be more.
const BURST: f64 = 1_000.0;
/// Frames that it may send a second besides.
const PER_SECOND: f64 = 100.0;
/// Frames that each request brings along: windows of its answer, and an end before it.
const PER_REQUEST: f64 = 8.0;
/// What an end before the answer costs: all that its request brought, and a frame.
const PER_RESET: f64 = PER_REQUEST + 1.0;
/// Frames that each piece of an answer brings along.
const PER_ANSWER_PIECE: f64 = 2.0;
/// Bytes of a body that bring one frame along.
const BODY_BYTES_PER_FRAME: f64 = 4_096.0;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const GOAWAY: u8 = 7;

/// Finds the headers of frames in bytes as they come.
#[derive(Debug)]
struct FrameReader {
    /// Bytes until the next header.
    skip: u64,
    header: [u8; HEADER],
    filled: usize,
}

impl FrameReader {
    fn behind(skip: u64) -> Self {
        Self { skip, header: [0; HEADER], filled: 0 }
    }

    /// Gives each frame's kind, length and stream.
    fn read(&mut self, mut bytes: &[u8], mut frame: impl FnMut(u8, u32, u32)) {
        while !bytes.is_empty() {
            if self.skip > 0 {
                let skipped = self.skip.min(bytes.len() as u64);
                self.skip -= skipped;
                bytes = &bytes[skipped as usize..];
                continue;
            }
            let taken = (HEADER - self.filled).min(bytes.len());
            self.header[self.filled..self.filled + taken].copy_from_slice(&bytes[..taken]);
            self.filled += taken;
            bytes = &bytes[taken..];
            if self.filled == HEADER {
                self.filled = 0;
                let [high, middle, low, kind, _, stream @ ..] = self.header;
                let length = u32::from_be_bytes([0, high, middle, low]);
                self.skip = u64::from(length);
                frame(kind, length, u32::from_be_bytes(stream) & STREAM_MASK);
            }
        }
    }
}

/// What a connection may still send.
#[derive(Debug)]
pub(super) struct FrameBudget {
    coming: FrameReader,
    going: FrameReader,
    left: f64,
    most: f64,
    refilled: Duration,
    /// The newest stream that the peer opened.
    newest: u32,
    /// We said that no new stream is looked at.
    is_closing: bool,
}

impl FrameBudget {
    /// For a connection with so many requests at once.
    pub(super) fn new(streams: u32, now: Duration) -> Self {
        let most = BURST.max(2.0 * PER_RESET * f64::from(streams));
        let (coming, going) = (FrameReader::behind(PREFACE), FrameReader::behind(0));
        Self { coming, going, left: most, most, refilled: now, newest: 0, is_closing: false }
    }

    /// Takes note of bytes that came; false where the budget is used up.
    pub(super) fn takes(&mut self, bytes: &[u8], now: Duration) -> bool {
        let seconds = now.saturating_sub(self.refilled).as_secs_f64();
        self.refilled = now;
        let mut left = (self.left + seconds * PER_SECOND).min(self.most);
        let (newest, is_closing, most) = (&mut self.newest, self.is_closing, self.most);
        self.coming.read(bytes, |kind, length, stream| {
            let brings = match kind {
                // Others are trailers, or ignored below without a word.
                HEADERS if stream > *newest && !is_closing => {
                    *newest = stream;
                    PER_REQUEST
                }
                RST_STREAM => -PER_RESET,
                DATA if length > 0 => f64::from(length) / BODY_BYTES_PER_FRAME,
                // An empty piece of a body among them: it says nothing, unless it is the last.
                _ => -1.0,
            };
            left = (left + brings).min(most);
        });
        self.left = left;
        left >= 0.0
    }

    /// Takes note of bytes of ours: a peer measures the way, and opens windows, by the answers that it gets.
    pub(super) fn sends(&mut self, bytes: &[u8]) {
        let mut pieces = 0_u32;
        let is_closing = &mut self.is_closing;
        self.going.read(bytes, |kind, _, _| {
            pieces += u32::from(kind == DATA);
            *is_closing |= kind == GOAWAY;
        });
        self.left = (self.left + f64::from(pieces) * PER_ANSWER_PIECE).min(self.most);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: u8 = 4;
    const PING: u8 = 6;

    fn frame(kind: u8, length: u32) -> Vec<u8> {
        of_stream(1, kind, length)
    }

    fn of_stream(stream: u32, kind: u8, length: u32) -> Vec<u8> {
        let mut frame = length.to_be_bytes()[1..].to_vec();
        frame.extend([kind, 0]);
        frame.extend(stream.to_be_bytes());
        frame.resize(HEADER + length as usize, 0xff);
        frame
    }

    fn begun() -> FrameBudget {
        let mut budget = FrameBudget::new(50, Duration::ZERO);
        assert!(budget.takes(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Duration::ZERO));
        budget
    }

    #[test]
    fn a_flood_uses_the_budget_up_however_it_is_cut_and_time_fills_it() {
        for size in [1, 7, 17, 1_000] {
            let mut budget = begun();
            let flood = frame(PING, 8).repeat(BURST as usize);
            assert!(flood.chunks(size).all(|bytes| budget.takes(bytes, Duration::ZERO)), "{size}");
            assert!(!budget.takes(&frame(SETTINGS, 0), Duration::ZERO), "{size}");
            assert!(budget.takes(&frame(SETTINGS, 6).repeat(99), Duration::from_secs(1)), "{size}");
            assert!(!budget.takes(&frame(PING, 8), Duration::from_secs(1)), "{size}");
        }
    }

    #[test]
    fn requests_and_bodies_pay_for_what_comes_with_them() {
        let mut budget = begun();
        let request = |stream| {
            let head = of_stream(stream, HEADERS, 100);
            [head, frame(DATA, 2_048), frame(PING, 8).repeat(4), frame(DATA, 0)].concat()
        };
        assert!((0..10_000).all(|at| budget.takes(&request(2 * at + 1), Duration::ZERO)));
        // An answer that is asked for with one request and read for minutes.
        let piece = frame(DATA, 300);
        for _ in 0..10_000 {
            budget.sends(&piece);
            assert!(budget.takes(&frame(PING, 8).repeat(2), Duration::ZERO));
        }
        budget.sends(&frame(PING, 8).repeat(10_000));
        assert!(
            !budget.takes(&frame(PING, 8).repeat(BURST as usize + 1), Duration::ZERO),
            "echoes bring nothing"
        );
        let mut budget = begun();
        let windows = frame(8, 4);
        assert!((0..60).all(|second| budget.takes(&windows.repeat(100), Duration::from_secs(second))));
    }

    #[test]
    fn a_request_pays_once_and_not_for_being_taken_back() {
        let again = [frame(HEADERS, 1), frame(PING, 8)].concat();
        assert!(
            !(0..1_000).all(|_| begun().takes(&again.repeat(600), Duration::ZERO)),
            "one stream's headers"
        );
        let mut budget = begun();
        let reset =
            |at: u32| [of_stream(2 * at + 1, HEADERS, 100), of_stream(2 * at + 1, RST_STREAM, 4)].concat();
        assert!(!(0..2_000).all(|at| budget.takes(&reset(at), Duration::ZERO)), "rapid reset");
        let mut budget = begun();
        budget.sends(&of_stream(0, GOAWAY, 8));
        let ignored = |at: u32| [of_stream(2 * at + 1, HEADERS, 100), frame(PING, 8)].concat();
        assert!(!(0..2_000).all(|at| budget.takes(&ignored(at), Duration::ZERO)), "after our farewell");
    }

    #[test]
    fn all_requests_of_a_connection_may_end_at_once() {
        let mut budget = FrameBudget::new(500, Duration::ZERO);
        assert!(budget.takes(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Duration::ZERO));
        let each = |kind, length| (0..500).flat_map(move |at| of_stream(2 * at + 1, kind, length));
        let all: Vec<u8> = each(HEADERS, 100).chain(each(RST_STREAM, 4)).collect();
        assert!(budget.takes(&all, Duration::ZERO));
    }

    #[test]
    fn the_payload_of_a_frame_is_no_frame() {
        let mut budget = begun();
        let mut body = frame(DATA, 16_384);
        let inside = frame(PING, 0);
        for chunk in body[HEADER..].chunks_exact_mut(HEADER) {
            chunk.copy_from_slice(&inside);
        }
        assert!((0..100).all(|_| budget.takes(&body, Duration::ZERO)));
    }
}
