//! The bodies of requests, within a limit of size and time.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::header::CONNECTION;
use axum::http::{HeaderValue, StatusCode};
use tokio::time::timeout;

use super::error::ApiError;

/// The largest body, in bytes: options, with a long list of tables.
pub const MAX_LENGTH: usize = 64 * 1024;

/// How long a body may take, from the first byte to the last.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A complete body.
pub struct LimitedBody(pub Bytes);

impl<S: Send + Sync> FromRequest<S> for LimitedBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        match timeout(TIMEOUT, Bytes::from_request(request, state)).await {
            Ok(Ok(body)) => Ok(Self(body)),
            Ok(Err(rejection)) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                let text = format!("the body is larger than {} KiB", MAX_LENGTH / 1024);
                Err(ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, text))
            }
            Ok(Err(rejection)) => Err(ApiError::new(
                rejection.status(),
                format!("the body can't be received: {}", rejection.body_text()),
            )),
            Err(_) => {
                let text = format!(
                    "the body has not arrived within {} s: send it again",
                    TIMEOUT.as_secs()
                );
                let error = ApiError::new(StatusCode::REQUEST_TIMEOUT, text);
                Err(error.with_header(CONNECTION, HeaderValue::from_static("close")))
            }
        }
    }
}
