//! Answers in JSON: `{"result": …}`, and `{"result": null, "error": …}` for what is refused or has failed.

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use partway_jobs::StateError;
use partway_sqlite::OpenError;
use partway_store::StoreError;
use serde::Serialize;
use utoipa::ToSchema;

use crate::document::null;

/// What was asked for.
#[derive(Serialize, ToSchema)]
pub struct Answer<T> {
    result: T,
}

/// Why there is no result.
#[derive(Serialize, ToSchema)]
pub struct Problem {
    #[schema(schema_with = null)]
    result: (),
    /// What happened, to which thing, and what to do.
    error: String,
}

/// A result, which nobody is to keep: it changes.
pub fn result(status: StatusCode, result: &impl Serialize) -> Response {
    json(status, &Answer { result })
}

fn json(status: StatusCode, body: &impl Serialize) -> Response {
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    match serde_json::to_vec(body) {
        Ok(body) => (status, headers, body).into_response(),
        Err(error) => {
            tracing::error!(%error, "an answer can't be written as JSON");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// Why there is no result.
#[derive(Debug)]
pub struct Refusal {
    status: StatusCode,
    error: String,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Refusal {
    pub fn new(status: StatusCode, error: impl Into<String>) -> Self {
        Self { status, error: error.into(), headers: Vec::new() }
    }

    /// The client has asked for what makes no sense.
    pub fn bad(error: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, error)
    }

    pub fn not_found(error: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, error)
    }

    /// Something has gone wrong here, and the client can't help it.
    pub fn failed(error: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, error)
    }

    #[must_use]
    pub fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Why.
    pub fn text(&self) -> &str {
        &self.error
    }

    /// When to ask again, in seconds.
    #[must_use]
    pub fn again_in(self, seconds: u64) -> Self {
        self.with(RETRY_AFTER, seconds.into())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        if self.status.is_server_error() {
            tracing::error!(
                status = self.status.as_u16(),
                error = self.error,
                "no answer but an error"
            );
        }
        let mut response = json(self.status, &Problem { result: (), error: self.error });
        response.headers_mut().extend(self.headers);
        response
    }
}

impl From<StateError> for Refusal {
    fn from(error: StateError) -> Self {
        let text = error.to_string();
        match error {
            StateError::UnknownJob(id) | StateError::AmbiguousJob(id) => unknown(&id),
            StateError::Busy { .. } | StateError::Full { .. } => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, text).again_in(10)
            }
            _ => Self::failed(text),
        }
    }
}

impl From<OpenError> for Refusal {
    fn from(error: OpenError) -> Self {
        let text = error.to_string();
        match error {
            OpenError::Busy { .. } => Self::new(StatusCode::SERVICE_UNAVAILABLE, text).again_in(5),
            _ => Self::failed(text),
        }
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        let text = error.to_string();
        match error {
            StoreError::NoObject { .. } => Self::new(StatusCode::GONE, text),
            _ if error.is_transient() => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, text).again_in(10)
            }
            _ => Self::new(StatusCode::BAD_GATEWAY, text),
        }
    }
}

impl From<tokio::task::JoinError> for Refusal {
    fn from(error: tokio::task::JoinError) -> Self {
        Self::failed(format!("the work ended in an unforeseen way: {error}"))
    }
}

/// There is no such export, as far as this service knows.
pub fn unknown(id: &str) -> Refusal {
    Refusal::not_found(format!("there is no export {id:?}: GET /exports lists those there are"))
}
