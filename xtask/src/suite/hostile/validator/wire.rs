//! HTTP/2 as a server speaks it, by hand: the request is read, and then anything may be said.

use anyhow::ensure;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::super::frames::{ACK, DATA, END_STREAM, HEADERS, SETTINGS, frame};

/// The client's preface.
const PREFACE: usize = 24;
/// The header of a frame.
const HEADER: usize = 9;
/// Of a request's body.
const BODY_MAX: usize = 1 << 20;

/// Shakes hands and reads the body of the first request.
pub(super) async fn request<S: AsyncRead + AsyncWrite + Unpin>(socket: &mut S) -> anyhow::Result<Vec<u8>> {
    let mut preface = [0; PREFACE];
    socket.read_exact(&mut preface).await?;
    socket.write_all(&frame(SETTINGS, 0, 0, &[])).await?;
    socket.write_all(&frame(SETTINGS, ACK, 0, &[])).await?;
    let mut body = Vec::new();
    loop {
        let mut header = [0; HEADER];
        socket.read_exact(&mut header).await?;
        let [high, middle, low, kind, flags, ..] = header;
        let mut payload = vec![0; u32::from_be_bytes([0, high, middle, low]) as usize];
        socket.read_exact(&mut payload).await?;
        if kind == DATA {
            body.extend(payload);
            ensure!(body.len() <= BODY_MAX, "a request of {} bytes", body.len());
        }
        if matches!(kind, DATA | HEADERS) && flags & END_STREAM != 0 {
            return Ok(body);
        }
    }
}
