//! The answer to what can't be read as a request. It has the body of all errors, and ends its connection.

use std::io;
use std::time::Duration;

use axum::http::StatusCode;
use partway_jobs::{Clock, SystemClock};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use super::connections::{HEAD_TIMEOUT, MAX_HEAD_LENGTH};
use super::error::ErrorBody;

/// How long a client may take to read the answer and to close the connection.
const END_TIMEOUT: Duration = Duration::from_secs(2);

/// How much of what the client still sends is read, in bytes.
const MAX_REST: u64 = 1024 * 1024;

/// Answers, and ends the connection. A client that is gone by then is no error.
pub async fn refuse<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, status: StatusCode) {
    let answer = async {
        stream.write_all(&answer(status)).await?;
        stream.shutdown().await?;
        // If it were closed with bytes unread, the system would reset the connection, and the client might lose the answer.
        tokio::io::copy(&mut stream.take(MAX_REST), &mut tokio::io::sink()).await?;
        Ok::<_, io::Error>(())
    };
    match timeout(END_TIMEOUT, answer).await {
        Ok(Ok(())) | Err(_) => {}
        Ok(Err(error)) => tracing::debug!(%error, "a connection was lost"),
    }
}

fn answer(status: StatusCode) -> Vec<u8> {
    let body = serde_json::to_string(&ErrorBody::new(text(status))).unwrap_or_default();
    let date = SystemClock.now().strftime("%a, %d %b %Y %H:%M:%S GMT");
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncache-control: no-store\r\n\
         content-length: {}\r\nconnection: close\r\ndate: {date}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

fn text(status: StatusCode) -> String {
    match status {
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => {
            let limit = MAX_HEAD_LENGTH / 1024;
            format!("the headers are larger than {limit} KiB: send fewer, or shorter ones")
        }
        StatusCode::URI_TOO_LONG => "the URI is too long".to_owned(),
        StatusCode::REQUEST_TIMEOUT => {
            let limit = HEAD_TIMEOUT.as_secs();
            format!("the headers have not arrived within {limit} s: send the request again")
        }
        StatusCode::HTTP_VERSION_NOT_SUPPORTED => "this service speaks HTTP/1.1".to_owned(),
        _ => "this is not a valid request of HTTP/1.1, which this service speaks, without TLS"
            .to_owned(),
    }
}
