//! The bodies of requests, which have to be small and to come soon.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::header::CONNECTION;
use axum::http::{HeaderValue, StatusCode};
use tokio::time::timeout;

use crate::answer::Refusal;

/// The largest body, in bytes: options, with as many tables as one may name.
pub const LARGEST: usize = 64 * 1024;

/// How long a body may take, from the first byte to the last.
const WITHIN: Duration = Duration::from_secs(30);

/// A body that has come whole.
pub struct Sent(pub Bytes);

impl<S: Send + Sync> FromRequest<S> for Sent {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        match timeout(WITHIN, Bytes::from_request(request, state)).await {
            Ok(Ok(body)) => Ok(Self(body)),
            Ok(Err(rejection)) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                let text = format!("the options are larger than {} KiB", LARGEST / 1024);
                Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, text))
            }
            Ok(Err(rejection)) => Err(Refusal::new(
                rejection.status(),
                format!("the options can't be taken: {}", rejection.body_text()),
            )),
            Err(_) => {
                let text = format!(
                    "the options have not come within {} s: send them anew",
                    WITHIN.as_secs()
                );
                let refusal = Refusal::new(StatusCode::REQUEST_TIMEOUT, text);
                Err(refusal.with(CONNECTION, HeaderValue::from_static("close")))
            }
        }
    }
}
