//! Errors as responses: a status and `{"result": null, "error": …}`.

use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use partway_jobs::{StateError, TableError};
use partway_sqlite::OpenError;
use partway_store::StoreError;
use partway_wasmtime::CallError;
use partway_wasmtime::exporter::ExportError as ComponentError;
use serde::Serialize;
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};
use utoipa::{IntoResponses, ToSchema};

use super::response::json;
use crate::state::error::ExportError;

/// Why there is no result.
#[derive(Serialize, ToSchema)]
pub struct ErrorBody {
    #[schema(schema_with = null)]
    result: (),
    /// What happened, what it concerns, and what to do.
    error: String,
}

impl ErrorBody {
    pub fn new(error: String) -> Self {
        Self { result: (), error }
    }
}

/// The schema of what is always null.
fn null() -> Object {
    ObjectBuilder::new().schema_type(Type::Null).build()
}

/// The errors of every route that needs a token.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "they describe responses, which are made elsewhere")]
pub enum CommonErrors {
    /// The token is missing or unknown.
    #[response(status = 401, headers(("WWW-Authenticate" = String, description = "That a token is needed, and what is wrong with the token sent")))]
    Unauthorized(ErrorBody),
    /// The token only allows reading; or the service has no tokens, and the Host header names another machine.
    #[response(status = 403)]
    Forbidden(ErrorBody),
    /// The service or the export failed; the error says why.
    #[response(status = 500)]
    Failed(ErrorBody),
    /// The jobs, the database or the store can't be used right now, or the service is stopping.
    #[response(status = 503, headers(("Retry-After" = u64, description = "When to try again, in seconds")))]
    Unavailable(ErrorBody),
}

/// An error, as a response.
#[derive(Debug)]
pub struct ApiError {
    status: StatusCode,
    error: String,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl ApiError {
    pub fn new(status: StatusCode, error: impl Into<String>) -> Self {
        Self { status, error: error.into(), headers: Vec::new() }
    }

    /// 400: the request makes no sense.
    pub fn bad_request(error: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, error)
    }

    /// 404.
    pub fn not_found(error: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, error)
    }

    /// 500: something failed here, and the client can't help it.
    pub fn internal(error: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, error)
    }

    /// 503: something can't be used right now.
    fn unavailable(error: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, error)
    }

    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// With the time after which to try again, in seconds.
    #[must_use]
    pub fn retry_after(self, seconds: u64) -> Self {
        self.with_header(RETRY_AFTER, seconds.into())
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        if self.status.is_server_error() {
            tracing::error!(status = self.status.as_u16(), error = self.error, "a request failed");
        }
        let mut response = json(self.status, &ErrorBody::new(self.error));
        response.headers_mut().extend(self.headers);
        response
    }
}

impl<E: Into<ExportError>> From<E> for ApiError {
    fn from(error: E) -> Self {
        let error = error.into();
        let text = error.to_string();
        match &error {
            ExportError::UnknownDatabase { .. }
            | ExportError::UnknownExport(_)
            | ExportError::NoStore => Self::not_found(text),
            ExportError::KeyTaken(_) => Self::new(StatusCode::UNPROCESSABLE_ENTITY, text),
            ExportError::TooManyUnfinished(_) => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, text).retry_after(30)
            }
            ExportError::Jobs(error) => of_jobs(error, text),
            ExportError::Open(OpenError::Busy { .. }) => Self::unavailable(text).retry_after(5),
            ExportError::Store(StoreError::NoObject { .. }) => Self::new(StatusCode::GONE, text),
            ExportError::Store(error) if error.is_transient() => {
                Self::unavailable(text).retry_after(10)
            }
            ExportError::Store(_) => Self::new(StatusCode::BAD_GATEWAY, text),
            ExportError::Exporter(error) => of_component(error, text),
            ExportError::Tables(error) if !matches!(error, TableError::Schema(_)) => {
                Self::bad_request(text)
            }
            ExportError::Open(_)
            | ExportError::Tables(_)
            | ExportError::Filter(_)
            | ExportError::Component(_)
            | ExportError::Stream(_)
            | ExportError::Panicked(_) => Self::internal(text),
        }
    }
}

fn of_jobs(error: &StateError, text: String) -> ApiError {
    match error {
        StateError::UnknownJob(id) | StateError::AmbiguousJob(id) => {
            ExportError::UnknownExport(id.clone()).into()
        }
        StateError::Busy { .. } | StateError::Full { .. } => {
            ApiError::unavailable(text).retry_after(10)
        }
        _ => ApiError::internal(text),
    }
}

fn of_component(error: &CallError, text: String) -> ApiError {
    match error {
        CallError::Exporter(ComponentError::InvalidOptions(reason)) => {
            ApiError::bad_request(reason.clone())
        }
        CallError::Exporter(ComponentError::ReadFailed(_) | ComponentError::Interrupted) => {
            ApiError::unavailable(text).retry_after(10)
        }
        _ => ApiError::internal(text),
    }
}
